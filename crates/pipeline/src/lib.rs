//! Prepares one recording, from its bytes to its segments.
//!
//! [`Preparer::prepare`] decodes a recording, computes the speech probability of each window, finds the segments and
//! writes their files. It is synchronous and depends neither on a database nor on a terminal: a [`Monitor`] receives the
//! progress and can stop the preparation, and a [`SegmentOutput`] takes the files.
//!
//! The data flow, with the module of each step:
//!
//! ```text
//! prepare_audio_media::AudioStream      blocks of samples, at 16 kHz and as segments are cut from them
//!   -> denoising                        the same samples without their noise, if that is wanted
//!   -> probability_source               one probability a window: computed, or stored by an earlier preparation
//!   -> channel_segmenter                segments of one channel, or of the mix
//!   -> pipeline                         all channels of one recording, and the samples that open segments need
//!   -> segment_writer                   files through SegmentOutput, and rows
//! ```

mod channel_segmenter;
mod denoising;
mod error;
mod excerpt_buffer;
mod input_limits;
mod measure;
mod part_cut;
mod pipeline;
mod preparer;
mod probability_codec;
mod probability_source;
mod quality;
mod recipe;
mod resegment;
mod sample_buffer;
mod segment_filter;
mod segment_output;
mod segment_writer;
mod source_buffer;
mod source_facts;
mod stored_probabilities;
mod worker_models;

use std::time::Duration;

use prepare_audio_vad::SAMPLE_RATE;

pub use prepare_audio_dnsmos::DnsmosModel;

pub use self::{
    denoising::{Denoising, VadInput},
    error::PrepareError,
    input_limits::InputLimits,
    measure::{MeasureError, MeasureTask, measure},
    preparer::{Monitor, Prepared, Preparer, Task},
    probability_codec::{CODING as PROBABILITY_CODING, CodecError, unpack as unpack_probabilities},
    quality::{Level, RecordingQuality},
    recipe::{Recipe, RecipeInput},
    resegment::segment_probabilities,
    segment_filter::SegmentFilter,
    segment_output::{SegmentOutput, StagedSegments, WriteError},
    segment_writer::DENOISED_INFIX,
    worker_models::WorkerModels,
};

/// Converts samples at 16 kHz to seconds.
fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
