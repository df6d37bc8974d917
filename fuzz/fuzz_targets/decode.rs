//! Decodes and resamples any bytes as a recording, as the program does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prepare_audio_fuzz::{ogg, recording};

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    // A page with a wrong checksum is skipped. The checksums are corrected, so that the content is decoded.
    ogg::fix_checksums(&mut bytes);
    recording::decode(bytes);
});
