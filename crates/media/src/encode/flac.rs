//! Writes FLAC, with the crate `flac-codec`.

use std::{borrow::Cow, io};

use flac_codec::{
    Error,
    encode::{FlacSampleWriter, Options},
};

use super::{EncodeError, Output, Sample, SegmentSpec, unsupported};

pub(super) fn write<'s, S: Sample>(
    out: Output<'_>,
    spec: &SegmentSpec,
    frames: u64,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> Result<(), EncodeError> {
    let channels = u8::try_from(spec.channels).ok().filter(|channels| *channels <= 8);
    let channels = channels.ok_or_else(|| {
        unsupported(format!("FLAC holds at most 8 channels, and this recording has {}", spec.channels))
    })?;
    let samples = frames * u64::from(channels);
    // Padding for tags and a seek table are of no use in a file of some seconds.
    let options = Options::default().no_padding().no_seektable();
    let mut writer = FlacSampleWriter::new(out, options, spec.rate, spec.bits, channels, Some(samples))
        .map_err(into_encode_error)?;
    let mut whole = Vec::new();
    for samples in blocks {
        whole.clear();
        whole.extend(samples?.iter().map(|&sample| sample.to_i32()));
        writer.write(&whole).map_err(into_encode_error)?;
    }
    writer.finalize().map_err(into_encode_error)
}

fn into_encode_error(error: Error) -> EncodeError {
    match error {
        Error::Io(error) => error.into(),
        other => unsupported(other.to_string()),
    }
}
