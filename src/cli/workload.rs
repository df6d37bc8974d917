//! The total length and size of recordings, read from the files' headers alone.

use std::path::{Path, PathBuf};

use anyhow::Context;
use prepare_audio::{media, types::Part};

/// The totals of the files that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Workload {
    /// Number of recordings.
    pub recordings: u64,
    /// Total length of the recordings whose headers have one, seconds.
    pub seconds: f64,
    /// Total size, bytes.
    pub bytes: u64,
    /// Number of recordings whose headers have no length.
    pub unknown: u64,
    /// Total size of these, bytes.
    unknown_bytes: u64,
    /// Number of recordings that cannot be read.
    pub unreadable: u64,
}

impl Workload {
    /// Adds the file at `path`. It reads the file's header, so call it on a thread that may block.
    pub fn add(&mut self, path: &Path) {
        self.recordings += 1;
        let (whole, part) = match path.to_str().map(Part::split) {
            Some((whole, Some(part))) if !path.exists() => (Path::new(whole), Some(part)),
            _ => (path, None),
        };
        let Ok(file) = whole.metadata() else {
            self.unreadable += 1;
            return;
        };
        if let Some(seconds) = part.and_then(|part| part.duration_s()) {
            self.seconds += seconds; // its share of the file's bytes is not known
            return;
        }
        self.bytes += file.len();
        match media::probe_seconds(&media::LocalFile::new(whole))
            .map(|seconds| (seconds - part.map_or(0.0, |part| part.start_s)).max(0.0))
        {
            Some(seconds) => self.seconds += seconds,
            None => {
                self.unknown += 1;
                self.unknown_bytes += file.len();
            }
        }
    }

    /// Adds files, on a thread that may block.
    pub async fn with_files(mut self, files: Vec<PathBuf>) -> anyhow::Result<Self> {
        let measure = move || {
            files.iter().for_each(|file| self.add(file));
            self
        };
        tokio::task::spawn_blocking(measure).await.context("measuring the recordings")
    }

    /// Length of all recordings, seconds. Files of unknown length are assumed to have the same bitrate as the others.
    pub fn estimated_seconds(&self) -> f64 {
        let known = self.bytes - self.unknown_bytes;
        if known == 0 {
            return self.seconds;
        }
        self.seconds * (self.bytes as f64 / known as f64)
    }

    /// Mean length of a recording, seconds; `None` if none was measured.
    pub fn mean_seconds(&self) -> Option<f64> {
        (self.recordings > 0).then(|| self.estimated_seconds() / self.recordings as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_unknown_length_count_by_their_size() {
        let workload =
            Workload { recordings: 3, seconds: 100.0, bytes: 3000, unknown_bytes: 1000, ..Workload::default() };
        assert_eq!(workload.estimated_seconds(), 150.0);
        assert_eq!(workload.mean_seconds(), Some(50.0));
        assert_eq!(Workload::default().estimated_seconds(), 0.0);
        assert_eq!(Workload::default().mean_seconds(), None);
    }
}
