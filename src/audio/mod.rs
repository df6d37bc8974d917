//! From a file's bytes to samples, at 16 kHz to be listened to, and from samples back to a file.

mod alike;
mod channels;
mod decode;
mod encode;
mod error;
mod front;
mod lanes;
mod libopus;
mod mixer;
mod overlap;
mod pcm;
mod resample;

pub use alike::channels_alike;
pub use channels::ChannelChoice;
pub use decode::{Block, Damage, Decoder, DecoderChoice, SourceInfo, find_ffmpeg, is_guarded, probe_seconds};
pub use encode::{
    Cut, OPUS_RATES, Sample, SegmentFiles, SegmentFormat, SegmentRate, Spec, Written, hash_file, to_pcm16, to_pcm24,
    write_segment,
};
pub use error::{AudioError, NoFile};
pub use front::{Sound, Wanted};
pub use pcm::PcmStream;
pub use resample::{Resampler, resampled_len};
