//! From decoded frames to what is listened to, and to what segments are cut from.

use super::{AudioError, ChannelChoice, Cut, Resampler, mixer::Mixer, mixer::sane};

/// Where the speech model listens, Hz.
const HEARD_RATE: u32 = 16_000;

/// What is wanted of a recording's samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Which channels are listened to.
    pub channels: ChannelChoice,
    /// What segments are cut from, where that is not what is listened to.
    pub cut: Option<Cut>,
}

/// The next samples of a recording, each channel by itself, full scale 1.0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sound {
    /// What is listened to, 16 kHz mono: one, or with [`ChannelChoice::Split`] one for each channel. None before the first
    /// samples have come.
    pub ears: Vec<Vec<f32>>,
    /// What segments are cut from, at [`Sound::cut_rate`]: a channel for each ear, or all channels of the source. Empty
    /// where segments are cut from what is listened to.
    pub cut: Vec<Vec<f32>>,
    /// Sample rate of `cut` in Hz.
    pub cut_rate: u32,
}

impl Sound {
    /// Samples at 16 kHz.
    pub fn len(&self) -> usize {
        self.ears.first().map_or(0, Vec::len)
    }

    /// Whether there are none, and none to cut from.
    pub fn is_empty(&self) -> bool {
        self.ears.iter().chain(&self.cut).all(Vec::is_empty)
    }

    /// Whether there is enough to be handed on: `len` samples at 16 kHz, or as much as many channels hold sooner.
    pub(super) fn is_full(&self, len: usize) -> bool {
        const CHANNELS: usize = 8;
        let all: usize = self.ears.iter().chain(&self.cut).map(Vec::len).sum();
        self.len() >= len || all / CHANNELS >= len
    }

    /// Makes room for the next samples.
    pub fn clear(&mut self) {
        self.ears.iter_mut().chain(&mut self.cut).for_each(Vec::clear);
    }

    /// What there is, of which none is left here.
    pub(super) fn take(&mut self) -> Self {
        let empty = |of: &[Vec<f32>]| of.iter().map(|channel| Vec::with_capacity(channel.len())).collect();
        let next = Self { ears: empty(&self.ears), cut: empty(&self.cut), cut_rate: self.cut_rate };
        std::mem::replace(self, next)
    }
}

/// Interleaved frames of one rate.
#[derive(Clone, Copy)]
pub(super) struct Frames<'a> {
    pub samples: &'a [f32],
    pub channels: usize,
    pub rate: u32,
}

/// Takes channels apart or mixes them, and resamples what comes of it.
#[derive(Default)]
pub(super) struct Front {
    wanted: Wanted,
    /// Whether all channels are known to be the same, so that one of them tells all.
    alike: bool,
    mixer: Mixer,
    /// How many channels the recording began with.
    channels: usize,
    /// The rate of the frames that came last.
    rate: u32,
    /// At the source's rate: what is listened to, and all channels where segments are cut from these.
    heard: Vec<Vec<f32>>,
    all: Vec<Vec<f32>>,
    ears: Vec<Resampler>,
    cuts: Vec<Resampler>,
}

impl Front {
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Before the first frames: all channels are the same, and one ear is enough for them.
    pub fn all_are_alike(&mut self) {
        self.alike = true;
    }

    /// Whether the channels cancelled each other where they were to be mixed.
    pub fn cancelled(&self) -> bool {
        self.mixer.cancelled()
    }

    /// Takes the next frames and appends what is finished to `sound`.
    ///
    /// # Errors
    /// [`AudioError::NoSuchChannel`], or where no resampler can be made for the rate.
    pub fn push(&mut self, frames: Frames<'_>, sound: &mut Sound) -> Result<(), AudioError> {
        if self.channels == 0 {
            self.begin(frames, sound)?;
        }
        if frames.rate != self.rate {
            // After the old rate's rest.
            self.finish(sound);
            self.turn(frames.rate, sound)?;
        }
        self.separate(frames);
        self.pass_on(sound);
        Ok(())
    }

