//! Ogg with Opus, Vorbis or FLAC in it.
//!
//! symphonia's reader gives the packets of the page after a lost one the time of the lost one, and believes granule
//! positions that contradict the packets. Here each packet has the length that it has itself. Granule positions only say
//! where packets lie after a gap, and where the last one ends.

mod logical_stream;
mod mapping;
mod page;
mod reader;
mod timestamps;
mod vorbis_blocks;

pub(super) use self::reader::OggReader;

#[cfg(test)]
mod tests;
