//! One recording under way: what its ears hear, and what is cut of it.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    cuts::{Cuts, Piece},
    cutter::{CutError, Cutter},
    ear::Ear,
    level::Level,
    source_tape::SourceTape,
    tape::Tape,
};
use crate::{
    audio::{ChannelChoice, SegmentFiles, Sound, Spec},
    output::Staging,
    vad::{Chunk, Parameters, Segmenter},
};

/// Bytes of what is heard that are kept in memory, of all channels together, and as many of what is cut from: 4 min of
/// one channel at 16 kHz. Segments are rarely longer; an hour of speech without a pause, or music that is taken for it,
/// goes to the disk until it is cut.
const IN_MEMORY: usize = 8 << 20;

/// How recordings are cut.
#[derive(Clone)]
pub(super) struct Manner {
    pub channels: ChannelChoice,
    /// How segments are written; none where only rows are wanted.
    pub files: Option<SegmentFiles>,
    pub parameters: Parameters,
    pub segmenter: Segmenter,
}

/// A recording that is being cut.
pub(super) struct Session<'e> {
    channels: ChannelChoice,
    files: Option<SegmentFiles>,
    cutters: Vec<Cutter<'e>>,
    /// What segments are cut from: one for each cutter, or one for all. None where that is what the cutters hear.
    tapes: Vec<SourceTape>,
    /// Pieces that are decided, with their cutters, whose frames are not on the tape yet: each way through a resampler
    /// has a delay of its own.
    waiting: VecDeque<(usize, Piece)>,
    cuts: Cuts,
    vad_time: Duration,
}

/// A recording that was cut.
pub(super) struct Done {
    /// Its length at 16 kHz.
    pub samples: u64,
    pub cuts: Cuts,
    /// The probabilities of all windows, one ear's after the other's.
    pub heard: Vec<f32>,
    pub vad_time: Duration,
}

impl<'e> Session<'e> {
    /// Begins with as many ears as `sound`, the first of the recording, has. `depth` is how many bits the source's
    /// samples have, where that is known.
    pub fn new(manner: &Manner, ears: Vec<Ear<'e>>, sound: &Sound, depth: Option<u32>, staging: Staging) -> Self {
        let folder = staging.root().to_owned();
        let Manner { channels, files, parameters, segmenter } = manner;
        let bytes = IN_MEMORY / ears.len().max(1);
        let cutter = |ear| {
            let tape = Tape::new(folder.clone(), bytes);
            Cutter::new(ear, segmenter.clone(), parameters, tape)
        };
        Self {
            channels: *channels,
            files: *files,
            cutters: ears.into_iter().map(cutter).collect(),
            tapes: files.map_or(Vec::new(), |files| tapes(&files, sound, depth, &folder)),
            waiting: VecDeque::new(),
            cuts: Cuts::new(staging, parameters.merge_to_s.is_some()),
            vad_time: Duration::ZERO,
        }
    }

    /// Samples listened to so far.
    pub fn samples(&self) -> u64 {
        self.cutters.first().map_or(0, Cutter::samples)
    }

    /// Listens to the next samples and writes the segments that they decide.
    pub fn listen(&mut self, sound: &Sound) -> Result<(), CutError> {
        self.record(sound)?;
        for (ear, pcm) in sound.ears.iter().enumerate().take(self.cutters.len()) {
            let start = Instant::now();
            let chunks = self.cutters[ear].listen(pcm)?;
            self.vad_time += start.elapsed();
            chunks.into_iter().try_for_each(|chunk| self.place(ear, chunk))?;
        }
        self.write_waiting(false)?;
        self.forget();
        Ok(())
    }

