//! Mixes several channels to one: their mean, unless two of them cancel each other. Does not resample.
//!
//! A stereo recording with one side of inverted polarity holds the same voice twice, once inverted: the mean is silence,
//! and no speech would be found in it. So the levels of both channels and of their mean are compared every quarter of a
//! second. Where the mean has lost the voice, the louder channel is used instead.

/// Comparisons of levels in a second.
const SPANS_PER_SECOND: u32 = 4;

/// Two channels cancel each other if their mean has less than this share of the louder one's energy (-10 dB). A voice in
/// one channel alone loses 6 dB, two unrelated channels lose 3.
const CANCELS: f64 = 1.0 / 10.0;

/// After that, they cancel each other until the mean has more than this share (hysteresis).
const STILL_CANCELS: f64 = 1.0 / 6.0;

/// A span below this mean square (-70 dBFS) is not used for the decision.
const SILENCE: f64 = 1e-7;

/// One kind of mix fades into another over this part of a second.
const FADE: u32 = 100;

/// A recording's channels are reported as cancelling if they do so for this share of what is not silent.
const REPORTED_SHARE: f64 = 0.1;

/// No recorder writes samples beyond this; full scale is 1.
const MAX_SAMPLE: f32 = 1e6;

/// Replaces samples that no recorder writes (infinite, not a number, a million times full scale) by silence: a single one
/// would spoil everything computed after it.
pub(super) fn finite_or_silence(sample: f32) -> f32 {
    if sample.abs() < MAX_SAMPLE { sample } else { 0.0 }
}

/// Mixes the channels of a recording. The mix does not depend on how the samples are divided into blocks.
#[derive(Debug, Default)]
pub(super) struct Downmixer {
    /// Frames of two channels, interleaved, that do not fill a span yet.
    pending: Vec<f32>,
    rate: u32,
    mix_kind: MixKind,
    /// Whether anything was mixed: before that, there is nothing to fade from.
    begun: bool,
    /// Energies of the two channels while they cancelled each other.
    cancelled: [f64; 2],
    /// Frames that were not silent, and those of them whose channels cancelled each other.
    loud_frames: u64,
    cancelled_frames: u64,
}

/// What replaces two channels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum MixKind {
    #[default]
    Mean,
    One(usize),
}

impl MixKind {
    fn weights(self) -> [f32; 2] {
        match self {
            Self::Mean => [0.5, 0.5],
            Self::One(0) => [1.0, 0.0],
            Self::One(_) => [0.0, 1.0],
        }
    }
}

impl Downmixer {
    /// Mixes interleaved frames of `channels` at `rate` Hz, and appends to `mono` what is ready.
    pub fn push(&mut self, samples: &[f32], channels: usize, rate: u32, mono: &mut Vec<f32>) {
        let from = mono.len();
        if channels != 2 || rate != self.rate {
            self.finish(mono);
        }
        self.rate = rate;
        match channels {
            1 => mono.extend_from_slice(samples),
            2 => self.push_pairs(samples, mono),
            n => {
                let scale = 1.0 / n as f32;
                mono.extend(samples.chunks_exact(n).map(|frame| frame.iter().sum::<f32>() * scale));
            }
        }
        mono[from..].iter_mut().for_each(|sample| *sample = finite_or_silence(*sample));
    }

    /// Mixes and appends the pending frames.
    pub fn finish(&mut self, mono: &mut Vec<f32>) {
        let from = mono.len();
        let rest = std::mem::take(&mut self.pending);
        self.mix(&rest, mono);
        mono[from..].iter_mut().for_each(|sample| *sample = finite_or_silence(*sample));
    }

    /// Whether the channels cancelled each other for a considerable part of the recording.
    pub fn cancelled(&self) -> bool {
        self.cancelled_frames > 0 && self.cancelled_frames as f64 >= REPORTED_SHARE * self.loud_frames as f64
    }

