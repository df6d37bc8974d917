//! One recording, heard to its end.

use std::path::Path;

use prepare_audio::audio::{DecoderChoice, PcmStream};

/// Samples at 16 kHz that are listened to at most: ten minutes. Silence packs well, and to go on is no news.
const MOST: u64 = 600 * 16_000;

/// Decodes and resamples the file at `path`, and looks at what comes out.
pub fn hear(path: impl AsRef<Path>) {
    let Ok(mut stream) = PcmStream::open(path.as_ref(), DecoderChoice::Symphonia) else { return };
    let promised = stream.promised_seconds();
    assert!(promised.is_none_or(|seconds| seconds >= 0.0), "a length of {promised:?}");
    let (mut pcm, mut heard) = (Vec::new(), 0);
    loop {
        let Ok(more) = stream.fill(&mut pcm, 16_000) else { return };
        assert!(pcm.iter().all(|sample| sample.is_finite()), "a sample that is no number");
        heard += pcm.len() as u64;
        pcm.clear();
        if !more || heard > MOST {
            break;
        }
    }
    let info = stream.info();
    assert!(heard == 0 || (1..=768_000).contains(&info.sample_rate), "{info:?}");
    assert!(heard == 0 || (1..=64).contains(&info.channels), "{info:?}");
}
