//! The house rules, checked over the text of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;
use stepladder::platform::{Operation, PLATFORMS, Platform, aws, oci, operations, web};

/// The top-level modules, lowest first: each imports only what is above it in this list. `lib.rs` shows the same order.
const LAYERS: [&str; 28] = [
    "text",
    "environment",
    "address",
    "duration",
    "document",
    "size",
    "scaling",
    "target",
    "pair",
    "alarm",
    "tags",
    "ladder",
    "deployment",
    "platform",
    "source",
    "policy",
    "config",
    "decide",
    "plan",
    "outcome",
    "apply",
    "report",
    "notice",
    "reconcile",
    "handle",
    "batch",
    "host",
    "cli",
];

/// Where nothing may wait, read the clock or the environment, or know a platform's client.
const PURE: [&str; 27] = [
    "address.rs",
    "alarm.rs",
    "decide",
    "decide.rs",
    "deployment.rs",
    "document",
    "document.rs",
    "duration.rs",
    "ladder",
    "ladder.rs",
    "notice.rs",
    "pair.rs",
    "plan.rs",
    "platform/aws",
    "platform/oci",
    "platform/target.rs",
    "policy",
    "policy.rs",
    "reconcile.rs",
    "report.rs",
    "scaling.rs",
    "size.rs",
    "source",
    "source.rs",
    "tags.rs",
    "target.rs",
    "text.rs",
];

/// The only I/O of a platform, and the loop that provisions: both wait for answers.
const IMPURE_PARTS: [&str; 3] = ["/client.rs", "/client/", "platform/oci/provision.rs"];

/// The words of one platform: its own name, its services, and what only it has.
struct Words {
    platform: &'static str,
    words: &'static [&'static str],
}

const PLATFORM_WORDS: [Words; 4] = [
    Words {
        platform: "aws",
        words: &[
            "aws",
            "amazon",
            "sagemaker",
            "cloudwatch",
            "lambda",
            "sns",
            "sqs",
            "ssm",
            "iam",
            "kms",
            "arn",
            "arns",
            "eventbridge",
        ],
    },
    Words {
        platform: "oci",
        words: &["oci", "oracle", "oraclecloud", "ocid", "ocids", "ons", "datascience", "mql", "fnfunc"],
    },
    Words { platform: "azure", words: &["azure", "microsoft", "vmss", "arm", "entra"] },
    Words { platform: "ray", words: &["ray", "kuberay", "alertmanager", "prometheus", "datarobot"] },
];

/// What would make a file impure.
const IMPURE: [&str; 11] = [
    "async ",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "::now(",
    "async_trait",
    "tracing",
    "println",
    "random",
];

/// A longer file has more than one job.
const LONGEST: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file at or below a path, relative to the top.
pub(crate) fn rust_files(path: &str) -> Vec<String> {
    let full = root().join(path);
    if full.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(&full).unwrap_or_else(|error| panic!("{path}: {error}"));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let below = names.map(|name| format!("{path}/{name}"));
    let mut files: Vec<String> = below
        .filter(|path| is_rust(Path::new(path)) || root().join(path).is_dir())
        .flat_map(|p| rust_files(&p))
        .collect();
    files.sort();
    files
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs")
}

/// What ships of a file: no tests, no comments, and every text and character emptied.
fn shipped(path: &str) -> String {
    let text = read(path);
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    code(&text[..end])
}

fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = comment(rest)
            .or_else(|| raw_text(rest))
            .or_else(|| quoted(rest, '"'))
            .or_else(|| character(rest));
        match skipped {
            Some(_) => kept.push_str(if rest.starts_with('/') { "" } else { "\"\"" }),
            None => kept.push(c),
        }
        rest = &rest[skipped.unwrap_or(c.len_utf8())..];
    }
    kept
}

/// The length of the comment that a text begins with. The line's end is not part of it.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// The length of the raw text, as `r#"…"#`, that a text begins with.
fn raw_text(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let opened = text.len() - after.len() + hashes + 1;
    text[opened..].find(&close).map(|end| opened + end + close.len())
}

