//! Magnitudes of the Fourier transform of 256 real samples, for as many frames at once as a vector has lanes.
//!
//! Lane i of every vector belongs to frame i, so there is nothing to shuffle: the code reads like a scalar transform.
//! The usual way for real input: even samples are taken as real parts and odd ones as imaginary parts of 128 complex
//! numbers; these are transformed in place by decimation in frequency (128 = 4 * 4 * 4 * 2), and the spectrum of the
//! real signal is put together from pairs of results (Press et al., Numerical Recipes, 12.3).

use pulp::Simd;

use super::{BINS, FRAME};

/// Complex points: half of the frame.
const POINTS: usize = FRAME / 2;

/// A complex number in each lane.
#[derive(Clone, Copy)]
struct Complex<V> {
    re: V,
    im: V,
}

/// e^(-2 pi i k / n) as (cosine, sine).
fn root(k: usize, n: usize) -> [f32; 2] {
    let angle = -std::f64::consts::TAU * k as f64 / n as f64;
    [angle.cos() as f32, angle.sin() as f32]
}

/// Tables that depend on nothing but the window's shape.
pub(super) struct Fft {
    /// Half of the window: the halves that the last step divides by are taken here, where they are exact.
    window: [f32; FRAME],
    /// For each of the three passes by four: powers 1, 2, 3 of the root, for each place in a quarter.
    passes: [Vec<[[f32; 2]; 3]>; 3],
    /// e^(-2 pi i k / 256) for the last step.
    unpack: [[f32; 2]; POINTS / 2 + 1],
    /// Where the in-place transform leaves frequency k.
    place: [usize; POINTS],
}

impl Fft {
    /// Tables for frames that are multiplied by `window` first.
    pub fn new(window: &[f32]) -> Self {
        let pass = |size: usize| (0..size / 4).map(|j| [root(j, size), root(2 * j, size), root(3 * j, size)]).collect();
        Self {
            window: std::array::from_fn(|n| window[n] / 2.0),
            passes: [pass(128), pass(32), pass(8)],
            unpack: std::array::from_fn(|k| root(k, FRAME)),
            place: std::array::from_fn(|k| (k % 4) * 32 + (k / 4 % 4) * 8 + (k / 16 % 4) * 2 + k / 64),
        }
    }

    /// Transforms one frame in each lane: `samples` are 256 vectors, `magnitudes` 129, a vector every `stride` values.
    #[inline(always)]
    pub fn magnitudes<S: Simd>(&self, simd: S, samples: &[S::f32s], mut write: impl FnMut(usize, S::f32s)) {
        let zero = simd.splat_f32s(0.0);
        let mut z = [Complex { re: zero, im: zero }; POINTS];
        for ((z, pair), window) in z.iter_mut().zip(samples.chunks_exact(2)).zip(self.window.chunks_exact(2)) {
            z.re = simd.mul_f32s(pair[0], simd.splat_f32s(window[0]));
            z.im = simd.mul_f32s(pair[1], simd.splat_f32s(window[1]));
        }
        for (pass, roots) in self.passes.iter().enumerate() {
            for block in z.chunks_exact_mut(POINTS >> (2 * pass)) {
                pass_by_four(simd, block, roots);
            }
        }
        for pair in z.chunks_exact_mut(2) {
            (pair[0], pair[1]) = (add(simd, pair[0], pair[1]), sub(simd, pair[0], pair[1]));
        }
        self.unpack(simd, &z, &mut write);
    }

    /// From the spectrum of the packed signal to the magnitudes of the real one, two at a time.
    #[inline(always)]
    fn unpack<S: Simd>(&self, simd: S, z: &[Complex<S::f32s>; POINTS], write: &mut impl FnMut(usize, S::f32s)) {
        let direct = |value: S::f32s| simd.abs_f32s(simd.add_f32s(value, value));
        write(0, direct(simd.add_f32s(z[0].re, z[0].im)));
        write(BINS - 1, direct(simd.sub_f32s(z[0].re, z[0].im)));
        for (k, root) in self.unpack.iter().enumerate().skip(1) {
            let (a, b) = (z[self.place[k]], z[self.place[POINTS - k]]);
            let even = Complex { re: simd.add_f32s(a.re, b.re), im: simd.sub_f32s(a.im, b.im) };
            // -i times the difference of a and the conjugate of b
            let odd = Complex { re: simd.add_f32s(a.im, b.im), im: simd.sub_f32s(b.re, a.re) };
            let odd = turn(simd, odd, *root);
            write(k, magnitude(simd, add(simd, even, odd)));
            write(POINTS - k, magnitude(simd, sub(simd, even, odd)));
        }
    }
}

/// One pass of the transform by four over a block, in place: quarter m receives the frequencies that leave rest m.
#[inline(always)]
fn pass_by_four<S: Simd>(simd: S, block: &mut [Complex<S::f32s>], roots: &[[[f32; 2]; 3]]) {
    let (low, high) = block.split_at_mut(block.len() / 2);
    let (q0, q1) = low.split_at_mut(low.len() / 2);
    let (q2, q3) = high.split_at_mut(high.len() / 2);
    for ((((a, b), c), d), roots) in q0.iter_mut().zip(q1).zip(q2).zip(q3).zip(roots) {
        let (sum_ac, sum_bd) = (add(simd, *a, *c), add(simd, *b, *d));
        let (difference_ac, difference_bd) = (sub(simd, *a, *c), sub(simd, *b, *d));
        let turned = Complex { re: difference_bd.im, im: simd.neg_f32s(difference_bd.re) }; // times -i
        *a = add(simd, sum_ac, sum_bd);
        *b = turn(simd, add(simd, difference_ac, turned), roots[0]);
        *c = turn(simd, sub(simd, sum_ac, sum_bd), roots[1]);
        *d = turn(simd, sub(simd, difference_ac, turned), roots[2]);
    }
}

#[inline(always)]
fn add<S: Simd>(simd: S, a: Complex<S::f32s>, b: Complex<S::f32s>) -> Complex<S::f32s> {
    Complex { re: simd.add_f32s(a.re, b.re), im: simd.add_f32s(a.im, b.im) }
}

#[inline(always)]
fn sub<S: Simd>(simd: S, a: Complex<S::f32s>, b: Complex<S::f32s>) -> Complex<S::f32s> {
    Complex { re: simd.sub_f32s(a.re, b.re), im: simd.sub_f32s(a.im, b.im) }
}

/// Product with the same complex number in every lane.
#[inline(always)]
fn turn<S: Simd>(simd: S, a: Complex<S::f32s>, [re, im]: [f32; 2]) -> Complex<S::f32s> {
    let (re, im) = (simd.splat_f32s(re), simd.splat_f32s(im));
    Complex {
        re: simd.negate_mul_add_e_f32s(a.im, im, simd.mul_f32s(a.re, re)),
        im: simd.mul_add_e_f32s(a.im, re, simd.mul_f32s(a.re, im)),
    }
}

#[inline(always)]
fn magnitude<S: Simd>(simd: S, a: Complex<S::f32s>) -> S::f32s {
    simd.sqrt_f32s(simd.mul_add_e_f32s(a.re, a.re, simd.mul_f32s(a.im, a.im)))
}
