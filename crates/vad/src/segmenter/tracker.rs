//! Finds the starts and ends of speech, before padding.
//!
//! The algorithm is that of `get_speech_timestamps` of silero-vad 6.2.3 (`silero_vad/utils_vad.py`), rewritten as a state
//! machine that takes one window at a time. [`CutPolicy::Quietest`] is an addition.

use super::super::statistics::Statistics;
use super::super::{DetectorSpec, MaxSpeechCut, Parameters};
use super::{CutReason, UnpaddedSegment};

/// The state machine. Outside speech its only state is its position.
#[derive(Debug, Clone)]
pub(super) struct Tracker {
    settings: Settings,
    windows: u64,
    speech: Option<Speech>,
}

/// The parameters, with all durations in samples.
#[derive(Debug, Clone)]
struct Settings {
    hop: u64,
    threshold: f64,
    neg_threshold: f64,
    min_speech: u64,
    max_speech: f64,
    min_silence: u64,
    /// A silence longer than this is a pause, at which speech that is too long may be cut.
    min_pause: u64,
    /// Only windows later than this in the speech are candidates for [`CutPolicy::Quietest`]; infinite for other policies.
    quietest_after: f64,
    cut_policy: CutPolicy,
}

/// Where speech that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum CutPolicy {
    LongestPause,
    LastPause,
    /// At the window with the lowest probability.
    Quietest,
}

impl CutPolicy {
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
    /// Whether it is the rest of longer speech that was cut at its quietest window. Then it becomes a segment however
    /// short it is.
    is_rest: bool,
    /// The statistics of all its windows.
    statistics: Statistics,
    /// The current silence: the end of the speech if it lasts long enough.
    silence: Option<Silence>,
    /// Where to cut if the speech becomes too long, for the policies that cut at pauses.
    pause: Option<Pause>,
    /// The same for [`CutPolicy::Quietest`].
    quietest: Option<Quietest>,
}

#[derive(Debug, Clone, Copy)]
struct Silence {
    start: u64,
    /// The statistics of the speech's windows before the silence.
    before: Statistics,
    /// The statistics of those among them from the quietest window on.
    since_quietest: Statistics,
}

/// The candidate with the lowest probability so far.
#[derive(Debug, Clone, Copy)]
struct Quietest {
    at: u64,
    probability: f32,
    /// The statistics of the speech's windows before it.
    before: Statistics,
    /// The statistics of itself and the windows after it.
    since: Statistics,
}

#[derive(Debug, Clone)]
struct Pause {
    silence: Silence,
    /// Where speech resumed, and the statistics from there on; `None` while the pause lasts.
    resumed: Option<(u64, Statistics)>,
}

impl Pause {
    fn length(&self) -> u64 {
        self.resumed.map_or(0, |(resumed, _)| resumed - self.silence.start)
    }
}

/// The part of [`Speech`] that the padder needs.
pub(super) struct OngoingSpeech {
    pub start: u64,
    /// Whether it is long enough to become a segment whatever follows.
    pub is_certain: bool,
}

impl Tracker {
    pub fn new(parameters: &Parameters, spec: &DetectorSpec) -> Self {
        let (cut_policy, max_speech) = (CutPolicy::new(parameters), parameters.max_speech_samples(spec));
        let is_quietest = cut_policy == CutPolicy::Quietest;
        let settings = Settings {
            hop: spec.hop as u64,
            threshold: parameters.threshold,
            neg_threshold: parameters.neg_threshold(),
            min_speech: spec.samples(parameters.min_speech_duration_ms),
            max_speech,
            min_silence: spec.samples(parameters.min_silence_duration_ms),
            min_pause: spec.samples(parameters.min_silence_at_max_speech_ms),
            quietest_after: if is_quietest { (max_speech / 2.0).max(0.0) } else { f64::INFINITY },
            cut_policy,
        };
        Self { settings, windows: 0, speech: None }
    }

    /// The number of windows received.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// The sample at which the next window begins.
    pub fn position(&self) -> u64 {
        self.windows * self.settings.hop
    }