/// The length of the text in these quotes that a text begins with.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.strip_prefix(quote)?.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// The length of the character in quotes that a text begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let mut chars = inside.chars();
    let first = chars.next()?;
    if first == '\\' {
        return quoted(text, '\'');
    }
    (chars.next() == Some('\'')).then(|| first.len_utf8() + 2)
}

/// The words that names are made of: `fooBar_baz` has three.
fn words(code: &str) -> BTreeSet<String> {
    let mut apart = String::new();
    let mut before = ' ';
    for c in code.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            apart.push(' ');
        }
        apart.push(if c.is_alphanumeric() { c } else { ' ' });
        before = c;
    }
    apart.split_whitespace().map(str::to_lowercase).collect()
}

/// The files that hold any of the needles in what ships.
fn offenders(files: impl IntoIterator<Item = String>, needles: &[&str]) -> Vec<String> {
    let found = |file: &String| {
        let code = shipped(file);
        let held: Vec<&str> = needles.iter().filter(|needle| code.contains(**needle)).copied().collect();
        (!held.is_empty()).then(|| format!("{file}: {}", held.join(", ")))
    };
    files.into_iter().filter_map(|file| found(&file)).collect()
}

fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn what_decides_is_pure() {
    let io = |file: &String| IMPURE_PARTS.iter().any(|part| file.contains(part));
    let files = PURE.iter().flat_map(|path| rust_files(&format!("src/{path}"))).filter(|file| !io(file));
    none(&offenders(files, &IMPURE), "no clock, environment, file, log or waiting here");
}

/// The top-level modules that a file imports.
fn imports(code: &str) -> BTreeSet<String> {
    let paths = code.split("crate::").skip(1);
    paths
        .flat_map(|rest| match rest.strip_prefix('{') {
            // `use crate::{a, b::c}`
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(first_word).collect(),
            None => vec![first_word(rest)],
        })
        .collect()
}

fn first_word(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The top-level module of a file below `src`.
fn module_of(file: &str) -> String {
    let path = file.trim_start_matches("src/");
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_import_only_what_is_below_them() {
    let place = |module: &str| LAYERS.iter().position(|layer| *layer == module);
    let programs = ["bin", "main", "lib", "cli"];
    let files = rust_files("src").into_iter().filter(|file| !programs.contains(&module_of(file).as_str()));
    let mut found = Vec::new();
    for file in files {
        let module = module_of(&file);
        let Some(here) = place(&module) else {
            found.push(format!("{file}: `{module}` is in no layer"));
            continue;
        };
        for import in imports(&shipped(&file)).into_iter().filter(|import| *import != module) {
            if place(&import).is_none_or(|there| there > here) {
                found.push(format!("{file}: `{module}` imports `{import}`"));
            }
        }
    }
    none(&found, "a module imports only what is below it, so that there is no cycle");
}

/// What each platform, or each boundary, has one of under the same name.
const ONE_EACH: [&str; 5] = ["Call", "Desired", "Error", "Existing", "Facts"];

#[test]
fn no_type_name_is_used_twice() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in rust_files("src") {
        for line in code(&shipped(&file)).lines() {
            if let Some(name) = type_name(line) {
                places.entry(name).or_default().push(file.clone());
            }
        }
    }
    assert!(places.len() > 100, "the types are found: {}", places.len());
    let twice = places.iter().filter(|(name, files)| files.len() > 1 && !ONE_EACH.contains(&name.as_str()));
    let twice: Vec<String> = twice.map(|(name, files)| format!("`{name}`: {}", files.join(", "))).collect();
    none(&twice, "one name, one meaning");
}

/// The name of the type that a line defines.
fn type_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let item = match line.strip_prefix("pub") {
        Some(rest) => rest.trim_start_matches(|c| c != ' ').trim_start(),
        None => line,
    };
    let (keyword, rest) = item.split_once(' ')?;
    let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
    matches!(keyword, "struct" | "enum" | "trait").then(|| name.to_owned())
}

#[test]
fn the_crate_shows_its_layers() {
    let shown = read("src/lib.rs");
    let (_, layers) = shown.split_once("# Layers").expect("lib.rs has a section on its layers");
    let (layers, _) = layers.split_once("\n//! # ").expect("and one after it");
    let modules = layers.split("[`").skip(1).filter_map(|rest| rest.split('`').next());
    let order: Vec<&str> = modules.collect();
    assert_eq!(order, LAYERS[..LAYERS.len() - 1], "`lib.rs` shows the layers, lowest first");
}

