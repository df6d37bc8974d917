//! Makes mutants: the fixtures, each changed by one of the mutations.

use std::{fs, path::PathBuf};

use fastrand::Rng;

use super::mutations::MUTATIONS;
use crate::support::{ogg, test_dir::fixture};

/// The folders whose files are mutated.
const FOLDERS: [&str; 4] = ["speech", "formats", "truncated", "bad"];

/// A changed recording.
pub struct Mutant {
    /// Its number, what was done to it, and its origin.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The files that are mutated.
pub struct Mutants {
    originals: Vec<(String, Vec<u8>)>,
    seed: u64,
}

impl Mutants {
    pub fn of(seed: u64) -> Self {
        let mut paths: Vec<PathBuf> = FOLDERS
            .iter()
            .flat_map(|folder| walkdir::WalkDir::new(fixture(folder)))
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect();
        paths.sort();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().replace(' ', "_");
        let originals = paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect();
        Self { originals, seed }
    }

    /// The mutant of this number. It is the same for the same seed.
    pub fn make(&self, number: u64) -> Mutant {
        let mut random = Rng::with_seed(self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        // In turn, so that each file gets each mutation.
        let (origin, original) = &self.originals[(number % self.originals.len() as u64) as usize];
        let change = &MUTATIONS[(number / self.originals.len() as u64) as usize % MUTATIONS.len()];
        let mut bytes = original.clone();
        let (_, other) = random.choice(&self.originals).unwrap();
        (change.apply)(&mut bytes, other, &mut random);
        if random.u8(..4) > 0 {
            ogg::fix_checksums(&mut bytes);
        }
        let extension = match change.name {
            "another_extension" => {
                let (other, _) = random.choice(&self.originals).unwrap();
                other.rsplit('.').next().unwrap().to_owned()
            }
            _ => origin.rsplit('.').next().unwrap().to_owned(),
        };
        Mutant { name: format!("{number:05}_{}_{origin}.{extension}", change.name), bytes }
    }
}

impl Mutant {
    /// Saves it for inspection and returns its path.
    pub fn keep(&self) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/mutants");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(&self.name);
        fs::write(&path, &self.bytes).unwrap();
        path
    }
}
