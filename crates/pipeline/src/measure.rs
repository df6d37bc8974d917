//! Measures the segments of a done recording again, from its audio: for figures that an earlier version did not have.

use std::{collections::VecDeque, sync::Arc};

use prepare_audio_dnsmos::DnsmosMeter;
use prepare_audio_media::{
    AudioBlock, AudioStream, ChannelChoice, DecodeOptions, DecoderChoice, MediaInput, OpenOptions, is_dual_mono,
    to_pcm16,
};
use prepare_audio_types::{PackedProbabilities, Part, Segment};
use prepare_audio_vad::SILERO_16K;

use crate::{
    Monitor, PrepareError, RecipeInput, WriteError,
    channel_segmenter::SegmentError,
    excerpt_buffer::ExcerptBuffer,
    part_cut::{self, PartCut},
    preparer::{BLOCK_SAMPLES, BY_FFMPEG},
    probability_codec,
    quality::{Quality, QualityMeter, Surroundings, WindowPowers},
    sample_buffer::SampleBuffer,
    seconds,
};

/// Bytes of samples that are kept in memory for all channels together. Longer segments go to the disk.
const IN_MEMORY: usize = 8 << 20;

/// A done recording whose segments are to be measured.
#[derive(Clone, Debug)]
pub struct MeasureTask {
    /// Where its bytes come from.
    pub input: Arc<dyn MediaInput>,
    /// The part of the input that is the recording, if it is not all of it.
    pub part: Option<Part>,
    /// Its recipe in full, as its row has it.
    pub parameters: String,
    /// Its codec, as its row has it: it names ffmpeg where ffmpeg decoded.
    pub codec: String,
    /// Its length at 16 kHz, in samples.
    pub samples: u64,
    /// Its probabilities, if they are stored. Without them, figures that tell speech from noise are `None`.
    pub probabilities: Option<PackedProbabilities>,
    /// Its segments.
    pub segments: Vec<Segment>,
}

/// Why segments were not measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The recording cannot be read, or the model failed.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The file has other audio than the one that was prepared.
    #[error(
        "{input}: its audio has changed since it was prepared: it is {found_s:.3} s long, and was {expected_s:.3} s"
    )]
    OtherAudio {
        /// The recording's file, as its input names it.
        input: String,
        /// Its length now, seconds.
        found_s: f64,
        /// Its length when it was prepared, seconds.
        expected_s: f64,
    },
}

/// Measures the segments of a recording; returns them with all figures. What a run with the same recipe would have measured
/// is the same to the bit.
///
/// `dnsmos` scores them as well. Without it, scores stay as they are.
///
/// # Errors
/// [`MeasureError`].
pub fn measure(
    task: &MeasureTask,
    dnsmos: Option<&mut DnsmosMeter>,
    monitor: &dyn Monitor,
) -> Result<Vec<Segment>, MeasureError> {
    let audio = |error| PrepareError::Audio { input: task.input.name().into_owned(), error };
    let segment = |error| PrepareError::of_segment(&task.input.name(), std::env::temp_dir(), error);
    let RecipeInput { channels, track, raw } = RecipeInput::of(&task.parameters);
    let by_ffmpeg = task.codec.starts_with(BY_FFMPEG);
    let decoder = if by_ffmpeg { DecoderChoice::Ffmpeg } else { DecoderChoice::Auto };
    let open = OpenOptions { decoder, track, raw };
    let options = DecodeOptions { channels, cut: None, excerpts: true };
    let mut stream = AudioStream::open_with(&*task.input, &open, options).map_err(audio)?;
    monitor.opened(Some(seconds(task.samples)));
    if channels == ChannelChoice::Split && is_dual_mono(&*task.input, &open, || monitor.check())? {
        stream.assume_dual_mono();
    }
    let mut measurement = Measurement::new(task, channels, QualityMeter::new(dnsmos));
    let mut cut = task.part.map(PartCut::new);
    let read = stream.for_each_block(
        BLOCK_SAMPLES,
        false,
        |error| Some(audio(error)),
        |block| {
            let block = cut.as_mut().map_or(block, |cut| cut.cut(block));
            measurement.push(block).map_err(|error| Some(segment(error)))?;
            monitor.advanced(seconds(measurement.samples));
            monitor.check().map_err(Some)?;
            if cut.as_ref().is_some_and(PartCut::is_over) { Err(None) } else { Ok(()) }
        },
    );
    if let Err(Some(error)) = read {
        return Err(error.into());
    }
    if measurement.samples != task.samples {
        let (found_s, expected_s) = (seconds(measurement.samples), seconds(task.samples));
        return Err(MeasureError::OtherAudio { input: task.input.name().into_owned(), found_s, expected_s });
    }
    Ok(measurement.finish())
}

