//! Several channels as one: their mean, unless two of them cancel each other.
//!
//! A stereo recording whose one side is wired the wrong way round holds the same voice twice, once upside down: the
//! mean is silence, and no speech would be found in it. So the levels of both channels and of their mean are compared
//! every quarter of a second, and where the mean has lost the voice the louder channel stands for both.

/// Levels are compared this often in a second.
const PER_SECOND: u32 = 4;

/// Two channels cancel each other where their mean has less than this share of the louder one's energy: 10 dB below it.
/// A voice in one channel alone loses 6 dB, two channels that have nothing in common lose 3.
const CANCELS: f64 = 1.0 / 10.0;

/// Once they do, they do so until the mean has more than this share.
const CANCELS_STILL: f64 = 1.0 / 6.0;

/// What is below this mean square (-70 dBFS) tells nothing.
const SILENCE: f64 = 1e-7;

/// One way of mixing fades into another over this part of a second.
const FADE: u32 = 100;

/// A recording's channels cancel each other where they do so for this share of what is not silent.
const WORTH_TELLING: f64 = 0.1;

/// Full scale is 1. No recorder writes what is beyond this.
const ABSURD: f32 = 1e6;

/// A sample as it may go on: what no recorder writes (infinite, not a number, a million times full scale) becomes
/// silence, as a single such sample would spoil all that is computed after it.
pub(super) fn sane(sample: f32) -> f32 {
    if sample.abs() < ABSURD { sample } else { 0.0 }
}

/// Mixes the channels of a recording. The same samples give the same mix in whatever blocks they come.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    /// Frames of two channels, interleaved, that do not make a span yet.
    waiting: Vec<f32>,
    rate: u32,
    way: Way,
    /// Whether anything was mixed: there is nothing to fade from before that.
    begun: bool,
    /// Energies of the two channels while they cancelled each other.
    cancelled: [f64; 2],
    /// Frames that were not silent, and those of them whose channels cancelled each other.
    loud: u64,
    lost: u64,
}

/// What stands for two channels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Way {
    #[default]
    Mean,
    One(usize),
}

impl Way {
    fn weights(self) -> [f32; 2] {
        match self {
            Self::Mean => [0.5, 0.5],
            Self::One(0) => [1.0, 0.0],
            Self::One(_) => [0.0, 1.0],
        }
    }
}

impl Mixer {
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
        mono[from..].iter_mut().for_each(|sample| *sample = sane(*sample));
    }

    /// Appends what has waited.
    pub fn finish(&mut self, mono: &mut Vec<f32>) {
        let from = mono.len();
        let rest = std::mem::take(&mut self.waiting);
        self.mix(&rest, mono);
        mono[from..].iter_mut().for_each(|sample| *sample = sane(*sample));
    }

    /// Whether the channels cancelled each other for a part of the recording that is worth telling.
    pub fn cancelled(&self) -> bool {
        self.lost > 0 && self.lost as f64 >= WORTH_TELLING * self.loud as f64
    }

    fn push_pairs(&mut self, mut samples: &[f32], mono: &mut Vec<f32>) {
        let span = 2 * (self.rate / PER_SECOND).max(1) as usize;
        if !self.waiting.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(span - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            samples = later;
            if self.waiting.len() < span {
                return;
            }
            let mut whole = std::mem::take(&mut self.waiting);
            self.mix(&whole, mono);
            whole.clear();
            self.waiting = whole;
        }
        let mut spans = samples.chunks_exact(span);
        spans.by_ref().for_each(|whole| self.mix(whole, mono));
        self.waiting.extend_from_slice(spans.remainder());
    }

    /// Mixes one span of pairs.
    fn mix(&mut self, pairs: &[f32], mono: &mut Vec<f32>) {
        let pairs = pairs.as_chunks::<2>().0;
        let before = self.way;
        self.decide(pairs);
        let faded = if self.begun && before != self.way { (self.rate / FADE) as usize } else { 0 };
        self.begun |= !pairs.is_empty();
        let (fade, rest) = pairs.split_at(faded.min(pairs.len()));
        let (old, new) = (before.weights(), self.way.weights());
        mono.extend(fade.iter().enumerate().map(|(n, [l, r])| {
            let t = n as f32 / faded as f32;
            let weight = |side: usize| old[side] + (new[side] - old[side]) * t;
            l * weight(0) + r * weight(1)
        }));
        match self.way {
            Way::Mean => mono.extend(rest.iter().map(|[l, r]| (l + r) * 0.5)),
            Way::One(side) => mono.extend(rest.iter().map(|pair| pair[side])),
        }
    }

    /// How this span is mixed.
    fn decide(&mut self, pairs: &[[f32; 2]]) {
        let [left, right, mean] = energies(pairs);
        let louder = left.max(right);
        // What is not a number is not above it either.
        if !(louder > SILENCE * pairs.len() as f64 && louder.is_finite()) {
            return;
        }
        self.loud += pairs.len() as u64;
        let share = if self.way == Way::Mean { CANCELS } else { CANCELS_STILL };
        if mean >= share * louder {
            self.way = Way::Mean;
            return;
        }
        self.lost += pairs.len() as u64;
        self.cancelled[0] += left;
        self.cancelled[1] += right;
        if self.way == Way::Mean {
            self.way = Way::One(usize::from(self.cancelled[1] > self.cancelled[0]));
        }
    }
}

/// Energy of the left channel, of the right one, and of their mean.
fn energies(pairs: &[[f32; 2]]) -> [f64; 3] {
    const LANES: usize = 16;
    // Sums side by side, so that the loop becomes SIMD; an hour of them would lose digits, a quarter of a second does not.
    let (mut squares, mut products) = ([0.0f32; LANES], [0.0f32; LANES / 2]);
    let (blocks, rest) = pairs.as_flattened().as_chunks::<LANES>();
    for block in blocks {
        (0..LANES).for_each(|n| squares[n] += block[n] * block[n]);
        (0..LANES / 2).for_each(|n| products[n] += block[2 * n] * block[2 * n + 1]);
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
        let (mut mixer, mut mono) = (Mixer::default(), vec![9.0]);
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
    fn a_voice_upside_down_is_not_lost() {
        let voice = pairs(9_000, |s| [0.5 * s, -s]);
        let (mono, cancelled) = mixed(&voice, 2, 777);
        assert!(cancelled);
        let right: Vec<f32> = voice.iter().skip(1).step_by(2).copied().collect();
        assert_eq!(mono, right, "the louder one");
    }

    #[test]
    fn what_merely_differs_is_mixed() {
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

    /// A silent beginning, a voice upside down, one that is not: each is heard, and no step in between is a click.
    #[test]
    fn ways_of_mixing_fade_into_each_other() {
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
        fn pieces_do_not_matter(seed in any::<u64>(), frames in 0usize..9_000, piece in 1usize..3_000) {
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
