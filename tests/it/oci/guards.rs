//! What the deployment's own tags hold back, and what is remembered in them.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::Request;
use super::function::Function;
use super::tenancy::{FIRED, Tenancy, calls, outcome, sample, with_tags, with_value};

const HIGH: &str = "high-cpu.firing.json";
const LOW: &str = "low-cpu.repeat.json";

/// So many hours from now, as a pause has it.
fn until(hours: i64) -> String {
    format!("down;until={}", Timestamp::now() + SignedDuration::from_hours(hours))
}

fn reason(record: &Value) -> &str {
    record["decision"]["reason"].as_str().unwrap_or_else(|| panic!("not held: {record:#}"))
}

/// Whether every request was a read.
fn only_read(requests: &[Request]) -> bool {
    let reads = ["Get", "List", "Summarize"];
    requests.iter().all(|request| reads.iter().any(|read| request.operation.starts_with(read)))
}

fn tags(tenancy: &Tenancy) -> Value {
    tenancy.document()["freeformTags"].take()
}

/// A function that remembers nothing.
fn another(tenancy: &Tenancy, policy: &str) -> Function {
    tenancy.emulator.function(&[("STEPLADDER_POLICY", policy)])
}

#[test]
fn a_pause_holds_its_way_alone() {
    let Some(tenancy) = Tenancy::with(&with_tags(2, &[("stepladder:pause", &until(1))])) else { return };
    let function = tenancy.function();
    let record = outcome(&function, &sample(LOW, &tenancy.high));
    assert_eq!(reason(&record), "paused", "{record:#}");
    assert!(record["because"].as_str().unwrap().contains("stepladder:pause"), "{record:#}");
    assert_eq!(tenancy.document()["lifecycleState"], "ACTIVE");
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(record["decision"]["to"]["instances"], 3, "{record:#}");
}

#[test]
fn a_pause_that_is_over_holds_nothing() {
    let Some(tenancy) = Tenancy::with(&with_tags(2, &[("stepladder:pause", &until(-1))])) else { return };
    let record = outcome(&tenancy.function(), &sample(LOW, &tenancy.high));
    assert_eq!(record["decision"]["to"]["instances"], 1, "{record:#}");
}

#[rstest]
#[case::another_ceiling("stepladder:max", "1", "at_ceiling")]
#[case::one_that_is_not_reached("stepladder:max", "2", "")]
#[case::a_slip_of_the_pen("stepladder:maxx", "1", "unreadable_tag")]
#[case::no_number("stepladder:max", "few", "unreadable_tag")]
#[case::somebody_elses("team:max", "1", "")]
fn a_tag_lowers_the_ceiling(#[case] tag: &str, #[case] value: &str, #[case] held: &str) {
    let Some(tenancy) = Tenancy::with(&with_tags(1, &[(tag, value)])) else { return };
    let record = outcome(&tenancy.function(), &sample(HIGH, &tenancy.high));
    if held.is_empty() {
        assert_eq!(record["decision"]["to"]["instances"], 2, "{record:#}");
    } else {
        assert_eq!(reason(&record), held, "{record:#}");
        assert!(only_read(&tenancy.requests()));
    }
}

/// The second larger step adds what it is larger by. A tag records how much that is: no process remembers it.
#[test]
fn a_larger_step_during_a_cooldown_adds_the_difference() {
    let policy = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\nevidence = \"fired\"\ncooldown = { up = \"10m\" }\n\
                  steps = [{ above = 0, add = 1 }, { above = 10, add = 2 }]\n";
    let Some(tenancy) = Tenancy::new() else { return };
    for (value, expected) in [("85", 2), ("95", 3)] {
        let record = outcome(&another(&tenancy, policy), &with_value(HIGH, &tenancy.high, Some(value)));
        assert_eq!(record["decision"]["to"]["instances"], expected, "{record:#}");
        assert_eq!(calls(&record), ["oci:UpdateModelDeployment"]);
        tenancy.finish();
        // What fires after the change is younger than it by a millisecond at least.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let recent = tags(&tenancy)["stepladder:recent"].take();
    let added: Vec<&str> =
        recent.as_str().unwrap().split(' ').map(|one| one.split_once('i').unwrap().1).collect();
    assert_eq!(added, ["+1", "+2"]);
    tenancy.requests();
    let record = outcome(&another(&tenancy, policy), &with_value(HIGH, &tenancy.high, Some("95")));
    assert_eq!(reason(&record), "cooling_down", "{record:#}");
    assert!(only_read(&tenancy.requests()));
    assert_eq!(tenancy.instances(), 3);
}

/// Where the service takes tags only alone, and none while it changes, the process knows.
#[rstest]
#[case::where_tags_go_with_a_size(true)]
#[case::where_they_do_not(false)]
fn changes_of_an_hour_are_counted(#[case] tags_with_size: bool) {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.set(&json!({ "tags_with_size": tags_with_size }));
    let policy = "[defaults]\nevidence = \"fired\"\nmax_changes_per_hour = 1\n";
    let function = another(&tenancy, policy);
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    tenancy.finish();
    assert_eq!(tags(&tenancy)["stepladder:recent"].is_string(), tags_with_size);
    std::thread::sleep(std::time::Duration::from_millis(2));
    tenancy.requests();
    let again = sample("high-cpu.repeat.json", &tenancy.high);
    let record = outcome(&function, &again);
    assert_eq!(reason(&record), "too_many_changes", "{record:#}");
    assert!(only_read(&tenancy.requests()));
    // A process that does not know it reads it in the tags.
    let record = outcome(&another(&tenancy, policy), &again);
    let decided = record["decision"]["reason"].as_str();
    assert_eq!(decided == Some("too_many_changes"), tags_with_size, "{record:#}");
}

/// What an operator has written stays, whatever becomes of a change.
#[rstest]
#[case::of_a_change(HIGH, 8, &["stepladder:changed", "stepladder:recent"])]
// The service refuses the shape, and only that is noted.
#[case::of_one_that_is_refused("high-mem.firing.json", 0, &["stepladder:infeasible"])]
fn an_operators_tags_stay(#[case] event: &str, #[case] quota: u32, #[case] written: &[&str]) {
    let own = [("stepladder:max", "5"), ("stepladder:pause", "down"), ("stepladder-team", "ours")];
    let Some(tenancy) = Tenancy::with(&with_tags(1, &own)) else { return };
    tenancy.emulator.set(&json!({ "quotas": { "VM.Standard2.4": quota } }));
    let before = tags(&tenancy);
    let function = another(&tenancy, &format!("{}max_changes_per_hour = 3\n", FIRED.1));
    outcome(&function, &sample(event, &tenancy.high));
    if tenancy.document()["lifecycleState"] == "UPDATING" {
        tenancy.finish();
    }
    let mut after = tags(&tenancy);
    for tag in written {
        assert!(after.as_object_mut().unwrap().remove(*tag).is_some(), "{tag}: {after:#}");
    }
    assert_eq!(after, before);
}
