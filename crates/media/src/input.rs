//! Where a recording's bytes come from. Responsible for opening and reading them, not for what they mean.
//!
//! Everything below [`Decoder::open`](crate::Decoder::open) reads through [`MediaInput`], so that a recording may lie in a
//! file, in memory, or behind a network protocol that another crate implements.

use std::{
    borrow::Cow,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Cursor, Read, Seek},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::{AudioError, error::NotAFile};

/// An open input: the bytes from the first one on, with random access.
pub trait MediaRead: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> MediaRead for T {}

/// A recording's bytes. They must not change while the recording is decoded.
///
/// All methods may block. A recording is opened several times: headers are inspected before the demuxer reads them.
pub trait MediaInput: fmt::Debug + Send + Sync {
    /// The name that messages show: a path, a URL.
    fn name(&self) -> Cow<'_, str>;

    /// The name's extension, a hint for the demuxer.
    fn extension(&self) -> Option<&str>;

    /// The number of bytes. It is asked for several times, so that an input that has to request it should keep it.
    ///
    /// # Errors
    /// Those of the storage.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are no bytes.
    ///
    /// # Errors
    /// Those of [`MediaInput::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Checks that there is something to decode, and returns the number of bytes. Called before anything is opened.
    ///
    /// # Errors
    /// [`AudioError::EmptyFile`], and [`AudioError::from_io`]'s for what [`MediaInput::len`] returns.
    fn check(&self) -> Result<u64, AudioError> {
        match self.len().map_err(|error| AudioError::from_io(error, &self.name()))? {
            0 => Err(AudioError::EmptyFile),
            len => Ok(len),
        }
    }

    /// Opens the input for reading from its beginning. Each reader has a position of its own.
    ///
    /// # Errors
    /// Those of the storage.
    fn open(&self) -> io::Result<Box<dyn MediaRead>>;

    /// Fills `buffer` from `offset` on and returns the number of bytes read: fewer than its length only at the end.
    ///
    /// # Errors
    /// Those of the storage.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// The file that holds exactly these bytes, if there is one. ffmpeg reads it; other inputs are copied to a temporary
    /// file for it.
    fn local_path(&self) -> Option<&Path>;
}

/// A file of this machine, or of a file system that is mounted here.
#[derive(Debug)]
pub struct LocalFile {
    path: PathBuf,
    /// What [`MediaInput::read_at`] reads from: opened by the first call, and kept.
    file: OnceLock<File>,
}

impl LocalFile {
    /// The file at `path`. It is not opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: OnceLock::new() }
    }

    fn file(&self) -> io::Result<&File> {
        match self.file.get() {
            Some(file) => Ok(file),
            None => {
                let file = File::open(&self.path)?;
                Ok(self.file.get_or_init(|| file))
            }
        }
    }
}