    fn push_pairs(&mut self, mut samples: &[f32], mono: &mut Vec<f32>) {
        let span = 2 * (self.rate / SPANS_PER_SECOND).max(1) as usize;
        if !self.pending.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(span - self.pending.len()));
            self.pending.extend_from_slice(now);
            samples = later;
            if self.pending.len() < span {
                return;
            }
            let mut whole = std::mem::take(&mut self.pending);
            self.mix(&whole, mono);
            whole.clear();
            self.pending = whole;
        }
        let mut spans = samples.chunks_exact(span);
        spans.by_ref().for_each(|whole| self.mix(whole, mono));
        self.pending.extend_from_slice(spans.remainder());
    }

    /// Mixes one span of pairs.
    fn mix(&mut self, pairs: &[f32], mono: &mut Vec<f32>) {
        let pairs = pairs.as_chunks::<2>().0;
        let before = self.mix_kind;
        self.decide(pairs);
        let faded = if self.begun && before != self.mix_kind { (self.rate / FADE) as usize } else { 0 };
        self.begun |= !pairs.is_empty();
        let (fade, rest) = pairs.split_at(faded.min(pairs.len()));
        let (old, new) = (before.weights(), self.mix_kind.weights());
        mono.extend(fade.iter().enumerate().map(|(n, [l, r])| {
            let t = n as f32 / faded as f32;
            let weight = |side: usize| old[side] + (new[side] - old[side]) * t;
            l * weight(0) + r * weight(1)
        }));
        match self.mix_kind {
            MixKind::Mean => mono.extend(rest.iter().map(|[l, r]| (l + r) * 0.5)),
            MixKind::One(side) => mono.extend(rest.iter().map(|pair| pair[side])),
        }
    }

    /// Decides how this span is mixed.
    fn decide(&mut self, pairs: &[[f32; 2]]) {
        let [left, right, mean] = energies(pairs);
        let louder = left.max(right);
        // Written so that NaN counts as silence.
        if !(louder > SILENCE * pairs.len() as f64 && louder.is_finite()) {
            return;
        }
        self.loud_frames += pairs.len() as u64;
        let share = if self.mix_kind == MixKind::Mean { CANCELS } else { STILL_CANCELS };
        if mean >= share * louder {
            self.mix_kind = MixKind::Mean;
            return;
        }
        self.cancelled_frames += pairs.len() as u64;
        self.cancelled[0] += left;
        self.cancelled[1] += right;
        if self.mix_kind == MixKind::Mean {
            self.mix_kind = MixKind::One(usize::from(self.cancelled[1] > self.cancelled[0]));
        }
    }
}

