//! The program through its binary, on real files.

mod support;

#[path = "program/channels.rs"]
mod channels;
#[path = "program/confined.rs"]
mod confined;
#[path = "program/copying.rs"]
mod copying;
#[path = "program/cuts.rs"]
mod cuts;
#[path = "program/decoders.rs"]
mod decoders;
#[path = "program/disturbed.rs"]
mod disturbed;
#[path = "program/doctor.rs"]
mod doctor;
#[path = "program/engines.rs"]
mod engines;
#[path = "program/exact.rs"]
mod exact;
#[path = "program/failures.rs"]
mod failures;
#[path = "program/hostile.rs"]
mod hostile;
#[path = "program/liars.rs"]
mod liars;
#[path = "mutants/ogg.rs"]
mod ogg;
#[path = "program/operating.rs"]
mod operating;
#[path = "program/pieces.rs"]
mod pieces;
#[path = "program/postgres.rs"]
mod postgres;
#[path = "program/queueing.rs"]
mod queueing;
#[path = "program/settings.rs"]
mod settings;
#[path = "program/strange_ffmpeg.rs"]
mod strange_ffmpeg;
#[path = "program/tidy.rs"]
mod tidy;
