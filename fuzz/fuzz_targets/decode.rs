//! Any bytes as a recording: opened, decoded to their end, mixed down and resampled, as the program does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prepare_audio_fuzz::{ogg, recording, scratch};

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    // A page whose sum is wrong is passed over; so that what is in it is looked at, the sums are put right.
    ogg::mend(&mut bytes);
    recording::hear(scratch::file("decode", "bin", &bytes));
});
