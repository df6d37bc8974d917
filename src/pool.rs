//! The only bridge between tokio, which waits, and rayon, which computes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, RwLock},
};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::oneshot;

/// A job panicked. The field is the panic's message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(pub String);

/// Compute threads: one for each recording that is prepared at a time.
pub struct Pool {
    threads: RwLock<ThreadPool>,
    number: usize,
}

impl Pool {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// If the system cannot start the threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        Ok(Self { threads: RwLock::new(build(threads)?), number: threads })
    }

    /// Starts new threads for future jobs. The old threads end when their current jobs end; one that hangs never does.
    pub fn replace(&self) {
        match build(self.number) {
            Ok(new) => *self.threads.write().unwrap_or_else(PoisonError::into_inner) = new,
            Err(error) => tracing::error!(%error, "cannot start new compute threads"),
        }
    }

    /// Runs `work` on a thread of the pool, and waits for it without occupying a thread of tokio.
    ///
    /// Work that has started runs to its end even if this future is dropped.
    ///
    /// # Errors
    /// [`Panicked`] if `work` panics. The pool stays usable.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
        let (send, receive) = oneshot::channel();
        self.threads.read().unwrap_or_else(PoisonError::into_inner).spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work)).map_err(|cause| Panicked(message(&*cause)));
            // The receiver is gone if the future was dropped, as at the program's end.
            let _ = send.send(outcome);
        });
        receive.await.unwrap_or_else(|_| Err(Panicked("a compute thread ended".into())))
    }
}

fn build(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("compute-{n}")).build()
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_and_panics_both_come_back() {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.run(|| 6 * 7).await.unwrap(), 42);
        let lost = pool.run(|| -> u8 { panic!("sample {}", 3) }).await.unwrap_err();
        assert_eq!(lost.0, "sample 3");
        assert_eq!(pool.run(|| "alive").await.unwrap(), "alive");
    }

    #[tokio::test]
    async fn a_thread_that_hangs_is_replaced() {
        let pool = Pool::new(1).unwrap();
        let (_open, shut) = std::sync::mpsc::channel::<()>();
        let hangs = pool.run(move || shut.recv());
        tokio::time::timeout(std::time::Duration::from_millis(20), hangs).await.unwrap_err();
        pool.replace();
        assert_eq!(pool.run(|| "alive").await.unwrap(), "alive");
    }
}