/// A file's code and its texts, without comments.
fn without_comments(path: &str) -> String {
    let text = read(path);
    let mut rest = &text[..text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len())];
    let mut kept = String::new();
    while let Some(c) = rest.chars().next() {
        let skipped = comment(rest);
        let whole = skipped.or_else(|| raw_text(rest)).or_else(|| quoted(rest, '"')).unwrap_or(c.len_utf8());
        if skipped.is_none() {
            kept.push_str(&rest[..whole]);
        }
        rest = &rest[whole..];
    }
    kept
}

/// The words of platforms in files, except those of one.
fn platforms_named(files: impl IntoIterator<Item = String>, own: &str) -> Vec<String> {
    let others: Vec<&str> = PLATFORM_WORDS
        .iter()
        .filter(|known| known.platform != own)
        .flat_map(|known| known.words)
        .copied()
        .collect();
    let named = |file: &String| {
        let mut said = words(&without_comments(file));
        if file.ends_with("/oci/client/identity/place.rs") {
            // The code of a region.
            said.remove("arn");
        }
        let found: Vec<&str> = others.iter().copied().filter(|word| said.contains(*word)).collect();
        (!found.is_empty()).then(|| format!("{file}: {}", found.join(", ")))
    };
    files.into_iter().filter_map(|file| named(&file)).collect()
}

#[test]
fn only_platforms_sources_and_programs_name_a_platform() {
    let may = ["src/platform", "src/source", "src/bin/", "src/cli", "src/main.rs"];
    let files = rust_files("src").into_iter().filter(|file| !may.iter().any(|start| file.starts_with(start)));
    none(&platforms_named(files, ""), "names a platform outside its folder, in code or in a text");
}

#[test]
fn no_platform_names_another() {
    for Platform { name, .. } in PLATFORMS {
        assert!(PLATFORM_WORDS.iter().any(|words| words.platform == *name), "`{name}` has words of its own");
        let folder = rust_files(&format!("src/platform/{name}"));
        let files = folder.into_iter().chain([format!("src/platform/{name}.rs")]);
        none(&platforms_named(files, name), "a platform's folder names another platform");
    }
}

#[test]
fn sources_and_targets_never_meet() {
    let sources = rust_files("src/source").into_iter().chain(rust_files("src/source.rs"));
    none(
        &offenders(sources, &["platform::target", "variant::", "Observation"]),
        "a source knows no target's file",
    );
}

#[test]
fn features_are_requested_in_one_place() {
    let asks = |file: &String| {
        file.starts_with("src/bin/") || file == "src/platform.rs" || file.ends_with("/client.rs")
    };
    let files = rust_files("src").into_iter().filter(|file| !asks(file));
    none(
        &offenders(files, &["feature = \"\"", "feature=\"\""]),
        "only `platform.rs`, the clients and the hosts know what is compiled in",
    );
    assert!(shipped("src/platform.rs").contains("feature = \"\""), "the search finds no feature at all");
}

#[rstest]
#[case::sources("src/source.rs", "src/source", "SOURCE")]
#[case::platforms("src/platform.rs", "src/platform", "PLATFORM")]
fn every_row_is_in_its_table(#[case] table: &str, #[case] folder: &str, #[case] row: &str) {
    let table = shipped(table);
    let (_, table) = table.split_once(&format!("const {row}S: ")).expect("a table");
    let (table, _) = table.split_once("];").expect("its end");
    let listed: BTreeSet<String> = table
        .split(|c: char| !c.is_alphanumeric() && !"_:".contains(c))
        .filter_map(|path| path.strip_suffix(&format!("::{row}")).map(str::to_owned))
        .collect();
    let defines = |file: &String| shipped(file).contains(&format!("const {row}: "));
    let stem = |file: String| Path::new(&file).file_stem().unwrap().to_str().unwrap().to_owned();
    let defined = rust_files(folder).into_iter().filter(defines).map(stem).collect();
    assert_eq!(listed, defined);
    assert!(!listed.is_empty(), "the table is empty");
}

