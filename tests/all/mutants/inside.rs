//! Decodes mutants with the library, one at a time, so that a slow one or one that panics is known by name.

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

/// The result for a file that decodes to an infinite or NaN sample.
const NON_FINITE: &str = "non-finite samples";

/// Decodes and resamples the whole file, and returns how that ended: an error code, or a kind of success.
fn decode_all(path: &Path) -> &'static str {
    let mut stream = match AudioStream::open(&LocalFile::new(path), DecoderChoice::Symphonia, DecodeOptions::default())
    {
        Ok(stream) => stream,
        Err(error) => return error.code().as_str(),
    };
    let mut has_non_finite_samples = false;
    let mut block = AudioBlock::default();
    loop {
        match stream.fill(&mut block, 64_000) {
            Ok(more) => {
                has_non_finite_samples |= !block.analysis.iter().flatten().all(|sample| sample.is_finite());
                block.clear();
                if !more {
                    break;
                }
            }
            Err(error) => return error.code().as_str(),
        }
    }
    let damage = stream.damage();
    match (has_non_finite_samples, damage.truncated, damage.decode_errors) {
        (true, ..) => NON_FINITE,
        (_, false, 0) => "done",
        (_, true, 0) => "done, truncated",
        (_, false, _) => "done, with errors",
        _ => "done, truncated and with errors",
    }
}

/// Counts the panics that the decoder catches itself, instead of printing them.
fn count_caught() -> &'static AtomicU64 {
    static CAUGHT: AtomicU64 = AtomicU64::new(0);
    let print = take_hook();
    set_hook(Box::new(move |info| {
        if catches_panics() {
            CAUGHT.fetch_add(1, Relaxed);
        } else {
            print(info);
        }
    }));
    &CAUGHT
}

#[test]
fn no_mutant_panics_or_hangs() {
    let (mutants, folder) = (Mutants::of(seed()), tempfile::tempdir().unwrap());
    let caught = count_caught();
    let mut report = Report::default();
    let mut wrong = Vec::new();
    for number in 0..count(600) {
        let mutant = mutants.make(number);
        let path = folder.path().join(&mutant.name);
        fs::write(&path, &mutant.bytes).unwrap();
        let (send, receive) = channel();
        let (begun, input) = (Instant::now(), path.clone());
        // Each mutant has its own thread. A thread that hangs is abandoned.
        let thread = thread::spawn(move || send.send(catch_unwind(|| decode_all(&input)).unwrap_or("panic")));
        let code = match receive.recv_timeout(DEADLINE) {
            Ok(code) => {
                thread.join().unwrap().unwrap();
                code
            }
            Err(RecvTimeoutError::Timeout) => "hang",
            Err(RecvTimeoutError::Disconnected) => "lost",
        };
        report.took(begun.elapsed(), &mutant.name);
        report.count(code);
        if ["panic", "hang", "lost", "read_error", NON_FINITE].contains(&code) {
            wrong.push(format!("{code}: {}", mutant.keep().display()));
        }
        fs::remove_file(path).unwrap();
    }
    report.print("through the library");
    println!("  {} panics of symphonia were caught", caught.load(Relaxed));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
