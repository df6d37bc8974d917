//! Native FLAC: frames by their own headers and checksums.
//!
//! symphonia's reader loses up to half a second around a damaged byte, refuses frames whose format differs from
//! STREAMINFO, and cannot read a second stream in the same file. Here a frame begins with a valid header (CRC-8) and ends
//! where its CRC-16 matches. All other bytes are skipped, and the frame numbers give the positions.

mod bits;
mod frame_header;
mod frame_length;
mod frame_positions;
mod reader;
mod stream_info;

pub(super) use self::{frame_header::FrameHeader, reader::FlacReader, stream_info::StreamInfo};

#[cfg(test)]
mod tests;
