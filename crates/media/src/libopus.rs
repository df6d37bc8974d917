//! A safe interface to libopus (translated to Rust by c2rust). No other module calls it.
#![allow(unsafe_code)] // libopus takes pointers. Each is checked here, and each state is freed once.

use unsafe_libopus::{
    OPUS_APPLICATION_AUDIO, OPUS_GET_LOOKAHEAD_REQUEST, OPUS_OK, OPUS_SET_BITRATE_REQUEST, OpusEncoder, OpusMSDecoder,
    opus_encode_float, opus_encoder_create, opus_encoder_ctl, opus_encoder_destroy, opus_multistream_decode_float,
    opus_multistream_decoder_create, opus_multistream_decoder_destroy, opus_strerror,
};

/// The rate in Hz to which Opus is decoded. It is independent of the source's rate.
pub(crate) const RATE: u32 = 48_000;

/// Frames of the longest packet: 120 ms.
pub(crate) const LONGEST: usize = 5_760;

/// The layout of a packet's streams: first `coupled` stereo streams, then mono streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub streams: u8,
    pub coupled: u8,
    /// For each channel the decoded channel that it is taken from; 255 is silence.
    pub mapping: Vec<u8>,
}

/// A decoder and its state.
pub(crate) struct LibOpus {
    state: *mut OpusMSDecoder,
    channels: usize,
}

// The state is a separate allocation, which is only accessed through `&mut self`.
unsafe impl Send for LibOpus {}
unsafe impl Sync for LibOpus {}

impl LibOpus {
    /// A decoder for packets of this layout.
    ///
    /// # Errors
    /// libopus's message, if the layout is invalid.
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

    /// Decodes one packet into `pcm`, interleaved, and returns the number of frames.
    pub fn decode(&mut self, packet: &[u8], pcm: &mut Vec<f32>) -> Result<usize, String> {
        let len = i32::try_from(packet.len()).ok().filter(|&len| len > 0).ok_or("a packet of no or absurd length")?;
        pcm.resize(LONGEST * self.channels, 0.0);
        // `packet` has `len` bytes and `pcm` has space for LONGEST frames, which is the limit that libopus gets.
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
        // `new` created the state. It is not null, and there is no other pointer to it.
        unsafe { opus_multistream_decoder_destroy(self.state) }
    }
}

/// Packets of 20 ms, libopus's default.
const PACKETS_PER_SECOND: u32 = 50;

/// Maximum length in bytes of a packet of 20 ms.
const LARGEST: usize = 1_275;

/// An encoder and its state.
pub(crate) struct Encoder {
    state: *mut OpusEncoder,
    channels: usize,
    frame: usize,
    delay: usize,
}

impl Encoder {
    /// An encoder for general audio. libopus's mode for telephony would remove low frequencies.
    ///
    /// # Errors
    /// libopus's message, if it does not support the rate, the channels or the bit rate.
    pub fn new(rate: u32, channels: usize, bit_rate: u32) -> Result<Self, String> {
        let count = i32::try_from(channels).map_err(|e| e.to_string())?;
        let hertz = i32::try_from(rate).map_err(|e| e.to_string())?;
        let bits = i32::try_from(bit_rate).map_err(|e| e.to_string())?;
        let mut error = 0;
        // The arguments are numbers, and libopus checks them.
        let state = unsafe { opus_encoder_create(hertz, count, OPUS_APPLICATION_AUDIO, &mut error) };
        if state.is_null() {
            return Err(opus_strerror(error).to_owned());
        }
        let mut encoder = Self { state, channels, frame: (rate / PACKETS_PER_SECOND) as usize, delay: 0 };
        let mut delay = 0_i32;
        // The state is not null, and each request has the one argument that it takes.
        let status = unsafe {
            match opus_encoder_ctl!(encoder.state, OPUS_SET_BITRATE_REQUEST, bits) {
                OPUS_OK => opus_encoder_ctl!(encoder.state, OPUS_GET_LOOKAHEAD_REQUEST, &mut delay),
                refused => refused,
            }
        };
        encoder.delay = usize::try_from(delay).map_err(|e| e.to_string())?;
        if status == OPUS_OK { Ok(encoder) } else { Err(opus_strerror(status).to_owned()) }
    }

    /// Number of frames in one packet.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// The delay in frames of the decoded signal.
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// Encodes the interleaved frames of one packet.
    pub fn encode(&mut self, frame: &[f32]) -> Result<Vec<u8>, String> {
        if frame.len() != self.frame * self.channels {
            return Err("not the number of samples of one packet".into());
        }
        let mut packet = vec![0; LARGEST];
        // `frame` holds the samples of one packet, and `packet` has LARGEST bytes.
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
        // `new` created the state. It is not null, and there is no other pointer to it.
        unsafe { opus_encoder_destroy(self.state) }
    }
}
