//! One recording, from its bytes to its segments. Synchronous; knows no SQL and no terminal.

mod cuts;
mod cutter;
mod ear;
mod error;
mod facts;
mod level;
mod memory;
mod reading;
mod recall;
mod session;
mod source_tape;
mod tape;
mod track;

use std::{
    io::ErrorKind,
    path::PathBuf,
    time::{Duration, Instant},
};

use self::{
    cutter::CutError,
    ear::Ears,
    memory::Memory,
    session::{Done, Manner, Session},
};
use crate::{
    audio::{AudioError, ChannelChoice, Damage, PcmStream, SegmentFiles, Wanted, channels_alike},
    output::{Output, Staging},
    recipe::Recipe,
    store::{Known, Outcome, Probabilities, StageTimes},
    vad::{Engine, Listener, Parameters, SAMPLE_RATE, Segmenter, VadError},
};

pub use self::{error::PrepareError, reading::Reading};

/// Samples that are collected before the detector listens: 4 s. It computes long blocks faster than short ones, and
/// they are still small beside the decoder's own buffers.
const LISTEN_EVERY: usize = 4 * SAMPLE_RATE as usize;

/// From this length on a recording is worth lanes of its own, seconds.
const LONG_S: f64 = 120.0;

/// Listeners that a worker keeps from one recording to the next: as many as most recordings have channels.
const KEPT_LISTENERS: usize = 2;

/// What a recording's preparation tells while it runs, and asks.
pub trait Watch: Sync {
    /// The file is open; its header promises this many seconds.
    fn opened(&self, seconds: Option<f64>);
    /// So many seconds of it have been listened to.
    fn advanced(&self, seconds: f64);
    /// Whether to go on, asked after every few seconds of audio.
    ///
    /// # Errors
    /// Why not.
    fn go_on(&self) -> Result<(), PrepareError>;
}

/// One recording to prepare.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name in the database.
    pub source: String,
    /// Its file.
    pub path: PathBuf,
    /// The claim, which names its temporary files.
    pub claim_id: String,
    /// What is known of it from another recipe, where that is to be used.
    pub known: Option<Known>,
}

/// A prepared recording: what its row is to say, and files that wait to be published.
#[derive(Debug)]
pub struct Prepared {
    /// Facts and segment rows.
    pub outcome: Outcome,
    /// The segments' files.
    pub staging: Staging,
}

/// What all recordings of a run share.
pub struct Preparer {
    engine: Engine,
    manner: Manner,
    recipe: Recipe,
    output: Output,
    keeps_probabilities: bool,
    lanes: bool,
    reading: Reading,
}

impl Preparer {
    /// Recordings are listened to with `engine` and cut as `parameters` say, into files below `output`.
    ///
    /// # Errors
    /// Where the parameters contradict each other.
    pub fn new(engine: Engine, parameters: &Parameters, output: Output) -> Result<Self, VadError> {
        let (channels, files) = (ChannelChoice::default(), Some(SegmentFiles::default()));
        let segmenter = Segmenter::new(parameters)?;
        Ok(Self {
            recipe: Recipe::new(&engine, parameters, channels, files.as_ref()),
            manner: Manner { channels, files, parameters: parameters.clone(), segmenter },
            engine,
            output,
            keeps_probabilities: true,
            reading: Reading::default(),
            lanes: false,
        })
    }

    /// Which channels are listened to, and how segments are written; without `files` there will be rows only.
    pub fn cutting(mut self, channels: ChannelChoice, files: Option<SegmentFiles>) -> Self {
        self.recipe = Recipe::new(&self.engine, &self.manner.parameters, channels, files.as_ref());
        (self.manner.channels, self.manner.files) = (channels, files);
        self
    }

    /// Whether the probabilities are to be kept, so that other parameters can be tried without listening again.
    pub fn keeping_probabilities(self, keeps_probabilities: bool) -> Self {
        Self { keeps_probabilities, ..self }
    }

    /// Whether long recordings are decoded, resampled and listened to side by side, on several cores.
    pub fn with_lanes(self, lanes: bool) -> Self {
        Self { lanes, ..self }
    }

