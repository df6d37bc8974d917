//! Parquet: a table with all columns, and a dataset of Hugging Face with the audio inside.
//!
//! Every column is optional, so that a column without values in one shard has the same type as in the others.

mod row_group;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::{ColumnPath, Type, TypePtr},
};
use serde_json::{Map, json};

use self::row_group::{AudioColumn, RowGroup, Values};
use super::{Name, Recording, Result, Settings, Target, Writer, huggingface};
use crate::export::{
    ExportError,
    columns::{COLUMNS, Cell, Column, Kind},
    metadata_columns::MetadataColumns,
    target::{OutputFile, write_error},
};

/// Rows of a row group of a table. They are in memory until the group is written.
const TABLE_ROWS: usize = 20_000;

/// Rows of a row group with audio. Hugging Face's viewer reads a whole group to show a row; 100 is what it recommends for
/// audio. Source: Hugging Face Hub documentation, "Parquet format", row group size.
const AUDIO_ROWS: usize = 100;

/// Bytes of audio in a row group, at most, unless a single file is larger.
const AUDIO_BYTES: u64 = 16 << 20;

/// The columns of a file: the audio, if it has any, the segment's id, and these.
struct Layout {
    columns: Vec<&'static Column>,
    metadata: MetadataColumns,
    /// Before the names of metadata columns.
    prefix: &'static str,
    has_audio: bool,
}

/// A Parquet file that is being written.
struct ParquetFile {
    path: PathBuf,
    writer: SerializedFileWriter<OutputFile>,
    rows: RowGroup,
    bytes: u64,
}

impl Layout {
    /// Names and kinds of the columns after the audio.
    fn names(&self) -> Vec<(String, Kind)> {
        let id = ("id".to_owned(), Kind::Text);
        let columns = self.columns.iter().map(|column| (column.name.to_owned(), column.kind));
        let metadata = self.metadata.iter().map(|(name, kind)| (format!("{}{name}", self.prefix), kind));
        std::iter::once(id).chain(columns).chain(metadata).collect()
    }

    fn schema(&self) -> std::result::Result<TypePtr, ParquetError> {
        let text = Some(LogicalType::String);
        let leaf = |name: &str, kind: PhysicalType, logical| {
            let builder = Type::primitive_type_builder(name, kind).with_repetition(Repetition::OPTIONAL);
            builder.with_logical_type(logical).build().map(Arc::new)
        };
        let mut fields = Vec::new();
        if self.has_audio {
            let parts = vec![
                leaf("bytes", PhysicalType::BYTE_ARRAY, None)?,
                leaf("path", PhysicalType::BYTE_ARRAY, text.clone())?,
            ];
            let audio = Type::group_type_builder("audio").with_repetition(Repetition::OPTIONAL).with_fields(parts);
            fields.push(Arc::new(audio.build()?));
        }
        for (name, kind) in self.names() {
            let (physical, logical) = match kind {
                Kind::Bool => (PhysicalType::BOOLEAN, None),
                Kind::Integer => (PhysicalType::INT64, None),
                Kind::Real => (PhysicalType::DOUBLE, None),
                Kind::Text => (PhysicalType::BYTE_ARRAY, text.clone()),
            };
            fields.push(leaf(&name, physical, logical)?);
        }
        Ok(Arc::new(Type::group_type_builder("segments").with_fields(fields).build()?))
    }

    fn properties(&self) -> WriterProperties {
        let audio = ColumnPath::from(vec!["audio".to_owned(), "bytes".to_owned()]);
        let builder = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("prepare-audio {}", env!("CARGO_PKG_VERSION")));
        if !self.has_audio {
            return builder.build();
        }
        builder
            .set_column_compression(audio.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(audio.clone(), false)
            .set_column_statistics_enabled(audio, EnabledStatistics::None)
            .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), self.features())]))
            .build()
    }

    /// The columns' types for the library datasets. Without them, the audio would be a struct of bytes and path.
    fn features(&self) -> String {
        let mut features = Map::new();
        features.insert("audio".into(), json!({ "_type": "Audio" }));
        for (name, kind) in self.names() {
            let kind = match kind {
                Kind::Bool => "bool",
                Kind::Integer => "int64",
                Kind::Real => "float64",
                Kind::Text => "string",
            };
            features.insert(name, json!({ "dtype": kind, "_type": "Value" }));
        }
        json!({ "info": { "features": features } }).to_string()
    }

    fn begin(&self, file: OutputFile) -> Result<ParquetFile> {
        let path = file.path().to_owned();
        let writer = self.schema().and_then(|schema| SerializedFileWriter::new(file, schema, self.properties().into()));
        let rows = RowGroup {
            rows: 0,
            audio: self.has_audio.then(AudioColumn::default),
            columns: self.names().into_iter().map(|(_, kind)| Values::new(kind)).collect(),
        };
        Ok(ParquetFile { writer: writer.map_err(error_at(&path))?, path, rows, bytes: 0 })
    }

    /// Adds the values of a segment.
    fn add<'a>(&'a self, file: &mut ParquetFile, recording: &'a Recording, index: usize, id: String) {
        let segment = &recording.segments[index];
        let columns = self.columns.iter().map(|column| (column.value)(recording, segment));
        let metadata = self.metadata.values(&recording.metadata).map(|(_, value)| Cell::from(value));
        let cells = std::iter::once(Cell::from(id)).chain(columns).chain(metadata);
        file.rows.columns.iter_mut().zip(cells).for_each(|(values, cell)| values.push(cell));
        file.rows.rows += 1;
    }
}

