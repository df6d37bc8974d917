//! Decoded sources, kept for a while.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::{
    audio::{Audio, Progress, Wanted},
    recent::{Key, Recent},
};

/// Bytes of the temporary files: 18 hours of audio.
const BYTES: u64 = 2 << 30;
/// Sources that are decoded at the same time.
const DECODERS: usize = 2;

/// The samples of a source, or why there are none.
pub type Outcome = Result<Arc<Audio>, String>;

/// The sources that were asked for last.
pub struct Sources {
    recent: Recent<Arc<Decoding>>,
    decoders: Arc<Semaphore>,
}

impl Default for Sources {
    fn default() -> Self {
        let recent = Recent::new(BYTES, |decoding: &Arc<Decoding>| decoding.samples * 2);
        Self { recent, decoders: Arc::new(Semaphore::new(DECODERS)) }
    }
}

/// A source that is decoded, or that has been.
pub struct Decoding {
    progress: Arc<Progress>,
    samples: u64,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Sources {
    /// A source, which is decoded from now on unless it has been. One that failed is tried again when it is asked for the next
    /// time: a disk may be back.
    pub fn open(&self, key: Key, wanted: Wanted) -> Arc<Decoding> {
        let failed = self.recent.get(key).filter(|decoding| matches!(decoding.outcome(), Some(Err(_))));
        let start = || Decoding::start(wanted, Arc::clone(&self.decoders));
        let decoding = self.recent.get_or_make(key, |_| failed.is_none(), start);
        failed.unwrap_or(decoding)
    }
}

impl Decoding {
    fn start(wanted: Wanted, decoders: Arc<Semaphore>) -> Arc<Self> {
        let progress = Arc::new(Progress::default());
        let (send, outcome) = watch::channel(None);
        let (samples, shared) = (wanted.samples, Arc::clone(&progress));
        tokio::spawn(async move {
            let _permit = decoders.acquire().await.ok(); // never closed
            let decoded = tokio::task::spawn_blocking(move || Audio::decode(&wanted, &shared)).await;
            let decoded = decoded.unwrap_or_else(|_| Err("the decoder failed".into()));
            let _ = send.send(Some(decoded.map(Arc::new))); // nobody may be waiting any more
        });
        Arc::new(Self { progress, samples, outcome })
    }

    /// The outcome, if it is known.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }

    /// The outcome, once it is known.
    pub async fn wait(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        let known = outcome.wait_for(Option::is_some).await;
        known.ok().and_then(|known| known.clone()).unwrap_or_else(|| Err("the decoder ended".into()))
    }

    /// The share that is decoded, 0 to 1.
    pub fn progress(&self) -> f64 {
        self.progress.samples() as f64 / self.samples.max(1) as f64
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.progress.stop();
    }
}
