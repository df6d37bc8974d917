//! Native FLAC: frames by their own headers and checksums.
//!
//! symphonia's reader loses up to half a second around a damaged byte, refuses frames whose format differs from the
//! stream's header, and stops making sense of a file at a second stream. A frame here is what begins with a valid header
//! (CRC-8) and ends where its CRC-16 fits; everything else is passed over, and the frames' own numbers give their time.

mod bits;
mod frame_header;
mod frame_length;
mod frame_positions;
mod reader;
mod stream_info;

pub(super) use self::{frame_header::FrameHeader, reader::FlacReader, stream_info::StreamInfo};

#[cfg(test)]
mod tests;
