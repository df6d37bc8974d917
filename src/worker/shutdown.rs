//! The user's wish to end a run, in two steps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

const DRAINING: u8 = 1;
const OVER: u8 = 2;
const AT_ONCE: u8 = 3;

/// Shared by whoever asks and whoever obeys. First no more is claimed; after a grace, what runs is given back.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// 0 while the run goes on.
    stage: AtomicU8,
    changed: Notify,
}

impl Shutdown {
    /// Asks for the end: from now on nothing is claimed, and after `grace` what still runs is given back.
    pub fn begin(&self, grace: Duration) {
        self.advance(DRAINING);
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            this.advance(OVER);
        });
    }

    /// Gives everything back at once, as after an error of the database.
    pub fn now(&self) {
        self.advance(OVER);
    }

    /// Ends the run without waiting for anything but the giving back.
    pub fn at_once(&self) {
        self.advance(AT_ONCE);
    }

    /// Whether nothing more is to be claimed.
    pub fn is_draining(&self) -> bool {
        self.0.stage.load(Ordering::Relaxed) >= DRAINING
    }

    /// Whether what runs is to be given back.
    pub fn is_over(&self) -> bool {
        self.0.stage.load(Ordering::Relaxed) >= OVER
    }

    /// Waits until nothing more is to be claimed.
    pub async fn draining(&self) {
        self.reaches(DRAINING).await;
    }

    /// Waits until what runs is to be given back.
    pub async fn over(&self) {
        self.reaches(OVER).await;
    }

    /// Waits until nothing is to be waited for.
    pub async fn immediate(&self) {
        self.reaches(AT_ONCE).await;
    }

    async fn reaches(&self, stage: u8) {
        loop {
            let changed = self.0.changed.notified();
            if self.0.stage.load(Ordering::Relaxed) >= stage {
                return;
            }
            changed.await;
        }
    }

    fn advance(&self, stage: u8) {
        self.0.stage.fetch_max(stage, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}
