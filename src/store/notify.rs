//! Notifications of recordings that were added.

use std::{future::Future, sync::Arc};

use tokio::{sync::Notify, task::JoinHandle};

/// Notifies of recordings that were added, until it is dropped. It may notify more often than that; it misses nothing
/// that is added after the first notification.
#[derive(Debug)]
pub struct Notifications {
    change: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Notifications {
    /// Runs `watch`, which calls `notify_one` for each change.
    pub(super) fn from_task<F: Future<Output = ()> + Send + 'static>(watch: impl FnOnce(Arc<Notify>) -> F) -> Self {
        let change = Arc::new(Notify::new());
        let task = tokio::spawn(watch(Arc::clone(&change)));
        Self { change, task }
    }

    /// Waits for the next notification. One since the last call is not lost.
    pub async fn next(&self) {
        self.change.notified().await;
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        self.task.abort();
    }
}
