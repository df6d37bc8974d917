//! The preparation of recordings: what they share, and the steps of one.

use std::{sync::Arc, time::Instant};

use prepare_audio_media::{
    AudioError, AudioStream, ChannelChoice, Damage, DecodeOptions, DecoderChoice, MediaInput, OpenOptions,
    SegmentFileSettings, TrackChoice, find_ffmpeg, is_dual_mono,
};
use prepare_audio_types::{PackedProbabilities, Part, PreparedRecording, Segment, StageTimes, StoredRecording};
use prepare_audio_vad::{Engine, Parameters, SAMPLE_RATE, Segmenter, VadError};

use crate::{
    Denoising, DnsmosModel, InputLimits, PrepareError, Recipe, SegmentFilter, SegmentOutput, VadInput, WriteError,
    channel_segmenter::SegmentError,
    milliseconds,
    part_cut::{self, PartCut},
    pipeline::{Pipeline, SegmentationSettings, Segmented},
    probability_codec,
    probability_source::ProbabilitySources,
    quality::{self, QualityMeter},
    resegment::resegment,
    seconds,
    segment_writer::Written,
    source_facts,
    stored_probabilities::StoredAnalysis,
    worker_models::{ChannelModels, OtherModels, WorkerModels, dnsmos_meter},
};

/// Samples in a block for the detector: 4 s. It processes long blocks faster than short ones, and a block of this length is
/// still small beside the decoder's own buffers.
pub(crate) const BLOCK_SAMPLES: usize = 4 * SAMPLE_RATE as usize;

/// Recordings of at least this length, in seconds, are decoded, resampled and analysed on several threads.
const LONG_RECORDING_S: f64 = 120.0;

/// A recording of which one packet in so many fails is given to ffmpeg as well.
const WORTH_A_SECOND_TRY: u64 = 20;

/// How much more ffmpeg has to decode to be preferred: its segments are not kept in place after a gap.
const MORE_BY_FFMPEG: f64 = 1.02;

/// How the codec's name begins where ffmpeg decoded.
pub(crate) const BY_FFMPEG: &str = "ffmpeg:";

/// Receives the progress of one recording's preparation, and can stop it.
pub trait Monitor: Sync {
    /// The file is open; its header declares this many seconds.
    fn opened(&self, seconds: Option<f64>);
    /// This many seconds of the recording are processed.
    fn advanced(&self, seconds: f64);
    /// Called after every few seconds of audio; an error stops the preparation.
    ///
    /// # Errors
    /// Why it has to stop.
    fn check(&self) -> Result<(), PrepareError>;
}

/// One recording to prepare.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name in the database.
    pub source: String,
    /// Where its bytes come from.
    pub input: Arc<dyn MediaInput>,
    /// The part of the input that is the recording, if it is not all of it. Segments have the times of the whole.
    pub part: Option<Part>,
    /// The claim's id, which names its temporary files.
    pub claim_id: String,
    /// What an earlier preparation stored, if it is to be used.
    pub stored: Option<StoredRecording>,
}

impl Task {
    /// The recording's first sample in its input, at 16 kHz.
    fn first_sample(&self) -> u64 {
        self.part.map_or(0, |part| part_cut::sample(part.start_s, SAMPLE_RATE))
    }
}

/// A prepared recording, and its files before they are published.
#[derive(Debug)]
pub struct Prepared<T> {
    /// The facts and the segments for its row.
    pub recording: PreparedRecording,
    /// The segments' files.
    pub staging: T,
}

/// Prepares recordings with one model, one set of parameters and one output.
pub struct Preparer<O> {
    engine: Engine,
    settings: SegmentationSettings,
    recipe: Recipe,
    output: O,
    stores_probabilities: bool,
    parallel: bool,
    limits: InputLimits,
}

impl<O: SegmentOutput> Preparer<O> {
    /// A preparer that computes probabilities with `engine`, segments by `parameters` and writes into `output`.
    ///
    /// # Errors
    /// Where a parameter is out of its range.
    pub fn new(engine: Engine, parameters: &Parameters, output: O) -> Result<Self, VadError> {
        let (channels, files) = (ChannelChoice::default(), Some(SegmentFileSettings::default()));
        let segmenter = Segmenter::new(parameters, engine.spec())?;
        Ok(Self {
            recipe: Recipe::new(
                &engine,
                parameters,
                channels,
                &InputLimits::default(),
                files.as_ref(),
                None,
                &SegmentFilter::default(),
            ),
            settings: SegmentationSettings {
                channels,
                files,
                parameters: parameters.clone(),
                segmenter,
                denoising: None,
                filter: SegmentFilter::default(),
                dnsmos: None,
            },
            engine,
            output,
            stores_probabilities: true,
            limits: InputLimits::default(),
            parallel: false,
        })
    }

