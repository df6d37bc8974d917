//! The files of an export, which appear all together when it is complete.
//!
//! A file is written under a temporary name in the folder that it belongs to. [`Target::publish`] syncs and renames all of
//! them. An export that fails or is interrupted leaves what was there before.

use std::{
    collections::HashSet,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{ExportError, Format, Result};

/// Prefix of the names of files that are not complete.
const TEMPORARY: &str = ".tmp.export.";

/// Where an export goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// One file.
    File(PathBuf),
    /// A folder with a file for each recording, or with the files of a corpus.
    Folder(PathBuf),
    /// A file for each recording, beside its source.
    BesideSources,
}

impl Destination {
    /// The folder, if it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Stdout | Self::File(_) | Self::BesideSources => None,
        }
    }
}

/// The files of one part of an export.
pub(super) struct Target {
    destination: Destination,
    /// The folder of the files; empty where there is none.
    folder: PathBuf,
    /// The file that all recordings go into, if it is one.
    single: Option<PathBuf>,
    /// Distinguishes the temporary files of this export from those of others.
    id: String,
    files: Vec<Unpublished>,
    /// The number of shards, and their extension.
    shards: (u64, &'static str),
    /// Files that were published one by one.
    published: u64,
    /// Hashes of the paths of files beside sources.
    beside: HashSet<u64>,
}

/// A file under its temporary name.
struct Unpublished {
    temporary: PathBuf,
    path: PathBuf,
}

/// A file of an export that is being written, or standard output.
pub struct OutputFile {
    /// Its final name.
    path: PathBuf,
    writer: BufWriter<Box<dyn Write + Send>>,
    file: Option<File>,
}

impl Target {
    /// The files of part `part` of an export to `destination`.
    pub fn new(destination: &Destination, part: Option<&str>, format: Format) -> Result<Self> {
        let mut folder = PathBuf::new();
        let mut single = None;
        match destination {
            Destination::Stdout => single = Some(PathBuf::from("standard output")),
            Destination::File(path) => {
                folder = path.parent().map(Path::to_owned).unwrap_or_default();
                single = Some(path.clone());
            }
            Destination::Folder(path) => {
                folder.clone_from(path);
                match part {
                    // train.jsonl, dev.jsonl ... or train/, dev/ ...
                    Some(part) if format.is_one_file() => {
                        single = Some(path.join(format!("{part}.{}", format.extension())));
                    }
                    Some(part) => folder.push(part),
                    None => {}
                }
            }
            Destination::BesideSources => {}
        }
        if !folder.as_os_str().is_empty() {
            fs::create_dir_all(&folder).map_err(write_error(&folder))?;
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self {
            destination: destination.clone(),
            folder,
            single,
            id,
            files: Vec::new(),
            shards: (0, ""),
            published: 0,
            beside: HashSet::new(),
        })
    }

    /// The folder that relative paths of this part are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether all recordings go into one file.
    pub fn is_single(&self) -> bool {
        self.single.is_some()
    }

    /// The one file that all recordings go into.
    pub fn single(&mut self) -> Result<OutputFile> {
        match self.single.clone() {
            Some(path) if self.destination == Destination::Stdout => {
                Ok(OutputFile { path, writer: BufWriter::new(Box::new(io::stdout())), file: None })
            }
            Some(path) => self.file_at(path),
            None => Err(ExportError::Invalid("this export has no single file".into())),
        }
    }

    /// A file of the folder.
    pub fn file(&mut self, name: &str) -> Result<OutputFile> {
        self.file_at(self.folder.join(name))
    }

    /// How many shards there are.
    pub fn shards(&self) -> u64 {
        self.shards.0
    }

    /// The next shard: `000000.EXTENSION`, `000001.EXTENSION` and so on.
    pub fn shard(&mut self, extension: &'static str) -> Result<OutputFile> {
        let file = self.file(&shard_name(self.shards.0, extension))?;
        self.shards = (self.shards.0 + 1, extension);
        Ok(file)
    }

    fn file_at(&mut self, path: PathBuf) -> Result<OutputFile> {
        let (temporary, file) = self.create(&path)?;
        self.files.push(Unpublished { temporary, path: path.clone() });
        let clone = file.try_clone().map_err(write_error(&path))?;
        Ok(OutputFile { path, writer: BufWriter::with_capacity(1 << 16, Box::new(clone)), file: Some(file) })
    }

