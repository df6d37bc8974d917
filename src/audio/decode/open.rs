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

use super::names::{describe, foreign};
use crate::audio::{AudioError, error::NoFile};

/// Looks before opening: to open a pipe would wait for its writer for ever.
pub(super) fn check_file(path: &Path) -> Result<Metadata, AudioError> {
    let metadata = fs::metadata(path).map_err(|e| AudioError::from_io(e, path))?;
    if !metadata.is_file() {
        return Err(AudioError::NotAFile(kind(&metadata)));
    }
    if metadata.len() == 0 {
        return Err(AudioError::EmptyFile);
    }
    Ok(metadata)
}

fn kind(metadata: &Metadata) -> NoFile {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_socket() {
            return NoFile::Pipe;
        }
    }
    if metadata.is_dir() { NoFile::Folder } else { NoFile::Device }
}

/// Finds the container. Some that were cut off (AIFF, MKV, Ogg FLAC, fragmented MP4) are refused while the reader
/// can seek to what is missing, but are read to their end as a stream.
pub(super) fn open_container(path: &Path) -> Result<Box<dyn FormatReader>, AudioError> {
    if foreign(path).is_some() {
        return Err(AudioError::UnsupportedFormat(describe(path)));
    }
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
            SymphoniaError::Unsupported(_) => AudioError::UnsupportedFormat(describe(path)),
            SymphoniaError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                AudioError::UnsupportedFormat(describe(path))
            }
            other => AudioError::from_container(other),
        },
    )
}
