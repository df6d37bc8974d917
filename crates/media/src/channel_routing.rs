//! Routes decoded channels to the detector and to segment files, and resamples both. Does not decode.

use super::{
    AudioError, ChannelChoice, Excerpt, Resampler, SourceCut, downmix::Downmixer, downmix::finite_or_silence,
    excerpts::ExcerptCutter,
};

/// Sample rate of the detector, Hz.
const ANALYSIS_RATE: u32 = 16_000;

/// Which samples of a recording are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Which channels are analysed.
    pub channels: ChannelChoice,
    /// What segments are cut from, if not from the analysed samples.
    pub cut: Option<SourceCut>,
    /// Whether blocks have excerpts.
    pub excerpts: bool,
}

/// The next samples of a recording, one vector for each channel, full scale 1.0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AudioBlock {
    /// The samples to analyse, at 16 kHz: one channel, or all of them with [`ChannelChoice::Split`]. Empty before the
    /// first samples.
    pub analysis: Vec<Vec<f32>>,
    /// The samples to cut segments from, at [`AudioBlock::output_rate`]: one channel for each analysed channel, or all
    /// channels of the source. Empty if segments are cut from the analysed samples.
    pub output: Vec<Vec<f32>>,
    /// Sample rate of `output` in Hz.
    pub output_rate: u32,
    /// Excerpts of the channels to analyse, at the source's rate, in order. One comes no later than the last of the samples
    /// at 16 kHz that it spans. Sources of other rates than [`Excerpt::RATES`] have none, and if the rate changes, none
    /// follow.
    pub excerpts: Vec<Excerpt>,
}

impl AudioBlock {
    /// Number of samples at 16 kHz.
    pub fn len(&self) -> usize {
        self.analysis.first().map_or(0, Vec::len)
    }

    /// Whether there are no samples, neither to analyse nor to cut from, and no excerpts.
    pub fn is_empty(&self) -> bool {
        self.excerpts.is_empty() && self.analysis.iter().chain(&self.output).all(Vec::is_empty)
    }

    /// Whether there is enough to process: `len` samples at 16 kHz, or as many in total as 8 channels of this length.
    pub(super) fn is_full(&self, len: usize) -> bool {
        const CHANNELS: usize = 8;
        let all: usize = self.analysis.iter().chain(&self.output).map(Vec::len).sum();
        self.len() >= len || all / CHANNELS >= len
    }

    /// Removes all samples and excerpts, and keeps the channels.
    pub fn clear(&mut self) {
        self.excerpts.clear();
        self.analysis.iter_mut().chain(&mut self.output).for_each(Vec::clear);
    }

