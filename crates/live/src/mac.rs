//! Integrity of frames: HMAC-SHA256 under a key of the session.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a message authentication code.
pub const MAC_LEN: usize = 32;

/// Begins what is authenticated, so that a code for one purpose is none for another.
const DOMAIN: &[u8] = b"prepare-audio live frame 1";

/// Derives a session's key from its resume token.
const DERIVATION: &[u8] = b"prepare-audio live session key 1";

/// The key under which the frames of a session are authenticated.
///
/// What is authenticated is unambiguous, because each part is preceded by its length:
///
/// ```text
/// "prepare-audio live frame 1"
/// length of the session (u32, big endian), session
/// length of audio_id (u32, big endian), audio_id
/// number of the frame's first sample (u64, big endian)
/// length of the audio (u32, big endian), audio
/// ```
#[derive(Clone)]
pub struct SessionKey([u8; MAC_LEN]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey") // never its bytes
    }
}

impl SessionKey {
    /// The key of the session whose resume token this is. The server stores neither: who resumes sends the token.
    pub fn derive(resume_token: &[u8]) -> Self {
        Self(mac(resume_token, |mac| mac.update(DERIVATION)).finalize().into_bytes().into())
    }

    /// The key itself, for the client.
    pub fn bytes(&self) -> &[u8; MAC_LEN] {
        &self.0
    }

    /// The code of a frame.
    pub fn sign(&self, session: &str, audio_id: &str, number: u64, audio: &[u8]) -> [u8; MAC_LEN] {
        self.frame(session, audio_id, number, audio).finalize().into_bytes().into()
    }

    /// Whether `code` is that of the frame. The time that it takes does not depend on where they differ.
    pub fn verifies(&self, session: &str, audio_id: &str, number: u64, audio: &[u8], code: &[u8]) -> bool {
        self.frame(session, audio_id, number, audio).verify_slice(code).is_ok()
    }

    fn frame(&self, session: &str, audio_id: &str, number: u64, audio: &[u8]) -> Hmac<Sha256> {
        mac(&self.0, |mac| {
            mac.update(DOMAIN);
            update_with_length(mac, session.as_bytes());
            update_with_length(mac, audio_id.as_bytes());
            mac.update(&number.to_be_bytes());
            update_with_length(mac, audio);
        })
    }
}

fn mac(key: &[u8], update: impl FnOnce(&mut Hmac<Sha256>)) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    update(&mut mac);
    mac
}

fn update_with_length(mac: &mut Hmac<Sha256>, bytes: &[u8]) {
    mac.update(&(bytes.len() as u32).to_be_bytes());
    mac.update(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computed by Python's hmac: see docs/live-protocol.md, "A frame to test with".
    #[test]
    fn codes_are_those_of_another_implementation() {
        let key = SessionKey::derive(b"0123456789abcdef");
        assert_eq!(hex::encode(key.bytes()), KEY);
        assert_eq!(hex::encode(key.sign("s1", "call 7", 320, b"\x01\x02\x03\x04")), CODE);
    }

    const KEY: &str = "aa7ec7ca64433b5756c53698e4c6b0dadb32930d9980cf94759abb90d0f45cfb";
    const CODE: &str = "960e227aca7a054968dd9e2d124abb857889170ca8cdcd526b787829ec55b741";

    proptest! {
        /// Any other frame has another code, also where only the border between two parts has moved.
        #[test]
        fn only_the_same_frame_verifies(
            parts in ["[ab]{0,3}", "[ab]{0,3}"], number in 0..3u64, audio in prop::collection::vec(0..2u8, 0..3),
            other in ["[ab]{0,3}", "[ab]{0,3}"], other_number in 0..3u64, other_audio in prop::collection::vec(0..2u8, 0..3),
        ) {
            let key = SessionKey::derive(b"token");
            let code = key.sign(&parts[0], &parts[1], number, &audio);
            let is_same = (&parts, number, &audio) == (&other, other_number, &other_audio);
            prop_assert_eq!(key.verifies(&other[0], &other[1], other_number, &other_audio, &code), is_same);
            prop_assert!(!SessionKey::derive(b"Token").verifies(&parts[0], &parts[1], number, &audio, &code));
        }
    }
}