    /// Sets which channels are analysed and how segments are written. Without `files` there are rows alone.
    pub fn with_segments(mut self, channels: ChannelChoice, files: Option<SegmentFileSettings>) -> Self {
        (self.settings.channels, self.settings.files) = (channels, files);
        self.recipe = self.new_recipe();
        self
    }

    /// Sets how recordings are denoised; `None` for not at all.
    pub fn with_denoising(mut self, denoising: Option<Denoising>) -> Self {
        self.settings.denoising = denoising;
        self.recipe = self.new_recipe();
        self
    }

    /// Sets the model that scores segments; `None` for none. It changes no segment, so it is no part of the recipe.
    pub fn with_dnsmos(mut self, dnsmos: Option<DnsmosModel>) -> Self {
        self.settings.dnsmos = dnsmos;
        self
    }

    /// Sets which segments are kept.
    pub fn with_filter(mut self, filter: SegmentFilter) -> Self {
        self.settings.filter = filter;
        self.recipe = self.new_recipe();
        self
    }

    /// Sets whether probabilities are stored, so that other parameters can be tried without analysing again.
    pub fn storing_probabilities(self, stores_probabilities: bool) -> Self {
        Self { stores_probabilities, ..self }
    }

    /// Sets whether long recordings are decoded, resampled and analysed on several threads.
    pub fn parallel(self, parallel: bool) -> Self {
        Self { parallel, ..self }
    }

    /// Sets the decoder and the recordings that are refused.
    pub fn with_limits(mut self, limits: InputLimits) -> Self {
        self.limits = limits;
        self.recipe = self.new_recipe();
        self
    }

    /// Identity of what computes the probabilities: the model's SHA-256, the channels where they are not mixed, the audio
    /// track where one was chosen, and what removed the noise where the detector received the result.
    pub fn model_key(&self) -> String {
        let mut key = self.engine.sha256().to_owned();
        if self.settings.channels != ChannelChoice::Mix {
            key += &format!("/{}", self.settings.channels);
        }
        if self.limits.track != TrackChoice::Default {
            key += &format!("/track {}", self.limits.track);
        }
        if let Some(raw) = self.limits.raw {
            key += &format!("/raw {raw}");
        }
        if let Some(Denoising { model, vad_input: VadInput::Denoised }) = &self.settings.denoising {
            key += &format!("/denoised {}", model.sha256());
        }
        key
    }

    fn new_recipe(&self) -> Recipe {
        let SegmentationSettings { parameters, channels, files, denoising, filter, .. } = &self.settings;
        Recipe::new(&self.engine, parameters, *channels, &self.limits, files.as_ref(), denoising.as_ref(), filter)
    }

    /// Identity of model and parameters.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The model that detects speech.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where segments go.
    pub fn output(&self) -> &O {
        &self.output
    }

    /// Decodes, resamples, analyses, segments and writes one recording. Stored probabilities are used where the task has
    /// some and they belong to this audio. `models` are the worker's own.
    ///
    /// # Errors
    /// [`PrepareError`]. No file of the claim is left then.
    pub fn prepare(
        &self,
        task: &Task,
        models: &mut WorkerModels,
        monitor: &dyn Monitor,
    ) -> Result<Prepared<O::Staging>, PrepareError> {
        if let Some(stored) = self.stored_analysis(task) {
            self.check_stored(stored.recording)
                .map_err(|error| PrepareError::Audio { input: task.input.name().into_owned(), error })?;
            if let Some(prepared) = self.resegment(task, &stored, monitor)? {
                return Ok(prepared);
            }
            let by_ffmpeg = self.limits.decoder == DecoderChoice::Auto && stored.recording.codec.starts_with(BY_FFMPEG);
            let decoder = if by_ffmpeg { DecoderChoice::Ffmpeg } else { self.limits.decoder };
            let sources = ProbabilitySources::Stored(&stored);
            match self.process(task, sources, &mut models.others, decoder, monitor) {
                Err(Interruption::OtherAudio) => {
                    tracing::warn!("the audio has changed since its probabilities were stored; it is analysed again");
                }
                Err(Interruption::Failed(error)) => return Err(error),
                Err(Interruption::EndOfPart) => return Err(PrepareError::Stopped), // cannot happen: it is no error
                Ok(prepared) => return Ok(prepared),
            }
        }
        let prepared = self.analyse(task, models, self.limits.decoder, monitor);
        let prepared = self.try_ffmpeg(task, prepared, models, monitor);
        models.shrink();
        prepared
    }

