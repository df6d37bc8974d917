//! The native detector: collects samples, runs the network over blocks of windows, keeps the LSTM's state.

use std::fmt;

use super::super::{CONTEXT, VadError, WINDOW};
use super::FRAME;
use super::encoder::Activations;
use super::level::{SimdLevel, Token};
use super::lstm::{Lstm, State};
use super::matmul::Row;
use super::model::SileroModel;
use super::stft::{GROUP, Magnitudes, Stft, Transposed};
use super::winograd::{BATCH, Evaluate, Evaluated};

/// Computes the speech probability of each window of a recording, from samples that arrive in pieces of any size.
///
/// All memory is allocated when the detector is created; detection allocates nothing but space for the results.
/// A worker keeps one and calls [`reset`](Self::reset) between recordings.
pub struct SileroDetector {
    model: SileroModel,
    level: SimdLevel,
    token: Token,
    /// The context of the next window, then the samples that are not computed yet, then free space up to a whole block.
    samples: Vec<f32>,
    /// The number of samples that are not computed yet.
    waiting: usize,
    transposed: Box<Transposed>,
    work: Box<Row<{ FRAME * GROUP }>>,
    magnitudes: Box<Magnitudes>,
    batches: Vec<Evaluated>,
    activations: Activations,
    state: State,
}

impl SileroDetector {
    /// The number of windows that are computed together by default: enough that the weights are read rarely, and few
    /// enough that the activations stay in the L2 cache.
    pub const BLOCK: usize = 48;

    /// A detector with the best SIMD level of this processor.
    pub fn new(model: &SileroModel) -> Self {
        let level = SimdLevel::detect();
        let token = level.token().unwrap_or(Token::PLAIN);
        Self::build(model, level, token, Self::BLOCK)
    }

    /// A detector with a given SIMD level.
    ///
    /// # Errors
    /// If this processor does not have it.
    pub fn with_level(model: &SileroModel, level: SimdLevel) -> Result<Self, VadError> {
        Self::with_block(model, level, Self::BLOCK)
    }

    /// As [`with_level`](Self::with_level), computing at most `windows` windows together (at least one). The
    /// probabilities do not depend on it; only speed and memory do (about 11 kB for each window).
    ///
    /// # Errors
    /// As [`with_level`](Self::with_level).
    pub fn with_block(model: &SileroModel, level: SimdLevel, windows: usize) -> Result<Self, VadError> {
        let token = level.token().ok_or(VadError::LevelMissing(level))?;
        Ok(Self::build(model, level, token, windows.max(1)))
    }

    fn build(model: &SileroModel, level: SimdLevel, token: Token, block: usize) -> Self {
        Self {
            model: model.clone(),
            level,
            token,
            samples: vec![0.0; CONTEXT + block * WINDOW],
            waiting: 0,
            transposed: Box::new([Row::ZERO; _]),
            work: Box::new(Row::ZERO),
            magnitudes: Box::new([Row::ZERO; _]),
            batches: vec![[Row::ZERO; _]; block.div_ceil(BATCH)],
            activations: Activations::new(block),
            state: State::START,
        }
    }

    /// The model it computes.
    pub fn model(&self) -> &SileroModel {
        &self.model
    }

    /// The SIMD level that it uses.
    pub fn level(&self) -> SimdLevel {
        self.level
    }

    /// Returns to the state at the start of a recording.
    pub fn reset(&mut self) {
        self.samples[..CONTEXT].fill(0.0);
        self.waiting = 0;
        self.state = State::START;
    }

    /// Takes the next samples (16 kHz, mono, in -1..=1) and appends a probability for each window that they complete.
    pub fn push(&mut self, mut samples: &[f32], probabilities: &mut Vec<f32>) {
        while !samples.is_empty() {
            let free = &mut self.samples[CONTEXT + self.waiting..];
            let taken = samples.len().min(free.len());
            free[..taken].copy_from_slice(&samples[..taken]);
            self.waiting += taken;
            samples = &samples[taken..];
            self.compute(probabilities);
        }
    }

    /// Appends the probability of the last, incomplete window, padded with zeros, if there is one. Call
    /// [`reset`](Self::reset) before the next recording.
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) {
        let end = CONTEXT + self.waiting.next_multiple_of(WINDOW);
        self.samples[CONTEXT + self.waiting..end].fill(0.0);
        self.waiting = end - CONTEXT;
        self.compute(probabilities);
    }

    /// Computes the full windows and keeps the rest, with the last window's end as context.
    fn compute(&mut self, probabilities: &mut Vec<f32>) {
        let windows = self.waiting / WINDOW;
        if windows == 0 {
            return;
        }
        self.transform(windows);
        self.activations.resize(windows);
        self.model.encoder().run(self.token, &self.batches, &mut self.activations);
        self.token.run(Lstm {
            weights: self.model.recurrence(),
            gates: &self.activations.gates,
            state: &mut self.state,
            probabilities,
        });
        self.samples.copy_within(windows * WINDOW..CONTEXT + self.waiting, 0);
        self.waiting -= windows * WINDOW;
    }

    /// The magnitudes of the first windows, ready for the first convolution.
    fn transform(&mut self, windows: usize) {
        for first in (0..windows).step_by(GROUP) {
            let end = windows.min(first + GROUP);
            self.token.run(Stft {
                fft: self.model.fft(),
                samples: &self.samples[first * WINDOW..CONTEXT + end * WINDOW],
                transposed: &mut self.transposed,
                work: &mut self.work,
                magnitudes: &mut self.magnitudes,
            });
            let evaluated = &mut self.batches[first / BATCH];
            self.token.run(Evaluate { magnitudes: &self.magnitudes, evaluated, lane: first % BATCH });
        }
    }
}

impl fmt::Debug for SileroDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SileroDetector").field("model", &self.model).field("level", &self.level).finish_non_exhaustive()
    }
}
