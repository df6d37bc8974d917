//! The demuxer.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read, Seek, SeekFrom},
};

use memchr::memmem;
use symphonia::core::{
    errors::{Error, Result, SeekErrorKind, seek_error, unsupported_error},
    formats::{
        Attachment, FormatInfo, FormatOptions, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track,
        probe::{ProbeDataMatchSpec, ProbeFormatData, ProbeableFormat, Score, Scoreable},
        well_known::FORMAT_ID_OGG,
    },
    io::{MediaSource, MediaSourceStream, ReadBytes, ScopedStream},
    meta::{Metadata, MetadataLog},
    packet::Packet,
    units::Duration,
};

use super::{
    super::{byte_window::ByteWindow, skipped_bytes::SkippedBytes},
    logical_stream::LogicalStream,
    page::{LONGEST, Page, PageReader},
};

const INFO: FormatInfo = FormatInfo { format: FORMAT_ID_OGG, short_name: "ogg", long_name: "Ogg" };

/// The maximum of multiplexed streams that are read.
const MOST_STREAMS: usize = 8;

/// Bytes at the end that are searched for the last page. A page of another stream may follow it.
const TAIL: u64 = 2 * LONGEST as u64;

/// A reader of Ogg.
pub(in crate::decode) struct OggReader<'s> {
    pages: PageReader<'s>,
    skipped_bytes: SkippedBytes,
    streams: BTreeMap<u32, LogicalStream>,
    tracks: Vec<Track>,
    media_info: MediaInfo,
    metadata: MetadataLog,
    packets: VecDeque<Packet>,
    /// The first page of the next link of a chain.
    next: Option<Page>,
}

impl<'s> OggReader<'s> {
    /// Reads up to the first packet of audio.
    ///
    /// # Errors
    /// If there is none of a supported codec.
    pub fn try_new(mut source: MediaSourceStream<'s>, options: FormatOptions) -> Result<Self> {
        let ends = if source.is_seekable() { ends(&mut source)? } else { Vec::new() };
        let mut pages = PageReader::new(ByteWindow::new(source));
        let Some(first) = pages.next()?.filter(|page| page.is_first) else {
            return unsupported_error("ogg: page is not marked as first");
        };
        let mut reader = Self {
            pages,
            skipped_bytes: SkippedBytes::new(),
            streams: BTreeMap::new(),
            tracks: Vec::new(),
            media_info: MediaInfo::default(),
            metadata: options.external_data.metadata.unwrap_or_default(),
            packets: VecDeque::new(),
            next: None,
        };
        reader.begin(first)?;
        for (serial, granule) in ends {
            if let Some(track) = reader.tracks.iter_mut().find(|track| track.id == serial) {
                track.with_num_frames(granule).with_duration(Duration::from(granule));
            }
        }
        reader.media_info = MediaInfo::from_tracks(&reader.tracks);
        Ok(reader)
    }

    /// Begins the streams whose first pages are `page` and those after it, and reads up to the first packet.
    fn begin(&mut self, page: Page) -> Result<()> {
        self.streams.clear();
        self.packets.clear();
        let (mut next, mut unknown) = (Some(page), 0);
        while let Some(page) = next.take_if(|page| page.is_first) {
            match LogicalStream::of(&page) {
                Some(stream) if self.streams.len() < MOST_STREAMS => drop(self.streams.insert(page.serial, stream)),
                _ => unknown += 1,
            }
            next = self.pages.next()?;
        }
        if self.streams.is_empty() {
            return Err(end_of_stream());
        }
        while let Some(page) = next.take() {
            if page.is_first {
                self.next = Some(page);
                break;
            }
            self.read(&page);
            if !self.packets.is_empty() {
                break;
            }
            next = self.pages.next()?;
        }
        self.finish();
        self.skipped_bytes.set(self.pages.skipped());
        if self.packets.is_empty() {
            return Err(end_of_stream());
        }
        self.tracks.clear();
        self.tracks.extend((0..unknown.min(1)).map(|_| Track::new(0)));
        let ready = self.streams.iter().filter(|(_, stream)| stream.mapping.is_ready());
        self.tracks.extend(ready.map(|(&serial, stream)| stream.mapping.track(serial)));
        self.media_info = MediaInfo::from_tracks(&self.tracks);
        Ok(())
    }

