//! How long one recording may take.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The allowance of every recording, however short.
const MINIMUM: Duration = Duration::from_secs(600);

/// How long a recording may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeout {
    /// Ten minutes plus the length of the audio processed so far: hundreds of times what is needed, and independent of
    /// the length that a header claims.
    #[default]
    Auto,
    /// No limit.
    Off,
    /// This long.
    After(Duration),
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            time => match humantime::parse_duration(time) {
                Ok(Duration::ZERO) => Err("no recording can be prepared in no time; `off` sets no limit".into()),
                Ok(time) => Ok(Self::After(time)),
                Err(error) => Err(format!("{error}; write auto, off, or a time as 90s or 2h")),
            },
        }
    }
}

/// The time limit of one recording, which grows as the recording is processed.
#[derive(Debug)]
pub(super) struct Deadline {
    timeout: Timeout,
    started: Instant,
    /// Audio that was processed.
    processed_ms: AtomicU64,
}

impl Deadline {
    pub fn start(timeout: Timeout) -> Self {
        Self { timeout, started: Instant::now(), processed_ms: AtomicU64::new(0) }
    }

    /// So many seconds of the recording have been processed.
    pub fn advance(&self, seconds: f64) {
        self.processed_ms.store((seconds * 1000.0) as u64, Relaxed);
    }

    /// How long the recording may take, as far as it has been processed.
    pub fn allowance(&self) -> Option<Duration> {
        match self.timeout {
            Timeout::Auto => Some(MINIMUM + Duration::from_millis(self.processed_ms.load(Relaxed))),
            Timeout::Off => None,
            Timeout::After(time) => Some(time),
        }
    }

    /// The allowance, where it is used up.
    pub fn exceeded(&self) -> Option<Duration> {
        self.allowance().filter(|allowance| self.started.elapsed() > *allowance)
    }

    /// Waits until the allowance was used up `grace` ago; returns the allowance.
    pub async fn exceeded_by(&self, grace: Duration) -> Duration {
        loop {
            let Some(allowance) = self.allowance() else { return std::future::pending().await };
            match (allowance + grace).checked_sub(self.started.elapsed()) {
                Some(left) if !left.is_zero() => tokio::time::sleep(left).await,
                _ => return allowance,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_grows_with_the_audio_processed() {
        let deadline = Deadline::start(Timeout::Auto);
        assert_eq!(deadline.allowance(), Some(MINIMUM));
        deadline.advance(3600.0);
        assert_eq!(deadline.allowance(), Some(Duration::from_secs(4200)));
        assert_eq!(deadline.exceeded(), None);
        assert_eq!(Deadline::start(Timeout::Off).allowance(), None);
        let deadline = Deadline {
            started: Instant::now() - Duration::from_secs(3),
            ..Deadline::start(Timeout::After(Duration::from_secs(2)))
        };
        assert_eq!(deadline.exceeded(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn timeouts_are_parsed() {
        assert_eq!("auto".parse(), Ok(Timeout::Auto));
        assert_eq!("off".parse(), Ok(Timeout::Off));
        assert_eq!("2h".parse(), Ok(Timeout::After(Duration::from_secs(7200))));
        assert!("0s".parse::<Timeout>().is_err() && "soon".parse::<Timeout>().is_err());
    }

    #[tokio::test]
    async fn an_exceeded_deadline_is_reported() {
        let deadline = Deadline::start(Timeout::After(Duration::from_millis(10)));
        assert_eq!(deadline.exceeded_by(Duration::from_millis(10)).await, Duration::from_millis(10));
        let never = Deadline::start(Timeout::Off);
        tokio::time::timeout(Duration::from_millis(30), never.exceeded_by(Duration::ZERO)).await.unwrap_err();
    }
}