    /// Who is to decode, and which recordings are wanted.
    pub fn reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    /// Identity of what is heard: of the model, and of the channels where they are not mixed.
    pub fn hearing(&self) -> String {
        match self.manner.channels {
            ChannelChoice::Mix => self.engine.sha256().to_owned(),
            channels => format!("{}/{channels}", self.engine.sha256()),
        }
    }

    /// Identity of model and parameters.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Where segments go.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Decodes, resamples, listens, cuts and writes one recording. What is known of it already is not done again.
    ///
    /// `listeners` are the worker's own, kept from recording to recording; they are made as they are needed.
    ///
    /// # Errors
    /// [`PrepareError`], after which no file of the claim is left.
    pub fn prepare(
        &self,
        task: &Task,
        listeners: &mut Vec<Listener>,
        watch: &dyn Watch,
    ) -> Result<Prepared, PrepareError> {
        if let Some(memory) = self.remember(task) {
            self.check_known(memory.known).map_err(|error| PrepareError::Audio { path: task.path.clone(), error })?;
            if let Some(prepared) = self.recall(task, &memory, watch)? {
                return Ok(prepared);
            }
            match self.cut(task, Ears::Remembering(&memory), watch) {
                Err(Halt::OtherAudio) => {
                    tracing::warn!("not the audio that was listened to before; it is listened to again");
                }
                Err(Halt::Failed(error)) => return Err(error),
                Ok(prepared) => return Ok(prepared),
            }
        }
        let prepared = self.cut(task, Ears::Listening(&self.engine, listeners), watch).map_err(|halt| match halt {
            Halt::Failed(error) => error,
            Halt::OtherAudio => PrepareError::Stopped, // a listener hears whatever comes
        });
        listeners.truncate(KEPT_LISTENERS);
        prepared
    }

