//! What is known of the last change: the stamp in the tags, however the service takes it, and work requests.

use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, Request};
use super::tenancy::{FIRED, Tenancy, calls, outcome, sample};

const STAMP: &str = "/freeformTags/stepladder:changed";

/// What the updates among these requests carry, and how they were answered.
fn updates(requests: &[Request]) -> Vec<(bool, bool, u64)> {
    let update = |request: &&Request| request.operation == "UpdateModelDeployment";
    let carries = |request: &Request| {
        let has = |member: &str| !request.body[member].is_null();
        (has("modelDeploymentConfigurationDetails"), has("freeformTags"), request.status)
    };
    requests.iter().filter(update).map(carries).collect()
}

/// A service that refuses tags together with a change of size, and takes nothing while it changes.
#[rstest]
#[case::where_tags_are_an_update_like_any("updating")]
#[case::where_tags_alone_are_done_at_once("immediate")]
fn where_tags_do_not_go_with_a_size_the_size_goes_alone(#[case] tags_only: &str) {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.set(&json!({ "tags_with_size": false, "tags_only": tags_only }));
    let function = tenancy.emulator.function(&[FIRED]);
    let high = sample("high-cpu.firing.json", &tenancy.high);
    let record = outcome(&function, &high);
    assert_eq!((&record["result"], &record["error"]), (&json!("applied"), &Value::Null), "{record:#}");
    // Both, the size, the stamp.
    let (both, size, stamp) = ((true, true, 400), (true, false, 200), (false, true, 409));
    assert_eq!(updates(&tenancy.requests()), [both, size, stamp]);
    assert_eq!(tenancy.document().pointer(STAMP), None);

    // The same message finds the change under way, and then done: by what the process and the service know.
    assert_eq!(outcome(&function, &high)["decision"]["reason"], "busy");
    tenancy.finish();
    assert_eq!(tenancy.instances(), 2);
    assert_eq!(outcome(&function, &high)["decision"]["reason"], "stale");

    // The process has learned it.
    let record = outcome(&function, &sample("high-cpu.repeat.json", &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(updates(&tenancy.requests()), [size, stamp]);
    tenancy.finish();
    assert_eq!(tenancy.instances(), 3);
}

#[rstest]
#[case::that_shows_at_once("at_once")]
#[case::that_shows_at_the_end("at_end")]
fn the_stamp_alone_shows_a_change(#[case] visible: &str) {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.set(&json!({ "tags_visible": visible }));
    tenancy.emulator.deny("ListWorkRequests", true);
    let high = sample("high-cpu.firing.json", &tenancy.high);
    // Each time another process: nothing is remembered.
    let record = outcome(&tenancy.emulator.function(&[]), &high);
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(outcome(&tenancy.emulator.function(&[]), &high)["decision"]["reason"], "busy");
    tenancy.finish();
    let record = outcome(&tenancy.emulator.function(&[]), &high);
    assert_eq!(record["decision"]["reason"], "stale", "{record:#}");
    assert_eq!(record["observed"]["last_change"], *tenancy.document().pointer(STAMP).unwrap());
    // An alarm that fires by data from after the change is new evidence.
    tenancy.finish_long_ago();
    let record = outcome(&tenancy.emulator.function(&[]), &sample("high-cpu.repeat.json", &tenancy.high));
    assert_eq!(record["decision"]["to"]["instances"], 3, "{record:#}");
}

#[test]
fn a_work_request_shows_when_a_change_was_completed() {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.emulator.function(&[FIRED]);
    let high = sample("high-cpu.firing.json", &tenancy.high);
    outcome(&function, &high);
    // Fired after the change was requested, before it was completed.
    let meanwhile = sample("high-cpu.repeat.json", &tenancy.high);
    // Both have milliseconds, and this is a later one.
    std::thread::sleep(std::time::Duration::from_millis(2));
    tenancy.finish();
    let finished = tenancy.emulator.state()["workRequests"][0]["timeFinished"].clone();
    let record = outcome(&function, &meanwhile);
    assert_eq!(record["decision"]["reason"], "stale", "{record:#}");
    let time = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time(&record["observed"]["last_change"]), time(&finished));

    // Without them only the stamp is known, which the message is younger than.
    tenancy.emulator.deny("ListWorkRequests", true);
    let record = outcome(&function, &meanwhile);
    assert_eq!(record["decision"]["to"]["instances"], 3, "{record:#}");
}

#[test]
fn a_change_that_failed_is_requested_again() {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.emulator.function(&[FIRED]);
    tenancy.emulator.fail_update(DEPLOYMENT, "NEEDS_ATTENTION");
    outcome(&function, &sample("high-cpu.firing.json", &tenancy.high));
    tenancy.finish();
    assert_eq!(
        (tenancy.document()["lifecycleState"].as_str(), tenancy.instances()),
        (Some("NEEDS_ATTENTION"), 1)
    );
    let record = outcome(&function, &sample("high-cpu.repeat.json", &tenancy.high));
    assert_eq!(record["decision"]["to"]["instances"], 2, "{record:#}");
    assert_eq!(calls(&record), ["oci:UpdateModelDeployment"], "the pair exists: {record:#}");
    tenancy.finish();
    assert_eq!(tenancy.instances(), 2);
}
