//! Every command that the documents show runs, and prints what the document shows.
//!
//! A command of `stepladder` runs in a shell, in a copy of what the repository has beside the code. What a `console` block
//! shows after a command must be what it prints; `...` alone in a line is for lines that are left out. A block of `sh` is
//! commands alone. What needs an account or another program does not run, but its first word must be known here, so that
//! nothing is left out by a slip.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use snapbox::{Assert, IntoData as _};
use tempfile::TempDir;

use super::{Block, Page, is_blessed, none, pages, root};

/// Commands that need an account, the network, or minutes. `tidy` checks that every target of `make` exists.
const NOT_RUN: [&str; 23] = [
    "aws",
    "cargo",
    "cat",
    "cd",
    "curl",
    "docker",
    "export",
    "fn",
    "gh",
    "git",
    "install",
    "make",
    "man",
    "oci",
    "podman",
    "python3",
    "sam",
    "scripts/ladders.py",
    "sed",
    "sha256sum",
    "source",
    "tar",
    "target/sam/bin/sam",
];

/// What the commands of the documents read.
const COPIED: [&str; 4] = ["events", "examples", "policy.schema.json", "docs"];

/// The files that the commands of the documents name, beside those: what a reader has instead.
const BESIDE: [(&str, &str); 3] = [
    ("alarm.json", "events/cloudwatch/sns.high-cpu.firing.json"),
    ("failed.json", "events/cloudwatch/failed.sns.json"),
    ("world.json", "events/replay/world.json"),
];

/// A reader's own policy, and its name in the documents.
const POLICY: (&str, &str) = (
    "stepladder.toml",
    r#"
[[rule]]
alarm = "*-busy"
axis  = "instances"

[oci]
compartment = "ocid1.compartment.oc1..example"
function    = "ocid1.fnfunc.oc1.iad.example"
deployments = ["ocid1.datasciencemodeldeployment.oc1.iad.example"]
"#,
);

/// One command of a block, and the output that the block shows after it.
struct Step {
    command: String,
    shown: String,
}

#[test]
fn every_console_block_runs_and_prints_what_is_shown() {
    let mut ran = 0;
    let mut faults = Vec::new();
    for mut page in pages() {
        let place = Place::of(&page);
        for block in page.blocks() {
            for step in block.steps() {
                let Some(command) = of_stepladder(&step.command) else {
                    faults.extend(unknown(&step.command).map(|fault| format!("{}: {fault}", block.at)));
                    continue;
                };
                ran += 1;
                // Without an account there is nothing to keep in a file, but an error to read.
                let kept = command.split(" > ").next().filter(|_| needs_account(&command));
                let output = place.run(kept.unwrap_or(&command));
                if is_blessed() && is_whole(&step) && is_expected(&step, &output) {
                    bless(&mut page, &step, &output);
                    continue;
                }
                faults.extend(fault(&step, &output).map(|fault| format!("{}: {fault}", block.at)));
            }
        }
    }
    none(
        &faults,
        "a documented command that does not do what its page shows (`make bless` writes its output)",
    );
    assert!(ran > 0, "no page shows a command of stepladder");
}

impl Block {
    /// The commands of a block; none where it holds something else.
    fn steps(&self) -> Vec<Step> {
        match self.language.as_str() {
            "console" => session(self),
            "sh" | "bash" | "shell" => script(self),
            _ => Vec::new(),
        }
    }
}

/// The commands of a script: one a line, or several lines up to one that ends without a backslash.
fn script(block: &Block) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut command = String::new();
    let mut document_end: Option<&str> = None;
    for line in block.text.lines() {
        command.push_str(line);
        command.push('\n');
        document_end = document_end.or_else(|| line.split_once("<<").map(|(_, end)| end.trim()));
        let goes_on = line.ends_with('\\') || document_end.is_some_and(|end| end != line.trim());
        if !goes_on {
            document_end = None;
            let command = std::mem::take(&mut command);
            let is_command = !command.trim().is_empty() && !command.trim_start().starts_with('#');
            steps.extend(
                is_command.then(|| Step { command: command.trim().to_owned(), shown: String::new() }),
            );
        }
    }
    steps
}

/// The commands of a session, after `$ `, and what it shows of their output.
fn session(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for line in block.text.lines() {
        let begins = line.strip_prefix("$ ");
        match (begins, steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), shown: String::new() }),
            (None, Some(step)) if goes_on => {
                step.command.push('\n');
                step.command.push_str(line);
            }
            (None, Some(step)) => {
                step.shown.push_str(line);
                step.shown.push('\n');
                continue;
            }
            (None, None) => panic!("{}: a console block begins with `$ `", block.at),
        }
        goes_on = line.ends_with('\\');
    }
    for step in &mut steps {
        step.shown.truncate(step.shown.trim_end().len());
        step.shown.extend((!step.shown.is_empty()).then_some('\n'));
    }
    steps
}

/// The command line, where it is one of stepladder: `cargo run --` is another way to call it.
fn of_stepladder(command: &str) -> Option<String> {
    let is_its_own = |command: &str| command.starts_with("stepladder ") || command == "stepladder";
    let command = match command.split_once(" -- ") {
        Some((cargo, rest)) if cargo.starts_with("cargo run") => format!("stepladder {rest}"),
        _ => command.to_owned(),
    };
    // A command whose output `stepladder` reads, or that it reads from a pipe.
    let any_part = command.split('|').any(|part| is_its_own(part.trim()));
    any_part.then_some(command)
}

