//! How long one recording may take.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// What every recording is allowed, however short.
const AT_LEAST: Duration = Duration::from_secs(600);

/// How long a recording may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeout {
    /// Ten minutes, and the time that what was listened to so far takes to play: hundreds of times what is needed,
    /// without believing what a header promises.
    #[default]
    Auto,
    /// For ever.
    Off,
    /// So long.
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

/// How one recording gets on.
#[derive(Debug)]
pub(super) struct Pace {
    timeout: Timeout,
    started: Instant,
    /// Audio that was listened to.
    heard_ms: AtomicU64,
}

impl Pace {
    pub fn begin(timeout: Timeout) -> Self {
        Self { timeout, started: Instant::now(), heard_ms: AtomicU64::new(0) }
    }

    /// So many seconds of it have been listened to.
    pub fn heard(&self, seconds: f64) {
        self.heard_ms.store((seconds * 1000.0) as u64, Relaxed);
    }

    /// How long it may take, as far as it has come.
    pub fn allowance(&self) -> Option<Duration> {
        match self.timeout {
            Timeout::Auto => Some(AT_LEAST + Duration::from_millis(self.heard_ms.load(Relaxed))),
            Timeout::Off => None,
            Timeout::After(time) => Some(time),
        }
    }

    /// The allowance, where it is used up.
    pub fn overdue(&self) -> Option<Duration> {
        self.allowance().filter(|allowance| self.started.elapsed() > *allowance)
    }

    /// Waits until the allowance was used up `grace` ago.
    pub async fn long_overdue(&self, grace: Duration) -> Duration {
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
    fn the_allowance_grows_with_what_was_heard() {
        let pace = Pace::begin(Timeout::Auto);
        assert_eq!(pace.allowance(), Some(AT_LEAST));
        pace.heard(3600.0);
        assert_eq!(pace.allowance(), Some(Duration::from_secs(4200)));
        assert_eq!(pace.overdue(), None);
        assert_eq!(Pace::begin(Timeout::Off).allowance(), None);
        let pace = Pace {
            started: Instant::now() - Duration::from_secs(3),
            ..Pace::begin(Timeout::After(Duration::from_secs(2)))
        };
        assert_eq!(pace.overdue(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn timeouts_are_written_as_people_write_them() {
        assert_eq!("auto".parse(), Ok(Timeout::Auto));
        assert_eq!("off".parse(), Ok(Timeout::Off));
        assert_eq!("2h".parse(), Ok(Timeout::After(Duration::from_secs(7200))));
        assert!("0s".parse::<Timeout>().is_err() && "soon".parse::<Timeout>().is_err());
    }

    #[tokio::test]
    async fn what_is_long_overdue_is_told() {
        let pace = Pace::begin(Timeout::After(Duration::from_millis(10)));
        assert_eq!(pace.long_overdue(Duration::from_millis(10)).await, Duration::from_millis(10));
        let never = Pace::begin(Timeout::Off);
        tokio::time::timeout(Duration::from_millis(30), never.long_overdue(Duration::ZERO)).await.unwrap_err();
    }
}
