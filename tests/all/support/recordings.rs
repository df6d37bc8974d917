//! Recordings of speech, and the segments that an undisturbed run writes for them.

use std::{fs, path::Path, sync::OnceLock};

use super::{
    audit::{self, Expected, SourceCut},
    test_dir::{TestDir, fixture},
};

/// Different recordings that there are; all others are further names of these.
const VARIANTS: usize = 20;

/// A recording's bytes, and what an undisturbed run makes of it.
struct Variant {
    bytes: Vec<u8>,
    cuts: Vec<SourceCut>,
}

/// Writes the recordings into the directory's folder `in`; returns their sources, and what is to come of each.
pub fn create_recordings(dir: &TestDir, count: usize) -> (Vec<String>, Expected) {
    fs::create_dir_all(dir.path("in")).unwrap();
    for (n, variant) in variants().iter().enumerate() {
        dir.write(&name(n), &variant.bytes);
    }
    let mut expected = Expected::new();
    let name = |n: usize| {
        let source = format!("in/{n:05}.wav");
        fs::hard_link(dir.path(name(n % VARIANTS)), dir.path(&source)).unwrap();
        expected.insert(source.clone(), variants()[n % VARIANTS].cuts.clone());
        source
    };
    ((0..count).map(name).collect(), expected)
}

fn name(variant: usize) -> String {
    format!("variants/{variant:02}.wav")
}

/// All variants, as they are prepared once for the whole test binary.
fn variants() -> &'static [Variant] {
    static VARIANTS_OF_ALL: OnceLock<Vec<Variant>> = OnceLock::new();
    VARIANTS_OF_ALL.get_or_init(|| {
        let dir = TestDir::new();
        fs::create_dir(dir.path("variants")).unwrap();
        (0..VARIANTS).for_each(|n| write(&dir.path(name(n)), n));
        let database = format!("sqlite://{}", dir.path("undisturbed.db").display());
        dir.run(&["fetch", "variants", "--quiet", "--database", &database]).exits(0);
        let mut cuts = audit::cuts(&database.parse().unwrap());
        let variant = |n| {
            let path = dir.path(name(n));
            let cuts = cuts.remove(path.to_str().unwrap()).expect("it was prepared");
            assert!(!cuts.is_empty(), "each recording has a segment");
            Variant { bytes: fs::read(path).unwrap(), cuts }
        };
        (0..VARIANTS).map(variant).collect()
    })
}

/// Some seconds of speech, of another length and with another beginning each.
fn write(path: &Path, number: usize) {
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let mut writer = hound::WavWriter::create(path, reader.spec()).unwrap();
    let speech: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    (0..number * 777).for_each(|_| writer.write_sample(0i16).unwrap());
    for &sample in speech.iter().cycle().take(speech.len() + number * 4000) {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}
