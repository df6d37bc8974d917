//! Names of folders and files, whatever a source is called.

use sha2::{Digest, Sha256};

use super::TEMPORARY;
use prepare_audio_media::SegmentFormat;
use prepare_audio_pipeline::DENOISED_INFIX;

/// Longest part of a source's name that goes into a folder's name, in bytes: file systems allow 255.
const MAX_STEM: usize = 80;

/// Digits of a hash in a name.
const HASH: usize = 12;

/// Windows treats these as devices, in any folder and with any extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt"];

/// A recording's folder: a readable name, and a hash so that no two collide.
pub(crate) fn folder(source: &str, recipe: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(recipe);
    digest.update([0]);
    digest.update(source);
    let hash = hex::encode(&digest.finalize()[..HASH / 2]);
    format!("{}-{hash}", readable_stem(source))
}

/// A segment's file.
pub(super) fn file(index: usize, sha256: &str, ending: &str) -> String {
    format!("{index:05}-{}.{ending}", &sha256[..HASH])
}

/// A claim's file before it gets its name.
pub(super) fn temporary(claim_id: &str, index: usize) -> String {
    format!("{TEMPORARY}{claim_id}.{index:05}")
}

/// Whether this is how [`folder()`] names folders.
pub(super) fn is_folder(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(stem, hash)| !stem.is_empty() && !stem.starts_with('.') && is_hash(hash))
}

/// Whether this is how [`file()`] names files.
pub(super) fn is_file(name: &str) -> bool {
    let ours = |ending: &str| {
        let format = ending.strip_prefix(DENOISED_INFIX).unwrap_or(ending);
        SegmentFormat::ALL.iter().any(|ours| ours.name() == format)
    };
    let stem = name.split_once('.').and_then(|(stem, ending)| ours(ending).then_some(stem));
    let parts = stem.and_then(|stem| stem.split_once('-'));
    parts.is_some_and(|(index, hash)| index.len() >= 5 && index.bytes().all(|b| b.is_ascii_digit()) && is_hash(hash))
}

/// Whether a file is temporary.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY)
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The file name's stem, in which characters that mean something to a shell or a file system are replaced.
pub(crate) fn readable_stem(source: &str) -> String {
    let name = source.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("");
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem });
    let mut safe = String::new();
    for c in stem.chars() {
        let c = if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        if safe.len() + c.len_utf8() > MAX_STEM {
            break;
        }
        safe.push(c);
    }
    let safe = safe.trim_start_matches('.');
    match safe {
        "" => "recording".into(),
        safe if is_device(safe) => format!("_{safe}"),
        safe => safe.into(),
    }
}

/// `con.old-HASH` is the console, too, and names that end in a superscript digit are devices.
fn is_device(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or(name).to_lowercase();
    let bare = first.trim_end_matches(|c: char| c.is_ascii_digit() || "¹²³".contains(c));
    DEVICES.contains(&bare)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folders_are_readable_and_distinct() {
        for (source, stem) in [
            ("/data/call 7.mp3", "call_7-"),
            ("Grüße.flac", "Grüße-"),
            (".hidden", "hidden-"),
            ("", "recording-"),
            ("con", "_con-"),
            ("C:\\calls\\COM3.old.wav", "_COM3.old-"),
            ("lpt¹.wav", "_lpt¹-"),
            ("console.wav", "console-"),
        ] {
            assert!(folder(source, "r").starts_with(stem), "{source}: {}", folder(source, "r"));
        }
        assert_ne!(folder("a/same.wav", "r"), folder("b/same.wav", "r"));
        assert_ne!(folder("a.wav", "r1"), folder("a.wav", "r2"));
    }

    /// Characters that could lead to another folder, end a name, or display as another name.
    #[test]
    fn what_has_a_meaning_is_replaced() {
        let long = "x/".repeat(2_000) + &"y".repeat(4_096);
        for (source, stem) in [
            ("../../etc/passwd", "passwd"),
            ("a/..", "recording"),
            ("..\\..\\boot.ini", "boot"),
            ("..／..／etc／passwd.wav", "_.._etc_passwd"), // U+FF0F
            ("a∕b.wav", "a_b"),                            // U+2215
            ("․․∕a.wav", "___a"),                          // U+2024
            ("‥/‥.wav", "_"),                              // U+2025
            ("call\u{202e}3pm.wav", "call_3pm"),           // right-to-left override
            ("\u{2066}a\u{2069}\u{200f}.wav", "_a__"),
            ("a\nb\tc\u{7f}\u{85}.wav", "a_b_c__"),
            ("a\0b.wav", "a_b"),
            ("~root.wav", "_root"),
            ("$(reboot);`x`|y&z*?[a]{b}.wav", "__reboot___x__y_z___a__b_"),
            ("-rf.wav", "-rf"),
            ("a:stream.wav", "a_stream"),
            ("trailing. .wav", "trailing._"),
            (&long, &"y".repeat(MAX_STEM)),
        ] {
            let name = folder(source, "r");
            assert_eq!(&name[..name.len() - HASH - 1], stem, "{name}");
        }
    }

    #[test]
    fn foreign_names_are_distinguished_from_ours() {
        for (name, of_folder, of_file) in [
            ("call_7-0123456789ab", true, false),
            ("a-b-0123456789ab", true, false),
            ("-0123456789ab", false, false),
            (".hidden-0123456789ab", false, false),
            ("call-0123456789AB", false, false),
            ("call-0123456789abc", false, false),
            ("holiday", false, false),
            ("00000-0123456789ab.wav", false, true),
            ("1234567-0123456789ab.wav", false, true),
            ("0000-0123456789ab.wav", false, false),
            ("00000-0123456789ab.flac", false, true),
            ("00000-0123456789ab.opus", false, true),
            ("00000-0123456789ab.denoised.flac", false, true),
            ("00000-0123456789ab.denoised.mp3", false, false),
            ("00000-0123456789ab.denoised", false, false),
            ("00000-0123456789ab.mp3", false, false),
            ("00000-0123456789aB.wav", false, false),
            ("00000-0123456789ab.wav.txt", false, false),
            ("x0000-0123456789ab.wav", false, false),
            ("-0123456789ab.wav", false, false),
        ] {
            assert_eq!((is_folder(name), is_file(name)), (of_folder, of_file), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_source_gives_one_plain_name(source in "\\PC{0,300}|[./\\\\\0a:]{0,20}|(con|NUL|aux)[.a1]{0,4}") {
            let name = folder(&source, "r");
            let parts: Vec<_> = Path::new(&name).components().collect();
            prop_assert_eq!(parts, vec![Component::Normal(name.as_ref())]);
            prop_assert!(name.len() <= MAX_STEM + HASH + 2 && !name.starts_with('.') && !name.contains(['\0', '\\', ':']));
            prop_assert!(!is_device(&name) && is_folder(&name));
        }
    }
}
