//! The LSTM's activation functions, tanh and sigmoid, on vectors.
//!
//! Both use one exponential function: the argument is split into n ln 2 + r, e^r is a polynomial (Cephes' `expf`, within
//! 2 units in the last place), and n is added to the exponent's bits.

use pulp::Simd;

/// 1.5 * 2^23: adding it rounds to the nearest integer and leaves that integer in the low bits.
const ROUNDING: f32 = 12_582_912.0;
/// ln 2 in two parts. The first has few bits, so that its product with an integer is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// e^r = 1 + r + r^2 * (these, the highest power first), for r within half of ln 2.
const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_5e-2, 1.666_666_5e-1, 0.5];
/// Beyond this, e^x is outside of the range of normal numbers. Both functions are constant long before.
const LIMIT: f32 = 87.0;

/// e^x, for x clamped to +-87.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    let x = simd.min_f32s(simd.max_f32s(x, splat(-LIMIT)), splat(LIMIT));
    let shifted = simd.mul_add_e_f32s(x, splat(std::f32::consts::LOG2_E), splat(ROUNDING));
    let n = simd.sub_f32s(shifted, splat(ROUNDING));
    let r = simd.mul_add_e_f32s(n, splat(-LN_2[0]), x);
    let r = simd.mul_add_e_f32s(n, splat(-LN_2[1]), r);
    let mut p = splat(POLYNOMIAL[0]);
    for coefficient in &POLYNOMIAL[1..] {
        p = simd.mul_add_e_f32s(p, r, splat(*coefficient));
    }
    let p = simd.mul_add_e_f32s(p, simd.mul_f32s(r, r), simd.add_f32s(r, splat(1.0)));
    let power = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), power))
}

/// value / (1 + e^-x): the value times the sigmoid of x.
#[inline(always)]
pub(super) fn times_sigmoid<S: Simd>(simd: S, value: S::f32s, x: S::f32s) -> S::f32s {
    simd.div_f32s(value, simd.add_f32s(simd.splat_f32s(1.0), exp(simd, simd.neg_f32s(x))))
}

/// tanh(value) times the sigmoid of x, as (e^2v - 1) / ((e^2v + 1) (1 + e^-x)). A division is as slow as an exponential, so
/// both functions share one. The result is within 2e-7, which is sufficient for sums of order 1. The denominator may
/// become infinite if x is far below zero; the result is then zero, which is correct.
#[inline(always)]
pub(super) fn tanh_times_sigmoid<S: Simd>(simd: S, value: S::f32s, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let e = exp(simd, simd.add_f32s(value, value));
    let below = simd.add_f32s(one, exp(simd, simd.neg_f32s(x)));
    simd.div_f32s(simd.sub_f32s(e, one), simd.mul_f32s(simd.add_f32s(e, one), below))
}
