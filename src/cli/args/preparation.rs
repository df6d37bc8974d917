//! How one recording is prepared: the argument groups from the input file to the segment files.

use std::path::Path;

use clap::Args;
use prepare_audio::{output::OutputFolder, runner::Preparer, vad};

use super::{
    denoise::DenoiseArgs, dnsmos::DnsmosArgs, engine::EngineArgs, reading::ReadingArgs, segment_files::SegmentFileArgs,
    segmentation::SegmentationArgs, vad::VadArgs,
};
use crate::cli::{exit, hints};

/// How one recording is prepared. `fetch` and `resegment` share it.
#[derive(Debug, Args)]
pub struct PreparationArgs {
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub segments: SegmentFileArgs,
    #[command(flatten)]
    pub denoise: DenoiseArgs,
    #[command(flatten)]
    pub dnsmos: DnsmosArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub vad: VadArgs,
    #[command(flatten)]
    pub segmentation: SegmentationArgs,
}

impl PreparationArgs {
    /// The parameters of speech detection and segmentation.
    pub fn parameters(&self) -> vad::Parameters {
        self.segmentation.extend(self.vad.parameters())
    }

    /// The preparer, with its model loaded. It reads files, so call it on a thread that may block.
    pub fn preparer(&self, output: &Path) -> anyhow::Result<Preparer> {
        let engine = self.engine.open().map_err(|e| exit::Usage(hints::with_hint(&e)))?;
        // Absolute, because the rows' paths must be valid from any folder.
        let output = OutputFolder::new(std::path::absolute(output)?);
        let preparer = Preparer::new(engine, &self.parameters(), output).map_err(|e| exit::Usage(e.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (channels, files) = self.segments.settings()?;
        Ok(preparer
            .storing_probabilities(self.segmentation.keep_probabilities)
            .parallel(cores > 1)
            .with_limits(self.reading.limits()?)
            .with_segments(channels, files)
            .with_denoising(self.denoise.open()?)
            .with_dnsmos(self.dnsmos.open()?)
            .with_filter(self.segmentation.filter()))
    }
}
