//! `prepare-audio doctor`: checks that a run would find on this machine what it needs.

mod checks;
mod onnx_runtime;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::{
    args::{EngineArgs, GlobalArgs},
    stdout::print_line,
};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Folder that the segments go to
    #[arg(short, long, value_name = "DIR", env = "OUTPUT_DIR", default_value = "segments")]
    pub output: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// The result of one check.
struct Finding {
    topic: &'static str,
    verdict: Verdict,
    /// For people.
    text: String,
    /// The same for machines, an object.
    facts: Value,
}

enum Verdict {
    /// It works.
    Fine,
    /// It is missing, and not needed with these settings.
    Absent,
    /// A run would fail, with this exit code.
    Broken(u8),
}

/// Makes all checks and prints their results. The exit code is the one that `fetch` would end with.
pub async fn run(global: &GlobalArgs, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = [
        checks::features(),
        checks::simd(),
        checks::model(&args.engine),
        checks::database(global).await,
        checks::output(&args.output),
        onnx_runtime::check(),
        checks::ffmpeg(),
    ];
    print_line(&if args.json { as_json(&findings).to_string() } else { as_text(&findings) })?;
    Ok(ExitCode::from(code(&findings)))
}

/// The highest code. The database's says more than that of a setting.
fn code(findings: &[Finding]) -> u8 {
    let broken = findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Broken(code) => Some(code),
        Verdict::Fine | Verdict::Absent => None,
    });
    broken.max().unwrap_or(0)
}

fn as_json(findings: &[Finding]) -> Value {
    let mut report = json!({ "ok": code(findings) == 0, "version": env!("CARGO_PKG_VERSION") });
    for Finding { topic, verdict, facts, .. } in findings {
        let mut facts = facts.clone();
        facts["ok"] = matches!(verdict, Verdict::Fine).into();
        report[topic.replace(' ', "_")] = facts;
    }
    report
}

fn as_text(findings: &[Finding]) -> String {
    let mut text = format!("prepare-audio {}\n", env!("CARGO_PKG_VERSION"));
    for Finding { topic, verdict, text: result, .. } in findings {
        let mark = match verdict {
            Verdict::Fine => "ok",
            Verdict::Absent => "-",
            Verdict::Broken(_) => "BAD",
        };
        text += &format!("{topic:<14}{mark:<5}{result}\n");
    }
    text += match code(findings) {
        0 => "all that a run needs is there",
        _ => "a run would fail: see what is BAD",
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(topic: &'static str, verdict: Verdict) -> Finding {
        Finding { topic, verdict, text: "the result".into(), facts: json!({ "a": 1 }) }
    }

    #[test]
    fn only_what_is_needed_counts() {
        assert_eq!(code(&[finding("model", Verdict::Fine), finding("ffmpeg", Verdict::Absent)]), 0);
        let both = [finding("database", Verdict::Broken(4)), finding("output", Verdict::Broken(2))];
        assert_eq!(code(&both), 4);
        assert_eq!(as_json(&both)["database"], json!({ "a": 1, "ok": false }));
        assert!(as_text(&both).contains("database      BAD  the result\n"), "{}", as_text(&both));
    }
}