/// Energy of the left channel, of the right one, and of their mean.
fn energies(pairs: &[[f32; 2]]) -> [f64; 3] {
    const SUMS: usize = 16;
    // Separate sums let the compiler vectorise the loop. f32 is precise enough for a quarter of a second.
    let (mut squares, mut products) = ([0.0f32; SUMS], [0.0f32; SUMS / 2]);
    let (blocks, rest) = pairs.as_flattened().as_chunks::<SUMS>();
    for block in blocks {
        (0..SUMS).for_each(|n| squares[n] += block[n] * block[n]);
        (0..SUMS / 2).for_each(|n| products[n] += block[2 * n] * block[2 * n + 1]);
    }
    for (n, pair) in rest.as_chunks::<2>().0.iter().enumerate() {
        squares[2 * n] += pair[0] * pair[0];
        squares[2 * n + 1] += pair[1] * pair[1];
        products[n] += pair[0] * pair[1];
    }
    let sum = |from: usize| squares[from..].iter().step_by(2).map(|&square| f64::from(square)).sum::<f64>();
    let (left, right) = (sum(0), sum(1));
    let product: f64 = products.iter().map(|&product| f64::from(product)).sum();
    [left, right, (left + right + 2.0 * product) / 4.0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 8_000;

    fn mixed(samples: &[f32], channels: usize, piece: usize) -> (Vec<f32>, bool) {
        let (mut mixer, mut mono) = (Downmixer::default(), vec![9.0]);
        samples.chunks(piece * channels).for_each(|piece| mixer.push(piece, channels, RATE, &mut mono));
        mixer.finish(&mut mono);
        (mono.split_off(1), mixer.cancelled())
    }

    fn pairs(frames: usize, pair: impl Fn(f32) -> [f32; 2]) -> Vec<f32> {
        (0..frames).flat_map(|n| pair((n as f32 * std::f32::consts::TAU / 20.0).sin() * 0.5)).collect()
    }

    #[test]
    fn channels_become_their_mean() {
        assert_eq!(mixed(&[0.5, -0.25], 1, 1).0, [0.5, -0.25]);
        assert_eq!(mixed(&[0.5, -0.25, 1.0, 1.0], 2, 1).0, [0.125, 1.0]);
        assert_eq!(mixed(&[0.25, 0.5, 0.0, 1.0], 4, 1).0, [0.4375]);
    }

    #[test]
    fn absurd_samples_become_silence() {
        let absurd = [f32::NAN, f32::INFINITY, -1e30, 0.5];
        assert_eq!(mixed(&absurd, 1, 3).0, [0.0, 0.0, 0.0, 0.5]);
        assert_eq!(mixed(&absurd, 2, 1).0, [0.0, 0.0]);
    }

    #[test]
    fn an_inverted_voice_is_not_lost() {
        let voice = pairs(9_000, |s| [0.5 * s, -s]);
        let (mono, cancelled) = mixed(&voice, 2, 777);
        assert!(cancelled);
        let right: Vec<f32> = voice.iter().skip(1).step_by(2).copied().collect();
        assert_eq!(mono, right, "the louder one");
    }

    #[test]
    fn different_channels_are_mixed() {
        for voice in [
            pairs(9_000, |s| [s, 0.0]),
            pairs(9_000, |s| [s, -0.3 * s]),
            pairs(9_000, |s| [s, (s * 91.0).cos() * 0.5]),
            pairs(9_000, |s| [s * 1e-5, -s * 1e-5]),
        ] {
            let (mono, cancelled) = mixed(&voice, 2, 1_000);
            let mean: Vec<f32> = voice.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5).collect();
            assert!(!cancelled && mono == mean);
        }
    }

    /// Silence, an inverted voice, a voice in phase: each is in the mix, and no transition is a click.
    #[test]
    fn kinds_of_mix_fade_into_each_other() {
        let mut both = pairs(4_000, |_| [0.0, 0.0]);
        both.extend(pairs(8_000, |s| [s, -s]));
        both.extend(pairs(8_000, |s| [s, s]));
        let (mono, cancelled) = mixed(&both, 2, 100);
        assert!(cancelled);
        let (a, b) = (4_000 + 80, 12_000);
        assert!((a..b).all(|n| mono[n] == both[2 * n]) && (b + 80..20_000).all(|n| mono[n] == both[2 * n]));
        let steps = mono.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.fold(0.0, f32::max) < 0.16, "a sine of 0.5 takes steps of 0.15");
    }

    #[test]
    fn energies_are_sums_of_squares() {
        for frames in [0, 1, 7, 8, 9, 1_000] {
            let pairs: Vec<[f32; 2]> = (0..frames).map(|n| [(n as f32).sin(), (n as f32 * 0.7).cos()]).collect();
            let sum =
                |f: fn(f64, f64) -> f64| pairs.iter().map(|p| f(f64::from(p[0]), f64::from(p[1])).powi(2)).sum::<f64>();
            let want = [sum(|l, _| l), sum(|_, r| r), sum(|l, r| (l + r) / 2.0)];
            assert!(energies(&pairs).iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4 * (1.0 + want)));
        }
    }

    proptest! {
        #[test]
        fn block_lengths_do_not_matter(seed in any::<u64>(), frames in 0usize..9_000, piece in 1usize..3_000) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut side = 1.0;
            let samples: Vec<f32> = (0..frames)
                .flat_map(|n| {
                    if n % 1_300 == 0 {
                        side = [1.0, -1.0, 0.0][random.usize(..3)];
                    }
                    let sample = random.f32() - 0.5;
                    [sample, side * sample]
                })
                .collect();
            let whole = mixed(&samples, 2, frames.max(1));
            prop_assert_eq!(whole.0.len(), frames);
            prop_assert_eq!(mixed(&samples, 2, piece), whole);
        }
    }
}
