//! Speech against the noise around it.
//!
//! The detector's windows of 32 ms are speech, noise, or neither. The noise of a segment is the mean power of the noise
//! windows within 5 s of it; its speech is the mean power of its own speech windows, less that noise.

use prepare_audio_vad::WINDOW;

use super::level::FULL_SCALE;

/// A window of at least this probability is speech. It is Silero's default, whatever the recipe says, so that the
/// figures do not depend on the recipe.
const SPEECH: f32 = 0.5;

/// A window below this probability is noise, if no speech is near. It is Silero's default as well.
const NOISE: f32 = 0.35;

/// Windows beside speech that are no noise: words fade in and out.
const FADE: usize = 3;

/// Windows around a segment in which its noise is looked for: 5 s on each side.
const REACH: usize = 156;

/// Windows of noise that are enough to measure it: 0.26 s.
const ENOUGH: u64 = 8;

/// Where a recording has no noise windows, its noise is the quietest of so many windows of a segment.
const QUIETEST: usize = 10;

/// Power of rounding to 16 bits, in squared steps. Noise is no less.
const ROUNDING: f64 = 1.0 / 12.0;

/// The SNR is not told from less than this share of noise in the speech windows: -20 dB.
const LEAST_SPEECH: f64 = 0.01;

/// Sums that run side by side, so that the compiler vectorises them. A sample's lane follows from its place in its
/// window, so the same samples give the same bits for every block size.
const LANES: usize = 16;

/// The power of each window of 512 samples: their variance, in squared steps of 16 bits. A constant offset does not
/// count.
#[derive(Debug, Default)]
pub(crate) struct WindowPowers {
    powers: Vec<f32>,
    /// The beginning of a window that is not complete.
    begun: Vec<i16>,
}

impl WindowPowers {
    /// Takes the next samples.
    pub fn push(&mut self, mut samples: &[i16]) {
        if !self.begun.is_empty() {
            let (now, later) = samples.split_at((WINDOW - self.begun.len()).min(samples.len()));
            self.begun.extend_from_slice(now);
            samples = later;
            if self.begun.len() == WINDOW {
                self.finish();
            }
        }
        let windows = samples.chunks_exact(WINDOW);
        self.begun.extend_from_slice(windows.remainder());
        self.powers.extend(windows.map(variance));
    }

    /// Ends the recording: its last window may be incomplete.
    pub fn finish(&mut self) {
        if !self.begun.is_empty() {
            self.powers.push(variance(&self.begun));
            self.begun.clear();
        }
    }
}

fn variance(samples: &[i16]) -> f32 {
    let (mut sums, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for chunk in samples.chunks(LANES) {
        for ((sum, square), &sample) in sums.iter_mut().zip(&mut squares).zip(chunk) {
            let sample = f32::from(sample);
            *sum += sample;
            *square += sample * sample;
        }
    }
    let total = |lanes: [f32; LANES]| lanes.into_iter().map(f64::from).sum::<f64>() / samples.len() as f64;
    (total(squares) - total(sums).powi(2)).max(0.0) as f32
}

/// The windows of one channel of a whole recording.
pub(crate) struct Surroundings<'a> {
    powers: &'a [f32],
    probabilities: &'a [f32],
    is_noise: Vec<bool>,
    /// The noise of the whole recording.
    noise: Noise,
}

/// A sum over noise windows.
#[derive(Clone, Copy, Debug, Default)]
struct Noise {
    power: f64,
    windows: u64,
    /// Those among them that are digital silence.
    silent: u64,
}

impl Noise {
    fn add(&mut self, power: f32) {
        self.power += f64::from(power);
        self.windows += 1;
        self.silent += u64::from(power == 0.0);
    }

    /// The mean power, if there are enough windows. Digital silence is left out where there is other noise: it stands
    /// for lost audio, or comes from a gate that is open while someone speaks.
    fn mean(&self) -> Option<f64> {
        let audible = self.windows - self.silent;
        let windows = if audible >= ENOUGH { audible } else { self.windows };
        (windows >= ENOUGH).then(|| self.power / windows as f64)
    }
}

impl<'a> Surroundings<'a> {
    /// The windows of a channel, with a power and a probability each.
    pub fn new(powers: &'a WindowPowers, probabilities: &'a [f32]) -> Self {
        let windows = powers.powers.len().min(probabilities.len());
        let (powers, probabilities) = (&powers.powers[..windows], &probabilities[..windows]);
        let mut is_noise: Vec<bool> = probabilities.iter().map(|&probability| probability < NOISE).collect();
        for (at, _) in probabilities.iter().enumerate().filter(|(_, probability)| **probability >= SPEECH) {
            is_noise[at.saturating_sub(FADE)..(at + FADE + 1).min(windows)].fill(false);
        }
        let mut surroundings = Self { powers, probabilities, is_noise, noise: Noise::default() };
        surroundings.noise = surroundings.noise_within(0, windows);
        surroundings
    }

    /// Power of the segment's speech over that of the noise around it, in dB, -20 to about 100. `None` where no window
    /// of the segment is speech.
    pub fn snr_db(&self, start: u64, end: u64) -> Option<f64> {
        let (first, last) = self.windows(start, end);
        let (mut sum, mut windows) = (0.0, 0_u64);
        for (power, _) in self.powers[first..last].iter().zip(&self.probabilities[first..last]).filter(is_speech) {
            sum += f64::from(*power);
            windows += 1;
        }
        if windows == 0 {
            return None;
        }
        let near = self.noise_within(first.saturating_sub(REACH), (last + REACH).min(self.powers.len()));
        let noise = near.mean().or_else(|| self.noise.mean()).unwrap_or_else(|| quietest(&self.powers[first..last]));
        let noise = noise.clamp(ROUNDING, FULL_SCALE.powi(2));
        let speech = (sum / windows as f64 - noise).max(noise * LEAST_SPEECH);
        Some(10.0 * (speech / noise).log10())
    }

    /// Share of the segment's windows that are speech.
    pub fn speech_ratio(&self, start: u64, end: u64) -> Option<f64> {
        let (first, last) = self.windows(start, end);
        let speech = self.probabilities[first..last].iter().filter(|probability| **probability >= SPEECH).count();
        (last > first).then(|| speech as f64 / (last - first) as f64)
    }

    /// The windows that a segment touches: the first, and the one after the last.
    fn windows(&self, start: u64, end: u64) -> (usize, usize) {
        let last = (end.div_ceil(WINDOW as u64) as usize).min(self.powers.len());
        (((start / WINDOW as u64) as usize).min(last), last)
    }

    fn noise_within(&self, first: usize, last: usize) -> Noise {
        let mut noise = Noise::default();
        let windows = self.powers[first..last].iter().zip(&self.is_noise[first..last]);
        windows.filter(|(_, is_noise)| **is_noise).for_each(|(power, _)| noise.add(*power));
        noise
    }
}

fn is_speech((_, probability): &(&f32, &f32)) -> bool {
    **probability >= SPEECH
}

/// The mean power of the quietest windows. It is below that of noise which varies.
fn quietest(powers: &[f32]) -> f64 {
    let mut sorted = powers.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.truncate(powers.len().div_ceil(QUIETEST));
    sorted.iter().map(|&power| f64::from(power)).sum::<f64>() / sorted.len().max(1) as f64
}