    /// The minimum number of samples of the recording: only the first sample of the last window is certain. Must not be
    /// called before the first window.
    pub fn min_samples(&self) -> u64 {
        (self.windows - 1) * self.settings.hop + 1
    }

    /// Takes a window. Returns the segment that ends with it, if any.
    pub fn push(&mut self, probability: f32) -> Option<UnpaddedSegment> {
        let at = self.position();
        self.windows += 1;
        let segment = self.decide(probability, at);
        if let Some(speech) = &mut self.speech {
            speech.add_window(probability);
        }
        segment
    }

    /// Ends the recording, and with it the current speech. The tracker is then ready for the next recording.
    pub fn finish(&mut self, total_samples: u64) -> Option<UnpaddedSegment> {
        self.windows = 0;
        let speech = self.speech.take()?;
        let is_long_enough = speech.is_long_enough(total_samples, &self.settings);
        is_long_enough.then(|| speech.ending(total_samples, speech.statistics, CutReason::End))
    }

    /// Discards the recording.
    pub fn reset(&mut self) {
        (self.windows, self.speech) = (0, None);
    }

    /// The speech that has not ended yet.
    pub fn ongoing(&self) -> Option<OngoingSpeech> {
        let speech = self.speech.as_ref()?;
        // If the recording ends now, within the last window, the speech ends there too.
        let end = speech.silence.map_or(self.min_samples(), |silence| silence.start);
        Some(OngoingSpeech { start: speech.start, is_certain: speech.is_long_enough(end, &self.settings) })
    }

    /// Processes the window at sample `at`. The order of the checks is Silero's and decides the edge cases.
    fn decide(&mut self, probability: f32, at: u64) -> Option<UnpaddedSegment> {
        let is_speech = f64::from(probability) >= self.settings.threshold;
        let is_silence = f64::from(probability) < self.settings.neg_threshold;
        let Some(speech) = &mut self.speech else {
            self.speech = is_speech.then(|| Speech::starting(at, false, Statistics::EMPTY));
            return None;
        };
        if is_speech {
            speech.resume(at, &self.settings);
        }
        speech.update_quietest(at, probability, &self.settings);
        let mut segment = None;
        if (at - speech.start) as f64 > self.settings.max_speech {
            segment = match self.settings.cut_policy {
                CutPolicy::Quietest => self.cut_at_quietest(at, is_silence),
                CutPolicy::LongestPause | CutPolicy::LastPause => self.cut_at_pause(at),
            };
            if let Some(rest) = &mut self.speech {
                rest.update_quietest(at, probability, &self.settings);
            }
        }
        if is_silence {
            // Only one of the two can return a segment. After a cut at a pause, the remaining speech starts after that
            // pause, and this silence has only started, so it cannot end the speech at this window.
            segment = segment.or(self.add_silence(at));
        }
        segment
    }

    /// Ends speech that is too long, at its pause if there is one. The part after the pause continues as new speech.
    fn cut_at_pause(&mut self, at: u64) -> Option<UnpaddedSegment> {
        let speech = self.speech.take()?;
        let Some(pause) = &speech.pause else {
            return Some(speech.ending(at, speech.statistics, CutReason::Forced));
        };
        self.speech = pause.resumed.map(|(start, statistics)| Speech::starting(start, false, statistics));
        let is_longest = self.settings.cut_policy == CutPolicy::LongestPause;
        let cut = if is_longest { CutReason::LongestPause } else { CutReason::LastPause };
        Some(speech.ending(pause.silence.start, pause.silence.before, cut))
    }

