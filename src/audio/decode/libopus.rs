//! The one place that calls libopus (in Rust, as c2rust translated it), behind an interface that cannot be misused.
#![allow(unsafe_code)] // libopus takes pointers: each is checked here, and its decoder is freed once.

use unsafe_libopus::{
    OpusMSDecoder, opus_multistream_decode_float, opus_multistream_decoder_create, opus_multistream_decoder_destroy,
    opus_strerror,
};

/// Opus always decodes to this rate here; whatever the source's was, its packets carry all rates.
pub(super) const RATE: u32 = 48_000;

/// Frames of the longest packet: 120 ms.
pub(super) const LONGEST: usize = 5_760;

/// How the channels of a packet are coded: first `coupled` stereo streams, then mono ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub streams: u8,
    pub coupled: u8,
    /// For each channel the coded one it is taken from; 255 is silence.
    pub mapping: Vec<u8>,
}

/// A decoder and its state.
pub(super) struct LibOpus {
    state: *mut OpusMSDecoder,
    channels: usize,
}

// The state is memory of its own that only `&mut self` reaches.
unsafe impl Send for LibOpus {}
unsafe impl Sync for LibOpus {}

impl LibOpus {
    /// A decoder for packets of this layout; libopus says where it cannot be.
    pub fn new(layout: &Layout) -> Result<Self, String> {
        let channels = layout.mapping.len();
        let count = i32::try_from(channels).map_err(|e| e.to_string())?;
        let (streams, coupled) = (i32::from(layout.streams), i32::from(layout.coupled));
        let mut error = 0;
        // The mapping has `count` entries; libopus refuses counts below 1 and above 255 before it reads them.
        let state = unsafe {
            let mapping = layout.mapping.as_ptr();
            opus_multistream_decoder_create(RATE as i32, count, streams, coupled, mapping, &mut error)
        };
        if state.is_null() { Err(opus_strerror(error).to_owned()) } else { Ok(Self { state, channels }) }
    }

    /// Decodes one packet into `pcm`, interleaved; returns its frames.
    pub fn decode(&mut self, packet: &[u8], pcm: &mut Vec<f32>) -> Result<usize, String> {
        let len = i32::try_from(packet.len()).ok().filter(|&len| len > 0).ok_or("a packet of no or absurd length")?;
        pcm.resize(LONGEST * self.channels, 0.0);
        // `packet` has `len` bytes, `pcm` room for LONGEST frames, and libopus writes no more than it is told.
        let frames = unsafe {
            opus_multistream_decode_float(self.state, packet.as_ptr(), len, pcm.as_mut_ptr(), LONGEST as i32, 0)
        };
        let frames = usize::try_from(frames).map_err(|_| opus_strerror(frames).to_owned())?.min(LONGEST);
        pcm.truncate(frames * self.channels);
        Ok(frames)
    }
}

impl Drop for LibOpus {
    fn drop(&mut self) {
        // Made by `new`, not null, and nobody else has it.
        unsafe { opus_multistream_decoder_destroy(self.state) }
    }
}
