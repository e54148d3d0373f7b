//! The policies and the JSON of the documents are read by what reads them in earnest.

use serde_json::Value;
use stepladder::policy::Policy;

use super::{blocks, none};

#[test]
fn every_policy_that_is_shown_is_accepted() {
    let mut faults = Vec::new();
    let mut policies = 0;
    for block in blocks("toml") {
        // A fragment is part of a policy, or another file, such as one of cargo.
        if block.marks.iter().any(|mark| mark == "fragment" || mark.starts_with("file=")) {
            let read: Result<toml::Table, _> = toml::from_str(&block.text);
            faults.extend(read.err().map(|error| format!("{}: {error}", block.at)));
        } else {
            policies += 1;
            let read = Policy::parse(&block.text);
            faults.extend(read.err().map(|error| format!("{}: {error}", block.at)));
        }
    }
    none(&faults, "a policy that the program refuses (`toml,fragment` marks a part of one)");
    assert!(policies > 0, "no page shows a policy");
}

#[test]
fn every_json_that_is_shown_is_json() {
    let faults: Vec<String> = blocks("json")
        .iter()
        .filter_map(|block| {
            let read: Result<Value, _> = serde_json::from_str(&block.text);
            read.err().map(|error| format!("{}: {error}", block.at))
        })
        .collect();
    none(&faults, "what no program could read");
}
