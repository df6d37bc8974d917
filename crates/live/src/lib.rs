//! Audio that arrives while it is spoken.
//!
//! A [`Session`] takes one recording frame by frame. It checks each [`Frame`], appends it to a [`Spool`], and reports where
//! speech starts and ends ([`Event`]). It is synchronous and knows neither sockets nor a database, so that every protocol uses
//! the same one:
//!
//! ```text
//! frame -> format, number, HMAC -> spool -> (acknowledged by the caller) -> samples at 16 kHz -> windows -> events
//! ```
//!
//! The number of a frame is the number of its first sample, as TCP numbers bytes. So the length of the spool says which frame
//! is expected next, also after the process was killed, and [`Session::resume`] needs nothing else. Events depend on the
//! samples alone, not on how they were cut into frames: a resumed session reports the same ones, under the same numbers.

mod audio_format;
mod detection;
mod event;
mod frame;
mod g711;
mod mac;
mod refusal;
mod session;
mod spool;
mod wav_header;

pub use self::{
    audio_format::{AudioFormat, Encoding, FormatError},
    detection::{DetectionError, Detector},
    event::{Event, Numbered},
    frame::Frame,
    mac::{MAC_LEN, SessionKey},
    refusal::Refusal,
    session::{ReceiveError, Session},
    spool::{Spool, WavSpool},
};
