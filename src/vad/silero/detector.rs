//! One recording's way through the network.

use std::fmt;

use super::super::{CONTEXT, VadError, WINDOW};
use super::FRAME;
use super::encoder::Activations;
use super::level::{SimdLevel, Token};
use super::lstm::{Lstm, State};
use super::matmul::Row;
use super::model::Model;
use super::stft::{GROUP, Magnitudes, Stft, Transposed};
use super::winograd::{BATCH, Evaluate, Evaluated};

/// Computes the speech probability of each window of a recording, from samples that come in pieces of any size.
///
/// Everything it needs is allocated when it is made; pushing allocates nothing (but the place for the results).
/// A worker keeps one and calls [`reset`](Self::reset) between recordings.
pub struct Detector {
    model: Model,
    level: SimdLevel,
    token: Token,
    /// The context of the next window, then the samples that wait, then room up to a whole block.
    samples: Vec<f32>,
    /// Samples that wait.
    waiting: usize,
    transposed: Box<Transposed>,
    work: Box<Row<{ FRAME * GROUP }>>,
    magnitudes: Box<Magnitudes>,
    batches: Vec<Evaluated>,
    activations: Activations,
    state: State,
}

impl Detector {
    /// Windows that are computed together unless told otherwise: enough that the weights are read seldom, few enough
    /// that what the layers hand on stays in the second-level cache.
    pub const BLOCK: usize = 48;

    /// A detector with the best instructions of this processor.
    pub fn new(model: &Model) -> Self {
        let level = SimdLevel::detect();
        let token = level.token().unwrap_or(Token::PLAIN);
        Self::build(model, level, token, Self::BLOCK)
    }

    /// A detector with given instructions; an error if this processor lacks them.
    pub fn with_level(model: &Model, level: SimdLevel) -> Result<Self, VadError> {
        Self::with_block(model, level, Self::BLOCK)
    }

    /// As [`with_level`](Self::with_level), computing at most `windows` windows together (at least one). The
    /// probabilities do not depend on it, only speed and memory do (about 11 kB a window).
    pub fn with_block(model: &Model, level: SimdLevel, windows: usize) -> Result<Self, VadError> {
        let token = level.token().ok_or(VadError::LevelMissing(level))?;
        Ok(Self::build(model, level, token, windows.max(1)))
    }

    fn build(model: &Model, level: SimdLevel, token: Token, block: usize) -> Self {
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
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The instructions it uses.
    pub fn level(&self) -> SimdLevel {
        self.level
    }

    /// Forgets everything heard, as if new.
    pub fn reset(&mut self) {
        self.samples[..CONTEXT].fill(0.0);
        self.waiting = 0;
        self.state = State::START;
    }

    /// Hears the next samples (16 kHz, mono, in -1..=1) and adds a probability for each window that is full now.
    pub fn push(&mut self, mut samples: &[f32], probabilities: &mut Vec<f32>) {
        while !samples.is_empty() {
            let room = &mut self.samples[CONTEXT + self.waiting..];
            let taken = samples.len().min(room.len());
            room[..taken].copy_from_slice(&samples[..taken]);
            self.waiting += taken;
            samples = &samples[taken..];
            self.compute(probabilities);
        }
    }

    /// Adds the probability of the last, incomplete window, filled up with zeros, if there is one. Call
    /// [`reset`](Self::reset) before the next recording.
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) {
        let end = CONTEXT + self.waiting.next_multiple_of(WINDOW);
        self.samples[CONTEXT + self.waiting..end].fill(0.0);
        self.waiting = end - CONTEXT;
        self.compute(probabilities);
    }

    /// Computes the full windows that wait and keeps the rest, with the last window's end as context.
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

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("model", &self.model).field("level", &self.level).finish_non_exhaustive()
    }
}
