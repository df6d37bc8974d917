//! Finds where speech begins and ends, before padding.

use super::super::parameters::samples;
use super::super::statistics::Statistics;
use super::super::{MaxSpeechCut, Parameters, WINDOW};
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
    /// How long speech must be before the least probable place is looked for; infinite where it is not wanted.
    quietest_after: f64,
    cut: Place,
}

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    LongestPause,
    LastPause,
    Quietest,
}

impl Place {
    fn new(parameters: &Parameters) -> Self {
        match (parameters.max_speech_cut, parameters.use_max_possible_silence) {
            (MaxSpeechCut::Quietest, _) => Self::Quietest,
            (MaxSpeechCut::Official, true) => Self::LongestPause,
            (MaxSpeechCut::Official, false) => Self::LastPause,
        }
    }
}

/// Speech that has not ended yet.
#[derive(Debug, Clone)]
struct Speech {
    start: u64,
    /// Whether it is what was left of longer speech: then it is a segment however short.
    is_rest: bool,
    /// Of all its windows.
    statistics: Statistics,
    /// The silence that it is in: its end, should the silence last.
    silence: Option<Silence>,
    /// Where to cut, should it grow too long.
    pause: Option<Pause>,
    /// The same, where the least probable place is wanted.
    quietest: Option<Quietest>,
}

#[derive(Debug, Clone, Copy)]
struct Silence {
    start: u64,
    /// Of the windows before it.
    before: Statistics,
    /// Of those of them that follow the least probable one.
    since_quietest: Statistics,
}

/// The least probable window among those at which speech may be cut.
#[derive(Debug, Clone, Copy)]
struct Quietest {
    at: u64,
    probability: f32,
    /// Of the windows before it.
    before: Statistics,
    /// Of itself and of those after it.
    since: Statistics,
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
        let (cut, max_speech) = (Place::new(parameters), parameters.max_speech_samples());
        let rules = Rules {
            threshold: parameters.threshold,
            neg_threshold: parameters.neg_threshold(),
            min_speech: samples(parameters.min_speech_duration_ms),
            max_speech,
            min_silence: samples(parameters.min_silence_duration_ms),
            min_pause: samples(parameters.min_silence_at_max_speech_ms),
            quietest_after: if cut == Place::Quietest { (max_speech / 2.0).max(0.0) } else { f64::INFINITY },
            cut,
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
        let stretch = self.decide(probability, at);
        if let Some(speech) = &mut self.speech {
            speech.hear(probability);
        }
        stretch
    }

    /// The recording has ended: so has its speech.
    pub fn finish(&mut self, total_samples: u64) -> Option<Stretch> {
        let speech = self.speech.take()?;
        let is_long_enough = speech.is_long_enough(total_samples, &self.rules);
        is_long_enough.then(|| speech.ending(total_samples, speech.statistics, Cut::End))
    }

    /// The speech that goes on.
    pub fn open(&self) -> Option<Open> {
        let speech = self.speech.as_ref()?;
        // Should the recording end now, within the last window, speech ends with it.
        let last = (self.windows - 1) * WINDOW as u64 + 1;
        let end = speech.silence.map_or(last, |silence| silence.start);
        Some(Open { start: speech.start, is_certain: speech.is_long_enough(end, &self.rules) })
    }

