//! All channels of one recording: from blocks of samples to written segments.

use std::{
    collections::VecDeque,
    path::Path,
    time::{Duration, Instant},
};

use prepare_audio_media::{AudioBlock, ChannelChoice, SegmentFileSettings, SegmentSpec};
use prepare_audio_vad::{Chunk, Parameters, Segmenter};

use crate::{
    Denoising, DnsmosModel, SegmentFilter, StagedSegments, WriteError,
    channel_segmenter::{ChannelSegmenter, SegmentError},
    denoising::DenoisedChannel,
    excerpt_buffer::ExcerptBuffer,
    quality::QualityMeter,
    sample_buffer::SampleBuffer,
    segment_writer::{FinishedSegment, SegmentFiles, SegmentWriter},
    source_buffer::SourceBuffer,
    worker_models::ChannelModels,
};

/// Bytes of samples that are kept in memory for the detector's channels together, and as many for what segments are cut
/// from: 4 minutes of one channel at 16 kHz. Segments are rarely longer. An hour of speech without a pause, or music that
/// the model takes for speech, goes to the disk until it is cut.
const IN_MEMORY: usize = 8 << 20;

/// How recordings are segmented.
#[derive(Clone)]
pub(crate) struct SegmentationSettings {
    pub channels: ChannelChoice,
    /// How segment files are written; `None` for rows alone.
    pub files: Option<SegmentFileSettings>,
    pub parameters: Parameters,
    pub segmenter: Segmenter,
    /// How recordings are denoised; `None` for not at all.
    pub denoising: Option<Denoising>,
    /// Which segments are kept.
    pub filter: SegmentFilter,
    /// Scores segments; `None` for not at all.
    pub dnsmos: Option<DnsmosModel>,
}

/// A recording that is being segmented.
pub(crate) struct Pipeline<'a, T> {
    channels: ChannelChoice,
    files: Option<SegmentFileSettings>,
    segmenters: Vec<ChannelSegmenter<'a>>,
    /// What segments are cut from: one buffer for each segmenter, or one for all. Empty where segments are cut from what
    /// the detector received.
    source_buffers: Vec<SourceBuffer>,
    /// The excerpts of each segmenter's channel.
    excerpts: Vec<ExcerptBuffer>,
    /// Decided segments whose frames or denoised samples have not come yet: resamplers and denoisers have delays of their
    /// own.
    waiting: VecDeque<Waiting>,
    writer: SegmentWriter<T>,
    meter: QualityMeter<'a>,
    vad_time: Duration,
}

/// A decided segment, and those of its files that are written.
struct Waiting {
    /// The index of its segmenter.
    index: usize,
    finished: FinishedSegment,
    files: SegmentFiles,
}

impl Waiting {
    fn span(&self) -> (u64, u64) {
        (self.finished.chunk.speech.start, self.finished.chunk.speech.end)
    }
}

/// A recording that was segmented to its end.
pub(crate) struct Segmented<T> {
    /// Its length at 16 kHz.
    pub samples: u64,
    pub writer: SegmentWriter<T>,
    /// The probabilities of all windows, channel after channel.
    pub probabilities: Vec<f32>,
    pub vad_time: Duration,
}

impl<'a, T: StagedSegments> Pipeline<'a, T> {
    /// Begins a recording with the models for each channel of `first`, its first block. `depth` is the number of bits of the
    /// source's samples, if it is known.
    pub fn new(
        settings: &SegmentationSettings,
        models: Vec<ChannelModels<'a>>,
        meter: QualityMeter<'a>,
        first: &AudioBlock,
        depth: Option<u32>,
        staging: T,
    ) -> Self {
        let folder = staging.scratch_folder().to_owned();
        let SegmentationSettings { channels, files, parameters, segmenter, denoising, .. } = settings;
        let bytes = IN_MEMORY / models.len().max(1);
        let new_segmenter = |ChannelModels { source, denoiser }| {
            let buffer = || SampleBuffer::new(folder.clone(), bytes);
            let channel = ChannelSegmenter::new(source, segmenter.clone(), parameters, buffer());
            match denoiser.zip(denoising.as_ref()) {
                None => channel,
                Some((denoiser, Denoising { vad_input, .. })) => {
                    channel.with_denoised(DenoisedChannel::new(denoiser, buffer()), *vad_input)
                }
            }
        };
        Self {
            channels: *channels,
            files: *files,
            excerpts: models.iter().map(|_| ExcerptBuffer::new(folder.clone(), bytes)).collect(),
            segmenters: models.into_iter().map(new_segmenter).collect(),
            source_buffers: files.map_or(Vec::new(), |files| source_buffers(&files, first, depth, &folder)),
            waiting: VecDeque::new(),
            writer: SegmentWriter::new(staging, parameters.merge_to_s.is_some()),
            meter,
            vad_time: Duration::ZERO,
        }
    }

