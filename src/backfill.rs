//! Computes the figures of segments that were prepared before the program had them, or without `--dnsmos`.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use prepare_audio_dnsmos::{DnsmosMeter, DnsmosModel};
use prepare_audio_media::LocalFile;
use prepare_audio_pipeline::{MeasureError, MeasureTask, Monitor, PrepareError, RecordingQuality, measure};
use prepare_audio_types::{ErrorCode, Segment};
use tokio_util::sync::CancellationToken;

use crate::{
    pool::{Panicked, Pool},
    preview,
    store::{self, MeasurableRecording, Selection, Store},
};

/// Recordings that are listed at once.
const PAGE: usize = 1000;

/// How segments are measured.
#[derive(Debug)]
pub struct Settings {
    /// Folder that relative sources are relative to.
    pub audio_dir: PathBuf,
    /// Recordings that are measured at a time.
    pub workers: usize,
    /// Scores segments as well.
    pub dnsmos: Option<DnsmosModel>,
}

/// What became of one recording.
#[derive(Debug)]
pub struct Measured {
    /// Its id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// Its length in seconds.
    pub seconds: f64,
    /// The number of its segments, or why they were not measured.
    pub outcome: Result<u64, Unmeasured>,
}

/// Why the segments of a recording were not measured.
#[derive(Debug, thiserror::Error)]
pub enum Unmeasured {
    /// Its audio cannot be read, or has changed.
    #[error(transparent)]
    Failed(#[from] MeasureError),
    /// A bug in the program.
    #[error("{source_name}: the program has a bug that this file triggers; please report it: {message}")]
    Panicked {
        /// The recording.
        source_name: String,
        /// The panic's message.
        message: String,
    },
    /// The recording was prepared again or put back meanwhile. Its new segments have their figures.
    #[error("{0}: was prepared again meanwhile")]
    Replaced(String),
}

impl Unmeasured {
    /// A stable name, for machines: an error code of recordings, or `other_audio` or `replaced`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(MeasureError::Prepare(error)) => error.code().map_or("stopped", ErrorCode::as_str),
            Self::Failed(MeasureError::OtherAudio { .. }) => "other_audio",
            Self::Panicked { .. } => ErrorCode::Panic.as_str(),
            Self::Replaced(_) => "replaced",
        }
    }

    fn is_stopped(&self) -> bool {
        matches!(self, Self::Failed(MeasureError::Prepare(PrepareError::Stopped)))
    }
}

/// Measures all segments of `of` that lack figures, and writes them into their rows; `report` learns of each recording.
/// What was written stays if `stop` is cancelled: the next call goes on from there.
///
/// # Errors
/// Those of the database.
pub async fn backfill(
    store: &Arc<Store>,
    of: &Selection,
    settings: &Settings,
    pool: &Pool,
    stop: &CancellationToken,
    mut report: impl FnMut(Measured),
) -> store::Result<()> {
    let work = Work { store, settings, stop, pool, meters: Arc::default() };
    let mut after = i64::MIN;
    loop {
        let page = store.unmeasured(of, settings.dnsmos.is_some(), after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        let mut outcomes =
            stream::iter(page).map(|(id, source)| work.measure(id, source)).buffer_unordered(settings.workers);
        while let Some(measured) = outcomes.try_next().await? {
            if let Some(measured) = measured {
                report(measured);
            }
        }
        if stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// What the recordings share.
struct Work<'a> {
    store: &'a Arc<Store>,
    settings: &'a Settings,
    stop: &'a CancellationToken,
    pool: &'a Pool,
    /// Sessions of the model that are not in use.
    meters: Arc<Mutex<Vec<DnsmosMeter>>>,
}

impl Work<'_> {
    /// Measures one recording; `None` if it is not done any more, or `stop` came first.
    async fn measure(&self, id: i64, source: String) -> store::Result<Option<Measured>> {
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        let Some(recording) = self.store.measurable(id).await? else { return Ok(None) };
        let (seconds, token) = (recording.samples as f64 / preview::RATE, recording.token);
        let outcome = match self.compute(&source, recording).await {
            Err(unmeasured) if unmeasured.is_stopped() => return Ok(None),
            Err(unmeasured) => Err(unmeasured),
            Ok(segments) => {
                let (quality, count) = (RecordingQuality::of(&segments), segments.len() as u64);
                let is_written = self.store.set_quality(id, token, quality, segments).await?;
                if is_written { Ok(count) } else { Err(Unmeasured::Replaced(source.clone())) }
            }
        };
        Ok(Some(Measured { id, source, seconds, outcome }))
    }

    /// Measures the segments on a thread of the pool.
    async fn compute(&self, source: &str, recording: MeasurableRecording) -> Result<Vec<Segment>, Unmeasured> {
        let (audio_dir, name) = (self.settings.audio_dir.clone(), source.to_owned());
        let (model, meters, stop) = (self.settings.dnsmos.clone(), Arc::clone(&self.meters), self.stop.clone());
        let computed = self.pool.run(move || {
            let (path, part) = preview::locate(&audio_dir, &name);
            let MeasurableRecording { parameters, codec, samples, probabilities, segments, .. } = recording;
            let input = Arc::new(LocalFile::new(path));
            let task = MeasureTask { input, part, parameters, codec, samples, probabilities, segments };
            let mut meter = match model {
                None => None,
                Some(model) => {
                    let kept = meters.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let opened = kept.map_or_else(|| model.meter(), Ok);
                    Some(
                        opened
                            .map_err(|error| PrepareError::Dnsmos { input: name, error })
                            .map_err(MeasureError::from)?,
                    )
                }
            };
            let measured = measure(&task, meter.as_mut(), &Stop(stop));
            meters.lock().unwrap_or_else(PoisonError::into_inner).extend(meter);
            measured
        });
        match computed.await {
            Ok(measured) => Ok(measured?),
            Err(Panicked(message)) => Err(Unmeasured::Panicked { source_name: source.to_owned(), message }),
        }
    }
}

/// Stops a measurement when it is cancelled.
struct Stop(CancellationToken);

impl Monitor for Stop {
    fn opened(&self, _: Option<f64>) {}

    fn advanced(&self, _: f64) {}

    fn check(&self) -> Result<(), PrepareError> {
        if self.0.is_cancelled() { Err(PrepareError::Stopped) } else { Ok(()) }
    }
}
