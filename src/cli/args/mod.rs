//! Groups of arguments that several commands share.
//!
//! Arguments are plain data. Each group converts itself into settings of the library, and imports no command.

mod base;
mod database_address;
mod denoise;
mod dnsmos;
mod engine;
mod global;
mod preparation;
mod reading;
mod run;
mod segment_files;
mod segmentation;
mod vad;

pub use self::{
    base::BaseArgs,
    database_address::DatabaseAddress,
    dnsmos::DnsmosArgs,
    engine::EngineArgs,
    global::{GlobalArgs, LogFormat},
    preparation::PreparationArgs,
    run::{RunArgs, worker_count},
};