    /// Samples processed so far, at 16 kHz.
    pub fn samples(&self) -> u64 {
        self.segmenters.first().map_or(0, ChannelSegmenter::samples)
    }

    /// Processes the next block and writes the segments that are decided by it.
    pub fn push(&mut self, block: &AudioBlock) -> Result<(), SegmentError> {
        self.buffer_source(block)?;
        for (index, buffer) in self.excerpts.iter_mut().enumerate() {
            buffer.push(&block.excerpts, index).map_err(WriteError::from)?;
        }
        for (index, pcm) in block.analysis.iter().enumerate().take(self.segmenters.len()) {
            let start = Instant::now();
            let chunks = self.segmenters[index].push(pcm)?;
            self.vad_time += start.elapsed();
            chunks.into_iter().try_for_each(|chunk| self.finish_segment(index, chunk))?;
        }
        self.write_waiting(false)?;
        self.discard_unneeded();
        Ok(())
    }

    /// Ends the recording: decides and writes what is still open. `None` means that the stored probabilities belong to
    /// other audio.
    pub fn finish(mut self) -> Result<Option<Segmented<T>>, SegmentError> {
        let samples = self.samples();
        let mut probabilities = Vec::new();
        for index in 0..self.segmenters.len() {
            let start = Instant::now();
            let Some(chunks) = self.segmenters[index].finish()? else { return Ok(None) };
            self.vad_time += start.elapsed();
            chunks.into_iter().try_for_each(|chunk| self.finish_segment(index, chunk))?;
            probabilities.extend_from_slice(self.segmenters[index].probabilities());
        }
        self.write_waiting(true)?;
        for (index, segmenter) in self.segmenters.iter().enumerate() {
            let (raw, denoised) = (segmenter.surroundings(), segmenter.denoised_surroundings());
            self.writer.measure(self.channels.number(index), &raw, denoised.as_ref());
        }
        Ok(Some(Segmented { samples, writer: self.writer, probabilities, vad_time: self.vad_time }))
    }

    /// Keeps the frames that segments are cut from.
    fn buffer_source(&mut self, block: &AudioBlock) -> Result<(), WriteError> {
        match self.source_buffers.as_mut_slice() {
            [all] => all.push(&block.output)?,
            each => each.iter_mut().zip(block.output.chunks(1)).try_for_each(|(buffer, one)| buffer.push(one))?,
        }
        Ok(())
    }

    /// Measures a decided segment, takes over its files if they were written before, and lets it wait for its frames.
    fn finish_segment(&mut self, index: usize, chunk: Chunk) -> Result<(), SegmentError> {
        let channel = self.channels.number(index);
        let (start, end) = (chunk.speech.start, chunk.speech.end);
        let (stored, buffer) = (self.segmenters[index].stored(), self.segmenters[index].buffer());
        let known = stored.and_then(|stored| stored.quality(channel, &chunk.speech));
        let quality = match known.filter(|known| known.is_complete(self.meter.has_dnsmos())) {
            Some(quality) => quality,
            None => {
                let excerpts = self.excerpts[index].read(start, end);
                self.meter.measure(end - start, buffer.read(start, end), excerpts.as_ref())?
            }
        };
        let finished = FinishedSegment { chunk, channel, quality, denoised_snr_db: None };
        let files = match (stored, self.files) {
            (Some(stored), Some(files)) => self.writer.reuse(&finished, stored, files.format)?,
            _ => SegmentFiles::default(),
        };
        self.waiting.push_back(Waiting { index, finished, files });
        Ok(())
    }

