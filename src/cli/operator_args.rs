//! What operators can type.

use std::ffi::OsStr;

use clap::{
    Args, Command, Subcommand,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};
use prepare_audio::store::DatabaseUrl;

use super::args::BaseArgs;

#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Recordings: ids, or sources (files, folders, lists as `add` takes them)
    #[arg(value_name = "ID|SOURCE")]
    pub recordings: Vec<String>,
    /// Every recording that waits; those that run go on
    #[arg(long, conflicts_with = "recordings")]
    pub all_pending: bool,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print the counts as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RequeueArgs {
    /// Recordings, by id: failed, quarantined, cancelled or done. The files of a done one stay until it is done again
    pub ids: Vec<i64>,
    /// Every failed or quarantined recording with this error code, as `status` shows it; may be given several times
    #[arg(long, value_name = "CODE", conflicts_with = "ids")]
    pub where_error: Vec<String>,
    /// Print the count as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    pub command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List them, the newest first; `prepare-audio retry ID` releases one
    List(QuarantineListArgs),
}

#[derive(Debug, Args)]
pub struct QuarantineListArgs {
    /// Show at most so many
    #[arg(long, value_name = "N", default_value = "100")]
    pub limit: usize,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct WorkersArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Reads a database's address. clap's own message for a wrong one would repeat it, with the password in it.
#[derive(Clone)]
pub struct Address;

impl TypedValueParser for Address {
    type Value = DatabaseUrl;

    fn parse_ref(&self, cmd: &Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<DatabaseUrl, Error> {
        let name = arg.map_or_else(|| "database".into(), ToString::to_string);
        let refuse = |why: String| Error::raw(ErrorKind::ValueValidation, format!("{name}: {why}\n")).with_cmd(cmd);
        let text = value.to_str().ok_or_else(|| refuse("the address is not valid UTF-8".into()))?;
        text.parse().map_err(|error: prepare_audio::store::StoreError| refuse(error.to_string()))
    }
}
