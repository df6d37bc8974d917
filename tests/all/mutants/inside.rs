//! Through the library, one by one: what is slow or panics has a name.

use std::{
    fs,
    panic::{catch_unwind, set_hook, take_hook},
    path::Path,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Instant,
};

use prepare_audio::media::{AudioBlock, AudioStream, DecodeOptions, DecoderChoice, LocalFile, catches_panics};

use super::{DEADLINE, count, mutant::Mutants, report::Report, seed};

/// Decodes and resamples it to its end; its code.
fn decode_all(path: &Path) -> &'static str {
    let mut stream = match AudioStream::open(&LocalFile::new(path), DecoderChoice::Symphonia, DecodeOptions::default())
    {
        Ok(stream) => stream,
        Err(error) => return error.code().as_str(),
    };
    let mut strange = false;
    let mut sound = AudioBlock::default();
    loop {
        match stream.fill(&mut sound, 64_000) {
            Ok(more) => {
                strange |= !sound.analysis.iter().flatten().all(|sample| sample.is_finite());
                sound.clear();
                if !more {
                    break;
                }
            }
            Err(error) => return error.code().as_str(),
        }
    }
    let damage = stream.damage();
    match (strange, damage.truncated, damage.decode_errors) {
        (true, ..) => "a sample that is no number",
        (_, false, 0) => "done",
        (_, true, 0) => "done, truncated",
        (_, false, _) => "done, with errors",
        _ => "done, truncated and with errors",
    }
}

/// Panics that the decoder caught itself. They are counted instead of told.
fn count_caught() -> &'static AtomicU64 {
    static CAUGHT: AtomicU64 = AtomicU64::new(0);
    let tell = take_hook();
    set_hook(Box::new(move |info| {
        if catches_panics() {
            CAUGHT.fetch_add(1, Relaxed);
        } else {
            tell(info);
        }
    }));
    &CAUGHT
}

#[test]
fn none_panics_and_none_hangs() {
    let (mutants, folder) = (Mutants::of(seed()), tempfile::tempdir().unwrap());
    let caught = count_caught();
    let mut report = Report::default();
    let mut wrong = Vec::new();
    for number in 0..count(600) {
        let mutant = mutants.make(number);
        let path = folder.path().join(&mutant.name);
        fs::write(&path, &mutant.bytes).unwrap();
        let (tell, told) = channel();
        let (begun, heard) = (Instant::now(), path.clone());
        // A thread for each: one that hangs is left to itself.
        let thread = thread::spawn(move || tell.send(catch_unwind(|| decode_all(&heard)).unwrap_or("panic")));
        let code = match told.recv_timeout(DEADLINE) {
            Ok(code) => {
                thread.join().unwrap().unwrap();
                code
            }
            Err(RecvTimeoutError::Timeout) => "hang",
            Err(RecvTimeoutError::Disconnected) => "lost",
        };
        report.took(begun.elapsed(), &mutant.name);
        report.count(code);
        if ["panic", "hang", "lost", "read_error", "a sample that is no number"].contains(&code) {
            wrong.push(format!("{code}: {}", mutant.keep().display()));
        }
        fs::remove_file(path).unwrap();
    }
    report.print("through the library");
    println!("  {} panics of symphonia were caught", caught.load(Relaxed));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
