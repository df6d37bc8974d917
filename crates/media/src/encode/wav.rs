//! Writes PCM in WAV, with the crate `hound`.

use std::{borrow::Cow, io};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::{EncodeError, Output, Sample, SegmentSpec, unsupported};

pub(super) fn write<'s, S: Sample>(
    out: Output<'_>,
    spec: &SegmentSpec,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> Result<(), EncodeError> {
    let header = WavSpec {
        channels: spec.channels,
        sample_rate: spec.rate,
        bits_per_sample: spec.bits as u16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::new(out, header).map_err(into_encode_error)?;
    for samples in blocks {
        let samples = samples?;
        if spec.bits == 16 {
            let mut block = writer.get_i16_writer(samples.len() as u32);
            samples.iter().for_each(|&sample| block.write_sample(sample.to_i16()));
            block.flush().map_err(into_encode_error)?;
        } else {
            samples.iter().try_for_each(|&sample| writer.write_sample(sample.to_i32())).map_err(into_encode_error)?;
        }
    }
    writer.finalize().map_err(into_encode_error)
}

fn into_encode_error(error: hound::Error) -> EncodeError {
    match error {
        hound::Error::IoError(error) => error.into(),
        hound::Error::TooWide | hound::Error::Unsupported => unsupported(error),
        other => io::Error::other(other).into(),
    }
}
