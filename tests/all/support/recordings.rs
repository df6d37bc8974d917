//! Generates recordings of speech, and computes the segments that an undisturbed run writes for them.

use std::{fs, path::Path, sync::OnceLock};

use super::{
    audit::{self, Expected, ExpectedSegment},
    test_dir::{TestDir, fixture},
};

/// Number of different recordings. All others are hard links to these.
const VARIANTS: usize = 20;

/// A recording's bytes, and its segments after an undisturbed run.
struct Variant {
    bytes: Vec<u8>,
    segments: Vec<ExpectedSegment>,
}

/// Writes `count` recordings into the directory's folder `in`. Returns their sources and their expected segments.
pub fn create_recordings(dir: &TestDir, count: usize) -> (Vec<String>, Expected) {
    fs::create_dir_all(dir.path("in")).unwrap();
    for (n, variant) in variants().iter().enumerate() {
        dir.write(&name(n), &variant.bytes);
    }
    let mut expected = Expected::new();
    let name = |n: usize| {
        let source = format!("in/{n:05}.wav");
        fs::hard_link(dir.path(name(n % VARIANTS)), dir.path(&source)).unwrap();
        expected.insert(source.clone(), variants()[n % VARIANTS].segments.clone());
        source
    };
    ((0..count).map(name).collect(), expected)
}

fn name(variant: usize) -> String {
    format!("variants/{variant:02}.wav")
}

/// All variants. They are prepared once per process.
fn variants() -> &'static [Variant] {
    static PREPARED: OnceLock<Vec<Variant>> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let dir = TestDir::new();
        fs::create_dir(dir.path("variants")).unwrap();
        (0..VARIANTS).for_each(|n| write(&dir.path(name(n)), n));
        let database = format!("sqlite://{}", dir.path("undisturbed.db").display());
        dir.run(&["fetch", "variants", "--quiet", "--database", &database]).exits(0);
        let mut expected = audit::expected_segments(&database.parse().unwrap());
        let variant = |n| {
            let path = dir.path(name(n));
            let segments = expected.remove(path.to_str().unwrap()).expect("it was prepared");
            assert!(!segments.is_empty(), "each recording has a segment");
            Variant { bytes: fs::read(path).unwrap(), segments }
        };
        (0..VARIANTS).map(variant).collect()
    })
}

/// Writes some seconds of speech. Each number has another length and another start.
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
