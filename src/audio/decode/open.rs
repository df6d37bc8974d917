//! From a path to a container's reader.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::{LazyLock, atomic::Ordering::Relaxed},
};

use symphonia::core::{
    errors::Error as SymphoniaError,
    formats::{
        FormatOptions, FormatReader,
        probe::{Hint, Probe},
    },
    io::MediaSourceStream,
    meta::MetadataOptions,
};

use super::{
    guard::guard,
    honest::Honest,
    marks::Marks,
    names::{describe, foreign},
    source::Source,
};
use crate::audio::{AudioError, error::NoFile};

/// The containers, without the readers of tags that symphonia has as well.
static FORMATS: LazyLock<Probe> = LazyLock::new(|| {
    use symphonia::default::formats::*;
    let mut probe = Probe::default();
    probe.register_format::<AdtsReader<'_>>();
    probe.register_format::<CafReader<'_>>();
    probe.register_format::<FlacReader<'_>>();
    probe.register_format::<IsoMp4Reader<'_>>();
    probe.register_format::<MpaReader<'_>>();
    probe.register_format::<AiffReader<'_>>();
    probe.register_format::<WavReader<'_>>();
    probe.register_format::<OggReader<'_>>();
    probe.register_format::<MkvReader<'_>>();
    probe
});

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
    let marks = Marks::of(path)?;
    probe(path, &marks, false).or_else(|error| match error {
        AudioError::Io(_) => Err(error),
        _ => probe(path, &marks, true).map_err(|_| error),
    })
}

fn probe(path: &Path, marks: &Marks, as_stream: bool) -> Result<Box<dyn FormatReader>, AudioError> {
    let unreadable = |error| AudioError::from_io(error, path);
    let file = File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    let (source, is_stream) = Source::of(file, marks.clone()).map_err(unreadable)?;
    is_stream.store(as_stream, Relaxed);
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let probed = guard(|| FORMATS.probe(&hint, stream, FormatOptions::default(), MetadataOptions::default()));
    let reader = probed.map_err(|error| match error {
        SymphoniaError::Unsupported(_) => AudioError::UnsupportedFormat(describe(path)),
        SymphoniaError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            AudioError::UnsupportedFormat(describe(path))
        }
        other => AudioError::from_container(other),
    })?;
    if reader.format_info().short_name == "ogg" {
        // At the head of each further stream of a chain, a reader that can seek would look for that stream's end through
        // all of the file: a thousand heads would take a thousand times as long as one.
        is_stream.store(true, Relaxed);
    }
    Ok(Box::new(Honest::of(reader, len, marks.end)))
}

/// Reads what is at `at`, as much as fits and is there.
pub(super) fn read_at(mut file: &File, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..])? {
            0 => break,
            len => read += len,
        }
    }
    Ok(read)
}
