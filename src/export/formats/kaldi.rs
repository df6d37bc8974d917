//! Kaldi's data folder. Source: the Kaldi documentation, "Data preparation", and utils/validate_data_dir.sh.
//!
//! Every table is sorted as `LC_ALL=C sort` does. An utterance's id begins with its speaker's and a `-`, which sorts before
//! every other character of an id: so the order of utterances is that of their speakers, as Kaldi requires.

use std::fmt::Write as _;

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{
    AudioFiles,
    names::identifier,
    paths::{absolute, relative_to},
    sorted_lines::SortedLines,
};

/// Writes the tables.
pub struct Kaldi {
    sources: bool,
    relative_paths: bool,
    wav_scp: SortedLines,
    segments: SortedLines,
    utt2spk: SortedLines,
    utt2dur: SortedLines,
    reco2dur: SortedLines,
    text: SortedLines,
}

impl Kaldi {
    /// A data folder.
    pub fn new(settings: &Settings) -> Self {
        Self {
            sources: settings.audio.is_none_or(|audio| audio == AudioFiles::Sources),
            relative_paths: settings.relative_paths,
            wav_scp: SortedLines::default(),
            segments: SortedLines::default(),
            utt2spk: SortedLines::default(),
            utt2dur: SortedLines::default(),
            reco2dur: SortedLines::default(),
            text: SortedLines::default(),
        }
    }

    fn path(&self, path: &str, target: &Target) -> String {
        if self.relative_paths {
            relative_to(path.as_ref(), &absolute(target.folder())).display().to_string()
        } else {
            path.to_owned()
        }
    }

    fn add(&mut self, recording: &Recording, name: &Name, target: &Target) -> std::io::Result<()> {
        let recording_id = identifier(&name.recording);
        let text = recording.segment_text();
        for segment in &recording.segments {
            // Kaldi's recordings have one channel.
            let channel = segment.channel.map_or_else(String::new, |channel| format!("_c{channel}"));
            let channel_id = format!("{recording_id}{channel}");
            let speaker = match recording.speaker() {
                Some(speaker) => format!("{}{channel}", identifier(&speaker)),
                None => channel_id.clone(),
            };
            let start_ms = (segment.start_s * 1000.0).round();
            let end_ms = (segment.end_s * 1000.0).round();
            let recording_part = if speaker == channel_id { String::new() } else { format!("-{channel_id}") };
            let utterance = format!("{speaker}{recording_part}-{start_ms:09}-{end_ms:09}");
            let duration = segment.end_s - segment.start_s;
            if self.sources {
                self.segments.add(format!("{utterance} {channel_id} {:.4} {:.4}", segment.start_s, segment.end_s))?;
            } else {
                let path = self.path(segment.path.as_deref().unwrap_or_default(), target);
                self.wav_scp.add(format!("{utterance} {path}"))?;
                self.reco2dur.add(format!("{utterance} {duration:.4}"))?;
            }
            self.utt2spk.add(format!("{utterance} {speaker}"))?;
            self.utt2dur.add(format!("{utterance} {duration:.4}"))?;
            if let Some(text) = &text {
                self.text.add(format!("{utterance} {text}"))?;
            }
        }
        if self.sources {
            for channel in recording.segment_channels() {
                let suffix = channel.map_or_else(String::new, |channel| format!("_c{channel}"));
                let command = self.command(recording, channel, target);
                self.wav_scp.add(format!("{recording_id}{suffix} {command}"))?;
                self.reco2dur.add(format!("{recording_id}{suffix} {:.4}", recording.span.1))?;
            }
        }
        Ok(())
    }

    /// How a source is read: a mono WAV file of 16 kHz by its path, anything else through ffmpeg.
    fn command(&self, recording: &Recording, channel: Option<u16>, target: &Target) -> String {
        let path = self.path(&recording.file, target);
        let is_plain = recording.container.as_deref() == Some("wav")
            && recording.sample_rate == Some(16_000)
            && recording.channels == Some(1);
        if is_plain {
            return path;
        }
        let quoted = format!("'{}'", path.replace('\'', r"'\''"));
        let mix = channel.map_or_else(|| "-ac 1".to_owned(), |channel| format!("-af 'pan=mono|c0=c{}'", channel - 1));
        // A file whose name begins with a dash would be taken for an option; `file:` prevents that.
        let input = if path.starts_with('/') { quoted } else { format!("file:{quoted}") };
        format!("ffmpeg -nostdin -v error -i {input} -vn {mix} -ar 16000 -f wav - |")
    }
}

impl Writer for Kaldi {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        Ok(self.add(recording, name, target)?)
    }

    fn finish(&mut self, target: &mut Target) -> Result<()> {
        let mut spk2utt = target.file("spk2utt")?;
        let mut last: Option<String> = None;
        let mut file = target.file("utt2spk")?;
        self.utt2spk.drain(|line| {
            let (utterance, speaker) = line.split_once(' ').unwrap_or((line, ""));
            let mut spk2utt_text = String::new();
            if last.as_deref() == Some(speaker) {
                let _ = write!(spk2utt_text, " {utterance}"); // writing to a String cannot fail
            } else {
                let line_end = if last.is_some() { "\n" } else { "" };
                let _ = write!(spk2utt_text, "{line_end}{speaker} {utterance}");
                last = Some(speaker.to_owned());
            }
            spk2utt.write(|out| out.write_all(spk2utt_text.as_bytes()))?;
            file.write(|out| writeln!(out, "{line}"))
        })?;
        if last.is_some() {
            spk2utt.write(|out| out.write_all(b"\n"))?;
        }
        spk2utt.close()?;
        file.close()?;
        for (name, lines) in [
            ("wav.scp", &mut self.wav_scp),
            ("segments", &mut self.segments),
            ("utt2dur", &mut self.utt2dur),
            ("reco2dur", &mut self.reco2dur),
            ("text", &mut self.text),
        ] {
            // Kaldi takes an empty `segments` or `text` for a broken one: without lines, there is no file.
            if lines.is_empty() && ["segments", "text"].contains(&name) {
                continue;
            }
            let mut file = target.file(name)?;
            lines.drain(|line| file.write(|out| writeln!(out, "{line}")))?;
            file.close()?;
        }
        Ok(())
    }
}
