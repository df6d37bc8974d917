//! Demuxer for bare MPEG audio (layers 1 to 3 of MPEG 1, 2 and 2.5) and AAC in ADTS.
//!
//! Written from ISO/IEC 11172-3, 13818-3 and 13818-7 and the descriptions of the Xing, LAME and VBRI headers. Time stamps
//! stay right where bytes are damaged: what is passed over and is no tag counts as the frames that it held. A change of
//! format, and a second recording with a header of its own, begin a new part.

mod adts;
mod frame_header;
mod frames;
mod gaps;
mod part;
mod probe;
mod reader;
mod tags;
#[cfg(test)]
mod tests;
mod window;

pub(super) use self::reader::MpegAudioReader;
