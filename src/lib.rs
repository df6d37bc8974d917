//! From a table of recordings to clean speech segments.
//!
//! The way of one recording: its row is claimed from the database ([`store`]), its bytes are decoded and resampled to
//! mono at 16 kHz ([`audio`]), listened to and cut ([`vad`]), its segments written ([`output`]), and the rows put back.
//! [`prepare`] does the part that computes, [`worker`] the part that waits; [`pool`] joins the two.
#![warn(missing_docs)]

pub mod audio;
#[cfg(feature = "fault-injection")]
mod faults;
pub mod output;
pub mod pool;
pub mod prepare;
pub mod progress;
pub mod recipe;
pub mod sources;
pub mod store;
pub mod vad;
pub mod worker;
