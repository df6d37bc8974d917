//! Calls to a database that may be away for a while.

use std::{future::Future, time::Duration};

use super::Run;
use crate::store::StoreError;

/// How long a call may take. Only one whose machine was cut off takes longer; a commit on a slow disk does not.
const ANSWER: Duration = Duration::from_secs(30);

/// Pauses between the tries: from the first on, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What a call may still take when the run is over.
const LAST_CALL: Duration = Duration::from_millis(600);

impl Run {
    /// Makes a call again and again while the database is away or busy, until it succeeds, fails for a reason that does
    /// not pass, or the run is over. A call may reach the database more than once: only such as bear that.
    pub(super) async fn steady<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = PAUSES.0;
        loop {
            let error = match self.once(call()).await {
                Err(error) if error.is_retryable() => error,
                outcome => return outcome,
            };
            if self.shutdown.is_over() {
                return Err(error);
            }
            self.pauses.database_fails(&error, &*self.progress);
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = self.shutdown.over() => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Makes a call that need not succeed, but is not waited for endlessly. What the store has begun it ends by itself.
    pub(super) async fn once<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let patience = async {
            tokio::select! {
                () = tokio::time::sleep(ANSWER) => {}
                () = async { self.shutdown.over().await; tokio::time::sleep(LAST_CALL).await } => {}
            }
        };
        let mut renewed = self.renewed.subscribe();
        let outcome = tokio::select! {
            outcome = call => outcome,
            () = patience => Err(self.renew()),
            Ok(error) = renewed.recv() => Err(error),
        };
        if outcome.is_ok() {
            self.pauses.database_answers(&*self.progress);
        }
        outcome
    }
}

impl Run {
    /// Leaves connections that do not answer to themselves. All calls that wait on them are told to ask anew: after a
    /// machine was cut off, TCP may take another half minute to notice that it is not any more.
    pub(super) fn renew(&self) -> StoreError {
        let error = self.store.renew();
        let _ = self.renewed.send(error.clone()); // fails where nobody waits
        error
    }
}

/// Between three quarters of a time and all of it, so that those who were woken together do not come together again.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.75 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_a_quarter_at_most() {
        let second = Duration::from_secs(1);
        assert!((0..1000).map(|_| jittered(second)).all(|time| time <= second && time >= second * 3 / 4));
    }
}
