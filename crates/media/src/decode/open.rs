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
    sanitize::ByteOverrides,
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
    use symphonia::default::formats::{AiffReader, CafReader, IsoMp4Reader, MkvReader, WavReader};
    let mut probe = Probe::default();
    probe.register_format::<CafReader<'_>>();
    probe.register_format::<flac::FlacReader<'_>>();
    probe.register_format::<IsoMp4Reader<'_>>();
    probe.register_format::<AiffReader<'_>>();
    probe.register_format::<WavReader<'_>>();
    probe.register_format::<ogg::OggReader<'_>>();
    probe.register_format::<MkvReader<'_>>();
    probe
}

/// Opens the demuxer of `input`'s container. Some truncated files (AIFF, MKV, Ogg FLAC, fragmented MP4) are refused if the
/// demuxer can seek to the missing part; as a stream that cannot seek, they are read to their end.
pub(super) fn open_container(input: &dyn MediaInput) -> Result<Box<dyn FormatReader>, AudioError> {
    if foreign(input).is_some() {
        return Err(AudioError::UnsupportedFormat(describe(input)));
    }
    let overrides = ByteOverrides::of(input)?;
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
    Ok(Box::new(PacketLimitedReader::of(reader, len, overrides.end)))
}