    /// Ends the recording, or a part of it, and appends the rest to `sound`.
    pub fn finish(&mut self, sound: &mut Sound) {
        if self.wanted.channels == ChannelChoice::Mix && !self.heard.is_empty() {
            self.mixer.finish(&mut self.heard[0]);
        }
        self.pass_on(sound);
        self.ears.iter_mut().zip(&mut sound.ears).for_each(|(resampler, out)| resampler.finish(out));
        self.cuts.iter_mut().zip(&mut sound.cut).for_each(|(resampler, out)| resampler.finish(out));
    }

    /// Learns from the first frames what there is to hear.
    fn begin(&mut self, frames: Frames<'_>, sound: &mut Sound) -> Result<(), AudioError> {
        let ears = match self.wanted.channels {
            ChannelChoice::One(wanted) if usize::from(wanted) > frames.channels => {
                return Err(AudioError::NoSuchChannel { wanted, channels: frames.channels });
            }
            ChannelChoice::Split if !self.alike => frames.channels,
            _ => 1,
        };
        self.channels = frames.channels;
        self.heard = vec![Vec::new(); ears];
        sound.ears = vec![Vec::new(); ears];
        if let Some(cut) = self.wanted.cut {
            let cuts = if cut.all_channels { frames.channels } else { ears };
            self.all = vec![Vec::new(); if cut.all_channels { frames.channels } else { 0 }];
            sound.cut = vec![Vec::new(); cuts];
            sound.cut_rate = cut.hz(frames.rate);
        }
        Ok(())
    }

    /// Goes on at another rate.
    fn turn(&mut self, rate: u32, sound: &Sound) -> Result<(), AudioError> {
        let make = |to: u32, of: &[Vec<f32>]| -> Result<Vec<Resampler>, AudioError> {
            of.iter().map(|_| Resampler::new(rate, to).map_err(AudioError::ImplausibleHeader)).collect()
        };
        self.ears = make(HEARD_RATE, &sound.ears)?;
        self.cuts = make(sound.cut_rate, &sound.cut)?;
        self.rate = rate;
        Ok(())
    }

    /// Fills `heard` and `all`.
    fn separate(&mut self, frames: Frames<'_>) {
        match self.wanted.channels {
            ChannelChoice::Mix => {
                self.mixer.push(frames.samples, frames.channels, frames.rate, &mut self.heard[0]);
            }
            ChannelChoice::Split => {
                let channels = self.channels;
                self.heard.iter_mut().enumerate().for_each(|(n, heard)| take(frames, n, channels, heard));
            }
            ChannelChoice::One(number) => {
                take(frames, usize::from(number) - 1, self.channels, &mut self.heard[0]);
            }
        }
        let channels = self.channels;
        self.all.iter_mut().enumerate().for_each(|(n, all)| take(frames, n, channels, all));
    }

    fn pass_on(&mut self, sound: &mut Sound) {
        let cut_from = if self.all.is_empty() { &self.heard } else { &self.all };
        for ((resampler, input), out) in self.cuts.iter_mut().zip(cut_from).zip(&mut sound.cut) {
            resampler.push(input, out);
        }
        for ((resampler, input), out) in self.ears.iter_mut().zip(&self.heard).zip(&mut sound.ears) {
            resampler.push(input, out);
        }
        self.heard.iter_mut().chain(&mut self.all).for_each(Vec::clear);
    }
}

