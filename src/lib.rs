//! From a table of recordings to clean speech segments.
//!
//! The program `prepare-audio` claims pending recordings from a database ([`store`]), prepares each of them
//! ([`pipeline`]) and publishes the segments ([`output`]). [`runner`] is the loop that does this. [`export`] writes done
//! recordings as other tools load them, [`report`] as a page to look at; `inspect` serves such pages, to listen and to try other
//! parameters. [`backfill`] computes figures of segments later. [`pool`] is the bridge between tokio, which waits, and rayon, which computes.
//!
//! The parts that compute are separate crates, which are re-exported here: [`vad`] detects speech, [`media`] decodes and
//! encodes, [`denoise`] removes noise, [`dnsmos`] scores speech, [`pipeline`] prepares one recording, and [`types`] holds the types that they share.

pub mod backfill;
pub mod export;
#[cfg(feature = "inspect")]
pub mod inspect;
#[cfg(feature = "live")]
pub mod live;
pub mod output;
pub mod pool;
mod preview;
pub mod progress;
pub mod report;
pub mod runner;
pub mod sources;
pub mod store;
#[cfg(feature = "web")]
pub mod web;

#[cfg(feature = "fault-injection")]
mod faults;

pub use prepare_audio_denoise as denoise;
pub use prepare_audio_dnsmos as dnsmos;
pub use prepare_audio_media as media;
pub use prepare_audio_pipeline as pipeline;
pub use prepare_audio_types as types;
pub use prepare_audio_vad as vad;
