//! From a file's bytes to mono samples at 16 kHz, and from samples back to a file.

mod decode;
mod encode;
mod error;
mod lanes;
mod overlap;
mod pcm;
mod resample;

pub use decode::{Block, Damage, Decoder, DecoderChoice, SourceInfo, find_ffmpeg, probe_seconds};
pub use encode::{Written, hash_file, to_pcm16, write_wav};
pub use error::{AudioError, NoFile};
pub use pcm::PcmStream;
pub use resample::{Resampler, resampled_len};
