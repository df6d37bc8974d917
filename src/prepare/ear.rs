//! Where the probabilities of the next windows come from.

use super::memory::Memory;
use crate::vad::{Engine, Listener, VadError, WINDOW};

/// Listens to the samples, or remembers what was heard in them.
pub(super) enum Ear<'a> {
    Listener(&'a mut Listener),
    Memory { memory: &'a Memory<'a>, track: &'a [f32], samples: u64, given: usize },
}

/// Where a recording's ears come from.
pub(super) enum Ears<'a> {
    /// From a worker's listeners, which are made as they are needed.
    Listening(&'a Engine, &'a mut Vec<Listener>),
    Remembering(&'a Memory<'a>),
}

impl<'a> Ears<'a> {
    /// What is known of the recording.
    pub fn memory(&self) -> Option<&'a Memory<'a>> {
        match self {
            Self::Listening(..) => None,
            Self::Remembering(memory) => Some(memory),
        }
    }

    /// So many ears. `None` where another number of them is remembered: it was other audio.
    ///
    /// # Errors
    /// Where no more listeners can be made.
    pub fn make(self, count: usize) -> Result<Option<Vec<Ear<'a>>>, VadError> {
        match self {
            Self::Listening(engine, listeners) => {
                while listeners.len() < count {
                    listeners.push(engine.listener()?);
                }
                Ok(Some(listeners.iter_mut().take(count).map(Ear::listening).collect()))
            }
            Self::Remembering(memory) if memory.tracks.len() != count => Ok(None),
            Self::Remembering(memory) => {
                Ok(Some(memory.tracks.iter().map(|track| Ear::remembering(memory, track)).collect()))
            }
        }
    }
}

impl<'a> Ear<'a> {
    fn listening(listener: &'a mut Listener) -> Self {
        listener.reset();
        Self::Listener(listener)
    }

    fn remembering(memory: &'a Memory<'a>, track: &'a [f32]) -> Self {
        Self::Memory { memory, track, samples: 0, given: 0 }
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
            Self::Memory { track, samples, given, .. } => {
                *samples += pcm.len() as u64;
                let whole = ((*samples / WINDOW as u64) as usize).clamp(*given, track.len());
                probabilities.extend_from_slice(&track[*given..whole]);
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
            Self::Memory { memory, track, samples, given } => {
                probabilities.extend_from_slice(&track[*given..]);
                let windows = samples.div_ceil(WINDOW as u64) as usize;
                *samples == memory.known.samples as u64 && windows == track.len()
            }
        })
    }
}
