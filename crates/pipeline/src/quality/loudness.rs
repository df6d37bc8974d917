//! Loudness of a segment, as EBU R128 defines it.
//!
//! Source: ITU-R BS.1770-4, whose filters are given for 48 kHz only. For 16 kHz they are derived from the analogue prototypes
//! that B. De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement" (2018), gives.
//!
//! The crate `ebur128`, with which this is compared in tests, filters one sample after the other and took 11% of the
//! processor time of a run without files. Here the hops of 100 ms are filtered side by side. Each begins with zeros 50 ms
//! before its first sample: by then the response of the slowest pole, at 38 Hz, has fallen by more than 100 dB.

use prepare_audio_vad::SAMPLE_RATE;
use pulp::{Arch, NullaryFnOnce};

/// Samples of 100 ms, by which blocks of 400 ms begin one after the other.
const HOP: usize = SAMPLE_RATE as usize / 10;

/// Hops of a block.
const BLOCK: usize = 4;

/// Samples that are filtered before a hop.
const WARM_UP: usize = SAMPLE_RATE as usize / 20;

/// Hops that are filtered side by side.
const LANES: usize = 16;

/// Samples of [`LANES`] hops and of what comes before them.
const BATCH: usize = WARM_UP + LANES * HOP;

/// Samples of each lane that are put side by side at once. Divides [`WARM_UP`] and [`HOP`].
const STEPS: usize = 32;

const _: () = assert!(WARM_UP.is_multiple_of(STEPS) && HOP.is_multiple_of(STEPS));

/// Full scale of the samples.
const FULL_SCALE: f64 = 32_768.0;

/// The absolute gate, LUFS.
const ABSOLUTE_GATE: f64 = -70.0;

/// The relative gate, below the loudness of all blocks above the absolute one.
const RELATIVE_GATE: f64 = -10.0;

/// Measures the integrated loudness of mono audio at 16 kHz.
pub(super) struct LoudnessMeter {
    arch: Arch,
    filter: KFilter,
    /// The last samples before the next hop, and those of the hops that are not filtered yet.
    samples: Vec<i16>,
    /// Mean square of each hop.
    hops: Vec<f64>,
}

impl Default for LoudnessMeter {
    fn default() -> Self {
        Self { arch: Arch::new(), filter: KFilter::new(), samples: Vec::with_capacity(BATCH), hops: Vec::new() }
    }
}

impl LoudnessMeter {
    /// Begins a segment.
    pub fn begin(&mut self) {
        self.samples.clear();
        self.samples.resize(WARM_UP, 0);
        self.hops.clear();
    }

    /// Adds samples.
    pub fn add(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(BATCH - self.samples.len()));
            self.samples.extend_from_slice(now);
            samples = later;
            if self.samples.len() == BATCH {
                self.filter_hops(LANES);
            }
        }
    }

    /// Integrated loudness in LUFS. `None` where no block of 400 ms is above the absolute gate of -70 LUFS.
    pub fn lufs(&mut self) -> Option<f64> {
        let complete = self.samples.len().saturating_sub(WARM_UP) / HOP;
        self.samples.resize(BATCH, 0);
        self.filter_hops(complete);
        let blocks = || self.hops.windows(BLOCK).map(|hops| hops.iter().sum::<f64>() / BLOCK as f64);
        let mean_above = |gate: f64| {
            let above = blocks().filter(|power| lufs(*power) > gate);
            let (sum, count) = above.fold((0.0, 0.0), |(sum, count), power| (sum + power, count + 1.0));
            (count > 0.0).then(|| lufs(sum / count))
        };
        let relative_gate = mean_above(ABSOLUTE_GATE)? + RELATIVE_GATE;
        mean_above(relative_gate.max(ABSOLUTE_GATE))
    }

    /// Filters the batch, and keeps the powers of its first hops.
    fn filter_hops(&mut self, hops: usize) {
        if hops == 0 {
            return;
        }
        let Self { arch, filter, samples, .. } = self;
        let powers = arch.dispatch(HopPowers { filter, samples });
        self.hops.extend(&powers[..hops]);
        self.samples.copy_within(BATCH - WARM_UP.., 0);
        self.samples.truncate(WARM_UP);
    }
}

/// The loudness of a mean square of K-weighted samples.
fn lufs(power: f64) -> f64 {
    -0.691 + 10.0 * power.log10()
}

/// K-weighting: a high shelf and a high-pass, each of second order.
struct KFilter {
    shelf: Biquad,
    high_pass: Biquad,
}

