//! One recording, from its bytes to its segments. Synchronous; knows no SQL and no terminal.

mod cutter;
mod error;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use self::cutter::{CutError, Cuts, Cutter, seconds};
use crate::{
    audio::PcmStream,
    output::{Output, Staging},
    recipe::Recipe,
    store::{Outcome, StageTimes},
    vad::{Engine, Listener, Parameters, SAMPLE_RATE, Segmenter, VadError},
};

pub use self::error::PrepareError;

/// Samples that are collected before the detector listens: 4 s. It computes long blocks faster than short ones, and
/// they are still small beside the decoder's own buffers.
const LISTEN_EVERY: usize = 4 * SAMPLE_RATE as usize;

/// What a recording's preparation tells while it runs, and asks.
pub trait Watch: Sync {
    /// The file is open; its header promises this many seconds.
    fn opened(&self, seconds: Option<f64>);
    /// So many seconds of it have been listened to.
    fn advanced(&self, seconds: f64);
    /// Whether to stop at once.
    fn is_stopped(&self) -> bool;
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
    segmenter: Segmenter,
    recipe: Recipe,
    output: Output,
}

impl Preparer {
    /// Recordings are listened to with `engine` and cut as `parameters` say, into files below `output`.
    ///
    /// # Errors
    /// Where the parameters contradict each other.
    pub fn new(engine: Engine, parameters: &Parameters, output: Output) -> Result<Self, VadError> {
        let recipe = Recipe::new(&engine, parameters);
        let segmenter = Segmenter::new(parameters)?;
        Ok(Self { engine, segmenter, recipe, output })
    }

    /// Identity of model and parameters.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Where segments go.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Decodes, resamples, listens, cuts and writes one recording.
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
        let started = Instant::now();
        let folder = self.output.folder(&task.source, &self.recipe.id);
        let unreadable = |error| PrepareError::Audio { path: task.path.clone(), error };
        let unheard = |error| PrepareError::Vad { path: task.path.clone(), error };
        let unwritable = |error| PrepareError::Write { folder: folder.clone(), error };
        let uncut = |error| match error {
            CutError::Listen(error) => unheard(error),
            CutError::Write(error) => unwritable(error),
        };

        let mut source = PcmStream::open(&task.path).map_err(unreadable)?;
        watch.opened(source.promised_seconds());
        let staging = Staging::begin(folder.clone(), &task.claim_id).map_err(unwritable)?;
        let listener = match listener {
            Some(listener) => listener,
            none => none.insert(self.engine.listener().map_err(unheard)?),
        };
        let mut cutter = Cutter::new(listener, self.segmenter.clone(), staging);
        let mut pcm = Vec::new();
        while source.fill(&mut pcm, LISTEN_EVERY).map_err(unreadable)? || !pcm.is_empty() {
            cutter.listen(&pcm).map_err(uncut)?;
            pcm.clear();
            watch.advanced(cutter.seconds());
            if watch.is_stopped() {
                return Err(PrepareError::Stopped);
            }
        }
        let cuts = cutter.finish().map_err(uncut)?;
        Ok(self.conclude(&source, cuts, started))
    }

    fn conclude(&self, source: &PcmStream, cuts: Cuts, started: Instant) -> Prepared {
        let (info, damage) = (source.info(), source.damage());
        let (decode, resample) = source.times();
        let Cuts { samples, segments, staging, vad_time, write_time } = cuts;
        let speech: i64 = segments.iter().map(|s| s.end_sample - s.start_sample).sum();
        let outcome = Outcome {
            parameters: self.recipe.text.clone(),
            model: self.engine.name().to_owned(),
            container: info.container.to_owned(),
            codec: info.codec.to_owned(),
            sample_rate: i64::from(info.sample_rate),
            channels: info.channels as i64,
            bytes: info.bytes as i64,
            samples: samples as i64,
            duration_s: seconds(samples as i64),
            speech_s: seconds(speech),
            decode_errors: damage.decode_errors as i64,
            truncated: damage.truncated,
            times: StageTimes {
                decode_ms: milliseconds(decode),
                resample_ms: milliseconds(resample),
                vad_ms: milliseconds(vad_time),
                write_ms: milliseconds(write_time),
                total_ms: milliseconds(started.elapsed()),
            },
            segments,
        };
        Prepared { outcome, staging }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
