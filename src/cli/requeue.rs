//! `prepare-audio requeue`: what has ended, once more.

use std::collections::BTreeSet;

use anyhow::bail;
use prepare_audio::store::{Again, Store};
use serde_json::json;

use super::{args::GlobalArgs, connect_existing, exit, format::count, operator_args::RequeueArgs, say};

/// The codes that a recording may fail with, as README's table has them.
const CODES: [&str; 26] = [
    "corrupt",
    "crashed",
    "damaged",
    "disk_full",
    "empty_file",
    "ffmpeg_error",
    "implausible_header",
    "is_a_device",
    "is_a_folder",
    "is_a_pipe",
    "no_audio_track",
    "no_samples",
    "no_such_channel",
    "not_found",
    "panic",
    "permission_denied",
    "read_error",
    "timeout",
    "too_large",
    "too_long",
    "unsafe_output",
    "unsupported_codec",
    "unsupported_format",
    "unsupported_segment",
    "vad_error",
    "write_error",
];

pub async fn run(global: &GlobalArgs, args: &RequeueArgs) -> anyhow::Result<()> {
    if args.ids.is_empty() && args.where_error.is_empty() {
        bail!(exit::Usage("name recordings by their ids, or what they failed with by --where-error CODE".into()));
    }
    let store = connect_existing(global).await?;
    let ids: Vec<i64> = args.ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let by_error = !args.where_error.is_empty();
    if by_error {
        refuse_unknown(&*store, &args.where_error).await?;
    }
    let again = if by_error { Again::WithError(&args.where_error) } else { Again::EvenDone(&ids) };
    let requeued = store.retry(again).await?;
    if args.json {
        say(&json!({ "requeued": requeued }).to_string())?;
    } else if !global.quiet && requeued > 0 {
        say(&format!("{} back to pending; `prepare-audio fetch` prepares them", count(requeued, "recording")))?;
    } else if !global.quiet && by_error {
        let codes = args.where_error.join(" or ");
        say(&format!("no recording failed with {codes}; `prepare-audio status` shows the codes there are"))?;
    }
    let others = (ids.len() as u64).saturating_sub(requeued);
    if others > 0 {
        bail!(exit::Usage(format!("{others} of the ids are not there, or pending or running anyway")));
    }
    Ok(())
}

/// A misspelt code would look as if there was nothing to do. What a row has is a code, whoever wrote it there.
async fn refuse_unknown(store: &dyn Store, typed: &[String]) -> anyhow::Result<()> {
    let there = store.error_codes().await?;
    let is_known = |code: &str| CODES.contains(&code) || there.iter().any(|(known, _)| known == code);
    let unknown: Vec<&str> = typed.iter().map(String::as_str).filter(|code| !is_known(code)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let failed_with = match &there[..] {
        [] => "no recording has failed".to_owned(),
        there => {
            let told: Vec<String> = there.iter().map(|(code, recordings)| format!("{code} ({recordings})")).collect();
            format!("recordings failed with {}", told.join(", "))
        }
    };
    bail!(exit::Usage(format!(
        "--where-error: there is no code {}; {failed_with}. The codes are {}",
        unknown.join(" or "),
        CODES.join(", ")
    )));
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn the_codes_are_those_of_the_manual() {
        let manual = include_str!("../../README.md");
        assert!(CODES.is_sorted());
        for code in CODES {
            assert!(manual.contains(&format!("`{code}`")), "{code}");
        }
    }
}