/// Appends one channel. Where a later part of the recording has another number of channels than it began with, each of
/// them is the mean of what there is.
fn take(frames: Frames<'_>, channel: usize, begun_with: usize, out: &mut Vec<f32>) {
    let each = frames.samples.chunks_exact(frames.channels);
    if frames.channels == begun_with {
        out.extend(each.map(|frame| sane(frame[channel])));
    } else {
        let scale = 1.0 / frames.channels as f32;
        out.extend(each.map(|frame| sane(frame.iter().sum::<f32>() * scale)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{SegmentFormat, SegmentRate};

    fn through(wanted: Wanted, parts: &[(&[f32], usize, u32)]) -> Result<Sound, AudioError> {
        let (mut front, mut sound) = (Front::new(wanted), Sound::default());
        for &(samples, channels, rate) in parts {
            front.push(Frames { samples, channels, rate }, &mut sound)?;
        }
        front.finish(&mut sound);
        Ok(sound)
    }

    const STEREO: [f32; 6] = [0.5, 0.1, 0.25, 0.2, 0.0, 0.3];

    #[test]
    fn channels_are_taken_apart() {
        let split = Wanted { channels: ChannelChoice::Split, ..Wanted::default() };
        let sound = through(split, &[(&STEREO, 2, 16_000)]).unwrap();
        assert_eq!(sound.ears, [[0.5, 0.25, 0.0], [0.1, 0.2, 0.3]]);
        let (mut front, mut alike) = (Front::new(split), Sound::default());
        front.all_are_alike();
        front.push(Frames { samples: &STEREO, channels: 2, rate: 16_000 }, &mut alike).unwrap();
        assert_eq!(alike.ears, [[0.5, 0.25, 0.0]]);
        let second = Wanted { channels: ChannelChoice::One(2), ..Wanted::default() };
        assert_eq!(through(second, &[(&STEREO, 2, 16_000)]).unwrap().ears, [[0.1, 0.2, 0.3]]);
        let third = Wanted { channels: ChannelChoice::One(3), ..Wanted::default() };
        assert_eq!(through(third, &[(&STEREO, 2, 16_000)]).unwrap_err().code(), "no_such_channel");
    }

    #[test]
    fn segments_are_cut_from_what_was_asked_for() {
        let cut = |rate, all_channels| Wanted {
            cut: Some(Cut { rate, all_channels, format: SegmentFormat::Wav }),
            ..Wanted::default()
        };
        let sound = through(cut(SegmentRate::Source, true), &[(&STEREO, 2, 48_000)]).unwrap();
        assert_eq!((sound.cut.as_slice(), sound.cut_rate), (&[vec![0.5, 0.25, 0.0], vec![0.1, 0.2, 0.3]][..], 48_000));
        assert_eq!(sound.ears[0].len(), 1);
        let sound = through(cut(SegmentRate::Source, false), &[(&STEREO, 2, 48_000)]).unwrap();
        assert_eq!(sound.cut, [[0.3, 0.225, 0.15]]);
        let sound = through(cut(SegmentRate::Hz(24_000), true), &[(&[0.1; 480], 2, 48_000)]).unwrap();
        assert_eq!((sound.cut[1].len(), sound.cut_rate), (120, 24_000));
    }

    /// Chained streams may go on with other channels and at another rate.
    #[test]
    fn what_changes_on_the_way_stays_on_one_timeline() {
        let wanted = Wanted {
            channels: ChannelChoice::Split,
            cut: Some(Cut { rate: SegmentRate::Source, all_channels: true, format: SegmentFormat::Wav }),
        };
        let sound = through(wanted, &[(&STEREO, 2, 16_000), (&[0.4; 8], 1, 8_000)]).unwrap();
        assert_eq!(sound.ears[0][..3], [0.5, 0.25, 0.0]);
        assert_eq!((sound.ears[0].len(), sound.ears[1].len()), (3 + 16, 3 + 16));
        assert_eq!((sound.cut[1].len(), sound.cut_rate), (3 + 16, 16_000));
        assert_eq!(sound.ears[0][3..], sound.ears[1][3..]);
        let mono_first = through(wanted, &[(&[0.25; 3], 1, 16_000), (&STEREO, 2, 16_000)]).unwrap();
        assert_eq!(mono_first.ears, [[0.25, 0.25, 0.25, 0.3, 0.225, 0.15]]);
    }
}
