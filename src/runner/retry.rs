//! Calls to a database that may be unavailable for a while.

use std::{future::Future, time::Duration};

use backon::{ExponentialBuilder, Retryable};

use super::Run;
use crate::store::StoreError;

/// How long a call may take. Only a call on a machine that was cut off takes longer; a commit on a slow disk does not.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a call may still take when the run is over.
const LAST_CALL_TIMEOUT: Duration = Duration::from_millis(600);

/// Pauses between the attempts. [`jittered`] shortens them; backon's own jitter would lengthen them.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(1))
    .with_factor(2.0)
    .without_max_times();

impl Run {
    /// Repeats a call while the database is unavailable or busy, until it succeeds, fails for a permanent reason, or the
    /// run is over. A call may reach the database more than once, so it must be idempotent.
    pub(super) async fn retrying<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let shutdown = self.shutdown.clone();
        let sleep = move |pause| {
            let shutdown = shutdown.clone();
            async move {
                tokio::select! {
                    () = tokio::time::sleep(jittered(pause)) => {}
                    () = shutdown.over() => {}
                }
            }
        };
        let again = |error: &StoreError| error.is_retryable() && !self.shutdown.is_over();
        let pause = |error: &StoreError, _| self.pauses.database_failed(error, &*self.progress);
        (|| self.once(call())).retry(BACKOFF).sleep(sleep).when(again).notify(pause).await
    }

    /// Makes a call once, with a time limit. What the store has begun it completes by itself.
    pub(super) async fn once<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let expired = async {
            tokio::select! {
                () = tokio::time::sleep(CALL_TIMEOUT) => {}
                () = async { self.shutdown.over().await; tokio::time::sleep(LAST_CALL_TIMEOUT).await } => {}
            }
        };
        let mut resets = self.connection_resets.subscribe();
        let outcome = tokio::select! {
            outcome = call => outcome,
            () = expired => Err(self.reset_connections()),
            Ok(error) = resets.recv() => Err(error),
        };
        if outcome.is_ok() {
            self.pauses.database_answered(&*self.progress);
        }
        outcome
    }

    /// Abandons connections that do not answer. All calls that wait on them are repeated on new ones: after a machine was
    /// cut off, TCP may take another half minute to notice that the peer is gone.
    pub(super) fn reset_connections(&self) -> StoreError {
        let error = self.store.reset_connections();
        let _ = self.connection_resets.send(error.clone()); // fails where no call waits
        error
    }
}

/// Between three quarters of a time and all of it, so that tasks that were woken together do not all call together again.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.75 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_at_most_a_quarter() {
        let second = Duration::from_secs(1);
        assert!((0..1000).map(|_| jittered(second)).all(|time| time <= second && time >= second * 3 / 4));
    }
}