    /// Prepares a recording from its file alone.
    fn analyse(
        &self,
        task: &Task,
        WorkerModels { detectors, others }: &mut WorkerModels,
        decoder: DecoderChoice,
        monitor: &dyn Monitor,
    ) -> Result<Prepared<O::Staging>, PrepareError> {
        let sources = ProbabilitySources::Computed(&self.engine, detectors);
        self.process(task, sources, others, decoder, monitor).map_err(|interruption| match interruption {
            Interruption::Failed(error) => error,
            // Neither can happen: detectors take any audio, and the end of a part is no error.
            Interruption::OtherAudio | Interruption::EndOfPart => PrepareError::Stopped,
        })
    }

    /// Prepares a badly damaged recording once more through ffmpeg, where there is one and it decodes more of it.
    fn try_ffmpeg(
        &self,
        task: &Task,
        first: Result<Prepared<O::Staging>, PrepareError>,
        models: &mut WorkerModels,
        monitor: &dyn Monitor,
    ) -> Result<Prepared<O::Staging>, PrepareError> {
        let decoded_s = match &first {
            // Of a part it is not known how much of the damage is its own.
            Ok(_) if task.part.is_some() => return first,
            Ok(Prepared { recording, .. }) if recording.decode_errors * WORTH_A_SECOND_TRY > recording.packets => {
                recording.duration_s - recording.gaps.lost_s()
            }
            Err(PrepareError::Audio { error: AudioError::Corrupt(_), .. }) => 0.0,
            _ => return first,
        };
        if self.limits.decoder != DecoderChoice::Auto || find_ffmpeg().is_none() {
            return first;
        }
        let by_ffmpeg = ffmpeg_seconds(task, &self.limits.open_options(DecoderChoice::Ffmpeg), monitor)?;
        if by_ffmpeg <= decoded_s * MORE_BY_FFMPEG {
            return first;
        }
        tracing::info!(
            "ffmpeg decodes {by_ffmpeg:.1} s of this damaged recording, the built-in decoder {decoded_s:.1} s"
        );
        drop(first); // with its files, whose names are needed
        self.analyse(task, models, DecoderChoice::Ffmpeg, monitor)
    }

