//! One recording, heard to its end.

use std::{
    collections::HashSet,
    panic,
    path::Path,
    process,
    sync::{Mutex, Once, PoisonError},
};

use prepare_audio::audio::{ChannelChoice, Cut, DecoderChoice, PcmStream, SegmentFormat, SegmentRate, Sound, Wanted, is_guarded};

/// Samples at 16 kHz that are listened to at most: ten minutes. Silence packs well, and to go on is no news.
const MOST: u64 = 600 * 16_000;

/// Panics that the decoder catches are told once for each place; all others end the fuzzer, which keeps the input.
fn tell_panics() {
    static ONCE: Once = Once::new();
    static TOLD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            if !is_guarded() {
                eprintln!("panic: {info}");
                process::abort();
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            if TOLD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(place) {
                eprintln!("caught: {info}");
            }
        }));
    });
}

/// Decodes and resamples the file at `path`, and looks at what comes out.
pub fn hear(path: impl AsRef<Path>) {
    tell_panics();
    // Each channel by itself, and the source as it is: the most that can be asked for.
    let cut = Some(Cut { rate: SegmentRate::Source, all_channels: true, format: SegmentFormat::Wav });
    let wanted = Wanted { channels: ChannelChoice::Split, cut };
    let Ok(mut stream) = PcmStream::open(path.as_ref(), DecoderChoice::Symphonia, wanted) else { return };
    let promised = stream.promised_seconds();
    assert!(promised.is_none_or(|seconds| seconds >= 0.0), "a length of {promised:?}");
    let (mut sound, mut heard) = (Sound::default(), 0);
    loop {
        let Ok(more) = stream.fill(&mut sound, 16_000) else { return };
        let all = sound.ears.iter().chain(&sound.cut).flatten();
        assert!(all.into_iter().all(|sample| sample.is_finite()), "a sample that is no number");
        heard += sound.len() as u64;
        sound.clear();
        if !more || heard > MOST {
            break;
        }
    }
    let info = stream.info();
    assert!(heard == 0 || (1..=768_000).contains(&info.sample_rate), "{info:?}");
    assert!(heard == 0 || (1..=64).contains(&info.channels), "{info:?}");
}
