//! The rows of a row group, column by column, until they are written.

use std::io;

use parquet::{
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::writer::SerializedRowGroupWriter,
};

use crate::export::columns::{Cell, Kind};

/// The rows of a row group.
pub(super) struct RowGroup {
    pub rows: usize,
    pub audio: Option<AudioColumn>,
    pub columns: Vec<Values>,
}

/// The audio of a row group: each row's file.
#[derive(Default)]
pub(super) struct AudioColumn {
    pub content: Vec<ByteArray>,
    pub names: Vec<ByteArray>,
    pub bytes: u64,
}

/// The values of a column in a row group. The levels tell which rows have a value: 1, or none: 0.
pub(super) struct Values {
    levels: Vec<i16>,
    present: Present,
}

/// The values that are not null.
enum Present {
    Bool(Vec<bool>),
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl RowGroup {
    /// Writes the columns in order of the schema, and empties them.
    pub fn write<W: io::Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> std::result::Result<(), ParquetError> {
        if let Some(audio) = &mut self.audio {
            // Every row has audio, and both parts of it.
            let levels = vec![2; self.rows];
            for part in [&mut audio.content, &mut audio.names] {
                write_column::<ByteArrayType, _>(group, part, &levels)?;
                part.clear();
            }
            audio.bytes = 0;
        }
        for column in &mut self.columns {
            column.write(group)?;
        }
        self.rows = 0;
        Ok(())
    }
}

impl Values {
    pub fn new(kind: Kind) -> Self {
        let present = match kind {
            Kind::Bool => Present::Bool(Vec::new()),
            Kind::Integer => Present::Integer(Vec::new()),
            Kind::Real => Present::Real(Vec::new()),
            Kind::Text => Present::Text(Vec::new()),
        };
        Self { levels: Vec::new(), present }
    }

    /// Adds a value. One of another kind than the column's is null.
    pub fn push(&mut self, cell: Cell<'_>) {
        let is_present = match (&mut self.present, cell) {
            (Present::Bool(values), Cell::Bool(value)) => {
                values.push(value);
                true
            }
            (Present::Integer(values), Cell::Integer(value)) => {
                values.push(value);
                true
            }
            (Present::Real(values), Cell::Real(value)) => {
                values.push(value);
                true
            }
            (Present::Real(values), Cell::Integer(value)) => {
                values.push(value as f64);
                true
            }
            (Present::Text(values), Cell::Text(value)) => {
                values.push(value.into_owned().into_bytes().into());
                true
            }
            _ => false,
        };
        self.levels.push(i16::from(is_present));
    }

    fn write<W: io::Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> std::result::Result<(), ParquetError> {
        match &mut self.present {
            Present::Bool(values) => {
                write_column::<BoolType, _>(group, values, &self.levels)?;
                values.clear();
            }
            Present::Integer(values) => {
                write_column::<Int64Type, _>(group, values, &self.levels)?;
                values.clear();
            }
            Present::Real(values) => {
                write_column::<DoubleType, _>(group, values, &self.levels)?;
                values.clear();
            }
            Present::Text(values) => {
                write_column::<ByteArrayType, _>(group, values, &self.levels)?;
                values.clear();
            }
        }
        self.levels.clear();
        Ok(())
    }
}

/// Writes the next column of a row group.
fn write_column<T: DataType, W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: &[i16],
) -> std::result::Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than the rows".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, Some(levels), None)?;
    column.close()
}