/// Why a command that is not run is no known one.
fn unknown(command: &str) -> Option<String> {
    // `name=$(program …)` keeps what a program prints.
    let after = command.split_once("=$(").map_or(command, |(_, rest)| rest);
    let words = after.split_whitespace().take_while(|word| !word.starts_with('#'));
    let program = words.map(|word| word.trim_start_matches('(')).find(|word| !word.contains('='))?;
    (!NOT_RUN.contains(&program)).then(|| format!("`{program}` is not known to this test"))
}

/// Whether all of the output is shown, so that it can be written anew.
fn is_whole(step: &Step) -> bool {
    !step.shown.is_empty() && !step.shown.contains("...\n") && !step.shown.contains("[..]")
}

/// Whether a command ended as its page shows: with an error, or without.
fn is_expected(step: &Step, output: &Output) -> bool {
    output.status.success() || step.shown.lines().any(|line| line.starts_with("error"))
}

/// What is wrong with what a command did.
fn fault(step: &Step, output: &Output) -> Option<String> {
    let Step { command, shown } = step;
    let printed = printed(output);
    if needs_account(command) {
        // The arguments are right if nothing is missing but the cloud's client, or with it the account.
        let lacks = ["--features", "could not be sent"];
        let is_all = output.status.success() || lacks.iter().any(|one| printed.contains(one));
        return (!is_all).then(|| format!("`{command}` printed:\n{printed}"));
    }
    if !is_expected(step, output) {
        return Some(format!("`{command}` failed ({}):\n{printed}", output.status));
    }
    if shown.is_empty() {
        return None;
    }
    let compared = Assert::new().try_eq(None, printed.as_str().into_data(), shown.as_str().into_data());
    compared.err().map(|_| format!("`{command}` shows:\n{shown}and printed:\n{printed}"))
}

fn needs_account(command: &str) -> bool {
    ["--cloud aws", "--cloud oci"].iter().any(|cloud| command.contains(cloud))
}

/// Standard output and then standard error, as a terminal shows them, without trailing blanks.
fn printed(output: &Output) -> String {
    let text =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    text.trim_end().lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// Writes what a command prints in the place of what its page shows.
fn bless(page: &mut Page, step: &Step, output: &Output) {
    let old = format!("$ {}\n{}", step.command, step.shown);
    let new = format!("$ {}\n{}", step.command, printed(output));
    if old != new {
        page.text = page.text.replacen(&old, &new, 1);
        fs::write(root().join(&page.path), &page.text).unwrap();
    }
}

/// A directory with the layout of the top of the repository, with the program on its path.
struct Place(TempDir);

impl Place {
    /// With the files that the page itself shows: `toml,file=NAME` marks one.
    fn of(page: &Page) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for name in COPIED {
            copy(&root().join(name), &place.0.path().join(name));
        }
        for (name, like) in BESIDE {
            copy(&root().join(like), &place.0.path().join(name));
        }
        fs::write(place.0.path().join(POLICY.0), POLICY.1).unwrap();
        for block in page.blocks() {
            for name in block.marks.iter().filter_map(|mark| mark.strip_prefix("file=")) {
                fs::write(place.0.path().join(name), &block.text).unwrap();
            }
        }
        fs::create_dir_all(place.0.path().join(".local/share/bash-completion/completions")).unwrap();
        place
    }

    fn run(&self, command: &str) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_stepladder")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.0.path()).env_clear().env("PATH", path);
        // No credentials are looked for outside: a machine of AWS would have some.
        shell.env("HOME", self.0.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        shell.output().unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn commands_and_what_they_print_are_distinguished() {
    let text = "$ stepladder a \\\n    --b\nout\n$ make c\n".to_owned();
    let block = Block { at: String::new(), language: "console".to_owned(), marks: Vec::new(), text };
    let steps = block.steps();
    let commands: Vec<&str> = steps.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(commands, ["stepladder a \\\n    --b", "make c"]);
    assert_eq!(steps.iter().map(|step| step.shown.as_str()).collect::<Vec<_>>(), ["out\n", ""]);
    assert_eq!(of_stepladder("cargo run -- parse a").as_deref(), Some("stepladder parse a"));
    assert_eq!(of_stepladder("cat a | stepladder parse -").as_deref(), Some("cat a | stepladder parse -"));
    assert_eq!(of_stepladder("make c"), None);
    assert!(unknown("stepladdr parse").is_some() && unknown("topic=$(aws sns list)").is_none());
    let text =
        "cat > a <<END\n[oci]\nEND\n# a comment\n\nstepladder b \\\n  --c\n(cd d && fn e)\n".to_owned();
    let script = Block { language: "sh".to_owned(), text, ..block };
    let commands: Vec<String> = script.steps().into_iter().map(|step| step.command).collect();
    assert_eq!(commands, ["cat > a <<END\n[oci]\nEND", "stepladder b \\\n  --c", "(cd d && fn e)"]);
    assert!(unknown("(cd d && fn e)").is_none());
    let known: BTreeSet<&str> = NOT_RUN.into_iter().collect();
    assert_eq!(known.len(), NOT_RUN.len(), "each once");
}