#[test]
fn every_file_names_its_job() {
    let files = rust_files("src").into_iter().chain(rust_files("tests"));
    let silent: Vec<_> = files.filter(|file| !read(file).starts_with("//! ")).collect();
    none(&silent, "the first line names the file's job");
}

#[test]
fn nothing_panics_on_purpose() {
    let panics =
        [".unwrap()", ".expect(", ".unwrap_err()", "panic!", "todo!", "unimplemented!", "unreachable!"];
    none(&offenders(rust_files("src"), &panics), "no input may bring this down");
}

#[test]
fn no_file_is_too_long() {
    let long = |file: &String| read(file).lines().count() > LONGEST;
    let files: Vec<_> = rust_files("src").into_iter().filter(long).collect();
    none(&files, "too long for one job");
}

#[rstest]
#[case::aws("src/platform/aws/call.rs", aws::call::OPERATIONS)]
#[case::oci("src/platform/oci/call.rs", oci::call::OPERATIONS)]
#[case::web("src/platform/web.rs", web::OPERATIONS)]
fn every_call_has_a_permission(#[case] file: &str, #[case] known: &[Operation]) {
    let variants = shipped(file);
    let (_, operations) = variants.split_once("fn operation").expect("a function");
    let (operations, _) = operations.split_once("\n    }\n").expect("its end");
    // One arm per kind of call; the compiler sees to it that none is missing.
    assert_eq!(operations.matches("=>").count(), known.len(), "one row per operation");
    for operation in known {
        // A long arm has its text in braces.
        let texts = read(file).replace("=> {", "=>").split_whitespace().collect::<Vec<_>>().join(" ");
        let count = texts.matches(&format!("=> \"{}\"", operation.name)).count();
        assert_eq!(count, 1, "`{}` is no call's operation", operation.name);
        assert!(!operation.permission().is_empty(), "`{}` needs no permission", operation.name);
    }
}

#[test]
fn the_template_grants_exactly_what_is_called() {
    let needed: BTreeSet<String> = operations()
        .filter(|operation| operation.name.starts_with("aws:"))
        .flat_map(|operation| operation.permissions)
        .map(|permission| (*permission).to_owned())
        .collect();
    assert_eq!(granted(&read("template.yaml")), needed, "granted, needed");
}

/// The IAM actions that the functions of a template are granted by their own policies.
fn granted(template: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = template.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let function = |at: usize| {
        let resource = lines[..at].iter().rposition(|line| depth(line) == 2 && !line.trim().is_empty());
        resource.is_some_and(|from| {
            lines[from..at].iter().any(|line| line.trim() == "Type: AWS::Serverless::Function")
        })
    };
    let policies = |at: &usize| lines[*at].trim().starts_with("Policies:") && function(*at);
    (0..lines.len()).filter(policies).flat_map(|at| actions(&under(&lines, at))).collect()
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines that belong to a key: deeper ones, and list items at its own depth.
fn under<'a>(lines: &[&'a str], at: usize) -> Vec<&'a str> {
    let key = depth(lines[at]);
    let belongs =
        |line: &&&str| line.trim().is_empty() || depth(line) > key || (depth(line) == key && is_item(line));
    lines[at + 1..].iter().take_while(belongs).copied().collect()
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

fn actions(policies: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in policies.iter().enumerate() {
        let entry = line.trim().trim_start_matches("- ");
        let unclear =
            ["NotAction", "Effect: Deny", "AWS", "arn:aws"].iter().any(|start| entry.starts_with(start));
        assert!(!unclear, "the policies grant more than their actions: `{entry}`");
        if let Some(inline) = entry.strip_prefix("Action:") {
            found.extend(inline.split([',', '[', ']']).map(str::to_owned));
            found.extend(
                under(policies, at).iter().filter(|line| is_item(line)).map(|line| line.replacen('-', "", 1)),
            );
        }
    }
    let bare = |action: &String| action.trim_matches([' ', '"', '\'']).to_owned();
    found.iter().map(bare).filter(|action| !action.is_empty()).collect()
}

