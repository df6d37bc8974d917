//! Finds the demuxer for an input.

use std::{
    io,
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
    container_marks::{self, known_container},
    flac,
    format_sniffing::{describe, foreign},
    matroska_reader::MatroskaReader,
    matroska_resync::MatroskaResync,
    mp4_fragment_times::FragmentTimes,
    mpeg_audio::MpegAudioReader,
    ogg,
    packet_limits::PacketLimitedReader,
    panic_guard::guard,
    pcm,
    pcm::RawFormat,
    sanitize::{ByteOverrides, End},
    sanitized_source::Source,
};
use crate::{AudioError, MediaInput};

/// The demuxers of containers. symphonia's readers of tags are left out.
static CONTAINERS: LazyLock<Probe> = LazyLock::new(containers);

/// The demuxers of containers, and the one of MPEG audio and AAC frames without a container.
static FORMATS: LazyLock<Probe> = LazyLock::new(|| {
    let mut probe = containers();
    probe.register_format::<MpegAudioReader<'_>>();
    probe
});

fn containers() -> Probe {
    use symphonia::default::formats::{CafReader, IsoMp4Reader, MkvReader};
    let mut probe = Probe::default();
    probe.register_format::<CafReader<'_>>();
    probe.register_format::<flac::FlacReader<'_>>();
    probe.register_format::<IsoMp4Reader<'_>>();
    probe.register_format::<ogg::OggReader<'_>>();
    probe.register_format::<MkvReader<'_>>();
    probe
}

/// Opens the demuxer of `input`, all of which is samples of the format `raw`.
pub(super) fn open_raw(input: &dyn MediaInput, raw: RawFormat) -> Result<Box<dyn FormatReader>, AudioError> {
    limited(pcm::open_raw(input, raw)?, input, End::Unknown)
}

/// Whether `input` begins like a container that has a signature. Samples without a header do not do so by chance.
pub(super) fn has_container(input: &dyn MediaInput) -> bool {
    let mut head = [0; 12];
    input.read_at(0, &mut head).is_ok_and(|read| known_container(&head[..read]).is_some())
}

fn limited(
    reader: Box<dyn FormatReader>,
    input: &dyn MediaInput,
    end: End,
) -> Result<Box<dyn FormatReader>, AudioError> {
    let len = input.len().map_err(|error| AudioError::from_io(error, &input.name()))?;
    Ok(Box::new(PacketLimitedReader::of(reader, len, end)))
}

/// Opens the demuxer of `input`'s container. Some truncated files (MKV, Ogg FLAC, fragmented MP4) are refused if the
/// demuxer can seek to the missing part; as a stream that cannot seek, they are read to their end.
pub(super) fn open_container(input: &dyn MediaInput) -> Result<Box<dyn FormatReader>, AudioError> {
    if foreign(input).is_some() {
        return Err(AudioError::UnsupportedFormat(describe(input)));
    }
    let overrides = ByteOverrides::of(input)?;
    let blocks = match pcm::open_wav(input, overrides.start)? {
        Some(reader) => Some(reader),
        None => pcm::open_aiff(input, overrides.start)?,
    };
    if let Some(reader) = blocks {
        return limited(reader, input, End::Unknown);
    }
    probe(input, &overrides, false).or_else(|error| match error {
        AudioError::Io(_) => Err(error),
        _ => probe(input, &overrides, true).map_err(|_| error),
    })
}

fn probe(
    input: &dyn MediaInput,
    overrides: &ByteOverrides,
    as_stream: bool,
) -> Result<Box<dyn FormatReader>, AudioError> {
    let unreadable = |error| AudioError::from_io(error, &input.name());
    let len = input.len().map_err(unreadable)?;
    let mut head = vec![0; container_marks::HEAD];
    let read = input.read_at(overrides.start, &mut head).map_err(unreadable)?;
    head.truncate(read);
    let formats = if known_container(&head).is_some() { &CONTAINERS } else { &FORMATS };
    let open = || input.open().map_err(unreadable);
    let (mut source, is_stream) = Source::of(open()?, len, overrides.clone()).map_err(unreadable)?;
    let resync = MatroskaResync::of(open()?, overrides.start, len);
    let report = resync.as_ref().map(MatroskaResync::report);
    source.mask(resync);
    is_stream.store(as_stream, Relaxed);
    let mut hint = Hint::new();
    if let Some(extension) = input.extension() {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let probed = guard(|| formats.probe(&hint, stream, FormatOptions::default(), MetadataOptions::default()));
    let reader = probed.map_err(|error| match error {
        SymphoniaError::Unsupported(_) => AudioError::UnsupportedFormat(describe(input)),
        SymphoniaError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            AudioError::UnsupportedFormat(describe(input))
        }
        other => AudioError::from_container(other),
    })?;
    let reader: Box<dyn FormatReader> = match report {
        Some(report) => Box::new(MatroskaReader::of(reader, report)),
        None if !overrides.fragments.is_empty() => Box::new(FragmentTimes::of(reader, &overrides.fragments)),
        None => reader,
    };
    limited(reader, input, overrides.end)
}
