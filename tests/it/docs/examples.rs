//! `examples/`: each policy is accepted without a warning, and its page runs its cases and all of its payloads.

use std::fs;

use stepladder::policy::Policy;

use super::{entries, page, root};

#[test]
fn every_example_is_checked_and_replayed() {
    let examples = entries("examples").into_iter().filter(|path| root().join(path).is_dir());
    let examples: Vec<String> = examples.map(|path| path.to_str().unwrap().to_owned()).collect();
    assert!(examples.len() >= 6, "{examples:?}");
    let overview = page("examples/README.md").text;
    for example in examples {
        let policy = fs::read_to_string(root().join(&example).join("policy.toml")).unwrap();
        let policy = Policy::parse(&policy).unwrap_or_else(|errors| panic!("{example}: {errors}"));
        assert_eq!(policy.warnings(), [""; 0], "{example}");
        // `console` runs these, and compares what they print.
        let shown = page(&format!("{example}/README.md")).text;
        let check = format!("$ stepladder policy check {example}/policy.toml\n");
        let test = format!("$ stepladder policy test {example}/policy.test.toml\n");
        let replay = format!(
            "$ stepladder replay {example}/*.event.json --policy {example}/policy.toml --world {example}/world.json\n"
        );
        let runs = [check, test, replay].iter().all(|command| shown.contains(command));
        assert!(runs, "{example}: its page checks, tests and replays it");
        let (_, name) = example.split_once('/').unwrap();
        assert!(overview.contains(&format!("({name}/README.md)")), "{example} is not in the overview");
    }
}
