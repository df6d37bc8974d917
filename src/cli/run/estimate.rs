//! Estimates, for the progress display, how many recordings a run has and how long they are.
//!
//! The estimate is made in the background, and the run does not wait for it. After an error no estimate is shown, or the
//! previous one. Neither its memory nor its time depends on the length of the queue, except that of a COUNT.

use std::{
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use prepare_audio::{
    runner::Shutdown,
    store::{self, Outlook, Scope, Store},
};

use super::Display;
use crate::cli::{format::count, pages, workload::Workload};

/// Pause between two counts.
const INTERVAL: Duration = Duration::from_secs(10);

/// The pause is also at least so many times as long as the count took, so that counting millions of rows does not burden
/// the database.
const PAUSE_FACTOR: u32 = 20;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// At most so many files are measured. If more are pending, the others are taken to have the same mean length.
const SAMPLE: u64 = 10_000;

/// Places of the queue that a sample is taken from.
const PLACES: i64 = 100;

/// Makes the estimate.
pub struct Estimate {
    pub store: Arc<Store>,
    pub recipe: String,
    pub scope: Scope,
    pub audio_dir: PathBuf,
    pub display: Arc<Display>,
    pub shutdown: Shutdown,
}

impl Estimate {
    /// Keeps the display's totals up to date until it is aborted.
    pub async fn keep_updated(self) {
        let outlook = self.first_count().await;
        if self.scope == Scope::Any {
            self.display.print(&format!("{} pending", count(outlook.pending.unsigned_abs(), "recording")));
        }
        let measure = async {
            // Rows that resegment has made mostly need no audio, so the files' length is no measure of the work.
            if self.scope == Scope::Any
                && let Err(error) = self.measure(outlook.pending.unsigned_abs()).await
            {
                tracing::debug!(%error, "no estimate of the audio's length");
            }
        };
        tokio::join!(self.keep_counting(), measure);
    }

    async fn first_count(&self) -> Outlook {
        loop {
            match self.count().await {
                Ok(outlook) => return outlook,
                Err(error) => tracing::debug!(%error, "no count of the pending recordings"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn keep_counting(&self) {
        let mut pause = INTERVAL;
        loop {
            tokio::time::sleep(pause).await;
            let started = Instant::now();
            if let Err(error) = self.count().await {
                tracing::debug!(%error, "no count of the pending recordings");
            }
            pause = INTERVAL.max(started.elapsed() * PAUSE_FACTOR);
        }
    }

    /// Counts what is left, and shows it.
    async fn count(&self) -> anyhow::Result<Outlook> {
        let outlook = within_timeout(self.store.outlook(&self.recipe, self.scope)).await?;
        self.display.set_remaining(outlook.pending.unsigned_abs() + outlook.running.unsigned_abs());
        Ok(outlook)
    }

    /// Measures the files of the pending recordings, or a sample of them.
    async fn measure(&self, pending: u64) -> anyhow::Result<Workload> {
        let mut workload = Workload::default();
        if pending > SAMPLE {
            for place in self.places(pending).await? {
                let page = self.store.pending(&self.recipe, place, SAMPLE as usize / PLACES as usize);
                workload = self.add_files(workload, within_timeout(page).await?).await?;
            }
            return Ok(workload);
        }
        let mut pages = pin!(pages::pending(&self.store, &self.recipe));
        while workload.recordings < SAMPLE
            && let Some(page) = within_timeout(pages.try_next()).await?
        {
            workload = self.add_files(workload, page).await?;
        }
        Ok(workload)
    }

    /// Ids at equal distances over the pending recordings.
    async fn places(&self, pending: u64) -> anyhow::Result<Vec<i64>> {
        let first = async |after: i64| -> anyhow::Result<Option<i64>> {
            let page = within_timeout(self.store.pending(&self.recipe, after, 1)).await?;
            Ok(page.first().map(|(id, _)| *id))
        };
        let Some(start) = first(0).await? else { return Ok(Vec::new()) };
        // The last id is not known. Ids have gaps where recordings are done, so it may be far behind the number of rows.
        let mut span = pending as i64;
        while first(start.saturating_add(span)).await?.is_some() {
            span = span.saturating_mul(2);
        }
        Ok((0..PLACES).map(|place| (start - 1).saturating_add(span / PLACES * place)).collect())
    }

    /// Measures the files of a page, and shows the mean length as it becomes more accurate.
    async fn add_files(&self, mut workload: Workload, page: Vec<(i64, String)>) -> anyhow::Result<Workload> {
        let files: Vec<PathBuf> = page.iter().map(|(_, source)| self.audio_dir.join(source)).collect();
        let (display, shutdown) = (Arc::clone(&self.display), self.shutdown.clone());
        let measure = move || {
            for file in files.iter().take_while(|_| !shutdown.is_draining()) {
                workload.add(file);
                display.set_mean_seconds(workload.mean_seconds());
            }
            workload
        };
        Ok(tokio::task::spawn_blocking(measure).await?)
    }
}

/// A connection that was cut off must not hold the estimate for ever.
async fn within_timeout<T>(call: impl Future<Output = store::Result<T>>) -> anyhow::Result<T> {
    Ok(tokio::time::timeout(TIMEOUT, call).await??)
}

#[cfg(test)]
mod tests {
    use prepare_audio::store::NewRecording;

    use super::*;

    /// Pending recordings in a database of its own, with the estimate of a run over them.
    async fn estimate(recordings: u64) -> (Estimate, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("queue.db").display());
        let store = store::connect(&url.parse().unwrap()).await.unwrap();
        let new: Vec<NewRecording> = (0..recordings).map(|n| format!("{n}.wav").into()).collect();
        store.add(&new, None).await.unwrap();
        let estimate = Estimate {
            store,
            recipe: "recipe".into(),
            scope: Scope::Any,
            audio_dir: dir.path().to_owned(),
            display: Arc::new(Display::new(1, false)),
            shutdown: Shutdown::default(),
        };
        (estimate, dir)
    }

    #[tokio::test]
    async fn a_short_queue_is_measured_whole() {
        let (estimate, dir) = estimate(2500).await;
        std::fs::write(dir.path().join("0.wav"), "not audio").unwrap();
        let workload = estimate.measure(2500).await.unwrap();
        assert_eq!((workload.recordings, workload.unreadable, workload.unknown), (2500, 2499, 1));
    }

    #[tokio::test]
    async fn a_long_queue_is_sampled_from_its_whole_length() {
        let (estimate, _dir) = estimate(30_000).await;
        let workload = estimate.measure(30_000).await.unwrap();
        assert_eq!(workload.recordings, SAMPLE);
        // With gaps, as where two thirds are done, ids go further than the number of rows.
        let places = estimate.places(10_000).await.unwrap();
        assert_eq!(places.len(), PLACES as usize);
        assert!(places[0] == 0 && places[99] > 25_000, "{places:?}");
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] == places[1]));
    }

    #[tokio::test]
    async fn nothing_is_measured_while_the_run_ends() {
        let (estimate, _dir) = estimate(5).await;
        estimate.shutdown.now();
        assert_eq!(estimate.measure(5).await.unwrap(), Workload::default());
    }
}