#[test]
fn only_the_functions_own_policies_count() {
    let template = r#"
Resources:
  Alarms:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Policies:
        - Action: sns:Publish
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action:
                - sagemaker:DescribeEndpoint
                # - sagemaker:DeleteEndpoint
                - "cloudwatch:PutMetricAlarm"
              Resource: !Sub arn:${AWS::Partition}:sagemaker:*:*:endpoint/*
            - Effect: Allow
              Action: [cloudwatch:DescribeAlarms, 'cloudwatch:DeleteAlarms']
              Resource: "*"
      Tags:
        Action: ec2:RunInstances
"#;
    let expected = [
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:PutMetricAlarm",
        "sagemaker:DescribeEndpoint",
    ];
    assert_eq!(granted(template), expected.map(str::to_owned).into());
}

/// Everything that is, or is about to be, in the repository.
fn tracked() -> Vec<PathBuf> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(list).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let files: Vec<PathBuf> = listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    assert!(files.iter().any(|file| file == Path::new("Cargo.toml")), "not the whole repository: {files:?}");
    files
}

#[test]
fn no_file_depends_on_one_machine() {
    // Written apart, so that this file does not find itself.
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/tmp/ba", "sh_jobs"),
        concat!("--ind", "ex-url"),
        concat!("--extra-ind", "ex-url"),
        concat!("replace-", "with"),
    ];
    let mut found = Vec::new();
    for file in tracked() {
        // A file that is listed may have been deleted since.
        let text = fs::read(root().join(&file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        found.extend(
            forbidden
                .iter()
                .filter(|word| text.contains(**word))
                .map(|word| format!("{}: {word}", file.display())),
        );
    }
    none(&found, "paths and hosts of one machine");
}

#[test]
fn every_dependency_comes_from_the_public_registry() {
    let lock = read("Cargo.lock");
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let other: Vec<_> = sources
        .filter(|source| *source != "\"registry+https://github.com/rust-lang/crates.io-index\"")
        .map(str::to_owned)
        .collect();
    none(&other, "another registry");
}

#[test]
fn every_make_command_of_the_documents_exists() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', '.', '#', ' ']))
        .filter_map(|line| line.split_once(':'))
        // `NAME := value` and `NAME ?= value: …` are no targets.
        .filter(|(names, rest)| !names.contains('=') && !rest.starts_with('='))
        .flat_map(|(names, _)| names.split_whitespace())
        .collect();
    let readme = made(&read("README.md"));
    assert!(!readme.is_empty(), "README.md shows no command of the Makefile");
    for document in tracked().iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for target in made(&text) {
            assert!(
                targets.contains(target.as_str()),
                "{}: `make {target}` is no target",
                document.display()
            );
        }
    }
}

/// The targets of every `make …` in a document's code.
fn made(markdown: &str) -> BTreeSet<String> {
    let mut commands: Vec<&str> = Vec::new();
    let mut fenced = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            commands.push(line.trim().trim_start_matches("$ "));
        } else {
            commands.extend(line.split('`').skip(1).step_by(2));
        }
    }
    let target = |word: &&str| !word.starts_with('-') && !word.contains('=');
    commands
        .iter()
        .filter_map(|command| command.strip_prefix("make "))
        .flat_map(|rest| {
            rest.split_whitespace()
                .take_while(|word| !["#", "&&", "|", ";", ">"].contains(word))
                .filter(target)
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn commands_are_found_in_code_only() {
    let text = "make sure of `make run`, and\n```sh\n$ make check V=1 size   # both\ncargo make no\n```\n`cargo test`";
    assert_eq!(made(text), ["check", "run", "size"].map(str::to_owned).into());
}

#[test]
fn code_has_no_comments_and_no_texts() {
    let text = "//! async\nlet a = \"// \\\" b\"; /* x */ let b = r#\"a \"quoted\" async\"#; f::<'a>('\\'', '\"'); // end\nlet c";
    assert_eq!(code(text), "\nlet a = \"\";  let b = \"\"; f::<'a>(\"\", \"\"); \nlet c");
    assert!(words("OciModelDeployment array").contains("oci"));
    assert!(!words("OciModelDeployment array").contains("ray"));
}
