//! Decodes one recording to its end.

use std::{
    collections::HashSet,
    panic,
    process,
    sync::{Mutex, Once, PoisonError},
};

use prepare_audio::media::{
    AudioBlock, AudioStream, ChannelChoice, DecodeOptions, DecoderChoice, MemoryInput, SegmentFormat, SegmentRate,
    SourceCut, catches_panics,
};

/// The maximum of samples at 16 kHz that are decoded: ten minutes. More of the same tests nothing new.
const MAX_SAMPLES: u64 = 600 * 16_000;

/// Panics that the decoder catches are reported once for each location; all others end the fuzzer, which keeps the
/// input.
fn report_panics() {
    static ONCE: Once = Once::new();
    static REPORTED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            if !catches_panics() {
                eprintln!("panic: {info}");
                process::abort();
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            if REPORTED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(place) {
                eprintln!("caught: {info}");
            }
        }));
    });
}

/// Decodes and resamples `bytes` as a recording, and checks the samples.
pub fn decode(bytes: Vec<u8>) {
    report_panics();
    // Each channel by itself, and the source as it is: this runs the most code.
    let cut = Some(SourceCut { rate: SegmentRate::Source, all_channels: true, format: SegmentFormat::Wav });
    let options = DecodeOptions { channels: ChannelChoice::Split, cut, excerpts: true };
    let Ok(mut stream) = AudioStream::open(&MemoryInput::new("fuzz.bin", bytes), DecoderChoice::Symphonia, options) else { return };
    let declared = stream.declared_seconds();
    assert!(declared.is_none_or(|seconds| seconds >= 0.0), "a length of {declared:?}");
    let (mut block, mut samples) = (AudioBlock::default(), 0);
    loop {
        let Ok(more) = stream.fill(&mut block, 16_000) else { return };
        let all = block.analysis.iter().chain(&block.output).flatten();
        assert!(all.into_iter().all(|sample| sample.is_finite()), "a sample is not a finite number");
        samples += block.len() as u64;
        block.clear();
        if !more || samples > MAX_SAMPLES {
            break;
        }
    }
    let info = stream.info();
    assert!(samples == 0 || (1..=768_000).contains(&info.sample_rate), "{info:?}");
    assert!(samples == 0 || (1..=64).contains(&info.channels), "{info:?}");
}
