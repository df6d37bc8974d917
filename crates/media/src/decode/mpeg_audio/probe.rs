//! Registers the reader with symphonia's probe.

use symphonia::core::{
    errors::Result,
    formats::{
        FormatInfo, FormatOptions, FormatReader,
        probe::{ProbeDataMatchSpec, ProbeFormatData, ProbeableFormat, Score, Scoreable},
        well_known::{FORMAT_ID_ADTS, FORMAT_ID_MP1, FORMAT_ID_MP2, FORMAT_ID_MP3},
    },
    io::{MediaSourceStream, ReadBytes, ScopedStream},
};

use super::{
    frame_header::{Codec, Syntax},
    frames::begins_stream,
    reader::MpegAudioReader,
};

/// Bytes that are examined to decide whether frames begin at a position. symphonia's probe offers no more.
const SCORED: usize = 16 << 10;

const MP1: FormatInfo = FormatInfo { format: FORMAT_ID_MP1, short_name: "mp1", long_name: "MPEG audio, layer 1" };
const MP2: FormatInfo = FormatInfo { format: FORMAT_ID_MP2, short_name: "mp2", long_name: "MPEG audio, layer 2" };
const MP3: FormatInfo = FormatInfo { format: FORMAT_ID_MP3, short_name: "mp3", long_name: "MPEG audio, layer 3" };
const ADTS: FormatInfo = FormatInfo { format: FORMAT_ID_ADTS, short_name: "aac", long_name: "AAC in ADTS" };

/// The description of bare frames of `codec`.
pub(super) fn format_info(codec: Codec) -> &'static FormatInfo {
    match codec {
        Codec::Layer1 => &MP1,
        Codec::Layer2 => &MP2,
        Codec::Layer3 => &MP3,
        Codec::Aac(_) => &ADTS,
    }
}

const fn format(info: FormatInfo, markers: &'static [&'static [u8]]) -> ProbeFormatData {
    ProbeFormatData { spec: ProbeDataMatchSpec { extensions: &[], mime_types: &[], markers }, info }
}

impl ProbeableFormat<'_> for MpegAudioReader<'_> {
    fn try_probe_new(source: MediaSourceStream<'_>, options: FormatOptions) -> Result<Box<dyn FormatReader + '_>> {
        Ok(Box::new(MpegAudioReader::open(source, options)?))
    }

    fn probe_data() -> &'static [ProbeFormatData] {
        // MPEG 1, 2 and 2.5, each with and without a checksum.
        const FORMATS: &[ProbeFormatData] = &[
            format(ADTS, &[b"\xFF\xF0", b"\xFF\xF1", b"\xFF\xF8", b"\xFF\xF9"]),
            format(MP1, &[b"\xFF\xFE", b"\xFF\xFF", b"\xFF\xF6", b"\xFF\xF7", b"\xFF\xE6", b"\xFF\xE7"]),
            format(MP2, &[b"\xFF\xFC", b"\xFF\xFD", b"\xFF\xF4", b"\xFF\xF5", b"\xFF\xE4", b"\xFF\xE5"]),
            format(MP3, &[b"\xFF\xFA", b"\xFF\xFB", b"\xFF\xF2", b"\xFF\xF3", b"\xFF\xE2", b"\xFF\xE3"]),
        ];
        FORMATS
    }
}

impl Scoreable for MpegAudioReader<'_> {
    fn score(mut source: ScopedStream<&mut MediaSourceStream<'_>>) -> Result<Score> {
        let mut head = vec![0; SCORED];
        let mut len = 0;
        while len < SCORED {
            match source.read_buf(head.get_mut(len..).unwrap_or_default()) {
                Ok(read) if read > 0 => len += read,
                _ => break,
            }
        }
        head.truncate(len);
        let is_stream = Syntax::of(&head).is_some_and(|syntax| begins_stream(syntax, None, &head));
        Ok(if is_stream { Score::Supported(u8::MAX) } else { Score::Unsupported })
    }
}
