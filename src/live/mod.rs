//! Recordings that arrive while they are spoken: the sessions of `listen`, and the protocol by which clients send them.
//!
//! ```text
//! connection (ws.rs) -> Sessions -> pool -> prepare_audio_live::Session -> spool
//!                                      <- acknowledgements and events
//! ```
//! A connection reads its next message when the last one is stored. So a client that sends faster than that is slowed down by
//! its own socket, and no queue grows. Storing and detecting run on the pool, waiting on tokio. When a session ends, its spool
//! is the source of a pending recording, which the runner prepares as `fetch` does: there is one way in which rows are made.
//!
//! A session outlives its connection and its process: `sessions.rs` keeps it for a client that comes back, and finds it again in
//! the database and on the disk after a restart.

mod connection;
mod counters;
mod failure;
mod files;
mod messages;
#[cfg(feature = "metrics")]
mod metrics;
mod routes;
mod sessions;
mod settings;

pub use self::{
    counters::{Counters, LiveFigures},
    routes::router,
    sessions::Sessions,
    settings::{Limits, OpenError, Settings},
};
