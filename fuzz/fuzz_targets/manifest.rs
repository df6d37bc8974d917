//! Reads any bytes as a list of recordings: text, CSV, TSV or JSON lines, and on standard input.
#![no_main]

use std::{ops::ControlFlow, path::Path};

use libfuzzer_sys::fuzz_target;
use prepare_audio::sources::Resolver;
use prepare_audio_fuzz::scratch;

const KINDS: [&str; 5] = ["txt", "csv", "tsv", "jsonl", "json"];

fuzz_target!(|data: &[u8]| {
    let Some((kind, mut list)) = data.split_first() else { return };
    let resolver = Resolver::new(None, Path::new("/nowhere")).expect("no current folder");
    let name = match KINDS.get(usize::from(*kind) % (KINDS.len() + 1)) {
        Some(kind) => scratch::file("manifest", kind, list).to_str().expect("not UTF-8").to_owned(),
        None => "-".to_owned(),
    };
    let _ = resolver.find(&[name], &mut list, &mut |recording| {
        assert!(recording.source.starts_with('/'), "a source is absolute: {:?}", recording.source);
        assert!(recording.metadata.is_none_or(|text| text.starts_with('{') && text.ends_with('}')));
        ControlFlow::Continue(())
    });
});
