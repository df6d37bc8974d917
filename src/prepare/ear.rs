//! Where the probabilities of the next windows come from.

use super::memory::Memory;
use crate::vad::{Listener, VadError, WINDOW};

/// Listens to the samples, or remembers what was heard in them.
pub(super) enum Ear<'a> {
    Listener(&'a mut Listener),
    Memory { memory: &'a Memory<'a>, samples: u64, given: usize },
}

impl<'a> Ear<'a> {
    pub fn listening(listener: &'a mut Listener) -> Self {
        listener.reset();
        Self::Listener(listener)
    }

    pub fn remembering(memory: &'a Memory<'a>) -> Self {
        Self::Memory { memory, samples: 0, given: 0 }
    }

    /// What is known of the recording.
    pub fn memory(&self) -> Option<&'a Memory<'a>> {
        match self {
            Self::Listener(_) => None,
            Self::Memory { memory, .. } => Some(memory),
        }
    }

    /// Takes the next samples; adds the probabilities of the windows that are whole now.
    pub fn push(&mut self, pcm: &[f32], probabilities: &mut Vec<f32>) -> Result<(), VadError> {
        match self {
            Self::Listener(listener) => listener.push(pcm, probabilities)?,
            Self::Memory { memory, samples, given } => {
                *samples += pcm.len() as u64;
                let whole = ((*samples / WINDOW as u64) as usize).clamp(*given, memory.probabilities.len());
                probabilities.extend_from_slice(&memory.probabilities[*given..whole]);
                *given = whole;
            }
        }
        Ok(())
    }

    /// Ends the recording; adds the probability of the last window. `false` means that these were not the samples that
    /// are remembered.
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) -> Result<bool, VadError> {
        Ok(match self {
            Self::Listener(listener) => {
                listener.finish(probabilities)?;
                true
            }
            Self::Memory { memory, samples, given } => {
                probabilities.extend_from_slice(&memory.probabilities[*given..]);
                let windows = samples.div_ceil(WINDOW as u64) as usize;
                *samples == memory.known.samples as u64 && windows == memory.probabilities.len()
            }
        })
    }
}
