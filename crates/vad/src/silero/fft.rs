//! Magnitudes of the Fourier transform of 256 real samples, for as many frames at once as a vector has lanes.
//!
//! Lane i of every vector belongs to frame i, so nothing is shuffled, and the code reads like a scalar transform. It is the
//! usual method for real input: even samples are taken as real parts and odd ones as imaginary parts of 128 complex
//! numbers; these are transformed by decimation in frequency (128 = 4 * 4 * 8), and the spectrum of the real signal is
//! assembled from pairs of results (Press et al., Numerical Recipes, 12.3).

use std::f32::consts::FRAC_1_SQRT_2;

use pulp::Simd;

use super::{BINS, FRAME};

/// Complex points: half of the frame.
const POINTS: usize = FRAME / 2;

/// Real and imaginary part of a complex number in each lane.
type Complex<V> = [V; 2];

/// e^(-2 pi i k / n) as (cosine, sine).
fn root(k: usize, n: usize) -> [f32; 2] {
    let angle = -std::f64::consts::TAU * k as f64 / n as f64;
    [angle.cos() as f32, angle.sin() as f32]
}

/// Powers 1, 2 and 3 of a root of unity.
type Roots = [[f32; 2]; 3];

/// Tables that depend only on the window's shape.
pub(super) struct Fft {
    /// The window divided by 2. The last step of the transform needs this factor, and here the division is exact.
    window: [[f32; 2]; POINTS],
    /// The roots for each position in a quarter of the passes over 128 and over 32 points.
    passes: [Vec<Roots>; 2],
    /// For each frequency k up to the middle: e^(-2 pi i k / 256), and the positions of the frequencies k and 128 - k in the
    /// transform's output.
    unpack: Vec<([f32; 2], usize, usize)>,
}

impl Fft {
    /// Tables for frames that are multiplied by `window` first.
    pub fn new(window: &[f32]) -> Self {
        let pass = |size: usize| (0..size / 4).map(|j| [root(j, size), root(2 * j, size), root(3 * j, size)]).collect();
        // Each pass orders the frequencies by their remainder: the first two modulo 4, the last modulo 8.
        let position = |k: usize| (k % 4) * 32 + (k / 4 % 4) * 8 + k / 16;
        Self {
            window: std::array::from_fn(|n| [window[2 * n] / 2.0, window[2 * n + 1] / 2.0]),
            passes: [pass(128), pass(32)],
            unpack: (1..=POINTS / 2).map(|k| (root(k, FRAME), position(k), position(POINTS - k))).collect(),
        }
    }

    /// Transforms one frame in each lane. `samples(n)` are vectors 2 n and 2 n + 1 of the frame, `work` is scratch for 256
    /// vectors, and `write(bin, magnitude)` takes the results.
    #[inline(always)]
    pub fn magnitudes<S: Simd>(
        &self,
        simd: S,
        samples: impl Fn(usize) -> Complex<S::f32s>,
        work: &mut [S::f32s],
        write: impl FnMut(usize, S::f32s),
    ) {
        let points = &mut work.as_chunks_mut::<2>().0[..POINTS];
        let quarter = POINTS / 4;
        for (j, roots) in self.passes[0].iter().enumerate() {
            let point = |n: usize| {
                let ([re, im], window) = (samples(n), self.window[n]);
                [simd.mul_f32s(re, simd.splat_f32s(window[0])), simd.mul_f32s(im, simd.splat_f32s(window[1]))]
            };
            let four = [point(j), point(j + quarter), point(j + 2 * quarter), point(j + 3 * quarter)];
            for (m, value) in by_four(simd, four, roots).into_iter().enumerate() {
                points[j + m * quarter] = value;
            }
        }
        for block in points.chunks_exact_mut(32) {
            for (j, roots) in self.passes[1].iter().enumerate() {
                let four = by_four(simd, [block[j], block[j + 8], block[j + 16], block[j + 24]], roots);
                [block[j], block[j + 8], block[j + 16], block[j + 24]] = four;
            }
        }
        for block in points.as_chunks_mut::<8>().0 {
            *block = by_eight(simd, *block);
        }
        self.unpack(simd, points, write);
    }

