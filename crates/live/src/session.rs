//! One recording that arrives frame by frame.

use std::io;

use crate::{AudioFormat, DetectionError, Detector, Frame, Numbered, Refusal, SessionKey, Spool, WavSpool};

/// Why a frame was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The frame is not what comes next. The session goes on.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The storage failed. Nothing of the frame was stored, so that it may be sent again.
    #[error("storing the frame: {0}")]
    Storage(#[from] io::Error),
}

/// A recording that arrives: its spool, and what was found in it.
///
/// ```
/// # use prepare_audio_live::*;
/// # struct Memory(Vec<u8>);
/// # impl Spool for Memory {
/// #     fn append(&mut self, audio: &[u8]) -> std::io::Result<()> { self.0.extend_from_slice(audio); Ok(()) }
/// # }
/// use prepare_audio_vad::{Engine, EngineChoice, Device, ModelFile, Parameters};
///
/// let engine = Engine::open(ModelFile::bundled()?, EngineChoice::Auto, Device::Cpu)?;
/// let format = AudioFormat::default();
/// let detector = Detector::new(&engine, &Parameters::default(), format, None)?;
/// let mut session = Session::new("s1", "call 7", format, Memory(Vec::new()), detector);
///
/// let mut events = Vec::new();
/// let second = [0; 32_000];
/// session.receive(&Frame::bare(&second))?; // stored: it may be acknowledged
/// assert_eq!(session.next_sample(), 16_000);
/// session.detect(&mut events)?;
/// session.finish(&mut events)?;
/// assert!(events.is_empty()); // silence
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session<S> {
    id: String,
    audio_id: String,
    format: AudioFormat,
    key: Option<SessionKey>,
    /// The greatest length, seconds.
    max_seconds: Option<u64>,
    spool: S,
    detector: Detector,
    /// Samples of each channel that are stored.
    stored: u64,
    /// Stored audio that the detector has not received yet.
    unanalysed: Vec<u8>,
}

impl<S: Spool> Session<S> {
    /// A recording of which nothing has arrived. `id` and `audio_id` are part of what frames' codes authenticate.
    pub fn new(
        id: impl Into<String>,
        audio_id: impl Into<String>,
        format: AudioFormat,
        spool: S,
        detector: Detector,
    ) -> Self {
        Self {
            id: id.into(),
            audio_id: audio_id.into(),
            format,
            key: None,
            max_seconds: None,
            spool,
            detector,
            stored: 0,
            unanalysed: Vec::new(),
        }
    }

    /// Takes only frames that are numbered and authenticated under this key.
    pub fn with_key(mut self, key: Option<SessionKey>) -> Self {
        self.key = key;
        self
    }

    /// Takes no more audio than this, in seconds.
    pub fn with_max_seconds(mut self, seconds: u64) -> Self {
        self.max_seconds = Some(seconds);
        self
    }

    /// The number of the sample that is expected next: as many are stored.
    pub fn next_sample(&self) -> u64 {
        self.stored
    }

    /// The format of its frames.
    pub fn format(&self) -> &AudioFormat {
        &self.format
    }

    /// Where its audio is stored.
    pub fn spool(&self) -> &S {
        &self.spool
    }

    /// The same, to complete it.
    pub fn spool_mut(&mut self) -> &mut S {
        &mut self.spool
    }

    /// Leaves its spool.
    pub fn into_spool(self) -> S {
        self.spool
    }

    /// Checks a frame and stores it. When this returns, it may be acknowledged.
    ///
    /// # Errors
    /// [`ReceiveError`]. The session is as it was before.
    pub fn receive(&mut self, frame: &Frame<'_>) -> Result<(), ReceiveError> {
        self.check(frame)?;
        self.spool.append(frame.audio)?;
        self.stored += (frame.audio.len() / self.format.block_align()) as u64;
        self.unanalysed.extend_from_slice(frame.audio);
        Ok(())
    }

    fn check(&self, frame: &Frame<'_>) -> Result<(), Refusal> {
        if frame.audio_id.is_some_and(|id| id != self.audio_id) {
            return Err(Refusal::WrongAudioId);
        }
        if let Some(key) = &self.key {
            let (number, mac) = frame.number.zip(frame.mac).ok_or(Refusal::MacRequired)?;
            if !key.verifies(&self.id, &self.audio_id, number, frame.audio, mac) {
                return Err(Refusal::WrongMac);
            }
        }
        let (bytes, block) = (frame.audio.len(), self.format.block_align());
        if bytes == 0 {
            return Err(Refusal::Empty);
        }
        if !bytes.is_multiple_of(block) {
            return Err(Refusal::PartialSample { bytes, block });
        }
        let (number, next) = (frame.number.unwrap_or(self.stored), self.stored);
        if number != next {
            return Err(if number < next { Refusal::Repeated { number, next } } else { Refusal::Gap { number, next } });
        }
        let max = self.max_seconds.map(|seconds| (seconds, seconds.saturating_mul(self.format.sample_rate.into())));
        match max {
            Some((seconds, max)) if next + (bytes / block) as u64 > max => Err(Refusal::TooLong { seconds }),
            _ => Ok(()),
        }
    }

    /// Looks for speech in what was stored since the last call, and appends what has become certain.
    ///
    /// # Errors
    /// [`DetectionError`]. The audio is stored all the same.
    pub fn detect(&mut self, events: &mut Vec<Numbered>) -> Result<(), DetectionError> {
        let pushed = self.detector.push(&self.unanalysed, events);
        self.unanalysed.clear();
        pushed
    }

    /// Ends the recording: appends what is still open. Its spool is left to the caller.
    ///
    /// # Errors
    /// [`DetectionError`].
    pub fn finish(&mut self, events: &mut Vec<Numbered>) -> Result<(), DetectionError> {
        self.detect(events)?;
        self.detector.finish(events)
    }
}

impl Session<WavSpool> {
    /// Goes on with what is in the spool, as after the process was killed. Appends all events so far: they have the numbers
    /// that they had before.
    ///
    /// # Errors
    /// [`DetectionError`].
    pub fn resume(mut self, events: &mut Vec<Numbered>) -> Result<Self, DetectionError> {
        let Self { spool, detector, stored, .. } = &mut self;
        spool.replay(|audio| detector.push(audio, events))?;
        *stored = spool.samples();
        Ok(self)
    }
}
