//! The commands. Each module has a command's arguments and its `run`, and imports no other command.

pub mod add;
pub mod cancel;
pub mod completions;
pub mod export;
pub mod fetch;
pub mod gc;
#[cfg_attr(not(feature = "inspect"), path = "no_inspect.rs")]
pub mod inspect;
#[cfg_attr(not(feature = "live"), path = "no_listen.rs")]
pub mod listen;
pub mod man;
pub mod quality;
pub mod quarantine;
pub mod report;
pub mod requeue;
pub mod resegment;
pub mod retry;
pub mod segments;
pub mod status;
pub mod verify;
pub mod workers;
