//! Runs one recording on several cores: a stage that decodes, a stage that resamples, and the caller, which analyses.
//!
//! Only hands blocks from stage to stage. Each stage does the same work in the same order as in a single thread, so the samples are equal to the bit.

use std::{
    panic::resume_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    AudioError, Decoder,
    channel_routing::{AudioBlock, ChannelRouter, Frames},
};

/// Blocks that a stage may be ahead of the next: enough to absorb differences in speed, few enough to stay small.
const AHEAD: usize = 4;

/// The minimum of samples in a decoded block, so that one transfer carries hundreds of packets.
const SAMPLES: usize = 1 << 16;

/// Interleaved samples of one rate.
#[derive(Default)]
struct Decoded {
    rate: u32,
    channels: usize,
    samples: Vec<f32>,
}

/// Decodes and resamples concurrently, and passes blocks of at least `len` samples at 16 kHz, and the rest, to `consume`.
/// Returns the time that each stage worked.
///
/// # Errors
/// Those of the decoder, after all blocks before them were consumed, and the first one of `consume`.
pub(super) fn run<E>(
    decoder: &mut Decoder,
    router: &mut ChannelRouter,
    len: usize,
    unreadable: impl Fn(AudioError) -> E,
    mut consume: impl FnMut(&AudioBlock) -> Result<(), E>,
) -> Result<(Duration, Duration), E> {
    thread::scope(|scope| {
        let (samples, decoded) = sync_channel(AHEAD);
        let (block, resampled) = sync_channel(AHEAD);
        let decoding = scope.spawn(move || decode(decoder, &samples));
        let resampling = scope.spawn(move || resample(router, &decoded, len, &block));
        // When this ends early, the channel is closed, and the stages before it end.
        let consumed = resampled.into_iter().try_for_each(|block: AudioBlock| consume(&block));
        let decoding = decoding.join().unwrap_or_else(|panic| resume_unwind(panic));
        let resampling = resampling.join().unwrap_or_else(|panic| resume_unwind(panic));
        consumed?;
        // A stage whose channel was closed returns without an error: the error is that of the other stage.
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
        let finished = block.is_none();
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
            return Ok(worked); // the next stage has ended
        }
        if finished {
            return Ok(worked);
        }
    }
}

fn resample(
    router: &mut ChannelRouter,
    input: &Receiver<Decoded>,
    len: usize,
    out: &SyncSender<AudioBlock>,
) -> Result<Duration, AudioError> {
    let mut worked = Duration::ZERO;
    let mut block = AudioBlock::default();
    for Decoded { rate, channels, samples } in input {
        let started = Instant::now();
        router.push(Frames { samples: &samples, channels, rate }, &mut block)?;
        worked += started.elapsed();
        if block.is_full(len) && out.send(block.take()).is_err() {
            return Ok(worked);
        }
    }
    let started = Instant::now();
    router.finish(&mut block)?;
    worked += started.elapsed();
    if !block.is_empty() {
        let _ = out.send(block);
    }
    Ok(worked)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use prepare_audio_types::ErrorCode;

    use crate::{
        AudioError, AudioStream, ChannelChoice, DecodeOptions, DecoderChoice, Excerpt, LocalFile, SegmentFormat,
        SegmentRate, SourceCut,
    };

    fn samples(path: &Path, parallel: bool, options: DecodeOptions) -> (Vec<Vec<u32>>, Vec<Excerpt>) {
        let (mut samples, mut excerpts) = (Vec::new(), Vec::new());
        let mut stream = AudioStream::open(&LocalFile::new(path), DecoderChoice::Symphonia, options).unwrap();
        let outcome = stream.for_each_block(
            1000,
            parallel,
            |error| error,
            |block| {
                let channels: Vec<_> = block.analysis.iter().chain(&block.output).collect();
                samples.resize(channels.len(), Vec::new());
                let bits = |channel: &[f32]| channel.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
                channels.iter().zip(&mut samples).for_each(|(channel, all)| all.extend(bits(channel)));
                excerpts.extend_from_slice(&block.excerpts);
                Ok(())
            },
        );
        outcome.unwrap();
        (samples, excerpts)
    }

    #[test]
    fn the_samples_are_the_same_to_the_bit() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech");
        let mut files = 0;
        for entry in folder.read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let cut = Some(SourceCut { rate: SegmentRate::Source, all_channels: true, format: SegmentFormat::Wav });
            let split = DecodeOptions { channels: ChannelChoice::Split, cut, excerpts: true };
            for options in [DecodeOptions::default(), split] {
                let serial = samples(&entry.path(), false, options);
                let parallel = samples(&entry.path(), true, options);
                assert!(!serial.0[0].is_empty() && serial == parallel, "{}", entry.path().display());
            }
            files += 1;
        }
        assert!(files > 10);
    }

    #[test]
    fn an_error_of_the_consumer_ends_the_stages() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech/pauses.wav");
        let mut stream =
            AudioStream::open(&LocalFile::new(path), DecoderChoice::Symphonia, DecodeOptions::default()).unwrap();
        let mut consumed = 0;
        let stopped = stream.for_each_block(
            1000,
            true,
            |_| "unreadable",
            |_| {
                consumed += 1;
                if consumed == 2 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((stopped, consumed), (Err("enough"), 2));
    }

    #[test]
    fn serial_and_parallel_report_the_same_errors() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bad");
        for entry in path.read_dir().unwrap().map(Result::unwrap) {
            let error = |parallel| -> Result<&'static str, ErrorCode> {
                let mut stream = AudioStream::open(
                    &LocalFile::new(entry.path()),
                    DecoderChoice::Symphonia,
                    DecodeOptions::default(),
                )
                .map_err(|error| error.code())?;
                let code = |error: AudioError| error.code();
                stream.for_each_block(1000, parallel, code, |_| Ok(())).map(|()| "fine")
            };
            assert_eq!(error(true), error(false), "{}", entry.path().display());
        }
    }
}