/// The channels of a recording that is being measured.
struct Measurement<'t> {
    task: &'t MeasureTask,
    choice: ChannelChoice,
    meter: QualityMeter<'t>,
    /// Samples so far.
    samples: u64,
    channels: Vec<Channel>,
    /// The segments, in the task's order.
    measured: Vec<Segment>,
}

/// One channel, or the mix of all.
struct Channel {
    /// The number that its segments have.
    number: Option<u16>,
    /// Indices of its segments that are not measured yet, in order of time.
    waiting: VecDeque<usize>,
    powers: WindowPowers,
    buffer: SampleBuffer<i16>,
    excerpts: ExcerptBuffer,
    block: Vec<i16>,
}

impl<'t> Measurement<'t> {
    fn new(task: &'t MeasureTask, choice: ChannelChoice, meter: QualityMeter<'t>) -> Self {
        Self { task, choice, meter, samples: 0, channels: Vec::new(), measured: task.segments.clone() }
    }

    /// Takes the next samples of all channels.
    fn push(&mut self, block: &AudioBlock) -> Result<(), SegmentError> {
        if self.channels.is_empty() {
            let channels = block.analysis.len();
            self.channels = (0..channels).map(|index| self.channel(index, IN_MEMORY / channels)).collect();
        }
        self.samples += block.len() as u64;
        let first = self.first_sample();
        for (index, (channel, pcm)) in self.channels.iter_mut().zip(&block.analysis).enumerate() {
            channel.take(pcm)?;
            channel.excerpts.push(&block.excerpts, index).map_err(WriteError::from)?;
            while let Some(&index) = channel.waiting.front() {
                let segment = &mut self.measured[index];
                let (start, end) =
                    (segment.start_sample.saturating_sub(first), segment.end_sample.saturating_sub(first));
                if end > self.samples {
                    break;
                }
                let (blocks, excerpts) = (channel.buffer.read(start, end), channel.excerpts.read(start, end));
                let mut quality = self.meter.measure(end - start, blocks, excerpts.as_ref())?;
                let former = Quality::of_row(segment).and_then(|former| former.dnsmos);
                quality.dnsmos = quality.dnsmos.or(former);
                quality.write_to(segment);
                channel.waiting.pop_front();
            }
            let next = channel.waiting.front().map(|&index| self.measured[index].start_sample.saturating_sub(first));
            let needed = next.unwrap_or(self.samples).min(self.samples);
            channel.buffer.discard_before(needed);
            channel.excerpts.discard_before(needed);
        }
        Ok(())
    }

    fn channel(&self, index: usize, bytes: usize) -> Channel {
        let number = self.choice.number(index);
        let mut waiting: Vec<usize> =
            (0..self.measured.len()).filter(|&index| self.measured[index].channel == number).collect();
        waiting.sort_by_key(|&index| self.measured[index].start_sample);
        Channel {
            number,
            waiting: waiting.into(),
            powers: WindowPowers::default(),
            buffer: SampleBuffer::new(std::env::temp_dir(), bytes),
            excerpts: ExcerptBuffer::new(std::env::temp_dir(), bytes),
            block: Vec::new(),
        }
    }

    /// The recording's first sample in its input.
    fn first_sample(&self) -> u64 {
        self.task.part.map_or(0, |part| part_cut::sample(part.start_s, SILERO_16K.sample_rate))
    }

    /// Measures the segments against what is around them.
    fn finish(mut self) -> Vec<Segment> {
        let first = self.first_sample();
        let Some(probabilities) = self.probabilities() else { return self.measured };
        for (channel, probabilities) in self.channels.iter_mut().zip(probabilities) {
            channel.powers.finish();
            let surroundings = Surroundings::new(&channel.powers, &probabilities);
            for segment in self.measured.iter_mut().filter(|segment| segment.channel == channel.number) {
                let (start, end) =
                    (segment.start_sample.saturating_sub(first), segment.end_sample.saturating_sub(first));
                segment.snr_db = surroundings.snr_db(start, end);
                segment.speech_ratio = surroundings.speech_ratio(start, end);
            }
        }
        self.measured
    }

    /// The stored probabilities of each channel, if they belong to these channels.
    fn probabilities(&self) -> Option<Vec<Vec<f32>>> {
        let packed = self.task.probabilities.as_ref().filter(|packed| packed.coding == probability_codec::CODING)?;
        let all = probability_codec::unpack(&packed.data, usize::try_from(packed.windows).ok()?).ok()?;
        let windows = usize::try_from(SILERO_16K.windows(self.samples)).ok().filter(|&windows| windows > 0)?;
        (all.len() == windows * self.channels.len()).then(|| all.chunks(windows).map(<[f32]>::to_vec).collect())
    }
}

impl Channel {
    fn take(&mut self, pcm: &[f32]) -> Result<(), WriteError> {
        self.block.clear();
        self.block.extend(pcm.iter().copied().map(to_pcm16));
        self.powers.push(&self.block);
        Ok(self.buffer.push(self.block.iter().copied())?)
    }
}
