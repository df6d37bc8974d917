//! The parser of a database's address.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};
use prepare_audio::store::{DatabaseUrl, StoreError};

/// Parses a database's address. clap's own message for an invalid address would repeat it, including a password.
#[derive(Clone)]
pub struct DatabaseAddress;

impl TypedValueParser for DatabaseAddress {
    type Value = DatabaseUrl;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<DatabaseUrl, Error> {
        let name = arg.map_or_else(|| "database".into(), ToString::to_string);
        let refuse = |why: String| Error::raw(ErrorKind::ValueValidation, format!("{name}: {why}\n")).with_cmd(cmd);
        let text = value.to_str().ok_or_else(|| refuse("the address is not valid UTF-8".into()))?;
        text.parse().map_err(|error: StoreError| refuse(error.to_string()))
    }
}
