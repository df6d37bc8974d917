//! The rates of the last minute, from counts by state.

use std::{collections::VecDeque, time::Duration};

use prepare_audio::store::{State, StateCount};
use serde::Serialize;

/// The time that rates cover.
const WINDOW: Duration = Duration::from_secs(60);

/// The counts at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Time since the first sample.
    pub at: Duration,
    /// Number of recordings that are done, failed or quarantined.
    pub ended: i64,
    /// Audio of the done recordings, seconds.
    pub audio_s: f64,
    /// Number of recordings that are pending or running.
    pub left: i64,
}

/// The rates between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Time between the samples, seconds.
    pub over_s: f64,
    /// Recordings that ended, done or failed, per minute.
    pub recordings_per_minute: f64,
    /// Seconds of audio that all workers together prepared per second.
    pub audio_x_real_time: f64,
    /// Time for the remaining recordings at this rate, seconds; `None` if the rate is 0.
    pub left_s: Option<f64>,
}

/// The samples of the last minute.
#[derive(Clone, Debug, Default)]
pub struct Window(VecDeque<Sample>);

impl Sample {
    /// Sums the counts.
    pub fn of(at: Duration, counts: &[StateCount]) -> Self {
        let sum = |states: &[State]| -> i64 {
            counts.iter().filter(|count| states.contains(&count.state)).map(|count| count.recordings).sum()
        };
        let done = counts.iter().filter(|count| count.state == State::Done);
        Self {
            at,
            ended: sum(&[State::Done, State::Failed, State::Quarantined]),
            audio_s: done.map(|count| count.duration_s).sum(),
            left: sum(&[State::Pending, State::Running]),
        }
    }
}

impl Window {
    /// Adds the newest sample and returns the rates; `None` for the first sample.
    pub fn add(&mut self, new: Sample) -> Option<Rates> {
        // Fewer have ended than before: recordings were made pending again, so earlier samples are not comparable.
        if self.0.back().is_some_and(|last| new.ended < last.ended || new.audio_s < last.audio_s) {
            self.0.clear();
        }
        self.0.push_back(new);
        while self.0.len() > 2 && new.at.saturating_sub(self.0[0].at) > WINDOW {
            self.0.pop_front();
        }
        rates(self.0.front()?, &new)
    }
}

fn rates(old: &Sample, new: &Sample) -> Option<Rates> {
    let over_s = new.at.checked_sub(old.at)?.as_secs_f64();
    if over_s == 0.0 {
        return None;
    }
    let per_second = (new.ended - old.ended) as f64 / over_s;
    let left_s = match new.left {
        0 => Some(0.0),
        left => (per_second > 0.0).then(|| left as f64 / per_second),
    };
    let audio_x_real_time = (new.audio_s - old.audio_s) / over_s;
    Some(Rates { over_s, recordings_per_minute: per_second * 60.0, audio_x_real_time, left_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples `(second, ended, audio, left)`, and the rates after the last one: `(per minute, x real time, left)`.
    type Case = (&'static [(u64, i64, f64, i64)], Option<(f64, f64, Option<f64>)>);

    #[test]
    fn rates_cover_the_last_minute() {
        let cases: [Case; 8] = [
            (&[(0, 5, 50.0, 9)], None),
            (&[(0, 5, 50.0, 9), (2, 5, 50.0, 9)], Some((0.0, 0.0, None))),
            (&[(0, 0, 0.0, 10), (2, 1, 60.0, 9)], Some((30.0, 30.0, Some(18.0)))),
            (&[(0, 0, 0.0, 1), (2, 1, 60.0, 0)], Some((30.0, 30.0, Some(0.0)))),
            // A slow beginning more than a minute ago no longer counts.
            (&[(0, 0, 0.0, 99), (60, 0, 0.0, 99), (120, 60, 600.0, 39)], Some((60.0, 10.0, Some(39.0)))),
            // Two samples are enough, however far apart they are.
            (&[(0, 0, 0.0, 9), (300, 5, 0.0, 4)], Some((1.0, 0.0, Some(240.0)))),
            // Recordings were made pending again: the window starts over.
            (&[(0, 9, 90.0, 0), (2, 4, 40.0, 5)], None),
            (&[(0, 9, 90.0, 0), (2, 4, 40.0, 5), (4, 5, 50.0, 4)], Some((30.0, 5.0, Some(8.0)))),
        ];
        for (samples, want) in cases {
            let mut window = Window::default();
            let rates = samples.iter().map(|&(second, ended, audio_s, left)| {
                window.add(Sample { at: Duration::from_secs(second), ended, audio_s, left })
            });
            let rates = rates.last().flatten().map(|r| (r.recordings_per_minute, r.audio_x_real_time, r.left_s));
            assert_eq!(rates, want, "{samples:?}");
        }
    }
}