    /// Writes what the waiting segments lack and has arrived; at the end of the recording all of it.
    fn write_waiting(&mut self, all: bool) -> Result<(), WriteError> {
        for mut waiting in std::mem::take(&mut self.waiting) {
            if self.write_missing(&mut waiting, all)? {
                self.writer.add(&waiting.finished, waiting.files);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        Ok(())
    }

    /// Writes the files of a segment that are missing and whose frames have arrived. Returns whether none is missing.
    fn write_missing(&mut self, waiting: &mut Waiting, all: bool) -> Result<bool, WriteError> {
        let Some(files) = self.files else { return Ok(true) };
        let (start, end) = waiting.span();
        let analysis = SegmentSpec::analysis(files.format, files.opus_bitrate);
        let segmenter = &self.segmenters[waiting.index];
        let source = self.source_buffers.get(waiting.index).or(self.source_buffers.last());
        let mut is_complete = true;
        if waiting.files.raw.is_none() {
            waiting.files.raw = match source {
                None => Some(self.writer.write(&analysis, end - start, segmenter.buffer().read(start, end))?),
                Some(buffer) if all || buffer.reaches(end) => {
                    let (frames, blocks) = buffer.read(start, end);
                    Some(self.writer.write(buffer.spec(), frames, blocks)?)
                }
                Some(_) => None,
            };
            is_complete = waiting.files.raw.is_some();
        }
        if let Some(denoised) = segmenter.denoised().filter(|_| waiting.files.denoised.is_none()) {
            if all || denoised.reaches(end) {
                let blocks = denoised.buffer().read(start, end);
                waiting.files.denoised = Some(self.writer.write(&analysis, end - start, blocks)?);
            } else {
                is_complete = false;
            }
        }
        Ok(is_complete)
    }

    /// Discards the samples and frames that no segment needs any more.
    fn discard_unneeded(&mut self) {
        let waiting = |index| self.waiting.iter().filter(move |waiting| waiting.index == index);
        for (index, segmenter) in self.segmenters.iter_mut().enumerate() {
            // Waiting segments are measured already.
            self.excerpts[index].discard_before(segmenter.needed_from());
            segmenter.discard_unneeded(waiting(index).map(|waiting| waiting.span().0).min());
        }
        let last = self.source_buffers.len().saturating_sub(1);
        for (n, buffer) in self.source_buffers.iter_mut().enumerate() {
            let open = self.segmenters.iter().enumerate().map(|(index, segmenter)| (index, segmenter.needed_from()));
            let waiting = self.waiting.iter().map(|waiting| (waiting.index, waiting.span().0));
            let needed = open.chain(waiting).filter(|(index, _)| (*index).min(last) == n).map(|(_, from)| from).min();
            if let Some(needed) = needed {
                buffer.discard_before(needed);
            }
        }
    }
}

/// The buffers for what segments are cut from, if that is not what the detector receives.
fn source_buffers(
    files: &SegmentFileSettings,
    first: &AudioBlock,
    depth: Option<u32>,
    folder: &Path,
) -> Vec<SourceBuffer> {
    let Some(cut) = files.source_cut() else { return Vec::new() };
    let bits = if files.keeps_depth() && depth.is_some_and(|bits| bits > 16) { 24 } else { 16 };
    let channels = first.output.len();
    let (buffers, channels) = if cut.all_channels { (1, channels) } else { (channels, 1) };
    let spec = SegmentSpec {
        format: files.format,
        rate: first.output_rate,
        channels: channels as u16,
        bits,
        opus_bitrate: files.opus_bitrate,
    };
    (0..buffers).map(|_| SourceBuffer::new(spec, folder.to_owned(), IN_MEMORY / buffers.max(1))).collect()
}
