//! One recording on several cores: a lane that decodes, one that resamples, and the caller, who listens.
//!
//! Each lane does just what it would do alone, in the same order, so the samples are the same to the bit.

use std::{
    panic::resume_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    AudioError, Decoder,
    front::{Frames, Front, Sound},
};

/// Blocks that a lane may be ahead of the next: enough to even out their paces, few enough to stay small.
const AHEAD: usize = 4;

/// Samples that a decoded block has at least: hundreds of packets cost one handing over.
const SAMPLES: usize = 1 << 16;

/// Interleaved samples of one rate.
#[derive(Default)]
struct Decoded {
    rate: u32,
    channels: usize,
    samples: Vec<f32>,
}

/// Decodes and resamples beside each other, and hands blocks of at least `len` samples at 16 kHz, and the rest, to
/// `listen`. Returns the time that each lane worked.
///
/// # Errors
/// Those of the decoder, after all before them was listened to, and the first one of `listen`.
pub(super) fn drive<E>(
    decoder: &mut Decoder,
    front: &mut Front,
    len: usize,
    unreadable: impl Fn(AudioError) -> E,
    mut listen: impl FnMut(&Sound) -> Result<(), E>,
) -> Result<(Duration, Duration), E> {
    thread::scope(|scope| {
        let (samples, decoded) = sync_channel(AHEAD);
        let (sound, resampled) = sync_channel(AHEAD);
        let decoding = scope.spawn(move || decode(decoder, &samples));
        let resampling = scope.spawn(move || resample(front, &decoded, len, &sound));
        // When this ends early the channel goes, and with it the lanes behind it.
        let heard = resampled.into_iter().try_for_each(|sound: Sound| listen(&sound));
        let decoding = decoding.join().unwrap_or_else(|panic| resume_unwind(panic));
        let resampling = resampling.join().unwrap_or_else(|panic| resume_unwind(panic));
        heard?;
        // A lane that was left by the one behind it ends well: the fault is the other's.
        let resampling = resampling.map_err(&unreadable)?;
        Ok((decoding.map_err(&unreadable)?, resampling))
    })
}

fn decode(decoder: &mut Decoder, out: &SyncSender<Decoded>) -> Result<Duration, AudioError> {
    let mut worked = Duration::ZERO;
    let mut ready = Decoded::default();
    loop {
        let started = Instant::now();
        let block = decoder.next_block()?;
        let over = block.is_none();
        let mut full = None;
        if let Some(block) = block {
            let (rate, channels) = (block.rate, block.channels());
            if (rate, channels) != (ready.rate, ready.channels) || ready.samples.len() >= SAMPLES {
                let next = Decoded { rate, channels, samples: Vec::with_capacity(SAMPLES + SAMPLES / 4) };
                full = Some(std::mem::replace(&mut ready, next));
            }
            ready.samples.extend_from_slice(block.samples());
        } else {
            full = Some(std::mem::take(&mut ready));
        }
        worked += started.elapsed();
        if let Some(full) = full.filter(|decoded| !decoded.samples.is_empty())
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
    front: &mut Front,
    input: &Receiver<Decoded>,
    len: usize,
    out: &SyncSender<Sound>,
) -> Result<Duration, AudioError> {
    let mut worked = Duration::ZERO;
    let mut sound = Sound::default();
    for Decoded { rate, channels, samples } in input {
        let started = Instant::now();
        front.push(Frames { samples: &samples, channels, rate }, &mut sound)?;
        worked += started.elapsed();
        if sound.is_full(len) && out.send(sound.take()).is_err() {
            return Ok(worked);
        }
    }
    let started = Instant::now();
    front.finish(&mut sound);
    worked += started.elapsed();
    if !sound.is_empty() {
        let _ = out.send(sound);
    }
    Ok(worked)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::audio::{AudioError, ChannelChoice, Cut, DecoderChoice, PcmStream, SegmentFormat, SegmentRate, Wanted};

    /// The samples and how many blocks they came in.
    fn samples(path: &Path, lanes: bool, wanted: Wanted) -> (Vec<Vec<u32>>, usize) {
        let (mut samples, mut blocks) = (Vec::new(), 0);
        let mut stream = PcmStream::open(path, DecoderChoice::Symphonia, wanted).unwrap();
        let heard = stream.each_block(
            1000,
            lanes,
            |error| error,
            |sound| {
                let channels: Vec<_> = sound.ears.iter().chain(&sound.cut).collect();
                samples.resize(channels.len(), Vec::new());
                let bits = |channel: &[f32]| channel.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
                channels.iter().zip(&mut samples).for_each(|(channel, all)| all.extend(bits(channel)));
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
            let cut = Some(Cut { rate: SegmentRate::Source, all_channels: true, format: SegmentFormat::Wav });
            for wanted in [Wanted::default(), Wanted { channels: ChannelChoice::Split, cut }] {
                let (alone, _) = samples(&entry.path(), false, wanted);
                let (side_by_side, _) = samples(&entry.path(), true, wanted);
                assert!(!alone[0].is_empty() && alone == side_by_side, "{}", entry.path().display());
            }
            files += 1;
        }
        assert!(files > 10);
    }

    #[test]
    fn who_stops_listening_stops_the_lanes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech/pauses.wav");
        let mut stream = PcmStream::open(&path, DecoderChoice::Symphonia, Wanted::default()).unwrap();
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
                let mut stream = PcmStream::open(&entry.path(), DecoderChoice::Symphonia, Wanted::default())
                    .map_err(|error| error.code())?;
                let code = |error: AudioError| error.code();
                stream.each_block(1000, lanes, code, |_| Ok(())).map(|()| "fine")
            };
            assert_eq!(error(true), error(false), "{}", entry.path().display());
        }
    }
}