    /// What the window at sample `at` means. The order of the questions is Silero's and matters at the edges.
    fn decide(&mut self, probability: f32, at: u64) -> Option<Stretch> {
        let is_speech = f64::from(probability) >= self.rules.threshold;
        let is_silence = f64::from(probability) < self.rules.neg_threshold;
        let Some(speech) = &mut self.speech else {
            self.speech = is_speech.then(|| Speech::starting(at, false, Statistics::NONE));
            return None;
        };
        if is_speech {
            speech.resume(at, &self.rules);
        }
        speech.consider(at, probability, &self.rules);
        let mut stretch = None;
        if (at - speech.start) as f64 > self.rules.max_speech {
            stretch = match self.rules.cut {
                Place::Quietest => self.cut_at_quietest(at, is_silence),
                Place::LongestPause | Place::LastPause => self.cut(at),
            };
            if let Some(rest) = &mut self.speech {
                rest.consider(at, probability, &self.rules);
            }
        }
        if is_silence {
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
        self.speech = pause.resumed.map(|(start, statistics)| Speech::starting(start, false, statistics));
        let cut = if self.rules.cut == Place::LongestPause { Cut::LongestPause } else { Cut::LastPause };
        Some(speech.ending(pause.silence.start, pause.silence.before, cut))
    }

    /// Ends speech that is too long, at its least probable place. What follows that place goes on as new speech.
    fn cut_at_quietest(&mut self, at: u64, is_silence: bool) -> Option<Stretch> {
        let speech = self.speech.as_mut()?;
        let silence = if is_silence { Some(*speech.silent_since(at)) } else { speech.silence };
        if is_silence && silence.is_some_and(|silence| at - silence.start >= self.rules.min_silence) {
            return None; // silence ends it at this very window, and so it is not too long
        }
        let speech = self.speech.take()?;
        let Some(quietest) = speech.quietest else {
            return Some(speech.ending(at, speech.statistics, Cut::Forced));
        };
        if let Some(silence) = silence.filter(|silence| silence.start <= quietest.at) {
            return Some(speech.ending(silence.start, silence.before, Cut::Quietest));
        }
        let silence = silence.map(|silence| Silence { before: silence.since_quietest, ..silence });
        self.speech = Some(Speech { silence, ..Speech::starting(quietest.at, true, quietest.since) });
        Some(speech.ending(quietest.at, quietest.before, Cut::Quietest))
    }

    /// A silent window: speech ends where the silence began, once that has lasted long enough.
    fn fall_silent(&mut self, at: u64) -> Option<Stretch> {
        let speech = self.speech.as_mut()?;
        let silence = *speech.silent_since(at);
        let duration = at - silence.start;
        if self.rules.cut == Place::LastPause && duration > self.rules.min_pause {
            speech.pause = Some(Pause { silence, resumed: None });
        }
        if duration < self.rules.min_silence {
            return None;
        }
        let speech = self.speech.take()?;
        let is_long_enough = speech.is_long_enough(silence.start, &self.rules);
        is_long_enough.then(|| speech.ending(silence.start, silence.before, Cut::Silence))
    }
}

impl Speech {
    fn starting(start: u64, is_rest: bool, statistics: Statistics) -> Self {
        Self { start, is_rest, statistics, silence: None, pause: None, quietest: None }
    }

    /// Whether it becomes a segment, should it end there.
    fn is_long_enough(&self, end: u64, rules: &Rules) -> bool {
        self.is_rest || end.saturating_sub(self.start) > rules.min_speech
    }

    /// Remembers the window at sample `at`, which is not heard yet, if it is the best place so far to cut at.
    fn consider(&mut self, at: u64, probability: f32, rules: &Rules) {
        let is_late = (at - self.start) as f64 > rules.quietest_after;
        if is_late && self.quietest.is_none_or(|quietest| probability <= quietest.probability) {
            self.quietest = Some(Quietest { at, probability, before: self.statistics, since: Statistics::NONE });
        }
    }

    /// The silence that it is in, which begins at sample `at` if it was in none.
    fn silent_since(&mut self, at: u64) -> &Silence {
        self.silence.get_or_insert(Silence {
            start: at,
            before: self.statistics,
            since_quietest: self.quietest.map_or(Statistics::NONE, |quietest| quietest.since),
        })
    }

    /// Speech again after a silence that was too short to end it, but perhaps long enough to cut at later.
    fn resume(&mut self, at: u64, rules: &Rules) {
        let Some(silence) = self.silence.take() else { return };
        match (rules.cut, &mut self.pause) {
            (Place::LongestPause, pause) => {
                let length = at - silence.start;
                let longest = pause.as_ref().map_or(rules.min_pause, Pause::length);
                if length > longest {
                    *pause = Some(Pause { silence, resumed: Some((at, Statistics::NONE)) });
                }
            }
            (Place::LastPause, Some(pause)) => {
                pause.resumed.get_or_insert((at, Statistics::NONE));
            }
            (Place::LastPause, None) | (Place::Quietest, _) => {}
        }
    }

    fn hear(&mut self, probability: f32) {
        self.statistics.add(probability);
        if let Some(Pause { resumed: Some((_, statistics)), .. }) = &mut self.pause {
            statistics.add(probability);
        }
        if let Some(quietest) = &mut self.quietest {
            quietest.since.add(probability);
        }
    }

    fn ending(&self, end: u64, statistics: Statistics, cut: Cut) -> Stretch {
        Stretch { start: self.start, end, statistics, cut }
    }
}
