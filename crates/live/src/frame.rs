//! One piece of audio as a client sends it.

use crate::{MAC_LEN, Refusal};

/// A piece of a recording, and what its sender says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The recording that it belongs to; `None` where the connection has only one.
    pub audio_id: Option<&'a str>,
    /// The number of its first sample (of each channel), from 0; `None` for the one that is next.
    pub number: Option<u64>,
    /// Its message authentication code.
    pub mac: Option<&'a [u8]>,
    /// Whole samples of all channels, interleaved, as the session's format codes them.
    pub audio: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Bytes before the audio of a numbered frame.
    const NUMBER_LEN: usize = 8;

    /// A binary message that is audio alone.
    pub fn bare(message: &'a [u8]) -> Self {
        Self { audio: message, ..Self::default() }
    }

    /// A binary message that begins with the frame's number (u64, big endian).
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if it is too short.
    pub fn numbered(message: &'a [u8]) -> Result<Self, Refusal> {
        let (number, audio) = message.split_at_checked(Self::NUMBER_LEN).ok_or(Refusal::Malformed)?;
        let number = number.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        Ok(Self { number: Some(number), audio, ..Self::default() })
    }

    /// A binary message that begins with the frame's number, followed by its code.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if it is too short.
    pub fn signed(message: &'a [u8]) -> Result<Self, Refusal> {
        let numbered = Self::numbered(message)?;
        let (mac, audio) = numbered.audio.split_at_checked(MAC_LEN).ok_or(Refusal::Malformed)?;
        Ok(Self { mac: Some(mac), audio, ..numbered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_messages_are_divided() {
        let message: Vec<u8> = [&[0, 0, 0, 0, 0, 0, 1, 2][..], &[9; MAC_LEN], b"ab"].concat();
        let frame = Frame::signed(&message).unwrap();
        assert_eq!((frame.number, frame.mac, frame.audio), (Some(258), Some(&[9; MAC_LEN][..]), &b"ab"[..]));
        let frame = Frame::numbered(&message).unwrap();
        assert_eq!((frame.number, frame.mac, frame.audio.len()), (Some(258), None, MAC_LEN + 2));
        assert_eq!(Frame::bare(&message).audio, message);
        assert_eq!(
            (Frame::numbered(&message[..7]), Frame::signed(&message[..39])),
            (Err(Refusal::Malformed), Err(Refusal::Malformed))
        );
        assert!(Frame::signed(&message[..40]).unwrap().audio.is_empty());
    }
}