    /// Ends the recording: what is still open is decided and written. Returns nothing where what was remembered belongs
    /// to other audio.
    pub fn finish(mut self) -> Result<Option<Done>, CutError> {
        let samples = self.samples();
        let mut heard = Vec::new();
        for ear in 0..self.cutters.len() {
            let start = Instant::now();
            let Some(chunks) = self.cutters[ear].finish()? else { return Ok(None) };
            self.vad_time += start.elapsed();
            chunks.into_iter().try_for_each(|chunk| self.place(ear, chunk))?;
            heard.extend_from_slice(self.cutters[ear].heard());
        }
        self.write_waiting(true)?;
        Ok(Some(Done { samples, cuts: self.cuts, heard, vad_time: self.vad_time }))
    }

    /// Keeps what segments are cut from.
    fn record(&mut self, sound: &Sound) -> io::Result<()> {
        match self.tapes.as_mut_slice() {
            [all] => all.record(&sound.cut),
            each => each.iter_mut().zip(sound.cut.chunks(1)).try_for_each(|(tape, one)| tape.record(one)),
        }
    }

    /// Writes a chunk, or has it wait for its frames.
    fn place(&mut self, ear: usize, chunk: Chunk) -> io::Result<()> {
        let channel = self.channels.number(ear);
        let (start, end) = (chunk.speech.start, chunk.speech.end);
        if let (Some(memory), Some(files)) = (self.cutters[ear].memory(), self.files)
            && self.cuts.reuse(&chunk, channel, memory, files.format.name())?
        {
            return Ok(());
        }
        let tape = self.cutters[ear].tape();
        let piece = Piece { channel, level_dbfs: Level::of(tape.play(start, end))?.dbfs(), chunk };
        match self.files {
            None => self.cuts.note(&piece),
            Some(files) if self.tapes.is_empty() => {
                let spec = Spec::heard(files.format, files.opus_bitrate);
                self.cuts.write(&piece, &spec, end - start, tape.play(start, end))?;
            }
            Some(_) => self.waiting.push_back((ear, piece)),
        }
        Ok(())
    }

    /// Writes the pieces whose frames have come; at the end of the recording all.
    fn write_waiting(&mut self, all: bool) -> io::Result<()> {
        for (ear, piece) in std::mem::take(&mut self.waiting) {
            let tape = &self.tapes[ear.min(self.tapes.len() - 1)];
            let (start, end) = (piece.chunk.speech.start, piece.chunk.speech.end);
            if !all && !tape.reaches(end) {
                self.waiting.push_back((ear, piece));
                continue;
            }
            let (frames, blocks) = tape.play(start, end);
            self.cuts.write(&piece, tape.spec(), frames, blocks)?;
        }
        Ok(())
    }

    /// Lets go of what no segment needs any more.
    fn forget(&mut self) {
        self.cutters.iter_mut().for_each(Cutter::forget);
        let last = self.tapes.len().saturating_sub(1);
        for (n, tape) in self.tapes.iter_mut().enumerate() {
            let to_come = self.cutters.iter().enumerate().map(|(ear, cutter)| (ear, cutter.needed_from()));
            let decided = self.waiting.iter().map(|(ear, piece)| (*ear, piece.chunk.speech.start));
            let needed = to_come.chain(decided).filter(|(ear, _)| (*ear).min(last) == n).map(|(_, from)| from).min();
            if let Some(needed) = needed {
                tape.forget_before(needed);
            }
        }
    }
}

fn tapes(files: &SegmentFiles, sound: &Sound, depth: Option<u32>, folder: &Path) -> Vec<SourceTape> {
    let Some(cut) = files.cut() else { return Vec::new() };
    let bits = if files.keeps_depth() && depth.is_some_and(|bits| bits > 16) { 24 } else { 16 };
    let spec = |channels| Spec {
        format: files.format,
        rate: sound.cut_rate,
        channels,
        bits,
        opus_bitrate: files.opus_bitrate,
    };
    let tapes = if cut.all_channels { 1 } else { sound.cut.len() };
    let channels = if cut.all_channels { sound.cut.len() } else { 1 };
    let tape = |_| SourceTape::new(spec(channels), folder.to_owned(), IN_MEMORY / tapes.max(1));
    (0..tapes).map(tape).collect()
}
