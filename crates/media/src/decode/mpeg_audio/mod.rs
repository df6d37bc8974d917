//! Demuxer for bare MPEG audio (layers 1 to 3 of MPEG 1, 2 and 2.5) and AAC in ADTS.
//!
//! Written from ISO/IEC 11172-3, 13818-3 and 13818-7 and the descriptions of the Xing, LAME and VBRI headers. Time stamps
//! stay right after damage: skipped bytes that are not a tag count as the frames that they held. A change of format, and a
//! second recording with its own Xing or VBRI header, begin a new part.

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
