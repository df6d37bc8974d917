//! Where the spectrum of a segment ends.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use prepare_audio_media::{
    Excerpt,
    fft::{Complex, RealToComplex, real_fft},
};
use prepare_audio_vad::SAMPLE_RATE;

use crate::excerpt_buffer::SegmentExcerpts;

/// Samples at 16 kHz that are transformed together: 32 ms, and bins of 31.25 Hz. Excerpts at other rates are as long, so
/// that bins are as wide.
const FRAME: usize = Excerpt::SPAN as usize;

/// Frames of a segment that are transformed, at most twice as many. More would cost time and change little.
const FRAMES: u64 = 24;

/// Excerpts of a segment that are transformed, at most twice as many. They are up to three times as long as frames at 16 kHz
/// and cost as much more, so there are fewer.
const EXCERPTS: u64 = 12;

/// A bin belongs to the spectrum if its power is at least this share of the greatest: -60 dB. Real speech at 8 kHz is
/// less far below, what resamplers leave beyond the end of a spectrum is further below.
const LEAST: f32 = 1e-6;

/// Where the power falls within 500 Hz by more than this share, -10 dB, the spectrum ends at the edge, not where the
/// slope of a resampler has come down to [`LEAST`].
const EDGE: f32 = 0.1;

/// Bins below the last one whose mean power an edge is compared with: 0.5 to 1 kHz below it.
const BELOW_EDGE: [usize; 2] = [32, 16];

/// Bins on each side that are averaged with one.
const SMOOTHED: usize = 1;

/// Where the spectrum at 16 kHz reaches this frequency, Hz, the one at the source's rate may go on. The resampler's slope
/// begins above it.
const REACHES_8_KHZ: f64 = 7_500.0;

/// The greatest bandwidth, Hz. What lies above is no sound.
const GREATEST_HZ: usize = 24_000;

/// A transform of real samples with its Hann window. All threads share those of each length.
struct Transform {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
}

impl Transform {
    /// That of `len` samples, which is the length of an excerpt.
    fn of(len: usize) -> &'static Self {
        const NUMBER: usize = 1 + Excerpt::len_at(*Excerpt::RATES.end()) / Excerpt::LEN_STEP;
        static ALL: [OnceLock<Transform>; NUMBER] = [const { OnceLock::new() }; NUMBER];
        ALL[len / Excerpt::LEN_STEP].get_or_init(|| {
            let angle = |n: usize| std::f64::consts::TAU * n as f64 / len as f64;
            Self { fft: real_fft(len), window: (0..len).map(|n| (0.5 - 0.5 * angle(n).cos()) as f32).collect() }
        })
    }
}

/// The mean power spectrum of frames of one length.
struct PowerSpectrum {
    /// Sample rate, Hz.
    rate: u32,
    transform: &'static Transform,
    /// Samples of the current frame.
    frame: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    frames: u64,
}

impl PowerSpectrum {
    /// That of frames of `len` samples at `rate` Hz.
    fn new(rate: u32, len: usize) -> Self {
        let transform = Transform::of(len);
        let bins = (GREATEST_HZ * len / rate as usize).min(len / 2) + 1;
        Self {
            rate,
            transform,
            frame: Vec::with_capacity(len),
            bins: transform.fft.make_output_vec(),
            scratch: transform.fft.make_scratch_vec(),
            power: vec![0.0; bins],
            frames: 0,
        }
    }

    /// Forgets all frames.
    fn clear(&mut self) {
        self.frames = 0;
        self.frame.clear();
        self.power.fill(0.0);
    }

    /// The samples of a frame.
    fn len(&self) -> usize {
        self.transform.window.len()
    }

    /// Adds samples of the current frame, no more than it lacks.
    fn add(&mut self, samples: &[i16]) {
        self.frame.extend(samples.iter().map(|&sample| f32::from(sample)));
        if self.frame.len() == self.len() {
            self.transform();
        }
    }

