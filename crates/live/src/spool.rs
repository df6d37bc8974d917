//! Where a session's audio is stored as it arrives.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{AudioFormat, wav_header};

/// Takes the audio of a session.
pub trait Spool {
    /// Appends whole samples, all or nothing. Once it returns, the samples survive the death of this process.
    ///
    /// # Errors
    /// Those of the storage. Nothing was appended then.
    fn append(&mut self, audio: &[u8]) -> io::Result<()>;
}

/// A WAV file that grows.
///
/// What [`append`](Spool::append) has written is in the system's page cache: it survives `kill -9`, and is on the disk within
/// the system's write-back time (about 30 s on Linux). What [`sync`](Self::sync) has returned for survives a power cut too.
#[derive(Debug)]
pub struct WavSpool {
    file: File,
    path: PathBuf,
    format: AudioFormat,
    header_len: u64,
    /// Bytes of audio that are stored.
    stored: u64,
}

impl WavSpool {
    /// Creates the file.
    ///
    /// # Errors
    /// Those of the file system; also if the file exists.
    pub fn create(path: impl Into<PathBuf>, format: AudioFormat) -> io::Result<Self> {
        let path = path.into();
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let header = wav_header::header(&format, None);
        file.write_all(&header)?;
        Ok(Self { file, path, format, header_len: header.len() as u64, stored: 0 })
    }

    /// Opens the file of an interrupted session. The rest of a sample that was being written when its process died is cut off.
    ///
    /// # Errors
    /// Those of the file system; [`io::ErrorKind::InvalidData`] if the file is no spool of this format.
    pub fn open(path: impl Into<PathBuf>, format: AudioFormat) -> io::Result<Self> {
        let path = path.into();
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let len = file.metadata()?.len();
        let growing = wav_header::header(&format, None);
        let header_len = growing.len() as u64;
        let block = format.block_align() as u64;
        let stored = len.saturating_sub(header_len) / block * block;
        let mut header = vec![0; growing.len()];
        file.read_exact(&mut header)?;
        // The lengths were written already if the process died after that.
        if header != growing && header != wav_header::header(&format, Some(stored)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a recording of this session"));
        }
        file.set_len(header_len + stored)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&growing)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, path, format, header_len, stored })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Samples (of each channel) that are stored.
    pub fn samples(&self) -> u64 {
        self.stored / self.format.block_align() as u64
    }

    /// Passes the stored audio to `consume`, in pieces of whole samples.
    ///
    /// # Errors
    /// Those of the file system, and those of `consume`.
    pub fn replay<E: From<io::Error>>(&self, mut consume: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        const PIECE: usize = 16_384; // times the bytes of a sample
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.header_len))?;
        let mut piece = vec![0; PIECE * self.format.block_align()];
        let mut left = self.stored;
        while left > 0 {
            let len = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            file.read_exact(&mut piece[..len])?;
            consume(&piece[..len])?;
            left -= len as u64;
        }
        Ok(())
    }

    /// Waits until all that was appended is on the disk.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Completes the file: its header says how long it is, and all of it is on the disk. May be repeated.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn complete(&mut self) -> io::Result<()> {
        let header = wav_header::header(&self.format, Some(self.stored));
        let data_len_at = self.header_len - 4;
        self.file.seek(SeekFrom::Start(wav_header::RIFF_LEN_AT))?;
        self.file.write_all(&header[wav_header::RIFF_LEN_AT as usize..][..4])?;
        self.file.seek(SeekFrom::Start(data_len_at))?;
        self.file.write_all(&header[data_len_at as usize..])?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.sync_all()
    }
}

impl Spool for WavSpool {
    fn append(&mut self, audio: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(audio) {
            // A part may have been written, as on a full disk.
            self.file.set_len(self.header_len + self.stored)?;
            self.file.seek(SeekFrom::End(0))?;
            return Err(error);
        }
        self.stored += audio.len() as u64;
        Ok(())
    }
}
