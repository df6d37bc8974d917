//! Ogg with Opus, Vorbis or FLAC in it.
//!
//! symphonia's reader gives the packets after a lost page the time of that page, and trusts granule positions that
//! contradict the packets. Here the packets themselves give their lengths. Granule positions only decide the position after
//! a gap and the end of the last packet.

mod logical_stream;
mod mapping;
mod page;
mod reader;
mod timestamps;
mod vorbis_blocks;

pub(super) use self::reader::OggReader;

#[cfg(test)]
mod tests;
