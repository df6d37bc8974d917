//! One recording, from its bytes to its segments. Synchronous; knows no SQL and no terminal.

mod cuts;
mod cutter;
mod ear;
mod error;
mod level;
mod memory;
mod reading;
mod recall;
mod tape;
mod track;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use self::{
    cuts::Cuts,
    cutter::{CutError, Cutter},
    ear::Ear,
    memory::Memory,
};
use crate::{
    audio::{AudioError, Damage, PcmStream},
    output::{Output, Staging},
    recipe::Recipe,
    store::{Known, Outcome, Probabilities, StageTimes},
    vad::{Engine, Listener, Parameters, SAMPLE_RATE, Segmenter, VadError, WINDOW},
};

pub use self::{error::PrepareError, reading::Reading};

/// Samples that are collected before the detector listens: 4 s. It computes long blocks faster than short ones, and
/// they are still small beside the decoder's own buffers.
const LISTEN_EVERY: usize = 4 * SAMPLE_RATE as usize;

/// From this length on a recording is worth lanes of its own, seconds.
const LONG_S: f64 = 120.0;

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
    parameters: Parameters,
    segmenter: Segmenter,
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
        let recipe = Recipe::new(&engine, parameters);
        let segmenter = Segmenter::new(parameters)?;
        let parameters = parameters.clone();
        Ok(Self {
            engine,
            parameters,
            segmenter,
            recipe,
            output,
            keeps_probabilities: true,
            reading: Reading::default(),
            lanes: false,
        })
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

    /// Identity of the model.
    pub fn model_sha256(&self) -> &str {
        self.engine.sha256()
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
    /// `listener` is the worker's own, kept from recording to recording; the first recording makes it.
    ///
    /// # Errors
    /// [`PrepareError`], after which no file of the claim is left.
    pub fn prepare(
        &self,
        task: &Task,
        listener: &mut Option<Listener>,
        watch: &dyn Watch,
    ) -> Result<Prepared, PrepareError> {
        if let Some(memory) = remember(task) {
            self.check_known(memory.known).map_err(|error| PrepareError::Audio { path: task.path.clone(), error })?;
            if let Some(prepared) = self.recall(task, &memory, watch)? {
                return Ok(prepared);
            }
            if let Some(prepared) = self.cut(task, Ear::remembering(&memory), watch)? {
                return Ok(prepared);
            }
            tracing::warn!("not the audio that was listened to before; it is listened to again");
        }
        let listener = match listener {
            Some(listener) => listener,
            none => {
                let unheard = |error| PrepareError::Vad { path: task.path.clone(), error };
                none.insert(self.engine.listener().map_err(unheard)?)
            }
        };
        let prepared = self.cut(task, Ear::listening(listener), watch)?;
        prepared.ok_or(PrepareError::Stopped) // a listener hears whatever comes
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
        let cuts = recall::recall(memory, &self.parameters, self.segmenter.clone(), staging);
        let Some(cuts) = cuts.map_err(|error| PrepareError::Write { folder, error })? else {
            return Ok(None);
        };
        watch.advanced(seconds(memory.known.samples));
        let facts = self.facts_known(memory.known);
        Ok(Some(self.conclude(facts, cuts, Some(memory.known.probabilities.data.clone()), started)))
    }

    /// From the file. Nothing comes back where what is remembered belongs to other audio.
    fn cut(&self, task: &Task, ear: Ear, watch: &dyn Watch) -> Result<Option<Prepared>, PrepareError> {
        let started = Instant::now();
        let folder = self.output.folder(&task.source, &self.recipe.id);
        let unreadable = |error| PrepareError::Audio { path: task.path.clone(), error };
        let unheard = |error| PrepareError::Vad { path: task.path.clone(), error };
        let unwritable = |error| PrepareError::Write { folder: folder.clone(), error };
        let uncut = |error| match error {
            CutError::Listen(error) => unheard(error),
            CutError::Write(error) => unwritable(error),
        };

        let mut source = PcmStream::open(&task.path, self.reading.decoder).map_err(unreadable)?;
        self.reading.check_bytes(source.info().bytes).map_err(unreadable)?;
        let bytes = source.info().bytes as i64;
        if ear.memory().is_some_and(|memory| memory.known.bytes != bytes) {
            return Ok(None);
        }
        watch.opened(source.promised_seconds());
        let staging = self.output.stage(&task.source, &self.recipe.id, &task.claim_id).map_err(unwritable)?;
        let mut cutter = Cutter::new(ear, self.segmenter.clone(), &self.parameters, staging);
        let lanes = self.lanes && source.promised_seconds().is_none_or(|seconds| seconds >= LONG_S);
        source.each_block(LISTEN_EVERY, lanes, unreadable, |pcm| {
            cutter.listen(pcm).map_err(uncut)?;
            #[cfg(feature = "fault-injection")]
            crate::faults::strike(&task.source);
            watch.advanced(cutter.seconds());
            self.reading.check_seconds(cutter.seconds()).map_err(unreadable)?;
            watch.go_on()
        })?;
        self.reading.check_damage(source.damage()).map_err(unreadable)?;
        let Some((cuts, heard)) = cutter.finish().map_err(uncut)? else { return Ok(None) };
        let track = if self.keeps_probabilities { Some(track::pack(&heard).map_err(unwritable)?) } else { None };
        Ok(Some(self.conclude(self.facts(&source), cuts, track, started)))
    }

    /// What the file told.
    fn facts(&self, source: &PcmStream) -> Outcome {
        let (info, damage) = (source.info(), source.damage());
        let (decode, resample) = source.times();
        Outcome {
            container: info.container.clone(),
            codec: info.codec.clone(),
            sample_rate: i64::from(info.sample_rate),
            channels: info.channels as i64,
            bytes: info.bytes as i64,
            decode_errors: damage.decode_errors as i64,
            truncated: damage.truncated,
            times: StageTimes {
                decode_ms: milliseconds(decode),
                resample_ms: milliseconds(resample),
                ..StageTimes::default()
            },
            ..Outcome::default()
        }
    }

    /// What it told before.
    fn facts_known(&self, known: &Known) -> Outcome {
        Outcome {
            container: known.container.clone(),
            codec: known.codec.clone(),
            sample_rate: known.sample_rate,
            channels: known.channels,
            bytes: known.bytes,
            decode_errors: known.decode_errors,
            truncated: known.truncated != 0,
            ..Outcome::default()
        }
    }

    fn conclude(&self, facts: Outcome, cuts: Cuts, track: Option<Vec<u8>>, started: Instant) -> Prepared {
        let Cuts { samples, speech, segments, staging, vad_time, write_time, .. } = cuts;
        let windows = samples.div_ceil(WINDOW as u64) as i64;
        let probabilities = track.filter(|_| self.keeps_probabilities).map(|data| Probabilities {
            model_sha256: self.model_sha256().to_owned(),
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

/// What is known of the task's recording, unpacked. What cannot be read is done without.
fn remember(task: &Task) -> Option<Memory<'_>> {
    match Memory::new(task.known.as_ref()?) {
        Ok(memory) => Some(memory),
        Err(error) => {
            tracing::warn!(%error, "the kept probabilities cannot be used; it is listened to again");
            None
        }
    }
}

/// Samples at 16 kHz in seconds.
fn seconds(samples: i64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
