//! The one place that calls libopus (in Rust, as c2rust translated it), behind an interface that cannot be misused.
#![allow(unsafe_code)] // libopus takes pointers: each is checked here, and what it made is freed once.

use unsafe_libopus::{
    OPUS_APPLICATION_AUDIO, OPUS_GET_LOOKAHEAD_REQUEST, OPUS_OK, OPUS_SET_BITRATE_REQUEST, OpusEncoder, OpusMSDecoder,
    opus_encode_float, opus_encoder_create, opus_encoder_ctl, opus_encoder_destroy, opus_multistream_decode_float,
    opus_multistream_decoder_create, opus_multistream_decoder_destroy, opus_strerror,
};

/// Opus always decodes to this rate here; whatever the source's was, its packets carry all rates.
pub(crate) const RATE: u32 = 48_000;

/// Frames of the longest packet: 120 ms.
pub(crate) const LONGEST: usize = 5_760;

/// How the channels of a packet are coded: first `coupled` stereo streams, then mono ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub streams: u8,
    pub coupled: u8,
    /// For each channel the coded one it is taken from; 255 is silence.
    pub mapping: Vec<u8>,
}

/// A decoder and its state.
pub(crate) struct LibOpus {
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

/// Packets of 20 ms: what libopus is best at.
const PACKETS_A_SECOND: u32 = 50;

/// Bytes of the largest packet that libopus makes of 20 ms.
const LARGEST: usize = 1_275;

/// An encoder and its state.
pub(crate) struct Encoder {
    state: *mut OpusEncoder,
    channels: usize,
    frame: usize,
    delay: usize,
}

impl Encoder {
    /// An encoder that keeps to what it hears (that for telephones takes low notes off); libopus says where it cannot be.
    pub fn new(rate: u32, channels: usize, bits_a_second: u32) -> Result<Self, String> {
        let count = i32::try_from(channels).map_err(|e| e.to_string())?;
        let hertz = i32::try_from(rate).map_err(|e| e.to_string())?;
        let bits = i32::try_from(bits_a_second).map_err(|e| e.to_string())?;
        let mut error = 0;
        // It takes numbers alone, and refuses what it does not know.
        let state = unsafe { opus_encoder_create(hertz, count, OPUS_APPLICATION_AUDIO, &mut error) };
        if state.is_null() {
            return Err(opus_strerror(error).to_owned());
        }
        let mut encoder = Self { state, channels, frame: (rate / PACKETS_A_SECOND) as usize, delay: 0 };
        let mut delay = 0_i32;
        // Not null; both requests take the one number that they get.
        let told = unsafe {
            match opus_encoder_ctl!(encoder.state, OPUS_SET_BITRATE_REQUEST, bits) {
                OPUS_OK => opus_encoder_ctl!(encoder.state, OPUS_GET_LOOKAHEAD_REQUEST, &mut delay),
                refused => refused,
            }
        };
        encoder.delay = usize::try_from(delay).map_err(|e| e.to_string())?;
        if told == OPUS_OK { Ok(encoder) } else { Err(opus_strerror(told).to_owned()) }
    }

    /// Frames of one packet.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Frames by which what comes out is late.
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// Encodes one packet's frames, interleaved.
    pub fn encode(&mut self, frame: &[f32]) -> Result<Vec<u8>, String> {
        if frame.len() != self.frame * self.channels {
            return Err("not the samples of one packet".into());
        }
        let mut packet = vec![0; LARGEST];
        // `frame` holds a packet's samples, `packet` has the room that libopus is told.
        let len = unsafe {
            let (samples, out) = (frame.as_ptr(), packet.as_mut_ptr());
            opus_encode_float(self.state, samples, self.frame as i32, out, LARGEST as i32)
        };
        packet.truncate(usize::try_from(len).map_err(|_| opus_strerror(len).to_owned())?);
        Ok(packet)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Made by `new`, not null, and nobody else has it.
        unsafe { opus_encoder_destroy(self.state) }
    }
}
