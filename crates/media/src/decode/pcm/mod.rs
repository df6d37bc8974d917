//! Demuxers of audio without packets of its own: WAV, AIFF, and samples without a header.

mod aiff;
mod oki_adpcm;
mod raw;
mod reader;
mod wav;
mod wav_chunks;

pub use self::raw::{RawEncoding, RawFormat};
pub(super) use self::{
    aiff::open as open_aiff, oki_adpcm::OkiAdpcmDecoder, raw::open as open_raw, wav::open as open_wav,
};
