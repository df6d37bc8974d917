//! Decodes small files with header fields that the fuzzer chooses, in each container that has a header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prepare_audio_fuzz::{heads, recording};

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = heads::file(data) {
        recording::decode(bytes);
    }
});