    /// Returns all samples and leaves none.
    pub(super) fn take(&mut self) -> Self {
        let empty = |of: &[Vec<f32>]| of.iter().map(|channel| Vec::with_capacity(channel.len())).collect();
        let next = Self {
            analysis: empty(&self.analysis),
            output: empty(&self.output),
            output_rate: self.output_rate,
            excerpts: Vec::new(),
        };
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

/// Splits or mixes channels, and resamples the result.
#[derive(Default)]
pub(super) struct ChannelRouter {
    options: DecodeOptions,
    /// Whether all channels are known to be identical, so that one of them is analysed.
    dual_mono: bool,
    mixer: Downmixer,
    /// The number of channels at the recording's beginning.
    channels: usize,
    /// The rate of the latest frames.
    rate: u32,
    /// Samples at the source's rate: the channels to analyse, and all channels if segments are cut from these.
    analysed: Vec<Vec<f32>>,
    all: Vec<Vec<f32>>,
    analysis: Vec<Resampler>,
    cuts: Vec<Resampler>,
    /// Makes excerpts, if they are wanted, until the rate changes.
    excerpts: Option<ExcerptCutter>,
}

impl ChannelRouter {
    pub fn new(options: DecodeOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Treats all channels as identical, so that one of them is analysed. Call it before the first frames.
    pub fn assume_dual_mono(&mut self) {
        self.dual_mono = true;
    }

    /// Whether the channels cancelled each other when they were mixed.
    pub fn cancelled(&self) -> bool {
        self.mixer.cancelled()
    }

    /// Processes the next frames and appends the finished samples to `block`.
    ///
    /// # Errors
    /// [`AudioError::NoSuchChannel`], or where no resampler can be made for the rate.
    pub fn push(&mut self, frames: Frames<'_>, block: &mut AudioBlock) -> Result<(), AudioError> {
        if self.channels == 0 {
            self.begin(frames, block)?;
        }
        if frames.rate != self.rate {
            // The rest of the old rate comes first.
            self.finish(block)?;
            self.set_rate(frames.rate, block)?;
        }
        self.separate(frames);
        self.resample(block)
    }

    /// Ends the recording, or a part of it, and appends the rest to `block`.
    pub fn finish(&mut self, block: &mut AudioBlock) -> Result<(), AudioError> {
        if self.options.channels == ChannelChoice::Mix && !self.analysed.is_empty() {
            self.mixer.finish(&mut self.analysed[0]);
        }
        self.resample(block)?;
        for (resampler, out) in self.analysis.iter_mut().zip(&mut block.analysis) {
            resampler.finish(out)?;
        }
        for (resampler, out) in self.cuts.iter_mut().zip(&mut block.output) {
            resampler.finish(out)?;
        }
        Ok(())
    }

    /// Sets up the channels that the first frames have.
    fn begin(&mut self, frames: Frames<'_>, block: &mut AudioBlock) -> Result<(), AudioError> {
        let analysis = match self.options.channels {
            ChannelChoice::One(wanted) if usize::from(wanted) > frames.channels => {
                return Err(AudioError::NoSuchChannel { wanted, channels: frames.channels });
            }
            ChannelChoice::Split if !self.dual_mono => frames.channels,
            _ => 1,
        };
        self.channels = frames.channels;
        self.analysed = vec![Vec::new(); analysis];
        block.analysis = vec![Vec::new(); analysis];
        if let Some(cut) = self.options.cut {
            let cuts = if cut.all_channels { frames.channels } else { analysis };
            self.all = vec![Vec::new(); if cut.all_channels { frames.channels } else { 0 }];
            block.output = vec![Vec::new(); cuts];
            block.output_rate = cut.hz(frames.rate);
        }
        Ok(())
    }

    /// Replaces the resamplers for another input rate.
    fn set_rate(&mut self, rate: u32, block: &AudioBlock) -> Result<(), AudioError> {
        let make = |to: u32, of: &[Vec<f32>]| -> Result<Vec<Resampler>, AudioError> {
            of.iter().map(|_| Resampler::new(rate, to).map_err(AudioError::ImplausibleHeader)).collect()
        };
        let has_excerpts = self.options.excerpts && self.rate == 0;
        self.excerpts = if has_excerpts { ExcerptCutter::new(rate, block.analysis.len()) } else { None };
        self.analysis = make(ANALYSIS_RATE, &block.analysis)?;
        self.cuts = make(block.output_rate, &block.output)?;
        self.rate = rate;
        Ok(())
    }

    /// Fills `analysed` and `all`.
    fn separate(&mut self, frames: Frames<'_>) {
        match self.options.channels {
            ChannelChoice::Mix => {
                self.mixer.push(frames.samples, frames.channels, frames.rate, &mut self.analysed[0]);
            }
            ChannelChoice::Split => {
                let channels = self.channels;
                self.analysed
                    .iter_mut()
                    .enumerate()
                    .for_each(|(n, channel)| append_channel(frames, n, channels, channel));
            }
            ChannelChoice::One(number) => {
                append_channel(frames, usize::from(number) - 1, self.channels, &mut self.analysed[0]);
            }
        }
        let channels = self.channels;
        self.all.iter_mut().enumerate().for_each(|(n, channel)| append_channel(frames, n, channels, channel));
    }

    /// Resamples `analysed` and `all`, and empties them.
    fn resample(&mut self, block: &mut AudioBlock) -> Result<(), AudioError> {
        if let Some(cutter) = &mut self.excerpts {
            cutter.push(&self.analysed, &mut block.excerpts);
        }
        let cut_from = if self.all.is_empty() { &self.analysed } else { &self.all };
        for ((resampler, input), out) in self.cuts.iter_mut().zip(cut_from).zip(&mut block.output) {
            resampler.push(input, out)?;
        }
        for ((resampler, input), out) in self.analysis.iter_mut().zip(&self.analysed).zip(&mut block.analysis) {
            resampler.push(input, out)?;
        }
        self.analysed.iter_mut().chain(&mut self.all).for_each(Vec::clear);
        Ok(())
    }
}

/// Appends one channel. If a later part of the recording has another number of channels than its beginning, each channel
/// is the mean of what there is.
fn append_channel(frames: Frames<'_>, channel: usize, channels_at_start: usize, out: &mut Vec<f32>) {
    let each = frames.samples.chunks_exact(frames.channels);
    if frames.channels == channels_at_start {
        out.extend(each.map(|frame| finite_or_silence(frame[channel])));
    } else {
        let scale = 1.0 / frames.channels as f32;
        out.extend(each.map(|frame| finite_or_silence(frame.iter().sum::<f32>() * scale)));
    }
}

#[cfg(test)]
mod tests {
    use prepare_audio_types::ErrorCode;

    use super::*;
    use crate::{SegmentFormat, SegmentRate};

    fn through(options: DecodeOptions, parts: &[(&[f32], usize, u32)]) -> Result<AudioBlock, AudioError> {
        let (mut router, mut block) = (ChannelRouter::new(options), AudioBlock::default());
        for &(samples, channels, rate) in parts {
            router.push(Frames { samples, channels, rate }, &mut block)?;
        }
        router.finish(&mut block)?;
        Ok(block)
    }

    const STEREO: [f32; 6] = [0.5, 0.1, 0.25, 0.2, 0.0, 0.3];

    #[test]
    fn channels_are_split() {
        let split = DecodeOptions { channels: ChannelChoice::Split, ..DecodeOptions::default() };
        let block = through(split, &[(&STEREO, 2, 16_000)]).unwrap();
        assert_eq!(block.analysis, [[0.5, 0.25, 0.0], [0.1, 0.2, 0.3]]);
        let (mut router, mut block) = (ChannelRouter::new(split), AudioBlock::default());
        router.assume_dual_mono();
        router.push(Frames { samples: &STEREO, channels: 2, rate: 16_000 }, &mut block).unwrap();
        assert_eq!(block.analysis, [[0.5, 0.25, 0.0]]);
        let second = DecodeOptions { channels: ChannelChoice::One(2), ..DecodeOptions::default() };
        assert_eq!(through(second, &[(&STEREO, 2, 16_000)]).unwrap().analysis, [[0.1, 0.2, 0.3]]);
        let third = DecodeOptions { channels: ChannelChoice::One(3), ..DecodeOptions::default() };
        assert_eq!(through(third, &[(&STEREO, 2, 16_000)]).unwrap_err().code(), ErrorCode::NoSuchChannel);
    }

    #[test]
    fn segments_get_the_requested_rate_and_channels() {
        let cut = |rate, all_channels| DecodeOptions {
            cut: Some(SourceCut { rate, all_channels, format: SegmentFormat::Wav }),
            ..DecodeOptions::default()
        };
        let block = through(cut(SegmentRate::Source, true), &[(&STEREO, 2, 48_000)]).unwrap();
        assert_eq!(
            (block.output.as_slice(), block.output_rate),
            (&[vec![0.5, 0.25, 0.0], vec![0.1, 0.2, 0.3]][..], 48_000)
        );
        assert_eq!(block.analysis[0].len(), 1);
        let block = through(cut(SegmentRate::Source, false), &[(&STEREO, 2, 48_000)]).unwrap();
        assert_eq!(block.output, [[0.3, 0.225, 0.15]]);
        let block = through(cut(SegmentRate::Hz(24_000), true), &[(&[0.1; 480], 2, 48_000)]).unwrap();
        assert_eq!((block.output[1].len(), block.output_rate), (120, 24_000));
    }

    /// Chained streams may continue with other channels and at another rate.
    #[test]
    fn a_change_of_channels_or_rate_keeps_the_timeline() {
        let options = DecodeOptions {
            channels: ChannelChoice::Split,
            cut: Some(SourceCut { rate: SegmentRate::Source, all_channels: true, format: SegmentFormat::Wav }),
            ..DecodeOptions::default()
        };
        let block = through(options, &[(&STEREO, 2, 16_000), (&[0.4; 8], 1, 8_000)]).unwrap();
        assert_eq!(block.analysis[0][..3], [0.5, 0.25, 0.0]);
        assert_eq!((block.analysis[0].len(), block.analysis[1].len()), (3 + 16, 3 + 16));
        assert_eq!((block.output[1].len(), block.output_rate), (3 + 16, 16_000));
        assert_eq!(block.analysis[0][3..], block.analysis[1][3..]);
        let mono_first = through(options, &[(&[0.25; 3], 1, 16_000), (&STEREO, 2, 16_000)]).unwrap();
        assert_eq!(mono_first.analysis, [[0.25, 0.25, 0.25, 0.3, 0.225, 0.15]]);
    }

    #[test]
    fn excerpts_are_of_the_analysed_channels_and_of_one_rate() {
        let options = DecodeOptions { excerpts: true, ..DecodeOptions::default() };
        let split = DecodeOptions { channels: ChannelChoice::Split, ..options };
        let second: Vec<f32> = [0.5, 0.25].repeat(32_000);
        let starts = |block: &AudioBlock| block.excerpts.iter().map(|excerpt| excerpt.start).collect::<Vec<_>>();
        let block = through(options, &[(&second, 2, 32_000)]).unwrap();
        assert_eq!(starts(&block), [0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000]);
        assert_eq!(block.excerpts[7].channels, [[12_288; 1_024]]);
        let block = through(split, &[(&second, 2, 32_000), (&second, 2, 48_000)]).unwrap();
        assert_eq!((block.excerpts.len(), block.excerpts[0].channels.len()), (8, 2));
        assert_eq!(block.excerpts[7].channels[1], [8_192; 1_024]);
        for (options, rate) in [(options, 16_000), (DecodeOptions::default(), 48_000)] {
            assert_eq!(through(options, &[(&second, 2, rate)]).unwrap().excerpts, []);
        }
    }
}
