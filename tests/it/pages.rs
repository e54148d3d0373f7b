//! `stepladder completions` and `stepladder man`: what clap makes of the command line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rstest::rstest;
use tempfile::TempDir;

use crate::cli::run;

#[rstest]
#[case::completions("completions")]
#[case::man("man")]
fn help(#[case] verb: &str) {
    insta::assert_snapshot!(format!("help-{verb}"), run(&[verb, "--help"]).to_string());
}

#[rstest]
#[case::bash("bash", "complete -F _stepladder")]
#[case::zsh("zsh", "#compdef stepladder")]
#[case::fish("fish", "complete -c stepladder")]
#[case::powershell("powershell", "Register-ArgumentCompleter")]
#[case::elvish("elvish", "edit:completion:arg-completer[stepladder]")]
fn every_shell_completes_every_verb(#[case] shell: &str, #[case] word: &str) {
    let ran = run(&["completions", shell]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains(word), "{ran}");
    for verb in ["handle", "init", "provision", "schema"] {
        assert!(ran.out.contains(verb), "{shell} does not know `{verb}`");
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    insta::assert_snapshot!("completions-unknown", run(&["completions", "tcsh"]).to_string());
}

#[test]
fn the_main_page_is_printed() {
    let ran = run(&["man"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for line in [".TH stepladder 1", ".SH SUBCOMMANDS", r"stepladder\-policy(1)"] {
        assert!(ran.out.contains(line), "{line} in {ran}");
    }
}

#[test]
fn every_subcommand_gets_a_page() {
    let dir = TempDir::new().unwrap();
    let pages = dir.path().join("man/man1");
    let ran = run(&["man", pages.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran}");
    let entries =
        fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let written: BTreeSet<String> = entries.collect();
    for page in ["stepladder.1", "stepladder-init.1", "stepladder-policy.1", "stepladder-policy-test.1"] {
        assert!(written.contains(page), "{written:?}");
    }
    assert_eq!(ran.without(&dir).out, format!("{} pages are written to `[dir]/man/man1`\n", written.len()));
    let page = fs::read_to_string(pages.join("stepladder-policy-test.1")).unwrap();
    assert!(page.contains(".TH stepladder-policy-test 1"), "{page}");
}

#[test]
fn a_place_that_is_no_directory_is_a_failure() {
    let ran = run(&["man", "Cargo.toml"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran}");
    assert!(ran.err.starts_with("error: manual pages cannot be written to `Cargo.toml`: "), "{ran}");
}

/// The functions have limits on their size, so what only the command needs is not in the library.
#[test]
fn the_library_knows_nothing_of_completions_and_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if !entry.starts_with(root.join("src/cli")) {
                let text = fs::read_to_string(&entry).unwrap();
                assert!(!text.contains("clap_"), "{}", entry.display());
            }
        }
    }
}

/// Each command shows every option with its value, and the notes keep the lines of tables and examples.
#[test]
fn a_page_shows_values_and_keeps_tables() {
    let dir = TempDir::new().unwrap();
    let ran = run(&["man", dir.path().to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran}");
    let page = |name: &str| fs::read_to_string(dir.path().join(format!("stepladder{name}.1"))).unwrap();
    assert!(page("-policy-test").contains(
        r"\fBstepladder policy test\fR <FILE>... [\-\-policy <FILE>] [\-\-format <FORMAT>] [\-\-help]"
    ));
    assert!(page("-policy-explain").contains(r"<TARGET> [\-\-alarm <NAME>]"));
    assert!(page("-policy-explain").contains(r"[\-\-tag <NAME=VALUE>]..."));
    assert!(page("").contains(r"\fBstepladder\fR [\-\-help] [\-\-version] <COMMAND>"));
    for entry in fs::read_dir(dir.path()).unwrap() {
        let page = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!page.contains(".SH EXTRA"), "{page}");
        let mut is_filled = true;
        for line in page.lines().skip_while(|line| *line != ".SH NOTES") {
            is_filled = if line == ".nf" || line == ".fi" { line == ".fi" } else { is_filled };
            assert!(!(is_filled && line.starts_with(' ')), "a table is filled: {line}");
        }
        assert!(is_filled, "{page}");
    }
}