impl MediaInput for LocalFile {
    fn name(&self) -> Cow<'_, str> {
        self.path.to_string_lossy()
    }

    fn extension(&self) -> Option<&str> {
        self.path.extension().and_then(|extension| extension.to_str())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }

    /// Refuses folders, devices and pipes too: opening a pipe would wait for its writer for ever.
    fn check(&self) -> Result<u64, AudioError> {
        let metadata = fs::metadata(&self.path).map_err(|error| AudioError::from_io(error, &self.name()))?;
        match metadata.len() {
            _ if !metadata.is_file() => Err(AudioError::NotAFile(kind(&metadata))),
            0 => Err(AudioError::EmptyFile),
            len => Ok(len),
        }
    }

    fn open(&self) -> io::Result<Box<dyn MediaRead>> {
        Ok(Box::new(File::open(&self.path)?))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, mut read) = (self.file()?, 0);
        while read < buffer.len() {
            match read_once(file, offset.saturating_add(read as u64), &mut buffer[read..]) {
                Ok(0) => break,
                Ok(len) => read += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn local_path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

#[cfg(unix)]
fn read_once(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_once(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

fn kind(metadata: &Metadata) -> NotAFile {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_socket() {
            return NotAFile::Pipe;
        }
    }
    if metadata.is_dir() { NotAFile::Folder } else { NotAFile::Device }
}

/// A recording in memory.
#[derive(Clone)]
pub struct MemoryInput {
    name: String,
    bytes: Arc<[u8]>,
}

impl MemoryInput {
    /// `bytes` as a recording called `name`, whose extension is a hint for the demuxer.
    pub fn new(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

impl fmt::Debug for MemoryInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryInput").field("name", &self.name).field("len", &self.bytes.len()).finish()
    }
}

impl MediaInput for MemoryInput {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    fn extension(&self) -> Option<&str> {
        Path::new(&self.name).extension().and_then(|extension| extension.to_str())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn open(&self) -> io::Result<Box<dyn MediaRead>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.bytes))))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn local_path(&self) -> Option<&Path> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, DecoderChoice, find_ffmpeg};

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
    }

    fn samples(input: &dyn MediaInput, choice: DecoderChoice) -> Result<(Vec<u32>, String), AudioError> {
        let (mut decoder, mut samples) = (Decoder::open(input, choice)?, Vec::new());
        while let Some(block) = decoder.next_block()? {
            samples.extend(block.samples().iter().map(|sample| sample.to_bits()));
        }
        Ok((samples, format!("{:?} {:?}", decoder.info(), decoder.damage())))
    }

    /// Every fixture, the damaged ones too: samples, facts and error codes are equal.
    #[test]
    fn memory_and_file_give_the_same_samples() {
        let mut files = 0;
        for folder in ["speech", "formats", "bad"] {
            for entry in fixtures().join(folder).read_dir().unwrap().map(Result::unwrap) {
                let path = entry.path();
                if !path.is_file() {
                    continue;
                }
                let file = LocalFile::new(&path);
                let memory = MemoryInput::new(file.name(), fs::read(&path).unwrap());
                let read = |input: &dyn MediaInput| {
                    samples(input, DecoderChoice::Symphonia).map_err(|error| (error.code(), error.to_string()))
                };
                assert!(read(&file) == read(&memory), "{}", path.display());
                files += 1;
            }
        }
        assert!(files > 30, "{files}");
    }

    #[test]
    fn ffmpeg_reads_an_input_without_a_path() {
        if find_ffmpeg().is_none() {
            eprintln!("skipped: there is no ffmpeg on the PATH");
            return;
        }
        let file = LocalFile::new(fixtures().join("formats/film_aac.mp4"));
        let memory = MemoryInput::new("film.mp4", fs::read(fixtures().join("formats/film_aac.mp4")).unwrap());
        let read = |input: &dyn MediaInput| samples(input, DecoderChoice::Ffmpeg).unwrap();
        assert!(read(&file) == read(&memory));
    }

    #[test]
    fn read_at_returns_what_is_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"0123456789").unwrap();
        let (local, memory) = (LocalFile::new(file.path()), MemoryInput::new("a.wav", *b"0123456789"));
        for input in [&local as &dyn MediaInput, &memory] {
            let read = |offset| {
                let mut buffer = [0; 4];
                let len = input.read_at(offset, &mut buffer).unwrap();
                buffer[..len].to_vec()
            };
            assert_eq!([read(0), read(8), read(10), read(1 << 40)], [&b"0123"[..], b"89", b"", b""]);
            assert_eq!((input.len().unwrap(), input.check().unwrap()), (10, 10));
        }
        assert_eq!((memory.extension(), &*memory.name()), (Some("wav"), "a.wav"));
    }

    #[test]
    fn what_cannot_be_a_recording_is_refused() {
        let check = |name: &str| LocalFile::new(fixtures().join(name)).check();
        assert!(matches!(check("missing.wav"), Err(AudioError::NotFound)));
        assert!(matches!(check("speech"), Err(AudioError::NotAFile(NotAFile::Folder))));
        assert!(matches!(check("bad/empty.wav"), Err(AudioError::EmptyFile)));
        assert!(matches!(MemoryInput::new("a", []).check(), Err(AudioError::EmptyFile)));
    }
}
