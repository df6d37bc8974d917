//! One recording on several cores: a lane that decodes, one that resamples, and the caller, who listens.
//!
//! Each lane does just what it would do alone, in the same order, so the samples are the same to the bit.

use std::{
    panic::resume_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::{AudioError, Decoder, Resampler, pcm::adapt};

/// Blocks that a lane may be ahead of the next: enough to even out their paces, few enough to stay small.
const AHEAD: usize = 4;

/// Frames that a decoded block has at least: hundreds of packets cost one handing over.
const FRAMES: usize = 1 << 16;

/// Mono samples of one rate.
struct Mono {
    rate: u32,
    samples: Vec<f32>,
}

/// Decodes and resamples beside each other, and hands blocks of at least `len` samples at 16 kHz, and the rest, to
/// `listen`. Returns the time that each lane worked.
///
/// # Errors
/// Those of the decoder, after all before them was listened to, and the first one of `listen`.
pub(super) fn drive<E>(
    decoder: &mut Decoder,
    resampler: &mut Option<Resampler>,
    len: usize,
    unreadable: impl Fn(AudioError) -> E,
    mut listen: impl FnMut(&[f32]) -> Result<(), E>,
) -> Result<(Duration, Duration), E> {
    thread::scope(|scope| {
        let (mono, decoded) = sync_channel(AHEAD);
        let (pcm, resampled) = sync_channel(AHEAD);
        let decoding = scope.spawn(move || decode(decoder, &mono));
        let resampling = scope.spawn(move || resample(resampler, &decoded, len, &pcm));
        // When this ends early the channel goes, and with it the lanes behind it.
        let heard = resampled.into_iter().try_for_each(|block: Vec<f32>| listen(&block));
        let decoding = decoding.join().unwrap_or_else(|panic| resume_unwind(panic));
        let resampling = resampling.join().unwrap_or_else(|panic| resume_unwind(panic));
        heard?;
        Ok((decoding.map_err(&unreadable)?, resampling.map_err(&unreadable)?))
    })
}

fn decode(decoder: &mut Decoder, out: &SyncSender<Mono>) -> Result<Duration, AudioError> {
    let mut worked = Duration::ZERO;
    let mut ready = Mono { rate: 0, samples: Vec::new() };
    loop {
        let started = Instant::now();
        let block = decoder.next_block()?;
        let over = block.is_none();
        let mut full = None;
        if let Some(block) = block {
            if block.rate != ready.rate || ready.samples.len() >= FRAMES {
                let next = Mono { rate: block.rate, samples: Vec::with_capacity(FRAMES + FRAMES / 4) };
                full = Some(std::mem::replace(&mut ready, next));
            }
            block.downmix(&mut ready.samples);
        } else {
            full = Some(std::mem::replace(&mut ready, Mono { rate: 0, samples: Vec::new() }));
        }
        worked += started.elapsed();
        if let Some(full) = full.filter(|mono| !mono.samples.is_empty())
            && out.send(full).is_err()
        {
            return Ok(worked); // nobody listens any more
        }
        if over {
            return Ok(worked);
        }
    }
}

fn resample(
    resampler: &mut Option<Resampler>,
    input: &Receiver<Mono>,
    len: usize,
    out: &SyncSender<Vec<f32>>,
) -> Result<Duration, AudioError> {
    let mut worked = Duration::ZERO;
    let mut pcm = Vec::new();
    for Mono { rate, samples } in input {
        let started = Instant::now();
        adapt(resampler, rate, &mut pcm)?.push(&samples, &mut pcm);
        worked += started.elapsed();
        if pcm.len() >= len && out.send(std::mem::take(&mut pcm)).is_err() {
            return Ok(worked);
        }
    }
    let started = Instant::now();
    if let Some(resampler) = resampler {
        resampler.finish(&mut pcm);
    }
    worked += started.elapsed();
    if !pcm.is_empty() {
        let _ = out.send(pcm);
    }
    Ok(worked)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::audio::{AudioError, DecoderChoice, PcmStream};

    /// The samples and how many blocks they came in.
    fn samples(path: &Path, lanes: bool) -> (Vec<u32>, usize) {
        let (mut samples, mut blocks) = (Vec::new(), 0);
        let mut stream = PcmStream::open(path, DecoderChoice::Symphonia).unwrap();
        let heard = stream.each_block(
            1000,
            lanes,
            |error| error,
            |pcm| {
                samples.extend(pcm.iter().map(|sample| sample.to_bits()));
                blocks += 1;
                Ok(())
            },
        );
        heard.unwrap();
        (samples, blocks)
    }

    #[test]
    fn the_samples_are_the_same_to_the_bit() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech");
        let mut files = 0;
        for entry in folder.read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let (alone, _) = samples(&entry.path(), false);
            let (side_by_side, _) = samples(&entry.path(), true);
            assert!(!alone.is_empty() && alone == side_by_side, "{}", entry.path().display());
            files += 1;
        }
        assert!(files > 10);
    }

    #[test]
    fn who_stops_listening_stops_the_lanes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech/pauses.wav");
        let mut stream = PcmStream::open(&path, DecoderChoice::Symphonia).unwrap();
        let mut heard = 0;
        let stopped = stream.each_block(
            1000,
            true,
            |_| "unreadable",
            |_| {
                heard += 1;
                if heard == 2 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((stopped, heard), (Err("enough"), 2));
    }

    #[test]
    fn an_unreadable_file_is_told_by_either() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad");
        for entry in path.read_dir().unwrap().map(Result::unwrap) {
            let error = |lanes| -> Result<&'static str, &'static str> {
                let mut stream =
                    PcmStream::open(&entry.path(), DecoderChoice::Symphonia).map_err(|error| error.code())?;
                let code = |error: AudioError| error.code();
                stream.each_block(1000, lanes, code, |_| Ok(())).map(|()| "fine")
            };
            assert_eq!(error(true), error(false), "{}", entry.path().display());
        }
    }
}