    /// What an earlier preparation of the task's recording stored. Without it, or where it cannot be read, the recording
    /// is analysed.
    fn stored_analysis<'t>(&self, task: &'t Task) -> Option<StoredAnalysis<'t>> {
        match StoredAnalysis::new(task.stored.as_ref()?, self.engine.spec(), task.first_sample(), &self.recipe) {
            Ok(stored) => Some(stored),
            Err(error) => {
                tracing::warn!(%error, "the stored probabilities cannot be used; the recording is analysed again");
                None
            }
        }
    }

    /// Applies the limits to what is stored about a recording.
    fn check_stored(&self, stored: &StoredRecording) -> Result<(), AudioError> {
        self.limits.check_bytes(stored.bytes)?;
        self.limits.check_seconds(seconds(stored.samples))?;
        self.limits.check_damage(&Damage {
            decode_errors: stored.decode_errors,
            truncated: stored.truncated,
            gaps: stored.gaps.clone(),
            packets: 0,
            skipped_bytes: source_facts::skipped_bytes(&stored.warnings),
        })
    }

    /// Prepares a recording without its audio, if every segment was cut before.
    fn resegment(
        &self,
        task: &Task,
        stored: &StoredAnalysis,
        monitor: &dyn Monitor,
    ) -> Result<Option<Prepared<O::Staging>>, PrepareError> {
        let started = Instant::now();
        let length = seconds(stored.recording.samples);
        monitor.opened(Some(length));
        let stage = || self.output.stage(&task.source, &self.recipe.id, &task.claim_id);
        let segmented = resegment(stored, &self.settings, stage).map_err(|error| self.write_error(task, error))?;
        let Some(segmented) = segmented else { return Ok(None) };
        monitor.advanced(length);
        let packed = &stored.recording.probabilities;
        let facts = source_facts::from_stored(stored.recording);
        Ok(Some(self.conclude(task, facts, segmented, (packed.windows, packed.data.clone()), started)))
    }

    /// Prepares a recording from its file.
    fn process(
        &self,
        task: &Task,
        sources: ProbabilitySources,
        others: &mut OtherModels,
        decoder: DecoderChoice,
        monitor: &dyn Monitor,
    ) -> Result<Prepared<O::Staging>, Interruption> {
        let started = Instant::now();
        let audio = |error| Interruption::Failed(PrepareError::Audio { input: task.input.name().into_owned(), error });
        let write = |error| Interruption::Failed(self.write_error(task, error));
        let segment = |error| {
            let folder = self.output.folder(&task.source, &self.recipe.id);
            Interruption::Failed(PrepareError::of_segment(&task.input.name(), folder, error))
        };

        let cut = self.settings.files.and_then(|files| files.source_cut());
        let options = DecodeOptions { channels: self.settings.channels, cut, excerpts: true };
        let mut stream =
            AudioStream::open_with(&*task.input, &self.limits.open_options(decoder), options).map_err(audio)?;
        self.limits.check_bytes(stream.info().bytes).map_err(audio)?;
        let (bytes, depth) = (stream.info().bytes, stream.info().bits);
        if sources.stored().is_some_and(|stored| stored.recording.bytes != bytes) {
            return Err(Interruption::OtherAudio);
        }
        monitor.opened(task.part.and_then(|part| part.duration_s()).or_else(|| stream.declared_seconds()));
        let dual_mono = self.is_dual_mono(task, sources.stored(), decoder, monitor)?;
        if dual_mono {
            stream.assume_dual_mono();
        }
        let staging = self.output.stage(&task.source, &self.recipe.id, &task.claim_id).map_err(write)?;
        let (mut beginning, mut pipeline) = (Some((sources, others, staging)), None);
        let parallel = self.parallel && stream.declared_seconds().is_none_or(|length| length >= LONG_RECORDING_S);
        let mut cut = task.part.map(PartCut::new);
        let outcome = stream.for_each_block(BLOCK_SAMPLES, parallel, audio, |block| {
            let block = match &mut cut {
                Some(cut) => cut.cut(block),
                None => block,
            };
            // A child process may send nothing for a while, before the first samples too.
            if !block.analysis.is_empty()
                && let Some((sources, others, staging)) = beginning.take()
            {
                let channels = block.analysis.len();
                let sources = sources
                    .open(channels)
                    .map_err(SegmentError::from)
                    .map_err(segment)?
                    .ok_or(Interruption::OtherAudio)?;
                let OtherModels { denoisers, dnsmos: kept } = others;
                let models = ChannelModels::open(sources, self.settings.denoising.as_ref(), denoisers);
                let models = models.map_err(SegmentError::from).map_err(segment)?;
                let meter = dnsmos_meter(kept, self.settings.dnsmos.as_ref());
                let meter = QualityMeter::new(meter.map_err(SegmentError::from).map_err(segment)?);
                pipeline = Some(Pipeline::new(&self.settings, models, meter, block, depth, staging));
            }
            if let Some(pipeline) = pipeline.as_mut().filter(|_| !block.is_empty()) {
                pipeline.push(block).map_err(segment)?;
                let processed = seconds(pipeline.samples());
                monitor.advanced(processed);
                self.limits.check_seconds(processed).map_err(audio)?;
            }
            monitor.check()?;
            if cut.as_ref().is_some_and(PartCut::is_over) { Err(Interruption::EndOfPart) } else { Ok(()) }
        });
        match outcome {
            Ok(()) | Err(Interruption::EndOfPart) => {}
            Err(interruption) => return Err(interruption),
        }
        let damage = source_facts::damage(&stream, task.part.as_ref());
        self.limits.check_damage(&damage).map_err(audio)?;
        if damage.decode_errors > damage.packets / 2 {
            let cause = format!("{} of its {} packets cannot be decoded", damage.decode_errors, damage.packets);
            return Err(audio(AudioError::Corrupt(cause)));
        }
        let has_samples = |pipeline: &Pipeline<_>| task.part.is_none() || pipeline.samples() > 0;
        let pipeline = pipeline.filter(has_samples).ok_or(AudioError::NoSamples).map_err(audio)?;
        let segmented = pipeline.finish().map_err(segment)?.ok_or(Interruption::OtherAudio)?;
        let windows = segmented.probabilities.len() as u64;
        let packed = if self.stores_probabilities {
            probability_codec::pack(&segmented.probabilities).map_err(|error| write(error.into()))?
        } else {
            Vec::new()
        };
        Ok(self.conclude(
            task,
            source_facts::from_stream(&stream, damage, &self.limits.track, dual_mono),
            segmented,
            (windows, packed),
            started,
        ))
    }

    /// Whether all channels are identical, so that analysing one of them is enough.
    fn is_dual_mono(
        &self,
        task: &Task,
        stored: Option<&StoredAnalysis>,
        decoder: DecoderChoice,
        monitor: &dyn Monitor,
    ) -> Result<bool, PrepareError> {
        match (self.settings.channels, stored) {
            (ChannelChoice::Split, Some(stored)) => Ok(stored.is_single_channel()),
            (ChannelChoice::Split, None) => {
                is_dual_mono(&*task.input, &self.limits.open_options(decoder), || monitor.check())
            }
            _ => Ok(false),
        }
    }

    /// Puts facts, segments and probabilities together: `windows` of them, packed as `data`.
    fn conclude(
        &self,
        task: &Task,
        facts: PreparedRecording,
        segmented: Segmented<O::Staging>,
        (windows, data): (u64, Vec<u8>),
        started: Instant,
    ) -> Prepared<O::Staging> {
        let Segmented { samples, writer, vad_time, .. } = segmented;
        let write_time = writer.write_time;
        let Written { mut segments, speech, dropped, staging } = writer.finish(&self.settings.filter);
        for segment in &mut segments {
            shift(segment, task.first_sample());
            segment.gap_s = Some(facts.gaps.overlap(segment.start_s, segment.end_s)).filter(|&lost| lost > 0.0);
        }
        let probabilities = self.stores_probabilities.then(|| PackedProbabilities {
            model_key: self.model_key(),
            coding: probability_codec::CODING,
            windows,
            data,
        });
        let mut recording = PreparedRecording {
            parameters: self.recipe.text.clone(),
            model: self.engine.name().to_owned(),
            samples,
            duration_s: seconds(samples),
            speech_s: seconds(speech),
            times: StageTimes {
                vad_ms: milliseconds(vad_time),
                write_ms: milliseconds(write_time),
                total_ms: milliseconds(started.elapsed()),
                ..facts.times
            },
            segments,
            dropped_segments: dropped,
            probabilities,
            ..facts
        };
        quality::sum_up(&mut recording);
        Prepared { recording, staging }
    }

    fn write_error(&self, task: &Task, error: WriteError) -> PrepareError {
        PrepareError::Write { folder: self.output.folder(&task.source, &self.recipe.id), error }
    }
}