    /// Ends speech that is too long, at its quietest window. That window starts the rest, which continues as new speech.
    fn cut_at_quietest(&mut self, at: u64, is_silence: bool) -> Option<UnpaddedSegment> {
        let speech = self.speech.as_mut()?;
        let silence = if is_silence { Some(*speech.silence_since(at)) } else { speech.silence };
        if is_silence && silence.is_some_and(|silence| at - silence.start >= self.settings.min_silence) {
            return None; // the silence ends the speech at this window, so the speech is not too long
        }
        let speech = self.speech.take()?;
        let Some(quietest) = speech.quietest else {
            return Some(speech.ending(at, speech.statistics, CutReason::Forced));
        };
        if let Some(silence) = silence.filter(|silence| silence.start <= quietest.at) {
            return Some(speech.ending(silence.start, silence.before, CutReason::Quietest));
        }
        let silence = silence.map(|silence| Silence { before: silence.since_quietest, ..silence });
        self.speech = Some(Speech { silence, ..Speech::starting(quietest.at, true, quietest.since) });
        Some(speech.ending(quietest.at, quietest.before, CutReason::Quietest))
    }

    /// Processes a silent window. Once the silence has lasted long enough, the speech ends where the silence began.
    fn add_silence(&mut self, at: u64) -> Option<UnpaddedSegment> {
        let speech = self.speech.as_mut()?;
        let silence = *speech.silence_since(at);
        let duration = at - silence.start;
        if self.settings.cut_policy == CutPolicy::LastPause && duration > self.settings.min_pause {
            speech.pause = Some(Pause { silence, resumed: None });
        }
        if duration < self.settings.min_silence {
            return None;
        }
        let speech = self.speech.take()?;
        let is_long_enough = speech.is_long_enough(silence.start, &self.settings);
        is_long_enough.then(|| speech.ending(silence.start, silence.before, CutReason::Silence))
    }
}

impl Speech {
    fn starting(start: u64, is_rest: bool, statistics: Statistics) -> Self {
        Self { start, is_rest, statistics, silence: None, pause: None, quietest: None }
    }

    /// Whether it becomes a segment if it ends at `end`.
    fn is_long_enough(&self, end: u64, settings: &Settings) -> bool {
        self.is_rest || end.saturating_sub(self.start) > settings.min_speech
    }

    /// Stores the window at sample `at` if it is the best candidate to cut at so far. Its probability is not part of the
    /// statistics yet.
    fn update_quietest(&mut self, at: u64, probability: f32, settings: &Settings) {
        let is_candidate = (at - self.start) as f64 > settings.quietest_after;
        if is_candidate && self.quietest.is_none_or(|quietest| probability <= quietest.probability) {
            self.quietest = Some(Quietest { at, probability, before: self.statistics, since: Statistics::EMPTY });
        }
    }

    /// The current silence; a new one begins at sample `at` if there is none.
    fn silence_since(&mut self, at: u64) -> &Silence {
        self.silence.get_or_insert(Silence {
            start: at,
            before: self.statistics,
            since_quietest: self.quietest.map_or(Statistics::EMPTY, |quietest| quietest.since),
        })
    }

    /// Ends the current silence. It was too short to end the speech, but may be long enough to cut at later.
    fn resume(&mut self, at: u64, settings: &Settings) {
        let Some(silence) = self.silence.take() else { return };
        match (settings.cut_policy, &mut self.pause) {
            (CutPolicy::LongestPause, pause) => {
                let length = at - silence.start;
                let longest = pause.as_ref().map_or(settings.min_pause, Pause::length);
                if length > longest {
                    *pause = Some(Pause { silence, resumed: Some((at, Statistics::EMPTY)) });
                }
            }
            (CutPolicy::LastPause, Some(pause)) => {
                pause.resumed.get_or_insert((at, Statistics::EMPTY));
            }
            (CutPolicy::LastPause, None) | (CutPolicy::Quietest, _) => {}
        }
    }

    /// Includes a window in the statistics.
    fn add_window(&mut self, probability: f32) {
        self.statistics.add(probability);
        if let Some(Pause { resumed: Some((_, statistics)), .. }) = &mut self.pause {
            statistics.add(probability);
        }
        if let Some(quietest) = &mut self.quietest {
            quietest.since.add(probability);
        }
    }

    fn ending(&self, end: u64, statistics: Statistics, cut: CutReason) -> UnpaddedSegment {
        UnpaddedSegment { start: self.start, end, statistics, cut }
    }
}
