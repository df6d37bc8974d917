//! The commands, one module each: its arguments and its `run`. A command imports no other command.

pub mod add;
pub mod cancel;
pub mod completions;
pub mod export;
pub mod fetch;
pub mod gc;
pub mod man;
pub mod quarantine;
pub mod requeue;
pub mod resegment;
pub mod retry;
pub mod segments;
pub mod status;
pub mod verify;
pub mod workers;