    /// What is known of the task's recording, unpacked. What cannot be read is done without.
    fn remember<'t>(&self, task: &'t Task) -> Option<Memory<'t>> {
        match Memory::new(task.known.as_ref()?, &self.recipe) {
            Ok(memory) => Some(memory),
            Err(error) => {
                tracing::warn!(%error, "the kept probabilities cannot be used; it is listened to again");
                None
            }
        }
    }

    /// Whether what is known of a recording lets it be wanted.
    fn check_known(&self, known: &Known) -> Result<(), AudioError> {
        self.reading.check_bytes(known.bytes as u64)?;
        self.reading.check_seconds(seconds(known.samples))?;
        let damage = Damage { decode_errors: known.decode_errors as u64, truncated: known.truncated != 0 };
        self.reading.check_damage(damage)
    }

    /// Without audio, where nothing has to be cut that was not cut before.
    fn recall(&self, task: &Task, memory: &Memory, watch: &dyn Watch) -> Result<Option<Prepared>, PrepareError> {
        let started = Instant::now();
        watch.opened(Some(seconds(memory.known.samples)));
        let folder = self.output.folder(&task.source, &self.recipe.id);
        let staging = || self.output.stage(&task.source, &self.recipe.id, &task.claim_id);
        let done = recall::recall(memory, &self.manner, staging);
        let Some(done) = done.map_err(|error| PrepareError::Write { folder, error })? else {
            return Ok(None);
        };
        watch.advanced(seconds(memory.known.samples));
        let kept = &memory.known.probabilities;
        let facts = facts::remembered(memory.known);
        Ok(Some(self.conclude(facts, done, (kept.windows, kept.data.clone()), started)))
    }

    /// From the file.
    fn cut(&self, task: &Task, ears: Ears, watch: &dyn Watch) -> Result<Prepared, Halt> {
        let started = Instant::now();
        let path = || task.path.clone();
        let unreadable = |error| Halt::Failed(PrepareError::Audio { path: path(), error });
        let unheard = |error| Halt::Failed(PrepareError::Vad { path: path(), error });
        let folder = self.output.folder(&task.source, &self.recipe.id);
        let unwritable = |error| Halt::Failed(PrepareError::Write { folder: folder.clone(), error });
        let uncut = |error| match error {
            CutError::Listen(error) => unheard(error),
            CutError::Write(error) if error.kind() == ErrorKind::Unsupported => {
                unreadable(AudioError::UnsupportedSegment(error.to_string()))
            }
            CutError::Write(error) => unwritable(error),
        };

        let cut = self.manner.files.and_then(|files| files.cut());
        let wanted = Wanted { channels: self.manner.channels, cut };
        let mut source = PcmStream::open(&task.path, self.reading.decoder, wanted).map_err(unreadable)?;
        self.reading.check_bytes(source.info().bytes).map_err(unreadable)?;
        let (bytes, depth) = (source.info().bytes as i64, source.info().bits);
        if ears.memory().is_some_and(|memory| memory.known.bytes != bytes) {
            return Err(Halt::OtherAudio);
        }
        watch.opened(source.promised_seconds());
        let alike = self.are_channels_alike(task, ears.memory(), watch)?;
        if alike {
            source.all_are_alike();
        }
        let staging = self.output.stage(&task.source, &self.recipe.id, &task.claim_id).map_err(unwritable)?;
        let (mut beginning, mut session) = (Some((ears, staging)), None);
        let lanes = self.lanes && source.promised_seconds().is_none_or(|seconds| seconds >= LONG_S);
        source.each_block(LISTEN_EVERY, lanes, unreadable, |sound| {
            // A child process may have nothing to say for a while, before the first samples too.
            if !sound.ears.is_empty()
                && let Some((ears, staging)) = beginning.take()
            {
                let ears = ears.make(sound.ears.len()).map_err(unheard)?.ok_or(Halt::OtherAudio)?;
                session = Some(Session::new(&self.manner, ears, sound, depth, staging));
            }
            if let Some(session) = &mut session {
                session.listen(sound).map_err(uncut)?;
                #[cfg(feature = "fault-injection")]
                crate::faults::strike(&task.source);
                let heard = seconds(session.samples() as i64);
                watch.advanced(heard);
                self.reading.check_seconds(heard).map_err(unreadable)?;
            }
            Ok(watch.go_on()?)
        })?;
        self.reading.check_damage(source.damage()).map_err(unreadable)?;
        let session = session.ok_or(AudioError::NoSamples).map_err(unreadable)?;
        let done = session.finish().map_err(uncut)?.ok_or(Halt::OtherAudio)?;
        let windows = done.heard.len() as i64;
        let packed = if self.keeps_probabilities { track::pack(&done.heard).map_err(unwritable)? } else { Vec::new() };
        Ok(self.conclude(facts::told(&source, alike), done, (windows, packed), started))
    }

    /// Whether the channels need not be listened to one by one, as they are all the same.
    fn are_channels_alike(
        &self,
        task: &Task,
        memory: Option<&Memory>,
        watch: &dyn Watch,
    ) -> Result<bool, PrepareError> {
        match (self.manner.channels, memory) {
            (ChannelChoice::Split, Some(memory)) => Ok(memory.is_of_one_ear()),
            (ChannelChoice::Split, None) => channels_alike(&task.path, self.reading.decoder, || watch.go_on()),
            _ => Ok(false),
        }
    }

    /// `windows` and their probabilities, packed.
    fn conclude(&self, facts: Outcome, done: Done, (windows, data): (i64, Vec<u8>), started: Instant) -> Prepared {
        let Done { samples, cuts, vad_time, .. } = done;
        let (speech, write_time) = (cuts.speech, cuts.write_time);
        let (segments, staging) = cuts.settle();
        let probabilities = self.keeps_probabilities.then(|| Probabilities {
            hearing: self.hearing(),
            coding: track::CODING,
            windows,
            data,
        });
        let outcome = Outcome {
            parameters: self.recipe.text.clone(),
            model: self.engine.name().to_owned(),
            samples: samples as i64,
            duration_s: seconds(samples as i64),
            speech_s: seconds(speech as i64),
            times: StageTimes {
                vad_ms: milliseconds(vad_time),
                write_ms: milliseconds(write_time),
                total_ms: milliseconds(started.elapsed()),
                ..facts.times
            },
            segments,
            probabilities,
            ..facts
        };
        Prepared { outcome, staging }
    }
}

/// Why a recording was not cut.
enum Halt {
    Failed(PrepareError),
    /// What is remembered is not of this audio.
    OtherAudio,
}

impl From<PrepareError> for Halt {
    fn from(error: PrepareError) -> Self {
        Self::Failed(error)
    }
}

/// Samples at 16 kHz in seconds.
fn seconds(samples: i64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