/// Seconds of the task's recording that ffmpeg decodes; none where it fails.
fn ffmpeg_seconds(task: &Task, open: &OpenOptions, monitor: &dyn Monitor) -> Result<f64, PrepareError> {
    let options = DecodeOptions::default();
    let Ok(mut stream) = AudioStream::open_with(&*task.input, open, options) else {
        return Ok(0.0);
    };
    let mut samples = 0;
    let decoded = stream.for_each_block(
        BLOCK_SAMPLES,
        false,
        |_| None,
        |block| {
            samples += block.len() as u64;
            monitor.check().map_err(Some)
        },
    );
    match decoded {
        Err(Some(stopped)) => Err(stopped),
        Ok(()) | Err(None) => Ok(seconds(samples)),
    }
}

/// Moves a segment from the times of a part to those of its file, in which the part begins with sample `first`.
fn shift(segment: &mut Segment, first: u64) {
    if first == 0 {
        return;
    }
    segment.start_sample += first;
    segment.end_sample += first;
    segment.start_s = seconds(segment.start_sample);
    segment.end_s = seconds(segment.end_sample);
    let parts = segment.parts.as_deref().and_then(|parts| serde_json::from_str::<Vec<(u64, u64)>>(parts).ok());
    if let Some(parts) = parts {
        let parts: Vec<_> = parts.into_iter().map(|(start, end)| (start + first, end + first)).collect();
        segment.parts = Some(serde_json::json!(parts).to_string());
    }
}

/// Why the processing of a recording ended early.
enum Interruption {
    Failed(PrepareError),
    /// The part that is the recording has been read.
    EndOfPart,
    /// The stored probabilities are not of this audio.
    OtherAudio,
}

impl From<PrepareError> for Interruption {
    fn from(error: PrepareError) -> Self {
        Self::Failed(error)
    }
}
