//! Finds where speech begins and ends, before padding.

use super::super::parameters::samples;
use super::super::statistics::Statistics;
use super::super::{Parameters, WINDOW};
use super::{Cut, Stretch};

/// The machine's memory: nothing outside speech, a little within.
#[derive(Debug, Clone)]
pub(super) struct Tracker {
    rules: Rules,
    windows: u64,
    speech: Option<Speech>,
}

/// The parameters in samples.
#[derive(Debug, Clone)]
struct Rules {
    threshold: f64,
    neg_threshold: f64,
    min_speech: u64,
    max_speech: f64,
    min_silence: u64,
    /// A silence must be longer than this to be a pause, at which speech that is too long may be cut.
    min_pause: u64,
    cut: PauseChoice,
}

/// At which pause to cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum PauseChoice {
    Longest,
    Last,
}

/// Speech that has not ended yet.
#[derive(Debug, Clone)]
struct Speech {
    start: u64,
    /// Of all its windows.
    statistics: Statistics,
    /// The silence that it is in: its end, should the silence last.
    silence: Option<Silence>,
    /// Where to cut, should it grow too long.
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Silence {
    start: u64,
    /// Of the windows before it.
    before: Statistics,
}

#[derive(Debug, Clone)]
struct Pause {
    silence: Silence,
    /// Where speech went on and the statistics since then; none while the pause lasts.
    resumed: Option<(u64, Statistics)>,
}

impl Pause {
    fn length(&self) -> u64 {
        self.resumed.map_or(0, |(resumed, _)| resumed - self.silence.start)
    }
}

/// Speech that has not ended yet, as the padder sees it.
pub(super) struct Open {
    pub start: u64,
    /// Whether it is long enough already, so that it will become a segment whatever follows.
    pub is_certain: bool,
}

impl Tracker {
    pub fn new(parameters: &Parameters) -> Self {
        let rules = Rules {
            threshold: parameters.threshold,
            neg_threshold: parameters.neg_threshold(),
            min_speech: samples(parameters.min_speech_duration_ms),
            max_speech: parameters.max_speech_samples(),
            min_silence: samples(parameters.min_silence_duration_ms),
            min_pause: samples(parameters.min_silence_at_max_speech_ms),
            cut: if parameters.use_max_possible_silence { PauseChoice::Longest } else { PauseChoice::Last },
        };
        Self { rules, windows: 0, speech: None }
    }

    /// Windows taken so far.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// Takes a window; returns the stretch that ends with it, if one does.
    pub fn push(&mut self, probability: f32) -> Option<Stretch> {
        let at = self.windows * WINDOW as u64;
        self.windows += 1;
        let stretch = self.decide(f64::from(probability), at);
        if let Some(speech) = &mut self.speech {
            speech.hear(probability);
        }
        stretch
    }

    /// The recording has ended: so has its speech.
    pub fn finish(&mut self, total_samples: u64) -> Option<Stretch> {
        let speech = self.speech.take()?;
        let is_long_enough = total_samples.saturating_sub(speech.start) > self.rules.min_speech;
        is_long_enough.then(|| speech.ending(total_samples, speech.statistics, Cut::End))
    }

    /// The speech that goes on.
    pub fn open(&self) -> Option<Open> {
        let speech = self.speech.as_ref()?;
        // Should the recording end now, within the last window, speech ends with it.
        let last = (self.windows - 1) * WINDOW as u64 + 1;
        let end = speech.silence.map_or(last, |silence| silence.start);
        Some(Open { start: speech.start, is_certain: end - speech.start > self.rules.min_speech })
    }

    /// What the window at sample `at` means. The order of the questions is Silero's and matters at the edges.
    fn decide(&mut self, probability: f64, at: u64) -> Option<Stretch> {
        let is_speech = probability >= self.rules.threshold;
        let Some(speech) = &mut self.speech else {
            self.speech = is_speech.then(|| Speech::starting(at, Statistics::NONE));
            return None;
        };
        if is_speech {
            speech.resume(at, &self.rules);
        }
        let mut stretch = None;
        if (at - speech.start) as f64 > self.rules.max_speech {
            stretch = self.cut(at);
        }
        if probability < self.rules.neg_threshold {
            // Both cannot yield a stretch: what goes on after a cut had a pause, so silence may not end speech at once,
            // and this silence has only begun.
            stretch = stretch.or(self.fall_silent(at));
        }
        stretch
    }

    /// Ends speech that is too long, at its pause if it has one. What follows the pause goes on as new speech.
    fn cut(&mut self, at: u64) -> Option<Stretch> {
        let speech = self.speech.take()?;
        let Some(pause) = &speech.pause else {
            return Some(speech.ending(at, speech.statistics, Cut::Forced));
        };
        self.speech = pause.resumed.map(|(start, statistics)| Speech::starting(start, statistics));
        let cut = match self.rules.cut {
            PauseChoice::Longest => Cut::LongestPause,
            PauseChoice::Last => Cut::LastPause,
        };
        Some(speech.ending(pause.silence.start, pause.silence.before, cut))
    }

    /// A silent window: speech ends where the silence began, once that has lasted long enough.
    fn fall_silent(&mut self, at: u64) -> Option<Stretch> {
        let speech = self.speech.as_mut()?;
        let silence = *speech.silence.get_or_insert(Silence { start: at, before: speech.statistics });
        let duration = at - silence.start;
        if self.rules.cut == PauseChoice::Last && duration > self.rules.min_pause {
            speech.pause = Some(Pause { silence, resumed: None });
        }
        if duration < self.rules.min_silence {
            return None;
        }
        let speech = self.speech.take()?;
        let is_long_enough = silence.start - speech.start > self.rules.min_speech;
        is_long_enough.then(|| speech.ending(silence.start, silence.before, Cut::Silence))
    }
}

impl Speech {
    fn starting(start: u64, statistics: Statistics) -> Self {
        Self { start, statistics, silence: None, pause: None }
    }

    /// Speech again after a silence that was too short to end it, but perhaps long enough to cut at later.
    fn resume(&mut self, at: u64, rules: &Rules) {
        let Some(silence) = self.silence.take() else { return };
        match (rules.cut, &mut self.pause) {
            (PauseChoice::Longest, pause) => {
                let length = at - silence.start;
                let longest = pause.as_ref().map_or(rules.min_pause, Pause::length);
                if length > longest {
                    *pause = Some(Pause { silence, resumed: Some((at, Statistics::NONE)) });
                }
            }
            (PauseChoice::Last, Some(pause)) => {
                pause.resumed.get_or_insert((at, Statistics::NONE));
            }
            (PauseChoice::Last, None) => {}
        }
    }

    fn hear(&mut self, probability: f32) {
        self.statistics.add(probability);
        if let Some(Pause { resumed: Some((_, statistics)), .. }) = &mut self.pause {
            statistics.add(probability);
        }
    }

    fn ending(&self, end: u64, statistics: Statistics, cut: Cut) -> Stretch {
        Stretch { start: self.start, end, statistics, cut }
    }
}
