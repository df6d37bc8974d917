//! Where the spectrum of a segment ends.

use std::sync::{Arc, LazyLock};

use prepare_audio_media::fft::{Complex, RealToComplex, real_fft};
use prepare_audio_vad::SAMPLE_RATE;

/// Samples that are transformed together: 32 ms, and bins of 31.25 Hz.
const FRAME: usize = 512;

/// Bins of a spectrum.
const BINS: usize = FRAME / 2 + 1;

/// Frames of a segment that are transformed, at most twice as many. More would cost time and change little.
const FRAMES: u64 = 24;

/// A bin belongs to the spectrum if its power is at least this share of the greatest: -60 dB. Real speech at 8 kHz is
/// less far below, what resamplers leave beyond the end of a spectrum is further below.
const LEAST: f32 = 1e-6;

/// Power that rounding to 16 bits gives a bin, in squared steps, and 12 dB more: the squared window's sum / 12 * 16.
const ROUNDING: f32 = (3 * FRAME / 8) as f32 / 12.0 * 16.0;

/// Where the power falls within 500 Hz by more than this share, -10 dB, the spectrum ends at the edge, not where the
/// slope of a resampler has come down to [`LEAST`].
const EDGE: f32 = 0.1;

/// Bins below the last one whose mean power an edge is compared with: 0.5 to 1 kHz below it.
const BELOW_EDGE: [usize; 2] = [32, 16];

/// Bins on each side that are averaged with one.
const SMOOTHED: usize = 1;

/// The transform, which all threads share.
static TRANSFORM: LazyLock<Arc<dyn RealToComplex<f32>>> = LazyLock::new(|| real_fft(FRAME));

/// Hann window.
static WINDOW: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let angle = |n: usize| std::f64::consts::TAU * n as f64 / FRAME as f64;
    (0..FRAME).map(|n| (0.5 - 0.5 * angle(n).cos()) as f32).collect()
});

/// The mean power spectrum of evenly spread frames of a segment.
pub(super) struct Spectrum {
    /// Samples from the start of one frame to the next.
    period: u64,
    position: u64,
    frame: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    frames: u64,
}

impl Default for Spectrum {
    fn default() -> Self {
        Self {
            period: FRAME as u64,
            position: 0,
            frame: Vec::with_capacity(FRAME),
            bins: TRANSFORM.make_output_vec(),
            scratch: TRANSFORM.make_scratch_vec(),
            power: vec![0.0; BINS],
            frames: 0,
        }
    }
}

impl Spectrum {
    /// Begins a segment of `samples` samples.
    pub fn begin(&mut self, samples: u64) {
        let frames = samples / FRAME as u64;
        self.period = (frames / FRAMES).max(1) * FRAME as u64;
        (self.position, self.frames) = (0, 0);
        self.frame.clear();
        self.power.fill(0.0);
    }

    /// Adds samples.
    pub fn add(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let at = self.position % self.period;
            let is_in_frame = at < FRAME as u64;
            let left = if is_in_frame { FRAME as u64 - at } else { self.period - at };
            let (now, later) = samples.split_at(left.min(samples.len() as u64) as usize);
            if is_in_frame {
                self.frame.extend(now.iter().map(|&sample| f32::from(sample)));
                if self.frame.len() == FRAME {
                    self.transform();
                }
            }
            self.position += now.len() as u64;
            samples = later;
        }
    }

    fn transform(&mut self) {
        let mean = self.frame.iter().sum::<f32>() / FRAME as f32;
        self.frame.iter_mut().zip(&*WINDOW).for_each(|(sample, weight)| *sample = (*sample - mean) * weight);
        if TRANSFORM.process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch).is_ok() {
            self.power.iter_mut().zip(&self.bins).for_each(|(sum, bin)| *sum += bin.norm_sqr());
            self.frames += 1;
        }
        self.frame.clear();
    }

    /// The highest frequency in Hz that has power. `None` where the segment is shorter than a frame, or silent.
    pub fn bandwidth_hz(&self) -> Option<f64> {
        let smooth = |bin: usize| {
            let bins = &self.power[bin.saturating_sub(SMOOTHED)..(bin + SMOOTHED + 1).min(BINS)];
            bins.iter().sum::<f32>() / (bins.len() as f32 * self.frames as f32)
        };
        if self.frames == 0 {
            return None;
        }
        let greatest = (0..BINS).map(smooth).fold(0.0, f32::max);
        let last = (0..BINS).rev().find(|&bin| smooth(bin) >= (greatest * LEAST).max(ROUNDING))?;
        let [from, to] = BELOW_EDGE.map(|bins| last.saturating_sub(bins));
        let below = (from..=to).map(smooth).sum::<f32>() / (to - from + 1) as f32;
        let last = (0..=last).rev().find(|&bin| smooth(bin) >= below * EDGE)?;
        Some(last as f64 * f64::from(SAMPLE_RATE) / FRAME as f64)
    }
}
