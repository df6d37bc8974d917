//! The request to end a run, in three stages.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Shared by the signal handler, which requests the end, and by the tasks of a run. Each stage contains the ones before it: its token is the
/// parent of theirs.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Nothing more is claimed.
    draining: CancellationToken,
    /// What runs is given back.
    over: CancellationToken,
    /// Nothing is waited for but giving back the claims.
    immediate: CancellationToken,
}

impl Default for Shutdown {
    fn default() -> Self {
        let immediate = CancellationToken::new();
        let over = immediate.child_token();
        Self { draining: over.child_token(), over, immediate }
    }
}

impl Shutdown {
    /// Requests the end: from now on nothing is claimed, and after `grace` what still runs is given back.
    pub fn begin(&self, grace: Duration) {
        self.draining.cancel();
        let over = self.over.clone();
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            over.cancel();
        });
    }

    /// Gives everything back now, as after an error of the database.
    pub fn now(&self) {
        self.over.cancel();
    }

    /// Ends the run without waiting for anything but giving back the claims.
    pub fn at_once(&self) {
        self.immediate.cancel();
    }

    /// Whether nothing more is to be claimed.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Whether what runs is to be given back.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits until nothing more is to be claimed.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Waits until what runs is to be given back.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Waits until nothing is to be waited for.
    pub async fn immediate(&self) {
        self.immediate.cancelled().await;
    }

    /// Cancelled when what runs is to be given back: for servers and other tasks that end with the run.
    pub fn token(&self) -> CancellationToken {
        self.over.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(shutdown: &Shutdown) -> [bool; 3] {
        [shutdown.is_draining(), shutdown.is_over(), shutdown.immediate.is_cancelled()]
    }

    #[tokio::test]
    async fn a_stage_contains_the_ones_before_it() {
        let shutdown = Shutdown::default();
        assert_eq!(stages(&shutdown), [false, false, false]);
        shutdown.begin(Duration::from_millis(30));
        assert_eq!(stages(&shutdown), [true, false, false]);
        shutdown.over().await;
        assert_eq!(stages(&shutdown), [true, true, false]);
        let shutdown = Shutdown::default();
        shutdown.now();
        assert_eq!(stages(&shutdown), [true, true, false]);
        let shutdown = Shutdown::default();
        shutdown.clone().at_once();
        assert_eq!(stages(&shutdown), [true, true, true]);
    }
}
