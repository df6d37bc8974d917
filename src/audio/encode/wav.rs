//! PCM in WAV, by hound.

use std::{borrow::Cow, io};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::{Buffered, Sample, Spec, unsupported};

pub(super) fn write<'s, S: Sample>(
    out: Buffered<'_>,
    spec: &Spec,
    blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
) -> io::Result<()> {
    let header = WavSpec {
        channels: u16::try_from(spec.channels).map_err(unsupported)?,
        sample_rate: spec.rate,
        bits_per_sample: spec.bits as u16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::new(out, header).map_err(into_io)?;
    for samples in blocks {
        let samples = samples?;
        if spec.bits == 16 {
            let mut block = writer.get_i16_writer(samples.len() as u32);
            samples.iter().for_each(|&sample| block.write_sample(sample.to_i16()));
            block.flush().map_err(into_io)?;
        } else {
            samples.iter().try_for_each(|&sample| writer.write_sample(sample.to_i32())).map_err(into_io)?;
        }
    }
    writer.finalize().map_err(into_io)
}

fn into_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        hound::Error::TooWide | hound::Error::Unsupported => unsupported(error),
        other => io::Error::other(other),
    }
}
