//! Makes mutants from the fixtures, by number and seed.

use std::{fs, path::PathBuf};

use fastrand::Rng;

use super::mutations::MUTATIONS;
use crate::support::{ogg, test_dir::fixture};

/// The fixture folders whose files are mutated.
const FOLDERS: [&str; 4] = ["speech", "formats", "truncated", "bad"];

/// A mutated recording.
pub struct Mutant {
    /// Its number, mutation and original.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The originals, and the seed.
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

    /// The mutant with this number. It depends only on the number and the seed.
    pub fn make(&self, number: u64) -> Mutant {
        let mut random = Rng::with_seed(self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        // In turn, so that each mutation is applied to each file.
        let (origin, original) = &self.originals[(number % self.originals.len() as u64) as usize];
        let mutation = &MUTATIONS[(number / self.originals.len() as u64) as usize % MUTATIONS.len()];
        let mut bytes = original.clone();
        let (_, other) = random.choice(&self.originals).unwrap();
        (mutation.apply)(&mut bytes, other, &mut random);
        if random.u8(..4) > 0 {
            ogg::fix_checksums(&mut bytes);
        }
        let extension = match mutation.name {
            "another_extension" => {
                let (other, _) = random.choice(&self.originals).unwrap();
                other.rsplit('.').next().unwrap().to_owned()
            }
            _ => origin.rsplit('.').next().unwrap().to_owned(),
        };
        Mutant { name: format!("{number:05}_{}_{origin}.{extension}", mutation.name), bytes }
    }
}

impl Mutant {
    /// Writes it to `target/mutants` and returns its path.
    pub fn keep(&self) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/mutants");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(&self.name);
        fs::write(&path, &self.bytes).unwrap();
        path
    }
}