impl ParquetFile {
    fn write_group(&mut self) -> Result<()> {
        if self.rows.rows == 0 {
            return Ok(());
        }
        let Self { path, writer, rows, .. } = self;
        let written = writer.next_row_group().and_then(|mut group| {
            rows.write(&mut group)?;
            group.close()
        });
        written.map(|_| ()).map_err(error_at(path))
    }

    fn close(mut self) -> Result<()> {
        self.write_group()?;
        let mut file = self.writer.into_inner().map_err(error_at(&self.path))?;
        file.sync()
    }
}

/// An error while this file was written.
fn error_at(path: &Path) -> impl Fn(ParquetError) -> ExportError + '_ {
    move |error| {
        let error = match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(source) => io::Error::other(source),
            },
            other => io::Error::other(other),
        };
        write_error(path)(error)
    }
}

/// One file with all columns.
pub struct ParquetTable {
    layout: Layout,
    file: Option<ParquetFile>,
}

impl ParquetTable {
    /// A table with the metadata columns of the settings.
    pub fn new(settings: &Settings, target: &mut Target) -> Result<Self> {
        let metadata = settings.metadata_columns.clone();
        let layout = Layout { columns: COLUMNS.iter().collect(), metadata, prefix: "metadata.", has_audio: false };
        let file = Some(layout.begin(target.single()?)?);
        Ok(Self { layout, file })
    }
}

impl Writer for ParquetTable {
    fn write(&mut self, recording: &Recording, name: &Name, _target: &mut Target) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        for (index, segment) in recording.segments.iter().enumerate() {
            self.layout.add(file, recording, index, name.segment(segment));
            if file.rows.rows == TABLE_ROWS {
                file.write_group()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.file.take().map_or(Ok(()), ParquetFile::close)
    }
}

/// Hugging Face's dataset as Parquet: shards with the feature Audio, whose bytes are the segments' files.
pub struct AudioDataset {
    layout: Layout,
    shard: Option<ParquetFile>,
    shard_bytes: u64,
}

impl AudioDataset {
    /// Shards of the settings' size.
    pub fn new(settings: &Settings) -> Self {
        let (columns, metadata) = huggingface::columns_of(&settings.metadata_columns);
        let layout = Layout { columns, metadata, prefix: "", has_audio: true };
        Self { layout, shard: None, shard_bytes: settings.shard_bytes }
    }

    /// The shard that has room for `bytes` more; a file that is larger than a shard gets one alone.
    fn shard_for(&mut self, bytes: u64, target: &mut Target) -> Result<&mut ParquetFile> {
        if self.shard.as_ref().is_some_and(|shard| shard.bytes > 0 && shard.bytes + bytes > self.shard_bytes) {
            self.shard.take().map_or(Ok(()), ParquetFile::close)?;
        }
        match self.shard {
            Some(ref mut shard) => Ok(shard),
            None => {
                let file = target.shard("parquet")?;
                Ok(self.shard.insert(self.layout.begin(file)?))
            }
        }
    }
}

impl Writer for AudioDataset {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        for (index, segment) in recording.segments.iter().enumerate() {
            let path = Path::new(segment.path.as_deref().unwrap_or_default());
            let content = fs::read(path).map_err(write_error(path))?;
            let bytes = content.len() as u64;
            let id = name.segment(segment);
            let file_name = huggingface::with_extension(&id, path);
            let shard = self.shard_for(bytes, target)?;
            if let Some(audio) = &mut shard.rows.audio {
                audio.content.push(content.into());
                audio.names.push(file_name.into_bytes().into());
                audio.bytes += bytes;
            }
            shard.bytes += bytes;
            let is_full = shard.rows.audio.as_ref().is_some_and(|audio| audio.bytes >= AUDIO_BYTES);
            let Some(shard) = &mut self.shard else { continue };
            self.layout.add(shard, recording, index, id);
            if is_full || shard.rows.rows == AUDIO_ROWS {
                shard.write_group()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, target: &mut Target) -> Result<()> {
        if target.shards() == 0 {
            self.shard_for(0, target)?; // an empty dataset is a shard without rows
        }
        self.shard.take().map_or(Ok(()), ParquetFile::close)
    }
}