    /// From the spectrum of the packed signal to the magnitudes of the real one, two at a time.
    #[inline(always)]
    fn unpack<S: Simd>(&self, simd: S, points: &[Complex<S::f32s>], mut write: impl FnMut(usize, S::f32s)) {
        let direct = |value: S::f32s| simd.abs_f32s(simd.add_f32s(value, value));
        let [re, im] = points[0];
        write(0, direct(simd.add_f32s(re, im)));
        write(BINS - 1, direct(simd.sub_f32s(re, im)));
        for (k, (root, position, mirrored)) in self.unpack.iter().enumerate() {
            let (a, b) = (points[*position], points[*mirrored]);
            let even = [simd.add_f32s(a[0], b[0]), simd.sub_f32s(a[1], b[1])];
            // -i times the difference of a and the conjugate of b
            let odd = multiply(simd, [simd.add_f32s(a[1], b[1]), simd.sub_f32s(b[0], a[0])], *root);
            write(k + 1, magnitude(simd, add(simd, even, odd)));
            write(POINTS - k - 1, magnitude(simd, sub(simd, even, odd)));
        }
    }
}

/// The transform of four points that are a quarter apart, multiplied by the twiddle factors of the next pass.
#[inline(always)]
fn by_four<S: Simd>(simd: S, [a, b, c, d]: [Complex<S::f32s>; 4], roots: &Roots) -> [Complex<S::f32s>; 4] {
    let [w, x, y, z] = transform_four(simd, [a, b, c, d]);
    [w, multiply(simd, x, roots[0]), multiply(simd, y, roots[1]), multiply(simd, z, roots[2])]
}

/// The Fourier transform of four points.
#[inline(always)]
fn transform_four<S: Simd>(simd: S, [a, b, c, d]: [Complex<S::f32s>; 4]) -> [Complex<S::f32s>; 4] {
    let (sum_ac, sum_bd) = (add(simd, a, c), add(simd, b, d));
    let (difference_ac, [re, im]) = (sub(simd, a, c), sub(simd, b, d));
    let [x, y] = difference_ac;
    let plus = [simd.add_f32s(x, im), simd.sub_f32s(y, re)]; // plus -i times the difference of b and d
    let minus = [simd.sub_f32s(x, im), simd.add_f32s(y, re)];
    [add(simd, sum_ac, sum_bd), plus, sub(simd, sum_ac, sum_bd), minus]
}

/// The Fourier transform of eight points, frequencies in order.
#[inline(always)]
fn by_eight<S: Simd>(simd: S, p: [Complex<S::f32s>; 8]) -> [Complex<S::f32s>; 8] {
    let sums: [_; 4] = std::array::from_fn(|n| add(simd, p[n], p[n + 4]));
    let [a, b, c, d]: [_; 4] = std::array::from_fn(|n| sub(simd, p[n], p[n + 4]));
    let half = simd.splat_f32s(FRAC_1_SQRT_2);
    let scale = |[re, im]: Complex<S::f32s>| [simd.mul_f32s(re, half), simd.mul_f32s(im, half)];
    // Odd frequencies: the differences, multiplied by the powers of e^(-2 pi i / 8).
    let b = scale([simd.add_f32s(b[0], b[1]), simd.sub_f32s(b[1], b[0])]);
    let c = [c[1], simd.neg_f32s(c[0])];
    let d = scale([simd.sub_f32s(d[1], d[0]), simd.neg_f32s(simd.add_f32s(d[0], d[1]))]);
    let (even, odd) = (transform_four(simd, sums), transform_four(simd, [a, b, c, d]));
    [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
}

#[inline(always)]
fn add<S: Simd>(simd: S, a: Complex<S::f32s>, b: Complex<S::f32s>) -> Complex<S::f32s> {
    [simd.add_f32s(a[0], b[0]), simd.add_f32s(a[1], b[1])]
}

#[inline(always)]
fn sub<S: Simd>(simd: S, a: Complex<S::f32s>, b: Complex<S::f32s>) -> Complex<S::f32s> {
    [simd.sub_f32s(a[0], b[0]), simd.sub_f32s(a[1], b[1])]
}

/// Product with the same complex number in every lane.
#[inline(always)]
fn multiply<S: Simd>(simd: S, [x, y]: Complex<S::f32s>, [re, im]: [f32; 2]) -> Complex<S::f32s> {
    let (re, im) = (simd.splat_f32s(re), simd.splat_f32s(im));
    [simd.negate_mul_add_e_f32s(y, im, simd.mul_f32s(x, re)), simd.mul_add_e_f32s(y, re, simd.mul_f32s(x, im))]
}

#[inline(always)]
fn magnitude<S: Simd>(simd: S, [re, im]: Complex<S::f32s>) -> S::f32s {
    simd.sqrt_f32s(simd.mul_add_e_f32s(re, re, simd.mul_f32s(im, im)))
}
