//! Scores one segment after the other.

use crate::{DnsmosError, Scores, excerpts::Excerpts};

/// A worker's session of the model. It is kept from one segment to the next.
pub struct DnsmosMeter {
    #[cfg(feature = "onnx")]
    session: crate::session::DnsmosSession,
    excerpts: Excerpts,
    sum: Scores,
    number: u32,
}

impl DnsmosMeter {
    #[cfg(feature = "onnx")]
    pub(crate) fn new(session: crate::session::DnsmosSession) -> Self {
        Self { session, excerpts: Excerpts::default(), sum: Scores::default(), number: 0 }
    }

    /// Begins a segment.
    pub fn begin(&mut self) {
        self.excerpts.begin();
        (self.sum, self.number) = (Scores::default(), 0);
    }

    /// Takes the next samples of the segment, at 16 kHz.
    ///
    /// # Errors
    /// If ONNX Runtime fails.
    pub fn push(&mut self, block: &[i16]) -> Result<(), DnsmosError> {
        self.score(|excerpts, score| excerpts.push(block, score))
    }

    /// Ends the segment. `None` if it had no samples.
    ///
    /// # Errors
    /// If ONNX Runtime fails.
    pub fn finish(&mut self) -> Result<Option<Scores>, DnsmosError> {
        self.score(|excerpts, score| excerpts.finish(score))?;
        let mean = |sum: f64| sum / f64::from(self.number);
        let Scores { signal, background, overall } = self.sum;
        Ok((self.number > 0).then(|| Scores {
            signal: mean(signal),
            background: mean(background),
            overall: mean(overall),
        }))
    }

    /// Adds the scores of the excerpts that `step` gives.
    fn score(
        &mut self,
        step: impl FnOnce(&mut Excerpts, &mut dyn FnMut(&[f32]) -> Result<(), DnsmosError>) -> Result<(), DnsmosError>,
    ) -> Result<(), DnsmosError> {
        #[cfg(feature = "onnx")]
        let mut run = |samples: &[f32]| self.session.score(samples);
        // Without the feature no model can be opened, so that there is no meter either.
        #[cfg(not(feature = "onnx"))]
        let run = |_: &[f32]| Err(DnsmosError::OnnxNotCompiled);
        step(&mut self.excerpts, &mut |samples| {
            let scores: Scores = run(samples)?;
            self.sum.signal += scores.signal;
            self.sum.background += scores.background;
            self.sum.overall += scores.overall;
            self.number += 1;
            Ok(())
        })
    }
}

impl std::fmt::Debug for DnsmosMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DnsmosMeter").field("number", &self.number).finish_non_exhaustive()
    }
}
