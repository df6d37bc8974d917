//! Decodes each mutant with the library, so that a slow one or a panic can be named.

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

/// Decodes and resamples a recording to its end. Returns its code.
fn decode_all(path: &Path) -> &'static str {
    let mut stream = match AudioStream::open(&LocalFile::new(path), DecoderChoice::Symphonia, DecodeOptions::default())
    {
        Ok(stream) => stream,
        Err(error) => return error.code().as_str(),
    };
    let mut not_finite = false;
    let mut block = AudioBlock::default();
    loop {
        match stream.fill(&mut block, 64_000) {
            Ok(more) => {
                not_finite |= !block.analysis.iter().flatten().all(|sample| sample.is_finite());
                block.clear();
                if !more {
                    break;
                }
            }
            Err(error) => return error.code().as_str(),
        }
    }
    let damage = stream.damage();
    match (not_finite, damage.truncated, damage.decode_errors) {
        (true, ..) => "a sample is not a finite number",
        (_, false, 0) => "done",
        (_, true, 0) => "done, truncated",
        (_, false, _) => "done, with errors",
        _ => "done, truncated and with errors",
    }
}

/// Counts the panics that the decoder catches, instead of printing them.
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
fn none_panics_and_none_hangs() {
    let (mutants, folder) = (Mutants::of(seed()), tempfile::tempdir().unwrap());
    let caught = count_caught();
    let mut report = Report::default();
    let mut wrong = Vec::new();
    for number in 0..count(600) {
        let mutant = mutants.make(number);
        let path = folder.path().join(&mutant.name);
        fs::write(&path, &mutant.bytes).unwrap();
        let (sender, receiver) = channel();
        let (begun, copy) = (Instant::now(), path.clone());
        // One thread each: a thread that hangs is abandoned.
        let thread = thread::spawn(move || sender.send(catch_unwind(|| decode_all(&copy)).unwrap_or("panic")));
        let code = match receiver.recv_timeout(DEADLINE) {
            Ok(code) => {
                thread.join().unwrap().unwrap();
                code
            }
            Err(RecvTimeoutError::Timeout) => "hang",
            Err(RecvTimeoutError::Disconnected) => "lost",
        };
        report.took(begun.elapsed(), &mutant.name);
        report.count(code);
        if ["panic", "hang", "lost", "read_error", "a sample is not a finite number"].contains(&code) {
            wrong.push(format!("{code}: {}", mutant.keep().display()));
        }
        fs::remove_file(path).unwrap();
    }
    report.print("through the library");
    println!("  {} panics of symphonia were caught", caught.load(Relaxed));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
