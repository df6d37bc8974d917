//! Parses the WAV header that ffmpeg writes before its samples.

use crate::AudioError;

/// The format of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub rate: u32,
    pub channels: usize,
}

/// Maximum length of a header in bytes. ffmpeg writes shorter ones.
const MAX_HEADER: usize = 64 * 1024;

/// The header at the beginning of `bytes`, and its length; `None` if more bytes are needed.
pub(super) fn header(bytes: &[u8]) -> Result<Option<(Header, usize)>, AudioError> {
    let not_wav = || AudioError::Ffmpeg("it does not write WAV".into());
    if bytes.len() < 12 {
        return Ok(None);
    }
    if &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(not_wav());
    }
    let (mut at, mut header) = (12, None);
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let len = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]) as usize;
        match &chunk[..4] {
            b"data" => return header.map(|header| Some((header, at + 8))).ok_or_else(not_wav),
            b"fmt " => match bytes.get(at + 8..).and_then(|rest| rest.first_chunk::<16>()) {
                Some(format) => header = Some(read_format(format)),
                None => break,
            },
            _ => {}
        }
        at = at.saturating_add(8).saturating_add(len);
    }
    if bytes.len() > MAX_HEADER { Err(not_wav()) } else { Ok(None) }
}

fn read_format(format: &[u8; 16]) -> Header {
    Header {
        rate: u32::from_le_bytes([format[4], format[5], format[6], format[7]]),
        channels: usize::from(u16::from_le_bytes([format[2], format[3]])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_parsed_once_it_is_complete() {
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x12\0\0\0\x03\0\x02\0\x40\x1f\0\0".to_vec();
        bytes.extend([0; 10]);
        bytes.extend(b"LIST\x02\0\0\0abdata\xff\xff\xff\xff\x01\x02");
        for len in 0..bytes.len() - 2 {
            assert_eq!(header(&bytes[..len]).unwrap(), None, "{len}");
        }
        let want = Header { rate: 8_000, channels: 2 };
        assert_eq!(header(&bytes).unwrap(), Some((want, bytes.len() - 2)));
        assert!(header(b"<html>......").is_err());
        assert!(header(b"RIFF....WAVEdata\0\0\0\0").is_err());
    }
}
