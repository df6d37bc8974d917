//! WebDataset's tar shards: for each segment a file KEY.wav (or .flac, .opus) and a file KEY.json, in this order of names.
//!
//! The same rows give the same bytes: owners, times and modes in the archives are constants.

use std::{fs::File, io, path::Path};

use serde_json::{Value, json};
use tar::{Builder, Header};

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::target::{OutputFile, write_error};

/// Size of a tar header, and the unit of its files' lengths.
const BLOCK: u64 = 512;

/// Writes shards of a bounded size.
pub struct WebDataset {
    shard: Option<Shard>,
    bytes: u64,
}

/// The shard that is being written.
struct Shard {
    file: OutputFile,
    bytes: u64,
}

impl WebDataset {
    /// Shards of the settings' size.
    pub fn new(settings: &Settings) -> Self {
        Self { shard: None, bytes: settings.shard_bytes }
    }

    /// The shard that has room for `bytes` more; a sample that is larger than a shard gets one alone.
    fn shard_for(&mut self, bytes: u64, target: &mut Target) -> Result<&mut Shard> {
        if self.shard.as_ref().is_some_and(|shard| shard.bytes + bytes > self.bytes) {
            self.end_shard()?;
        }
        match self.shard {
            Some(ref mut shard) => Ok(shard),
            None => {
                let file = target.shard("tar")?;
                Ok(self.shard.insert(Shard { file, bytes: 2 * BLOCK })) // an archive ends with two empty blocks
            }
        }
    }

    fn end_shard(&mut self) -> Result<()> {
        let Some(mut shard) = self.shard.take() else { return Ok(()) };
        shard.file.write(|out| out.write_all(&[0; 2 * BLOCK as usize]))?;
        shard.file.close()
    }
}

impl Writer for WebDataset {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        for segment in &recording.segments {
            // A key ends at the first dot.
            let key = name.segment(segment).replace('.', "_");
            let path = Path::new(segment.path.as_deref().unwrap_or_default());
            let audio = File::open(path).map_err(write_error(path))?;
            let length = audio.metadata().map_err(write_error(path))?.len();
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("wav");
            let json = description(recording, name, segment);
            let needed = 2 * BLOCK + length.next_multiple_of(BLOCK) + (json.len() as u64).next_multiple_of(BLOCK);
            let shard = self.shard_for(needed, target)?;
            shard
                .file
                .write(|out| append(out, &format!("{key}.{extension}"), length, io::Read::take(audio, length)))?;
            shard.file.write(|out| append(out, &format!("{key}.json"), json.len() as u64, json.as_bytes()))?;
            shard.bytes += needed;
        }
        Ok(())
    }

    fn finish(&mut self, target: &mut Target) -> Result<()> {
        if target.shards() == 0 {
            self.shard_for(0, target)?; // an empty dataset is a shard without samples
        }
        self.end_shard()
    }
}

/// Appends a file to an archive. A file that became shorter meanwhile is an error, since the archive would be corrupt.
fn append(mut out: &mut dyn io::Write, name: &str, length: u64, content: impl io::Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    let mut archive = Builder::new(&mut out);
    let mut counted = Counted { content, bytes: 0 };
    archive.append_data(&mut header, name, &mut counted)?;
    // Dropping the builder would end the archive.
    std::mem::forget(archive);
    if counted.bytes == length {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the segment's file became shorter"))
    }
}

struct Counted<R> {
    content: R,
    bytes: u64,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn description(recording: &Recording, name: &Name, segment: &prepare_audio_types::Segment) -> String {
    let mut value = json!({
        "id": name.segment(segment),
        "source": recording.source,
        "start": segment.start_s,
        "end": segment.end_s,
        "duration": segment.end_s - segment.start_s,
        "mean_probability": segment.mean_probability,
        "recipe": recording.recipe,
    });
    let optional = [
        ("channel", segment.channel.map(Value::from)),
        ("level_dbfs", segment.level_dbfs.map(Value::from)),
        ("snr_db", segment.snr_db.map(Value::from)),
        ("denoised_snr_db", segment.denoised_snr_db.map(Value::from)),
        ("loudness_lufs", segment.loudness_lufs.map(Value::from)),
        ("bandwidth_hz", segment.bandwidth_hz.map(Value::from)),
        ("dnsmos_signal", segment.dnsmos_signal.map(Value::from)),
        ("dnsmos_background", segment.dnsmos_background.map(Value::from)),
        ("dnsmos_overall", segment.dnsmos_overall.map(Value::from)),
        ("tag", segment.tag.clone().map(Value::from)),
        ("note", segment.note.clone().map(Value::from)),
        ("text", recording.segment_text().map(Value::from)),
        ("speaker", recording.speaker().map(Value::from)),
        ("language", recording.language().map(Value::from)),
        ("metadata", (!recording.metadata.is_empty()).then(|| recording.metadata.clone().into())),
    ];
    for (key, field) in optional {
        if let Some(field) = field {
            value[key] = field;
        }
    }
    value.to_string()
}
