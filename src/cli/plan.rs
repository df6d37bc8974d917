//! How much work is pending: hours and bytes, from the files' headers alone.

use std::path::{Path, PathBuf};

use prepare_audio::{audio, store::Store};

/// Rows asked for at once.
const PAGE: usize = 1000;

/// What is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// Recordings.
    pub recordings: u64,
    /// Their length where the headers tell, seconds.
    pub seconds: f64,
    /// Their size, bytes.
    pub bytes: u64,
    /// How many of them do not tell their length, and how many bytes these have.
    pub unknown: u64,
    unknown_bytes: u64,
    /// How many of them cannot be read.
    pub unreadable: u64,
}

impl Plan {
    /// Counts the file at `path` in.
    pub fn count(&mut self, path: &Path) {
        self.recordings += 1;
        let Ok(file) = path.metadata() else {
            self.unreadable += 1;
            return;
        };
        self.bytes += file.len();
        match audio::probe_seconds(path) {
            Some(seconds) => self.seconds += seconds,
            None => {
                self.unknown += 1;
                self.unknown_bytes += file.len();
            }
        }
    }

    /// Length of all, seconds: those that do not tell are taken to be like those that do.
    pub fn estimated_seconds(&self) -> f64 {
        let told = self.bytes - self.unknown_bytes;
        if told == 0 {
            return self.seconds;
        }
        self.seconds * (self.bytes as f64 / told as f64)
    }
}

/// The files of all recordings that `recipe` may claim now.
pub async fn pending_files(store: &dyn Store, recipe: &str, base: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut after = 0;
    loop {
        let page = store.pending(recipe, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(files) };
        after = *last;
        files.extend(page.iter().map(|(_, source)| base.join(source)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_length_are_taken_to_be_like_the_others() {
        let plan = Plan { seconds: 100.0, bytes: 3000, unknown_bytes: 1000, ..Plan::default() };
        assert_eq!(plan.estimated_seconds(), 150.0);
        assert_eq!(Plan::default().estimated_seconds(), 0.0);
    }
}