    fn read(&mut self, page: &Page) {
        if let Some(stream) = self.streams.get_mut(&page.serial) {
            stream.read(page, &mut self.packets);
        }
    }

    /// Releases the packets that were held back, at the end of the streams.
    fn finish(&mut self) {
        if self.packets.is_empty() {
            self.streams.values_mut().for_each(|stream| stream.finish(&mut self.packets));
        }
    }

    fn end(&self) -> Result<Option<Packet>> {
        match self.streams.values().all(LogicalStream::has_ended) {
            true => Ok(None),
            false => Err(end_of_stream()),
        }
    }
}

/// The granule positions of the streams' last pages that lie at the end of `source`.
fn ends(source: &mut MediaSourceStream<'_>) -> Result<Vec<(u32, u64)>> {
    let (at, Some(len)) = (source.pos(), source.byte_len()) else { return Ok(Vec::new()) };
    source.seek(SeekFrom::Start(len.saturating_sub(TAIL).max(at)))?;
    let mut tail = Vec::new();
    // A file may end here.
    let read = source.take(TAIL).read_to_end(&mut tail);
    read.map(drop).or_else(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Ok(()),
        _ => Err(error),
    })?;
    source.seek(SeekFrom::Start(at))?;
    let mut ends = Vec::new();
    let mut behind = 0;
    for place in memmem::find_iter(&tail, b"OggS") {
        if place >= behind
            && let Ok((page, len)) = Page::read(&tail[place..])
        {
            behind = place + len;
            let granule = page.granule.filter(|_| page.is_last).and_then(|granule| u64::try_from(granule).ok());
            ends.extend(granule.map(|granule| (page.serial, granule)));
        }
    }
    Ok(ends)
}

fn end_of_stream() -> Error {
    Error::IoError(std::io::ErrorKind::UnexpectedEof.into())
}

impl Scoreable for OggReader<'_> {
    fn score(_: ScopedStream<&mut MediaSourceStream<'_>>) -> Result<Score> {
        Ok(Score::Supported(255))
    }
}

impl ProbeableFormat<'_> for OggReader<'_> {
    fn try_probe_new(source: MediaSourceStream<'_>, options: FormatOptions) -> Result<Box<dyn FormatReader + '_>> {
        Ok(Box::new(OggReader::try_new(source, options)?))
    }

    fn probe_data() -> &'static [ProbeFormatData] {
        const SPEC: ProbeDataMatchSpec = ProbeDataMatchSpec {
            extensions: &["ogg", "ogv", "oga", "ogx", "ogm", "spx", "opus"],
            mime_types: &["video/ogg", "audio/ogg", "application/ogg"],
            markers: &[b"OggS"],
        };
        &[ProbeFormatData { spec: SPEC, info: INFO }]
    }
}

impl FormatReader for OggReader<'_> {
    fn format_info(&self) -> &FormatInfo {
        &INFO
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media_info
    }

    fn attachments(&self) -> &[Attachment] {
        self.skipped_bytes.attachments()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn seek(&mut self, _: SeekMode, _: SeekTo) -> Result<SeekedTo> {
        seek_error(SeekErrorKind::Unseekable)
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return Ok(Some(packet));
            }
            if let Some(page) = self.next.take() {
                self.begin(page)?;
                return Err(Error::ResetRequired);
            }
            let page = self.pages.next()?;
            self.skipped_bytes.set(self.pages.skipped());
            match page {
                Some(page) if page.is_first => {
                    self.next = Some(page);
                    self.finish();
                }
                Some(page) => self.read(&page),
                None => {
                    self.finish();
                    if self.packets.is_empty() {
                        return self.end();
                    }
                }
            }
        }
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.pages.into_inner().into_inner()
    }
}