/// A filter of second order: `b0 + b1/z + b2/z^2` by `1 + a1/z + a2/z^2`.
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl KFilter {
    fn new() -> Self {
        let tan = |frequency: f64| (std::f64::consts::PI * frequency / f64::from(SAMPLE_RATE)).tan();
        let (k, q) = (tan(1_681.974_450_955_533), 0.707_175_236_955_419_6);
        let high = 10.0_f64.powf(3.999_843_853_973_347 / 20.0);
        let band = high.powf(0.499_666_774_154_541_6);
        let a0 = 1.0 + k / q + k * k;
        let shelf = Biquad {
            b: [(high + band * k / q + k * k) / a0, 2.0 * (k * k - high) / a0, (high - band * k / q + k * k) / a0],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
        };
        let (k, q) = (tan(38.135_470_876_024_44), 0.500_327_037_323_877_3);
        let a0 = 1.0 + k / q + k * k;
        let high_pass = Biquad { b: [1.0, -2.0, 1.0], a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0] };
        Self { shelf, high_pass }
    }
}

/// The mean squares of the hops of a batch.
struct HopPowers<'a> {
    filter: &'a KFilter,
    samples: &'a [i16],
}

impl NullaryFnOnce for HopPowers<'_> {
    type Output = [f64; LANES];

    // Inlined into a function that is compiled for this machine's vectors, as all that it calls.
    #[inline(always)]
    fn call(self) -> [f64; LANES] {
        let mut lanes = Lanes::default();
        let mut inputs = [[0.0; LANES]; STEPS];
        for start in (0..WARM_UP + HOP).step_by(STEPS) {
            if start == WARM_UP {
                lanes.sums = [0.0; LANES];
            }
            for lane in 0..LANES {
                let from = &self.samples[lane * HOP + start..][..STEPS];
                for (input, &sample) in inputs.iter_mut().zip(from) {
                    input[lane] = f64::from(sample);
                }
            }
            for input in &inputs {
                lanes.step(self.filter, input);
            }
        }
        lanes.sums.map(|sum| sum / (HOP as f64 * FULL_SCALE * FULL_SCALE))
    }
}

/// The states of both filters (transposed direct form II), and the sums of the squares of their output.
#[derive(Default)]
struct Lanes {
    shelf: [[f64; LANES]; 2],
    high_pass: [[f64; LANES]; 2],
    sums: [f64; LANES],
}

impl Lanes {
    #[inline(always)]
    fn step(&mut self, filter: &KFilter, input: &[f64; LANES]) {
        for (lane, &sample) in input.iter().enumerate() {
            let shelved = biquad(&filter.shelf, &mut self.shelf, lane, sample);
            let weighted = biquad(&filter.high_pass, &mut self.high_pass, lane, shelved);
            self.sums[lane] += weighted * weighted;
        }
    }
}

#[inline(always)]
fn biquad(filter: &Biquad, state: &mut [[f64; LANES]; 2], lane: usize, input: f64) -> f64 {
    let output = filter.b[0] * input + state[0][lane];
    state[0][lane] = filter.b[1] * input - filter.a[0] * output + state[1][lane];
    state[1][lane] = filter.b[2] * input - filter.a[1] * output;
    output
}

#[cfg(test)]
mod tests {
    use ebur128::{EbuR128, Mode};
    use proptest::prelude::*;

    use super::*;

    fn ours(samples: &[i16], block: usize) -> Option<f64> {
        let mut meter = LoudnessMeter::default();
        meter.begin();
        samples.chunks(block).for_each(|block| meter.add(block));
        meter.lufs()
    }

    fn of_crate(samples: &[i16]) -> Option<f64> {
        let mut meter = EbuR128::new(1, SAMPLE_RATE, Mode::I).unwrap();
        meter.add_frames_i16(samples).unwrap();
        meter.loudness_global().ok().filter(|lufs| lufs.is_finite())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Noise at levels that change, with a constant offset, which the high-pass takes away.
        #[test]
        fn loudness_is_that_of_the_crate_ebur128(
            levels in prop::collection::vec(0.0..3.0_f64, 1..8), seed in 0..1000_u32, offset in 0..300_i16, block in 1..9000_usize,
        ) {
            let mut state = seed.wrapping_mul(2_654_435_761).max(1);
            let samples: Vec<i16> = (0..levels.len() * 9_000).map(|n| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let noise = f64::from(state) / f64::from(u32::MAX) - 0.5;
                (noise * 10.0_f64.powf(levels[n / 9_000] + 1.0)) as i16 + offset
            }).collect();
            match (ours(&samples, block), of_crate(&samples)) {
                (Some(ours), Some(theirs)) => prop_assert!((ours - theirs).abs() < 0.005, "{ours} {theirs}"),
                (ours, theirs) => prop_assert_eq!(ours, theirs),
            }
        }
    }
}
