//! Recordings of speech for runs that are disturbed, and what an undisturbed run makes of them.

use std::{fs, path::Path};

use super::{
    audit::{self, Expected},
    desk::{Desk, fixture},
};

/// Different recordings that there are; all others are further names of these.
const VARIANTS: usize = 20;

/// Writes the recordings into the desk's folder `in`, and has an undisturbed run say what is to come of each.
pub fn recordings_of(desk: &Desk, how_many: usize) -> (Vec<String>, Expected) {
    fs::create_dir_all(desk.path("in")).unwrap();
    fs::create_dir_all(desk.path("variants")).unwrap();
    (0..VARIANTS).for_each(|n| variant(&desk.path(format!("variants/{n:02}.wav")), n));
    let reference = format!("sqlite://{}", desk.path("undisturbed.db").display());
    let undisturbed = desk.run(&["fetch", "variants", "--quiet", "--database", &reference, "--output", "undisturbed"]);
    undisturbed.exits(0);
    let cuts = audit::cuts(&reference.parse().unwrap());
    let mut expected = Expected::new();
    let name = |n: usize| {
        let (source, variant) = (format!("in/{n:05}.wav"), format!("variants/{:02}.wav", n % VARIANTS));
        fs::hard_link(desk.path(&variant), desk.path(&source)).unwrap();
        let cuts = cuts.get(desk.path(&variant).to_str().unwrap()).expect("it was prepared");
        assert!(!cuts.is_empty(), "each recording has a segment");
        expected.insert(source.clone(), cuts.clone());
        source
    };
    ((0..how_many).map(name).collect(), expected)
}

/// Some seconds of speech, of another length and with another beginning each.
fn variant(path: &Path, number: usize) {
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let mut writer = hound::WavWriter::create(path, reader.spec()).unwrap();
    let speech: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    (0..number * 777).for_each(|_| writer.write_sample(0i16).unwrap());
    for &sample in speech.iter().cycle().take(speech.len() + number * 4000) {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}
