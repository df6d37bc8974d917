//! From a path to a container's reader.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

use symphonia::core::{
    errors::Error as SymphoniaError,
    formats::{FormatOptions, FormatReader, probe::Hint},
    io::{MediaSource, MediaSourceStream, ReadOnlySource},
    meta::MetadataOptions,
};

use crate::audio::AudioError;

/// Looks before opening: to open a pipe would wait for its writer for ever.
pub(super) fn check_file(path: &Path) -> Result<Metadata, AudioError> {
    let metadata = fs::metadata(path).map_err(|e| AudioError::from_io(e, path))?;
    if metadata.is_dir() {
        return Err(AudioError::NotAFile("a folder"));
    }
    if !metadata.is_file() {
        return Err(AudioError::NotAFile("a device, a pipe or a socket"));
    }
    if metadata.len() == 0 {
        return Err(AudioError::EmptyFile);
    }
    Ok(metadata)
}

/// Finds the container. Some that were cut off (AIFF, MKV, Ogg FLAC, fragmented MP4) are refused while the reader
/// can seek to what is missing, but are read to their end as a stream.
pub(super) fn open_container(path: &Path) -> Result<Box<dyn FormatReader>, AudioError> {
    let open = || File::open(path).map_err(|e| AudioError::from_io(e, path));
    probe(path, Box::new(open()?)).or_else(|error| match error {
        AudioError::Io(_) => Err(error),
        _ => probe(path, Box::new(ReadOnlySource::new(open()?))).map_err(|_| error),
    })
}

fn probe(path: &Path, source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, AudioError> {
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(source, Default::default());
    symphonia::default::get_probe().probe(&hint, stream, FormatOptions::default(), MetadataOptions::default()).map_err(
        |error| match error {
            SymphoniaError::Unsupported(_) => AudioError::UnsupportedFormat(first_bytes(path)),
            SymphoniaError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                AudioError::UnsupportedFormat(first_bytes(path))
            }
            other => AudioError::from_container(other),
        },
    )
}

/// The beginning of the file for the message, so that a user sees what it is: text, HTML, another format's mark.
fn first_bytes(path: &Path) -> String {
    let mut head = [0; 12];
    let n = File::open(path).and_then(|mut f| io::Read::read(&mut f, &mut head)).unwrap_or(0);
    format!("it begins with \"{}\"", head[..n].escape_ascii())
}
