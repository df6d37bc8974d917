//! Word of recordings that were added.

use std::{future::Future, sync::Arc};

use tokio::{sync::Notify, task::JoinHandle};

/// Tells of recordings that were added, until it is dropped. It may tell of more than there was, and misses nothing
/// that is added after it was asked for once.
#[derive(Debug)]
pub struct News {
    notice: Arc<Notify>,
    task: JoinHandle<()>,
}

impl News {
    /// Whoever learns of something in `listen` says it by the notice.
    pub(super) fn by<F: Future<Output = ()> + Send + 'static>(listen: impl FnOnce(Arc<Notify>) -> F) -> Self {
        let notice = Arc::new(Notify::new());
        let task = tokio::spawn(listen(Arc::clone(&notice)));
        Self { notice, task }
    }

    /// Waits for the next word. One that came since the last time is not lost.
    pub async fn next(&self) {
        self.notice.notified().await;
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.task.abort();
    }
}
