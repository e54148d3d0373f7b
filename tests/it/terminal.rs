//! What every subcommand prints, on a narrow terminal, without colours, and in a pipe.
//!
//! The terminal is a real one, so that the width and the colours come from where a user's come from.
#![cfg(unix)]

use std::io::Read as _;
use std::path::Path;

use pty_process::Size;
use pty_process::blocking::{Command, open};
use rstest::rstest;

use crate::cli::run;

const WIDTH: u16 = 60;
const POLICY: &str = "tests/it/terminal/policy.toml";
const WRONG: &str = "tests/it/terminal/wrong.toml";
const VARIANT: &str = "endpoint/churn/variant/AllTraffic";

/// The kinds of output of a subcommand.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Help,
    Normal,
    Error,
}

impl Asked {
    fn line(self, verb: &str) -> String {
        let high_mem = "events/oci/high-mem.firing.json --now 2026-03-02T09:30:00Z";
        let cleared = "events/oci/high-cpu.cleared.json --now 2026-03-02T09:56:00Z";
        let rest = match (self, verb) {
            (Self::Help, _) => "--help".to_owned(),
            (Self::Normal, "handle") => high_mem.to_owned(),
            (Self::Normal, "explain") => cleared.to_owned(),
            (Self::Normal, "replay") => {
                "events/oci/high-mem.firing.json events/oci/high-mem.firing.json".to_owned()
            }
            (Self::Normal, "parse") => "events/oci/high-mem.firing.json".to_owned(),
            (Self::Normal, "shapes") => "ml.g5".to_owned(),
            (Self::Normal, "policy check" | "provision" | "teardown") => format!("POLICY {POLICY}"),
            (Self::Normal, "policy test") => "tests/it/terminal/cases.toml".to_owned(),
            (Self::Normal, "init") => {
                "- --platform aws --metric cpu --min 1 --max 2 --target endpoint/* --yes".to_owned()
            }
            (Self::Normal, "policy explain") => {
                format!("{VARIANT} --at 2026-03-28T06:30:00Z POLICY {POLICY}")
            }
            (Self::Error, "handle" | "explain" | "replay" | "parse") => "events/rejected/s3.json".to_owned(),
            (Self::Error, "shapes") => "VM.Standrad2".to_owned(),
            (Self::Error, "policy check" | "provision" | "teardown") => format!("POLICY {WRONG}"),
            (Self::Error, "policy test") => WRONG.to_owned(),
            (Self::Error, "init") => {
                "--platform aws --metric bandwidth --min 1 --max 2 --target endpoint/*".to_owned()
            }
            (Self::Error, "policy explain") => "churn".to_owned(),
            (Self::Error, "completions") => "tcsh".to_owned(),
            (Self::Error, "man") => "Cargo.toml".to_owned(),
            _ => "--bogus".to_owned(),
        };
        // The policy of a check is its input, and an option of the others.
        let option = if verb == "policy check" { "" } else { "--policy" };
        format!("{verb} {}", rest.replace("POLICY", option))
    }
}

/// Runs the program on a terminal, and returns everything that is shown there.
fn on_terminal(line: &str, more: &[(&str, &str)]) -> String {
    let (mut terminal, other_end) = open().unwrap();
    terminal.resize(Size::new(24, WIDTH)).unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_stepladder"))
        .args(line.split_whitespace())
        .env_clear()
        .env("TERM", "xterm-256color")
        .envs(more.iter().copied())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut child = command.spawn(other_end).unwrap();
    let mut shown = Vec::new();
    // Linux reports the end of the program as an error.
    let _ = terminal.read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

/// The text without its colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[rstest]
#[case::handle("handle")]
#[case::explain("explain")]
#[case::replay("replay")]
#[case::parse("parse")]
#[case::shapes("shapes")]
#[case::policy_check("policy check")]
#[case::policy_explain("policy explain")]
#[case::policy_test("policy test")]
#[case::init("init")]
#[case::provision("provision")]
#[case::teardown("teardown")]
fn what_is_printed(#[case] verb: &str, #[values(Asked::Help, Asked::Normal, Asked::Error)] asked: Asked) {
    is_printed_everywhere(verb, asked);
}

/// What they print otherwise is for programs: see below.
#[rstest]
#[case::policy("policy")]
#[case::policy_schema("policy schema")]
#[case::completions("completions")]
#[case::man("man")]
fn what_is_printed_besides_documents(#[case] verb: &str, #[values(Asked::Help, Asked::Error)] asked: Asked) {
    is_printed_everywhere(verb, asked);
}

fn is_printed_everywhere(verb: &str, asked: Asked) {
    let line = asked.line(verb);
    let name = |place: &str| format!("terminal-{}-{asked:?}-{place}", verb.replace(' ', "-")).to_lowercase();
    let narrow = on_terminal(&line, &[]);
    insta::assert_snapshot!(name("narrow"), narrow.replace('\u{1b}', "␛"));
    assert_eq!(on_terminal(&line, &[("NO_COLOR", "1")]), without_colours(&narrow), "NO_COLOR");
    // A problem of a policy is shown beside its line of the file, which is not wrapped, and neither is a policy itself.
    let is_wrapped = !narrow.contains("-->") && !narrow.contains("\n[[rule]]\n");
    for shown in without_colours(&narrow)
        .lines()
        .filter(|shown| is_wrapped && shown.chars().count() > usize::from(WIDTH))
    {
        let longest = shown.split_whitespace().map(str::len).max().unwrap_or_default();
        assert!(longest > usize::from(WIDTH) / 2, "only a line with a long word is longer: {shown}");
    }
    let args: Vec<&str> = line.split_whitespace().collect();
    insta::assert_snapshot!(name("pipe"), run(&args).to_string());
}

/// A schema, a script and a page are for programs, and every line of them stays as it is.
#[rstest]
#[case::schema("policy schema")]
#[case::completions("completions fish")]
#[case::man("man")]
fn what_programs_read_is_the_same_everywhere(#[case] line: &str) {
    let piped = run(&line.split(' ').collect::<Vec<_>>()).out;
    assert_eq!(on_terminal(line, &[]), piped);
}
