//! Files with false headers, and files that are made to use much memory or time. Each ends with the expected code, within
//! limits of time and memory.
#![cfg(target_os = "linux")]

use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    program::malformed_files::{
        caf, element, flac, fragment, id3, mkv, mp4, mp4_box, mvex, opus_headers, page, tables, wav,
    },
    support::{
        peak_memory::wait_with_peak,
        test_dir::{TestDir, fixture},
    },
};

/// The memory limit of a run with one worker, kB.
const MAX_KB: u64 = (120 + 40) * 1024;

/// A file's name and content, its expected end, and its expected end with `--strict`. `|` separates alternatives.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

/// Checks each file, with and without `--strict`.
fn check_all(cases: Vec<Case>) {
    let wrong: Vec<String> = cases
        .into_iter()
        .flat_map(|(name, bytes, lenient, strict)| {
            let write = |path: &Path| fs::write(path, &bytes).unwrap();
            [check_file(name, write, None, lenient), check_file(name, write, Some("--strict"), strict)]
        })
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prepares the file that `write` writes. Returns a description if its end is not `want` or a limit was exceeded.
fn check_file(name: &str, write: impl Fn(&Path), flag: Option<&str>, want: &str) -> Option<String> {
    let dir = TestDir::new();
    write(&dir.path(name));
    let mut args = vec!["fetch", name, "--workers", "1", "--timeout", "60s", "--log-level", "error"];
    args.extend(flag);
    let log = fs::File::create(dir.path("log")).unwrap();
    let begun = Instant::now();
    let mut process = dir.command(&args).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let (code, peak) = wait_with_peak(&mut process, Duration::from_secs(90));
    let took = begun.elapsed();
    let row = dir.query_row("SELECT state, error_code, error, truncated, decode_errors, samples FROM recording");
    let end = match row["state"].as_str() {
        Some("done") if row["truncated"] == 1 => "truncated",
        Some("done") if row["decode_errors"] != 0 => "errors",
        Some("done") => "done",
        _ => row["error_code"].as_str().unwrap_or("no row"),
    };
    let log = fs::read_to_string(dir.path("log")).unwrap();
    println!("{name} {flag:?}: {end}, exit code {code:?}, {:.2} s, {} MB", took.as_secs_f64(), peak / 1024);
    let is_done = ["done", "truncated", "errors"].contains(&end);
    let is_expected = want.split('|').any(|want| want == end) && code == Some(if is_done { 0 } else { 3 });
    let is_within_limits = peak <= MAX_KB && took < Duration::from_secs(30) && !log.contains("panic");
    let problem = || format!("{name} {flag:?}: {end}, {code:?}, {row}, expected {want}; {took:?}, {peak} kB, {log}");
    (!is_expected || !is_within_limits).then(problem)
}

#[test]
fn false_headers_end_with_a_code() {
    let audio = vec![1; 1_000];
    check_all(vec![
        ("rate 0.wav", wav(1, 0, 2, 16, 1_000, &audio), "implausible_header", "implausible_header"),
        ("rate 4294967295.wav", wav(1, u32::MAX, 2, 16, 1_000, &audio), "implausible_header", "implausible_header"),
        ("an awkward rate.wav", wav(1, 767_957, 2, 16, 1_000, &audio), "implausible_header", "implausible_header"),
        (
            "channels 0.wav",
            wav(0, 8_000, 2, 16, 1_000, &audio),
            "implausible_header|corrupt",
            "implausible_header|corrupt",
        ),
        (
            "channels 65535.wav",
            wav(65_535, 8_000, 2, 16, 1_000, &audio),
            "implausible_header|corrupt|unsupported_format",
            "implausible_header|corrupt|unsupported_format",
        ),
        ("length 4294967295.wav", wav(1, 8_000, 2, 16, u32::MAX, &audio), "done", "done"),
        ("length 0.wav", wav(1, 8_000, 2, 16, 0, &audio), "done", "done"),
        ("align 0.wav", wav(1, 8_000, 0, 16, 1_000, &audio), "corrupt|done", "corrupt|done"),
        ("10 GB in 1 kB.caf", caf(2, 1, 10 << 30, &audio), "truncated", "damaged"),
        (
            "packets of 4 GB.caf",
            caf(u32::MAX, 1, -1, &vec![1; 100_000]),
            "implausible_header|corrupt|truncated|done|no_samples",
            "implausible_header|corrupt|damaged|done|no_samples",
        ),
        (
            "4294967295 frames in a packet.caf",
            caf(2, u32::MAX, 1_004, &audio),
            "implausible_header",
            "implausible_header",
        ),
        (
            "a fragment of FLAC.flac",
            flac(65_535, 65_535, &[0xFF, 0xF8, 0x70, 0x18, 0, 0xFF, 0xFF]),
            "no_samples|corrupt|unsupported_format",
            "no_samples|corrupt|unsupported_format",
        ),
        ("256 MB of ID3.mp3", [&id3(0x0FFF_FFFF)[..], &audio].concat(), "unsupported_format", "unsupported_format"),
        (
            "256 MB of ID3.wav",
            [&id3(0x0FFF_FFFF)[..], &fs::read(fixture("speech/wav_s16_16k_mono.wav")).unwrap()].concat(),
            "done|unsupported_format",
            "done|unsupported_format",
        ),
    ]);
}

#[test]
fn false_mp4_tables_end_with_a_code() {
    let mdat = mp4_box(b"mdat", &[&[1; 1_000]]);
    let at = |moov: usize| moov as u32;
    // The offset of the samples in the file, after the boxes before them.
    let offset = mp4(&tables(&[1, 8, 1], &[1, 1, 8, 1], &[2, 8], &[1, 0]), &[], &[]).len() + 8;
    let many: Vec<u32> = [100_000].into_iter().chain((0..100_000).map(|_| at(offset))).collect();
    let offset_of_many = offset + 4 * 99_999;
    let repeated = tables(
        &[1, 100_000_000, 1],
        &[1, 1, 500, 1],
        &[2, 50_000_000],
        &many.iter().map(|&n| if n == 100_000 { n } else { offset_of_many as u32 }).collect::<Vec<_>>(),
    );
    let durations: Vec<u32> = [400_000].into_iter().chain((0..400_000).flat_map(|_| [1, 1])).collect();
    let zeros = mvex(0);
    check_all(vec![
        (
            "stsz of 4294967295.mp4",
            mp4(&tables(&[1, 8, 1], &[1, 1, 8, 1], &[0, u32::MAX, 2, 2], &[1, at(offset)]), &[], &mdat),
            "corrupt|unsupported_format|truncated",
            "corrupt|unsupported_format|damaged",
        ),
        (
            "constant stsz of 4294967295.mp4",
            mp4(&tables(&[1, u32::MAX, 1], &[1, 1, u32::MAX, 1], &[2, u32::MAX], &[1, at(offset)]), &[], &mdat),
            "truncated|implausible_header|corrupt",
            "damaged|implausible_header|corrupt",
        ),
        (
            "repeated chunks.mp4",
            mp4(&repeated, &[], &mdat),
            "truncated|implausible_header|corrupt",
            "damaged|implausible_header|corrupt",
        ),
        (
            "a duration for each sample.mp4",
            mp4(
                &tables(&durations, &[1, 1, 400_000, 1], &[2, 400_000], &[1, (offset + 8 * 399_999) as u32]),
                &[],
                &mp4_box(b"mdat", &[&vec![1; 800_000]]),
            ),
            "done",
            "done",
        ),
        (
            "fragments of 4294967295 empty samples.mp4",
            mp4(
                &tables(&[0], &[0], &[0, 0], &[0]),
                &zeros,
                &(0..20).flat_map(|_| fragment(0, u32::MAX, &[], &[])).collect::<Vec<u8>>(),
            ),
            "implausible_header|corrupt|no_samples",
            "implausible_header|corrupt|no_samples",
        ),
        (
            "a first sample's flags.mp4",
            mp4(&tables(&[0], &[0], &[0, 0], &[0]), &zeros, &fragment(4, 1, &[4], &[1, 2])),
            "corrupt|no_samples",
            "corrupt|no_samples",
        ),
    ]);
}

#[test]
fn endless_structures_end_with_a_code() {
    let headers: Vec<u8> = (0..100_000).flat_map(opus_headers).collect();
    // Chained streams, with 8 MB without pages after the first.
    let stream = |n: u32| [opus_headers(n), page(4, n, 2, 960, &[0x08])].concat();
    let chained = [stream(0), vec![0; 8_000_000], (1..20_000).flat_map(stream).collect()].concat();
    let block = element(&[0xA3], Some(4), &[0x81, 0, 0, 0x80]);
    let padded = element(&[0xA0], None, &element(&[0xA1], Some(6), &[0x81, 0, 0, 0x80, 1, 1]));
    let nested: Vec<u8> = (0..300_000).flat_map(|_| element(&[0xA0], None, &[])).collect();
    let clusters: Vec<u8> = (0..300_000).flat_map(|_| element(&[0x1F, 0x43, 0xB6, 0x75], None, &[])).collect();
    let blocks: Vec<u8> = (0..300_000).flat_map(|_| block.clone()).collect();
    let cluster =
        |blocks: &[u8]| element(&[0x1F, 0x43, 0xB6, 0x75], None, &[&element(&[0xE7], Some(1), &[0]), blocks].concat());
    check_all(vec![
        ("only headers.opus", headers, "unsupported_format", "unsupported_format"),
        ("chained streams after zeros.opus", chained, "truncated|done|errors|corrupt", "damaged|done|corrupt"),
        (
            "unknown sizes.mkv",
            mkv(&cluster(&element(&[0xA3], Some(2_004), &[&[0x81, 0, 0, 0x80][..], &[1; 2_000]].concat()))),
            "done",
            "done",
        ),
        ("only empty clusters.mkv", mkv(&clusters), "corrupt|no_samples", "corrupt|no_samples"),
        ("blocks without samples.mkv", mkv(&cluster(&blocks)), "corrupt|no_samples", "corrupt|no_samples"),
        ("groups in groups.mkv", mkv(&cluster(&nested)), "corrupt|no_samples", "corrupt|no_samples"),
        ("a group of unknown size.mkv", mkv(&cluster(&padded)), "done|corrupt|no_samples", "done|corrupt|no_samples"),
    ]);
}

/// The fuzzers found these files. Each made symphonia panic, and so failed with `panic`; fixtures/README.md has the causes.
#[test]
fn files_that_fuzzers_found_do_not_panic() {
    let mut found = 0;
    for entry in fs::read_dir(fixture("fuzzed")).unwrap().map(Result::unwrap) {
        let copy = |path: &Path| fs::write(path, fs::read(entry.path()).unwrap()).unwrap();
        let name = entry.file_name();
        let wrong = check_file(name.to_str().unwrap(), copy, None, "corrupt|truncated|errors|no_samples");
        assert_eq!(wrong, None);
        found += 1;
    }
    assert!(found > 0);
}

/// Writes a sparse file with a hole of 250 MB between `head` and `tail`.
fn write_with_hole(path: &Path, head: &[u8], tail: &[u8]) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.seek(SeekFrom::Current(HOLE as i64)).unwrap();
    file.write_all(tail).unwrap();
    file.set_len((head.len() + HOLE + tail.len()) as u64).unwrap();
}