    fn create(&self, path: &Path) -> Result<(PathBuf, File)> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // The whole name would be too long where the file's name is as long as may be.
        let short: String = name.chars().take(40).collect();
        let temporary = path.with_file_name(format!("{TEMPORARY}{}.{short}", self.id));
        let file = File::create_new(&temporary).map_err(write_error(path))?;
        Ok((temporary, file))
    }

    /// Writes a file of the folder at once; it is published with the others.
    pub fn write_whole(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.file(name)?;
        file.write(|out| out.write_all(bytes))?;
        file.close()
    }

    /// Writes and publishes the file of one recording: `NAME.EXTENSION` in the folder, or beside the source.
    ///
    /// There may be millions of these, so each appears when it is complete.
    pub fn publish_for_recording(&mut self, source: &Path, name: &str, extension: &str, bytes: &[u8]) -> Result<()> {
        let path = match self.destination {
            Destination::BesideSources => {
                let path = source.with_extension(extension);
                if !self.beside.insert(hash(&path)) {
                    let path = path.display();
                    return Err(ExportError::Invalid(format!(
                        "two recordings would be written to {path}: their sources differ only in their extensions; \
                         use --to FOLDER --ids key"
                    )));
                }
                path
            }
            _ => self.folder.join(format!("{name}.{extension}")),
        };
        let (temporary, mut file) = self.create(&path)?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary); // the error that matters is that of the write
        }
        written.map_err(write_error(&path))?;
        self.published += 1;
        Ok(())
    }

    /// Gives a file of the folder the content of `from`: another name of the same file where the file system allows that, or a
    /// copy. It is published with the others.
    pub fn link_or_copy(&mut self, from: &Path, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(write_error(parent))?;
        }
        // Links are final at once: the content is whole, and an index file that names them is published last.
        let _ = fs::remove_file(&path); // an earlier export's; it need not exist
        if fs::hard_link(from, &path).is_err() {
            let (temporary, _) = self.create(&path)?;
            let copied = fs::copy(from, &temporary).and_then(|_| fs::rename(&temporary, &path));
            if copied.is_err() {
                let _ = fs::remove_file(&temporary); // the error that matters is that of the copy
            }
            copied.map_err(write_error(&path))?;
        }
        self.published += 1;
        Ok(())
    }

    /// Gives all files their names. Returns how many there are.
    pub fn publish(mut self) -> Result<u64> {
        let files = std::mem::take(&mut self.files);
        for (index, file) in files.iter().enumerate() {
            if let Err(error) = fs::rename(&file.temporary, &file.path) {
                for file in &files[index..] {
                    let _ = fs::remove_file(&file.temporary); // the error that matters is that of the rename
                }
                return Err(write_error(&file.path)(error));
            }
        }
        // An earlier export may have written more shards, whose segments would be read twice.
        let (shards, extension) = self.shards;
        if shards > 0 {
            let is_removed = |shard: &u64| fs::remove_file(self.folder.join(shard_name(*shard, extension))).is_ok();
            (shards..).take_while(is_removed).for_each(drop);
        }
        if !self.folder.as_os_str().is_empty() {
            // A folder that cannot be synced, as on some network file systems, is no reason to fail.
            let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
        }
        Ok(self.published + files.len() as u64)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(&file.temporary); // the export has failed already
        }
    }
}

impl OutputFile {
    /// Its final name.
    #[cfg(feature = "parquet")]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes to the file.
    pub fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        write(&mut self.writer).map_err(write_error(&self.path))
    }

    /// Flushes and syncs the file.
    pub fn sync(&mut self) -> Result<()> {
        let flushed = self.writer.flush();
        flushed.and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_all)).map_err(write_error(&self.path))
    }

    /// Completes the file.
    pub fn close(mut self) -> Result<()> {
        self.sync()
    }
}

/// For libraries that write to a stream themselves.
#[cfg(feature = "parquet")]
impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn shard_name(shard: u64, extension: &str) -> String {
    format!("{shard:06}.{extension}")
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// An error of this file.
pub(super) fn write_error(path: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    move |source| ExportError::Write { path: path.to_owned(), source }
}