    fn transform(&mut self) {
        let Transform { fft, window } = self.transform;
        let mean = self.frame.iter().sum::<f32>() / self.frame.len() as f32;
        self.frame.iter_mut().zip(window).for_each(|(sample, weight)| *sample = (*sample - mean) * weight);
        if fft.process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch).is_ok() {
            self.power.iter_mut().zip(&self.bins).for_each(|(sum, bin)| *sum += bin.norm_sqr());
            self.frames += 1;
        }
        self.frame.clear();
    }

    /// Power that rounding to 16 bits gives a bin, in squared steps, and 12 dB more: the squared window's sum / 12 * 16.
    fn rounding(&self) -> f32 {
        (3 * self.len() / 8) as f32 / 12.0 * 16.0
    }

    /// The highest frequency in Hz that has power. `None` without frames, and for silence.
    fn end_hz(&self) -> Option<f64> {
        let bins = self.power.len();
        let smooth = |bin: usize| {
            let bins = &self.power[bin.saturating_sub(SMOOTHED)..(bin + SMOOTHED + 1).min(bins)];
            bins.iter().sum::<f32>() / (bins.len() as f32 * self.frames as f32)
        };
        if self.frames == 0 {
            return None;
        }
        let greatest = (0..bins).map(smooth).fold(0.0, f32::max);
        let last = (0..bins).rev().find(|&bin| smooth(bin) >= (greatest * LEAST).max(self.rounding()))?;
        let [from, to] = BELOW_EDGE.map(|bins| last.saturating_sub(bins));
        let below = (from..=to).map(smooth).sum::<f32>() / (to - from + 1) as f32;
        let last = (0..=last).rev().find(|&bin| smooth(bin) >= below * EDGE)?;
        Some(last as f64 * f64::from(self.rate) / self.len() as f64)
    }
}

/// The mean power spectrum of evenly spread frames of a segment, at 16 kHz and, where it goes on, at the source's rate.
pub(super) struct Spectrum {
    /// Samples from the start of one frame to the next.
    period: u64,
    position: u64,
    narrow: PowerSpectrum,
    /// The spectrum at the source's rate, once a segment needed it.
    wide: Option<PowerSpectrum>,
}

impl Default for Spectrum {
    fn default() -> Self {
        Self { period: FRAME as u64, position: 0, narrow: PowerSpectrum::new(SAMPLE_RATE, FRAME), wide: None }
    }
}

impl Spectrum {
    /// Begins a segment of `samples` samples.
    pub fn begin(&mut self, samples: u64) {
        let frames = samples / FRAME as u64;
        self.period = (frames / FRAMES).max(1) * FRAME as u64;
        self.position = 0;
        self.narrow.clear();
    }

    /// Adds samples.
    pub fn add(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let at = self.position % self.period;
            let is_in_frame = at < FRAME as u64;
            let left = if is_in_frame { FRAME as u64 - at } else { self.period - at };
            let (now, later) = samples.split_at(left.min(samples.len() as u64) as usize);
            if is_in_frame {
                self.narrow.add(now);
            }
            self.position += now.len() as u64;
            samples = later;
        }
    }

    /// The highest frequency in Hz that has power. `None` where the segment is shorter than a frame, or silent. `excerpts` are
    /// those of the segment at the source's rate; they are read only where the spectrum reaches 8 kHz.
    pub fn bandwidth_hz(&mut self, excerpts: Option<&SegmentExcerpts>) -> io::Result<Option<f64>> {
        let narrow = self.narrow.end_hz();
        let Some(excerpts) = excerpts.filter(|_| narrow.is_some_and(|hz| hz >= REACHES_8_KHZ)) else {
            return Ok(narrow);
        };
        let rate = excerpts.rate;
        let wide = self.wide.take().filter(|wide| wide.rate == rate);
        let wide = self.wide.insert(wide.unwrap_or_else(|| PowerSpectrum::new(rate, Excerpt::len_at(rate))));
        wide.clear();
        for mut parts in excerpts.spread(EXCERPTS) {
            parts.try_for_each(|part| part.map(|part| wide.add(&part)))?;
        }
        // Of other frames than the first figure, which it must not fall below.
        Ok(wide.end_hz().into_iter().chain(narrow).reduce(f64::max))
    }
}
