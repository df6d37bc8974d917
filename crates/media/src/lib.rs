//! Decodes recordings to 16 kHz blocks for a speech detector, and encodes segments as WAV, FLAC or Opus.
//!
//! [`MediaInput`] is where a recording's bytes come from. [`Decoder`] reads any format: through symphonia, or through an
//! `ffmpeg` on the machine. [`AudioStream`] adds channel
//! routing, downmix and resampling. [`write_segment`] encodes a segment. Nothing here depends on a detector or a database.

mod audio_stream;
mod channel_choice;
mod channel_routing;
mod decode;
mod downmix;
mod dual_mono;
mod encode;
mod error;
mod excerpts;
pub mod fft;
mod input;
mod libopus;
mod live_converter;
mod resample;
mod stages;

pub use audio_stream::AudioStream;
pub use channel_choice::ChannelChoice;
pub use channel_routing::{AudioBlock, DecodeOptions};
pub use decode::{
    Block, Damage, Decoder, DecoderChoice, NoSuchTrack, OpenOptions, RawEncoding, RawFormat, SourceInfo, TrackChoice,
    TrackInfo, catches_panics, find_ffmpeg, probe_seconds,
};
pub use dual_mono::is_dual_mono;
pub use encode::{
    EncodeError, OPUS_RATES, Sample, SegmentFileSettings, SegmentFormat, SegmentRate, SegmentSpec, SourceCut,
    WrittenFile, encode_segment, hash_file, to_pcm16, to_pcm24, write_segment,
};
pub use error::{AudioError, NotAFile};
pub use excerpts::Excerpt;
pub use input::{LocalFile, MediaInput, MediaRead, MemoryInput};
pub use live_converter::LiveConverter;
pub use resample::{Resampler, ResamplerError, resampled_len};
