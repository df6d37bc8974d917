//! The command-line program, run as a process on real files.

mod bandwidth;
mod channels;
mod decoders;
mod denoise;
mod doctor;
mod engines;
mod export;
mod failures;
mod faulty_ffmpeg;
mod gc_and_verify;
mod hostile_files;
mod import;
mod inspect;
mod inspect_cuts;
mod interruptions;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod live_faults;
mod malformed_files;
mod official_segments;
mod operating;
mod output_confinement;
mod postgres;
mod quality;
mod queue;
mod report;
mod resegment;
mod segment_files;
mod settings;
