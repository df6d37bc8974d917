//! CSV and TSV with all columns. The metadata's keys are columns of their own, `metadata.KEY`.

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{
    MetadataColumns,
    columns::{COLUMNS, Cell},
    target::OutputFile,
};

/// Writes a line for each segment below a line of names.
pub struct Table {
    file: Option<OutputFile>,
    delimiter: u8,
    metadata: MetadataColumns,
}

impl Table {
    /// A table with the metadata columns of the settings, and its line of names.
    pub fn new(delimiter: u8, settings: &Settings, target: &mut Target) -> Result<Self> {
        let metadata = settings.metadata_columns.clone();
        let mut table = Self { file: Some(target.single()?), delimiter, metadata };
        let names = table.metadata.names().map(|name| format!("metadata.{name}"));
        let columns = std::iter::once("id").chain(COLUMNS.iter().map(|column| column.name)).map(str::to_owned);
        let header: Vec<String> = columns.chain(names).collect();
        table.line(&header)?;
        Ok(table)
    }

    fn line(&mut self, values: &[String]) -> Result<()> {
        let delimiter = self.delimiter;
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write(|out| {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
            writer.write_record(values)?;
            writer.flush()
        })
    }
}

impl Writer for Table {
    fn write(&mut self, recording: &Recording, name: &Name, _target: &mut Target) -> Result<()> {
        let metadata = self.metadata.values(&recording.metadata).map(|(_, value)| text(value.into()));
        let metadata: Vec<String> = metadata.collect();
        for segment in &recording.segments {
            let columns = COLUMNS.iter().map(|column| text((column.value)(recording, segment)));
            let id = std::iter::once(name.segment(segment));
            let line: Vec<String> = id.chain(columns).chain(metadata.iter().cloned()).collect();
            self.line(&line)?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.file.take().map_or(Ok(()), OutputFile::close)
    }
}

/// The text of a cell: nothing for null.
fn text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Text(value) => value.into_owned(),
    }
}