const HOLE: usize = 250_000_000;

/// Tags, attachments and packets may have any size, but only a limited part of them is read at a time.
#[test]
fn large_parts_of_files_are_not_read_as_a_whole() {
    let speech = fs::read(fixture("speech/mp3_44k1_stereo.mp3")).unwrap();
    let picture = [&id3(HOLE as u32 + 10)[..], b"APIC", &(HOLE as u32).to_be_bytes(), &[0, 0]].concat();
    let fonts = [0x19, 0x41, 0xA4, 0x69];
    let block = element(&[0xA3], Some(2_004), &[&[0x81, 0, 0, 0x80][..], &[1; 2_000]].concat());
    let cluster =
        |block: &[u8]| element(&[0x1F, 0x43, 0xB6, 0x75], None, &[&element(&[0xE7], Some(1), &[0]), block].concat());
    let attached = mkv(&element(&fonts, Some(HOLE), &[]));
    let huge = mkv(&cluster(&element(&[0xA3], Some(HOLE + 4), &[0x81, 0, 0, 0x80])));
    let wrong = [
        check_file("a picture of 250 MB.mp3", |path| write_with_hole(path, &picture, &speech), None, "done"),
        check_file(
            "fonts of 250 MB.mkv",
            |path| write_with_hole(path, &attached, &cluster(&block)),
            Some("--strict"),
            "done",
        ),
        check_file("a packet of 250 MB.mkv", |path| write_with_hole(path, &huge, &[]), None, "corrupt"),
    ];
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_kinds_of_bad_input_have_their_codes_in_one_run() {
    let dir = TestDir::new();
    let bad = [
        ("missing.wav", "not_found"),
        ("folder.wav", "is_a_folder"),
        ("/dev/zero", "is_a_device"),
        ("/dev/null", "is_a_device"),
        ("pipe.wav", "is_a_pipe"),
        ("empty.wav", "empty_file"),
        ("text.wav", "unsupported_format"),
        ("rate.wav", "implausible_header"),
        ("film.mkv", "no_audio_track"),
        ("nothing.wav", "no_samples"),
        ("folder.wav/within.wav", "not_found"),
        ("text.wav/within.wav", "not_found"),
        ("loop.wav", "not_found|read_error"),
    ];
    dir.write("folder.wav/other.wav", ""); // a folder that is empty is taken for one that is not mounted
    assert!(std::process::Command::new("mkfifo").arg(dir.path("pipe.wav")).status().unwrap().success());
    std::os::unix::fs::symlink("loop.wav", dir.path("loop.wav")).unwrap();
    dir.write("empty.wav", "");
    dir.write("text.wav", "RIFF? No, this is only text.\n".repeat(50));
    dir.copy("bad/rate_zero.wav", "rate.wav");
    dir.copy("bad/no_audio.mkv", "film.mkv");
    dir.write("nothing.wav", wav(1, 8_000, 2, 16, 0, &[]));
    dir.write("list.txt", bad.map(|(name, _)| name).join("\n"));
    dir.run(&["add", "list.txt"]).exits(0);
    dir.query_row("UPDATE recording SET max_attempts = 1");
    let begun = Instant::now();
    dir.run(&["fetch", "--workers", "2"]).exits(3);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let row = dir.query_row("SELECT json_group_object(source, error_code) AS ends FROM recording");
    let ends: BTreeMap<String, String> = serde_json::from_str(row["ends"].as_str().unwrap()).unwrap();
    for (name, code) in bad {
        let end = ends.iter().find(|(source, _)| source.ends_with(name)).map(|(_, code)| code.as_str());
        assert!(
            end.is_some_and(|end| code.split('|').any(|code| code == end)),
            "{name}: {end:?}, not {code}; {ends:?}"
        );
    }
}
