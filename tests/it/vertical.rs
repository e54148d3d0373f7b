//! Changes of a SageMaker variant's type: copies of its configuration, their cleanup, the recorded failures, and the
//! platform's native autoscaling. Each plan is also interrupted at every call.

use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;
use stepladder::outcome::{Ending, Outcome};
use stepladder::platform::AlarmDefinition;
use stepladder::platform::Error;
use stepladder::platform::simulated::{Delivery, SimulatedCloud, World};
use stepladder::policy::Policy;
use stepladder::report;

use crate::support::{
    self, HIGH_CPU, HIGH_MEM, Interrupted, LOW_MEM, MEM_PAIR, Side, TICK, TOPIC_ARN, VARIANT, answer,
    cloud_with, existing, minute, on, operations, pairs, policy_arn, reason, scaled_natively, send, size,
};

/// The operator's alarm that triggers a scaling policy.
const BUSY: &str = "busy";

const SUSPEND: &str = "[defaults]\nnative_autoscaling = \"suspend\"";

fn policy(text: &str) -> Policy {
    let mut policy = support::policy(text);
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    policy
}

/// A variant on the lowest rung, under no alarm that fires.
fn low() -> SimulatedCloud {
    let cloud = cloud_with(VARIANT, 2, "ml.m5.large");
    cloud.with(|world| world.alarms.clear());
    cloud
}

/// The same, with a policy of Application Auto Scaling and the alarm that triggers it.
fn low_and_registered() -> SimulatedCloud {
    let cloud = low();
    scaled_natively(&cloud, &json!({ "DynamicScalingInSuspended": true }), 2);
    cloud.with(|world| {
        let mut busy = existing(BUSY, VARIANT, Some(5));
        if let AlarmDefinition::Aws(alarm) = &mut busy.definition {
            alarm.actions = vec![policy_arn(0)];
        }
        world.alarms.push(busy);
    });
    cloud
}

fn answer_alarm(alarm: &str, at: i64, cloud: &dyn stepladder::platform::Client, policy: &Policy) -> Outcome {
    send(&support::Notice::new(alarm, VARIANT).at(minute(at)), cloud, policy)
}

fn tick(at: i64, cloud: &SimulatedCloud, policy: &Policy) -> Vec<Outcome> {
    cloud.advance(minute(at));
    answer(TICK, cloud, policy, minute(at)).outcomes
}

fn shape(cloud: &SimulatedCloud) -> String {
    size(cloud, VARIANT).shape
}

/// The names of our copies that still exist.
fn copies(world: &World) -> Vec<&String> {
    world.configurations.keys().filter(|name| name.starts_with("stepladder-")).collect()
}

fn tags(world: &World) -> Vec<&String> {
    world.endpoints.get("churn").map(|known| known.tags.keys().collect()).unwrap_or_default()
}

/// Settled on the lowest rung: no copy, no tag, no pair, and the original configuration is active.
fn nothing_is_left_over(cloud: &SimulatedCloud, story: &str) {
    let world = cloud.snapshot();
    assert_eq!(shape(cloud), "ml.m5.large", "{story}");
    assert_eq!(copies(&world), Vec::<&String>::new(), "{story}");
    assert_eq!(tags(&world), Vec::<&String>::new(), "{story}");
    assert_eq!(pairs(&world, VARIANT, MEM_PAIR), [], "{story}");
    assert!(world.endpoints.get("churn").is_none_or(|known| known.configuration == "churn"), "{story}");
}

#[test]
fn a_step_up_writes_the_pair_then_a_copy_then_a_note_and_only_then_changes_the_endpoint() {
    let (cloud, policy) = (low(), policy(""));
    let outcome = answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    let calls = ["aws:PutMetricAlarm", "aws:CreateEndpointConfig", "aws:AddTags", "aws:UpdateEndpoint"];
    assert_eq!(operations(&outcome), calls);
    assert_eq!(outcome.result, Ending::Applied);
    // The old configuration stays until the update has completed.
    assert_eq!(copies(&cloud.snapshot()).len(), 1);
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 1, &cloud, &policy)), "busy");
    cloud.advance(minute(10));
    assert_eq!(size(&cloud, VARIANT), stepladder::size::Size::new(2, "ml.m5.xlarge"));
    // The next step leaves a copy behind, which is deleted once the endpoint has settled.
    assert_eq!(answer_alarm(HIGH_MEM, 30, &cloud, &policy).result, Ending::Applied);
    assert_eq!(copies(&cloud.snapshot()).len(), 2);
    let repaired = tick(40, &cloud, &policy);
    let calls = ["aws:PutMetricAlarm", "aws:DeleteTags", "aws:DeleteEndpointConfig"];
    assert_eq!(
        repaired.iter().flat_map(operations).collect::<Vec<_>>(),
        calls,
        "the pair is of another type"
    );
    assert_eq!((shape(&cloud).as_str(), copies(&cloud.snapshot()).len()), ("ml.m5.2xlarge", 1));
}

#[test]
fn a_scale_up_returns_to_the_original_and_leaves_nothing() {
    let (cloud, policy) = (low(), policy(""));
    for at in [0, 30, 60] {
        assert_eq!(answer_alarm(HIGH_MEM, at, &cloud, &policy).result, Ending::Applied);
        cloud.advance(minute(at + 20));
    }
    assert_eq!(shape(&cloud), "ml.m5.4xlarge");
    for at in [90, 120, 150] {
        assert_eq!(answer_alarm(LOW_MEM, at, &cloud, &policy).result, Ending::Applied);
        tick(at + 20, &cloud, &policy);
    }
    nothing_is_left_over(&cloud, "three up, three down");
}

#[test]
fn a_lasting_load_scales_up_and_no_load_scales_down_without_further_alarms() {
    let (cloud, policy) = (low(), policy(""));
    let memory = |gib: f64| {
        on(&cloud, VARIANT, |found| {
            let ladders = Policy::built_in().unwrap().ladders;
            let used = 100.0 * gib / ladders.rung(&found.shape).unwrap().memory_gib;
            found.metrics.insert("MemoryUtilization".to_owned(), used);
        });
    };
    cloud.with(|world| {
        let mut high = existing("high-memory", VARIANT, Some(5));
        if let AlarmDefinition::Aws(alarm) = &mut high.definition {
            (alarm.metric, alarm.threshold) = ("MemoryUtilization".to_owned(), 80.0);
        }
        world.alarms.push(high);
    });
    let live = |gib: f64, minutes: std::ops::Range<i64>| {
        for at in minutes {
            memory(gib);
            for Delivery { body, .. } in cloud.advance(minute(at)) {
                answer(&body, &cloud, &policy, minute(at));
            }
            answer(TICK, &cloud, &policy, minute(at));
        }
    };
    live(20.0, 0..60);
    assert_eq!(shape(&cloud), "ml.m5.2xlarge", "one notice, and the clock does the rest");
    live(0.5, 60..180);
    nothing_is_left_over(&cloud, "up and down by itself");
}

#[test]
fn foreign_thresholds_are_noted_once() {
    let (cloud, policy) = (low(), policy(""));
    let notes = answer_alarm(HIGH_MEM, 0, &cloud, &policy).notes.join("\n");
    assert!(notes.contains("CPUUtilization runs to 400 instead of 200"), "{notes}");
    cloud.advance(minute(30));
    assert_eq!(tick(30, &cloud, &policy).iter().flat_map(|one| &one.notes).count(), 0);
}

#[test]
fn the_pair_of_the_other_axis_is_written_anew_for_another_type() {
    let (cloud, policy) = (low(), policy(""));
    let threshold = |cloud: &SimulatedCloud| {
        let definition = pairs(&cloud.snapshot(), VARIANT, support::CPU_PAIR)[0].definition.clone();
        let AlarmDefinition::Aws(alarm) = definition else { panic!("{definition:?} is on AWS") };
        alarm.threshold
    };
    answer_alarm(HIGH_CPU, 0, &cloud, &policy);
    cloud.advance(minute(30));
    assert!((threshold(&cloud) - 20.0).abs() < 1e-9, "10 % of two vCPUs");
    answer_alarm(HIGH_MEM, 30, &cloud, &policy);
    tick(60, &cloud, &policy);
    assert!((threshold(&cloud) - 40.0).abs() < 1e-9, "10 % of four vCPUs");
}

#[test]
fn variants_of_one_endpoint_climb_each_on_its_own() {
    let (cloud, policy) = (low(), policy(""));
    let other = "endpoint/churn/variant/Canary";
    cloud.with(|world| {
        let twin = world.deployments[VARIANT].clone();
        world.deployments.insert(other.to_owned(), twin);
    });
    let answer_alarm = |alarm: &str, id: &str, at: i64| {
        cloud.advance(minute(at));
        let outcome = send(&support::Notice::new(alarm, id).at(minute(at)), &cloud, &policy);
        assert_eq!(outcome.result, Ending::Applied, "{outcome:?}");
        cloud.advance(minute(at + 20));
        (size(&cloud, VARIANT).shape, size(&cloud, other).shape)
    };
    let (small, large) = ("ml.m5.large".to_owned(), "ml.m5.xlarge".to_owned());
    assert_eq!(answer_alarm(HIGH_MEM, VARIANT, 0), (large.clone(), small.clone()));
    assert_eq!(answer_alarm(HIGH_MEM, other, 30), (large.clone(), large.clone()));
    assert_eq!(answer_alarm(LOW_MEM, VARIANT, 60), (small.clone(), large));
    assert_eq!(answer_alarm(LOW_MEM, other, 90), (small.clone(), small));
    tick(120, &cloud, &policy);
    tick(150, &cloud, &policy);
    nothing_is_left_over(&cloud, "both up, both down");
}

// ---- how far down ----

#[test]
fn our_own_alarm_stops_at_what_the_operator_deployed() {
    let (cloud, policy) = (low(), policy(""));
    on(&cloud, VARIANT, |found| found.shape = "ml.m5.2xlarge".to_owned());
    let pair = support::pair_alarm(MEM_PAIR);
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    cloud.advance(minute(30));
    assert_eq!(answer_alarm(&pair, 30, &cloud, &policy).result, Ending::Applied);
    cloud.advance(minute(60));
    let outcome = answer_alarm(&pair, 60, &cloud, &policy);
    assert_eq!((reason(&outcome), shape(&cloud).as_str()), ("at_floor", "ml.m5.2xlarge"));
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, MEM_PAIR), [], "and goes");
    // An operator's alarm scales below that, and below the floor nothing remains to scale down.
    assert_eq!(answer_alarm(LOW_MEM, 90, &cloud, &policy).result, Ending::Applied);
    cloud.advance(minute(120));
    assert_eq!(shape(&cloud), "ml.m5.xlarge");
    assert_eq!(answer_alarm(HIGH_MEM, 120, &cloud, &policy).result, Ending::Applied);
    tick(150, &cloud, &policy);
    assert_eq!((shape(&cloud).as_str(), copies(&cloud.snapshot())), ("ml.m5.2xlarge", vec![]));
}

#[test]
fn a_deleted_original_does_not_raise_the_floor() {
    let (cloud, policy) = (low(), policy(""));
    let pair = support::pair_alarm(MEM_PAIR);
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    cloud.advance(minute(10));
    cloud.with(|world| world.configurations.remove("churn"));
    answer_alarm(HIGH_MEM, 30, &cloud, &policy);
    for at in [60, 90] {
        tick(at, &cloud, &policy);
        assert_eq!(answer_alarm(&pair, at, &cloud, &policy).result, Ending::Applied);
        cloud.advance(minute(at + 20));
    }
    tick(120, &cloud, &policy);
    let world = cloud.snapshot();
    assert_eq!(
        (shape(&cloud).as_str(), copies(&world).len()),
        ("ml.m5.large", 1),
        "a copy serves as original"
    );
    assert_eq!(pairs(&world, VARIANT, MEM_PAIR), []);
}

#[test]
fn a_longer_step_back_stops_at_the_floor() {
    let cloud = low();
    on(&cloud, VARIANT, |found| {
        found.shape = "ml.m5.12xlarge".to_owned();
        found.metrics.insert("MemoryUtilization".to_owned(), 20.0);
    });
    let policy = policy(
        "[[rule]]\nalarm = \"*mem\"\naxis = \"shape\"\nstep = 2\n\
         pair = { alarm = \"small\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }",
    );
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    cloud.advance(minute(20));
    assert_eq!(shape(&cloud), "ml.m5.24xlarge", "the ladder ends after one rung");
    answer_alarm(&support::pair_alarm("small"), 30, &cloud, &policy);
    cloud.advance(minute(60));
    assert_eq!(shape(&cloud), "ml.m5.12xlarge");
}

#[test]
fn a_pair_is_known_to_the_rule_that_it_was_made_for_and_to_no_other() {
    let cloud = low();
    on(&cloud, VARIANT, |found| found.shape = "ml.m5.2xlarge".to_owned());
    let rule = policy(
        "[[rule]]\nalarm = \"big\"\naxis = \"shape\"\n\
         pair = { alarm = \"own_low_mem\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }",
    );
    answer_alarm("big", 0, &cloud, &rule);
    // A built-in rule's glob would match its name.
    cloud.advance(minute(30));
    assert_eq!(
        reason(&answer_alarm(&support::pair_alarm("own_low_mem"), 30, &cloud, &policy(""))),
        "no_rule"
    );
}

#[test]
fn a_configuration_that_an_operator_activates_is_the_new_floor() {
    let (cloud, policy) = (low(), policy(""));
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    cloud.advance(minute(30));
    cloud.with(|world| {
        let mut theirs = world.configurations["churn"].clone();
        theirs.document["EndpointConfigName"] = json!("churn-2");
        theirs.document["ProductionVariants"][0]["InstanceType"] = json!("ml.m5.4xlarge");
        world.configurations.insert("churn-2".to_owned(), theirs);
        world.endpoints.get_mut("churn").unwrap().configuration = "churn-2".to_owned();
    });
    on(&cloud, VARIANT, |found| {
        found.shape = "ml.m5.4xlarge".to_owned();
        found.last_change = Some(minute(30));
    });
    let outcomes = tick(60, &cloud, &policy);
    let calls = ["aws:DeleteTags", "aws:DeleteEndpointConfig", "aws:DeleteAlarms"];
    assert_eq!(outcomes.iter().flat_map(operations).collect::<Vec<_>>(), calls);
    assert_eq!(shape(&cloud), "ml.m5.4xlarge");
}

// ---- recorded failures ----

/// The platform rolls an update back.
fn roll_back(cloud: &SimulatedCloud, at: i64) {
    cloud.advance(minute(at));
    on(cloud, VARIANT, |found| {
        found.change = None;
        found.last_change = Some(minute(at));
    });
    cloud.with(|world| world.endpoints.get_mut("churn").unwrap().next = None);
}

#[test]
fn a_rolled_back_step_is_noted_and_not_tried_again_for_an_hour() {
    let (cloud, policy) = (low(), policy(""));
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    roll_back(&cloud, 3);
    let outcome = answer_alarm(HIGH_MEM, 20, &cloud, &policy);
    assert_eq!(reason(&outcome), "infeasible");
    assert!(report::explanation(&outcome).contains("rolled back"), "{}", report::explanation(&outcome));
    // The failure is recorded at once. The note of the step, the copy and the pair are deleted.
    let calls = ["aws:DeleteTags", "aws:AddTags", "aws:DeleteEndpointConfig", "aws:DeleteAlarms"];
    assert_eq!(operations(&outcome), calls);
    assert!(outcome.notes[0].contains("rolled back"), "{:?}", outcome.notes);
    assert_eq!(tags(&cloud.snapshot()), ["stepladder:infeasible/AllTraffic/ml.m5.xlarge"]);
    // The backoff starts at the rollback, not at the last observation.
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 62, &cloud, &policy)), "infeasible");
    assert_eq!(answer_alarm(HIGH_MEM, 63, &cloud, &policy).result, Ending::Applied);
    cloud.advance(minute(90));
    assert_eq!(answer_alarm(LOW_MEM, 120, &cloud, &policy).result, Ending::Applied);
    tick(150, &cloud, &policy);
    nothing_is_left_over(&cloud, "rolled back, then up and down");
}

#[test]
fn a_type_beyond_the_quota_fails_once_and_is_not_tried_again() {
    let (cloud, policy) = (low(), policy("[defaults]\ncapacity_backoff = \"30m\""));
    cloud.with(|world| world.unavailable.push("ml.m5.xlarge".to_owned()));
    let outcome = answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    assert_eq!(outcome.error.as_ref().map(stepladder::platform::Error::kind), Some("over_quota"));
    assert!(!outcome.is_retryable(), "the quota will not be raised within minutes");
    assert_eq!(operations(&outcome).last(), Some(&"aws:AddTags"));
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 29, &cloud, &policy)), "infeasible");
    cloud.with(|world| world.unavailable.clear());
    assert_eq!(answer_alarm(HIGH_MEM, 30, &cloud, &policy).result, Ending::Applied);
}

#[rstest]
// The service refuses it for any reason.
#[case::refused(Error::Refused { operation: "aws:UpdateEndpoint".to_owned(), message: "no".to_owned() }, "infeasible")]
// A permission is missing.
#[case::denied(
    Error::Denied { operation: "aws:UpdateEndpoint".to_owned(), permission: String::new(), message: "no".to_owned() },
    "infeasible"
)]
// Another change was in progress: the next attempt may succeed.
#[case::in_progress(Error::InProgress { operation: "aws:UpdateEndpoint".to_owned(), message: "no".to_owned() }, "resize")]
fn an_update_that_is_not_accepted_is_no_rollback(#[case] error: Error, #[case] next: &str) {
    let (cloud, policy) = (low(), policy(""));
    answer_alarm(HIGH_MEM, 0, &Interrupted::at(3, error, &cloud), &policy);
    // A change of another variant is completed.
    on(&cloud, VARIANT, |found| found.last_change = Some(minute(5)));
    let outcome = answer_alarm(HIGH_MEM, 20, &cloud, &policy);
    assert_eq!(reason(&outcome), next, "{}", report::explanation(&outcome));
    assert!(!report::explanation(&outcome).contains("rolled back"));
}

#[test]
fn a_copy_that_is_refused_is_not_tried_again_at_once() {
    let (cloud, policy) = (low(), policy(""));
    let error = Error::Denied {
        operation: "aws:CreateEndpointConfig".to_owned(),
        permission: "iam:PassRole".to_owned(),
        message: "no".to_owned(),
    };
    answer_alarm(HIGH_MEM, 0, &Interrupted::at(1, error, &cloud), &policy);
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 1, &cloud, &policy)), "infeasible");
}

/// The record of recent changes.
fn record(cloud: &SimulatedCloud) -> Option<String> {
    cloud.snapshot().endpoints.get("churn")?.tags.get("stepladder:recent/AllTraffic").cloned()
}

#[rstest]
// The type is beyond the quota, which the change itself reports: the fourth call after pair, copy and note.
#[case::of_the_type(HIGH_MEM, 3, Error::OverQuota { operation: "aws:UpdateEndpoint".to_owned(), message: "no".to_owned() })]
// The count is: the pair and the record come before it.
#[case::of_the_count(HIGH_CPU, 2, Error::OverQuota { operation: "any".to_owned(), message: "no".to_owned() })]
// Somebody else got there first.
#[case::in_progress(HIGH_CPU, 2, Error::InProgress { operation: "any".to_owned(), message: "no".to_owned() })]
fn a_change_that_is_not_accepted_is_on_no_record(
    #[case] alarm: &str,
    #[case] calls: usize,
    #[case] error: Error,
    #[values(None, Some("1772449200i+1"))] before: Option<&str>,
) {
    let (cloud, policy) = (low(), policy("[defaults]\nmax_changes_per_hour = 2"));
    let before = before.map(str::to_owned);
    let tagged = before.clone().map(|text| ("stepladder:recent/AllTraffic".to_owned(), text));
    on(&cloud, VARIANT, |found| found.tags.extend(tagged));
    let outcome = answer_alarm(alarm, 0, &Interrupted::at(calls, error, &cloud), &policy);
    assert!(operations(&outcome).contains(&"aws:AddTags"), "{outcome:?}");
    assert_eq!(record(&cloud), before);
    // One that is accepted is on it.
    answer_alarm(HIGH_CPU, 2, &cloud, &policy);
    assert_ne!(record(&cloud), before);
}

#[test]
fn every_rule_records_changes_if_one_rule_needs_them() {
    let text = "[[rule]]\nalarm = \"busy\"\naxis = \"instances\"\nstep = 3\ncooldown = { up = \"30m\" }";
    let cloud = low();
    answer_alarm(HIGH_CPU, 0, &cloud, &policy(text));
    assert!(record(&cloud).is_some_and(|record| record.ends_with("i+1")));
    // A rule for another target need not know.
    let cloud = low();
    answer_alarm(HIGH_CPU, 0, &cloud, &policy(&text.replace("step = 3", "step = 3\ntarget = \"*fraud*\"")));
    assert_eq!(record(&cloud), None);
    // What a target has for itself counts as well.
    let own = "[[target]]\ntarget = \"*churn*\"\nmax_changes_per_hour = 5";
    let cloud = low();
    answer_alarm(HIGH_CPU, 0, &cloud, &policy(own));
    assert!(record(&cloud).is_some());
    let cloud = low();
    answer_alarm(HIGH_CPU, 0, &cloud, &policy(&own.replace("churn", "fraud")));
    assert_eq!(record(&cloud), None);
    let cloud = low();
    answer_alarm(
        HIGH_CPU,
        0,
        &cloud,
        &policy("[[target]]\ntarget = \"*churn*\"\ncooldown = { up = \"0s\" }"),
    );
    assert_eq!(record(&cloud), None);
}

#[test]
fn only_the_change_itself_proves_that_a_type_is_unavailable() {
    let (cloud, policy) = (low(), policy(""));
    let error = Error::OverQuota { operation: "aws:PutMetricAlarm".to_owned(), message: "alarms".to_owned() };
    answer_alarm(HIGH_MEM, 0, &Interrupted::at(0, error, &cloud), &policy);
    assert_eq!(answer_alarm(HIGH_MEM, 1, &cloud, &policy).result, Ending::Applied);
}

#[test]
fn a_configuration_that_is_deleted_under_its_endpoint_leaves_the_type_alone() {
    let (cloud, policy) = (low_and_registered(), policy(SUSPEND));
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    cloud.advance(minute(10));
    cloud.with(|world| {
        let effective = world.endpoints["churn"].configuration.clone();
        world.configurations.remove(&effective);
    });
    tick(10, &cloud, &policy);
    tick(11, &cloud, &policy);
    native_scaling_is_restored(&cloud, "without a configuration");
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 30, &cloud, &policy)), "not_resizable");
}

#[test]
fn a_recent_copy_is_not_deleted() {
    let (cloud, policy) = (low(), policy(""));
    // cut short between the copy and the change
    let cut = answer_alarm(HIGH_MEM, 0, &Interrupted::after(3, Side::Before, &cloud), &policy);
    assert_eq!(cut.result, Ending::Failed);
    tick(14, &cloud, &policy);
    assert_eq!(copies(&cloud.snapshot()).len(), 1, "another event may be at work on it");
    tick(16, &cloud, &policy);
    nothing_is_left_over(&cloud, "abandoned");
}

#[test]
fn a_foreign_configuration_with_our_prefix_is_never_deleted() {
    let (cloud, policy) = (low(), policy(""));
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    let foreign = "stepladder-churn-of-somebody-else".to_owned();
    cloud.with(|world| {
        let mut copy = world.configurations.values().next().unwrap().clone();
        copy.tags = [("stepladder:endpoint".to_owned(), "ranking".to_owned())].into();
        copy.created = Timestamp::UNIX_EPOCH;
        world.configurations.insert(foreign.clone(), copy);
    });
    cloud.advance(minute(20));
    answer_alarm(LOW_MEM, 40, &cloud, &policy);
    tick(60, &cloud, &policy);
    assert_eq!(copies(&cloud.snapshot()), [&foreign]);
}

// ---- the platform's own autoscaling ----

#[test]
fn a_registered_variant_keeps_its_type_unless_it_may_be_suspended() {
    let cloud = low_and_registered();
    let outcome = answer_alarm(HIGH_MEM, 0, &cloud, &policy(""));
    assert_eq!(reason(&outcome), "owned_elsewhere");
    assert!(report::explanation(&outcome).contains("native_autoscaling = \"suspend\""));
    assert_eq!(operations(&outcome), [""; 0]);
    let outcome = answer_alarm(HIGH_MEM, 0, &cloud, &policy(SUSPEND));
    let calls = [
        "aws:PutMetricAlarm",
        "aws:CreateEndpointConfig",
        "aws:AddTags",
        "aws:DeregisterScalableTarget",
        "aws:UpdateEndpoint",
    ];
    assert_eq!((outcome.result, operations(&outcome)), (Ending::Applied, calls.to_vec()));
}

#[test]
fn a_suspended_direction_is_honoured_and_the_other_is_free() {
    let cloud = cloud_with(VARIANT, 2, "ml.m5.large");
    scaled_natively(&cloud, &json!({ "DynamicScalingInSuspended": true }), 0);
    let low = answer_alarm(support::LOW_CPU, 0, &cloud, &policy(""));
    assert_eq!(reason(&low), "paused");
    assert_eq!(answer_alarm(HIGH_CPU, 0, &cloud, &policy("")).result, Ending::Applied);
}

#[test]
fn native_scaling_is_not_suspended_if_no_tick_would_restore_it() {
    let cloud = low_and_registered();
    let mut without_topic = policy(SUSPEND);
    without_topic.alarm_action = None;
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 0, &cloud, &without_topic)), "owned_elsewhere");
    let rule = "[[rule]]\nalarm = \"*mem*\"\naxis = \"shape\"\nnative_autoscaling = \"suspend\"";
    let error = Policy::parse(rule).unwrap_err().to_string();
    assert!(error.contains("without a `pair`"), "{error}");
}

#[test]
fn a_scale_down_that_suspends_native_scaling_writes_the_pair_that_restores_it() {
    let cloud = low_and_registered();
    on(&cloud, VARIANT, |found| found.shape = "ml.m5.xlarge".to_owned());
    let policy = policy(SUSPEND);
    let outcome = answer_alarm(LOW_MEM, 0, &cloud, &policy);
    assert_eq!(operations(&outcome).first(), Some(&"aws:PutMetricAlarm"), "{outcome:?}");
    tick(10, &cloud, &policy);
    tick(11, &cloud, &policy);
    native_scaling_is_restored(&cloud, "down by an alarm of their own");
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, MEM_PAIR), []);
}

#[test]
fn native_scaling_is_suspended_for_the_cheapest_type_too() {
    let cloud = low();
    scaled_natively(&cloud, &json!({}), 0);
    on(&cloud, VARIANT, |found| {
        found.metrics.insert("CPUUtilization".to_owned(), 20.0);
        found.metrics.insert("MemoryUtilization".to_owned(), 95.0);
    });
    let before = cloud.snapshot().scalable;
    let pair = "pair = { alarm = \"low_mem\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }";
    let rule = |more: &str| format!("[[rule]]\nalarm = \"*mem*\"\naxis = \"cheapest\"\n{more}\n{pair}");
    // Without the permission to suspend it, the type stays.
    assert_eq!(reason(&answer_alarm(HIGH_MEM, 0, &cloud, &policy(&rule("")))), "on_target");
    let policy = policy(&rule("native_autoscaling = \"suspend\""));
    let outcome = answer_alarm(HIGH_MEM, 1, &cloud, &policy);
    assert!(operations(&outcome).contains(&"aws:DeregisterScalableTarget"), "{outcome:?}");
    cloud.advance(minute(10));
    assert_eq!(shape(&cloud), "ml.m5.xlarge");
    tick(11, &cloud, &policy);
    tick(12, &cloud, &policy);
    assert_eq!(cloud.snapshot().scalable, before);
}

#[test]
fn suspended_native_scaling_is_restored_although_its_rule_has_left_the_policy() {
    let cloud = low_and_registered();
    let mut rule = policy(
        "[[rule]]\nalarm = \"big\"\naxis = \"shape\"\nnative_autoscaling = \"suspend\"\n\
         pair = { alarm = \"small\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }",
    );
    rule.alarm_action = Some(TOPIC_ARN.to_owned());
    assert_eq!(answer_alarm("big", 0, &cloud, &rule).result, Ending::Applied);
    // Nothing in the policy suspends native scaling any more, so the tags could be anybody's.
    let noted: Vec<String> =
        tick(10, &cloud, &policy("")).into_iter().flat_map(|outcome| outcome.notes).collect();
    assert!(noted.iter().any(|note| note.contains("is not restored")), "{noted:?}");
    assert_eq!(cloud.snapshot().scalable, [].into());
    // Another rule does.
    let other = "[[rule]]\nalarm = \"other\"\naxis = \"shape\"\nnative_autoscaling = \"suspend\"\n\
                 pair = { alarm = \"less\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }";
    for at in [11, 12] {
        tick(at, &cloud, &policy(other));
    }
    native_scaling_is_restored(&cloud, "without its rule");
    assert_eq!(shape(&cloud), "ml.m5.xlarge", "and nothing else happens");
    // While it fires, each tick reports the missing rule.
    on(&cloud, VARIANT, |found| found.metrics.insert("MemoryUtilization".to_owned(), 1.0));
    let outcomes = tick(30, &cloud, &policy(""));
    assert_eq!(outcomes.iter().map(reason).collect::<Vec<_>>(), ["no_rule"]);
}

/// Checks that Application Auto Scaling is registered as before, and that the alarm triggers an existing policy.
fn native_scaling_is_restored(cloud: &SimulatedCloud, story: &str) {
    let (world, before) = (cloud.snapshot(), low_and_registered().snapshot());
    let names = |world: &World| {
        let native = &world.scalable[VARIANT];
        let mut names: Vec<String> =
            native.policies.iter().map(|policy| policy["PolicyName"].to_string()).collect();
        names.sort();
        (native.target.clone(), names, native.scheduled.clone())
    };
    assert!(world.scalable.contains_key(VARIANT), "{story}: it is registered no more");
    assert_eq!(names(&world), names(&before), "{story}");
    let busy = world.alarms.iter().find(|alarm| alarm.id == BUSY).unwrap();
    let AlarmDefinition::Aws(alarm) = &busy.definition else { panic!("an OCI alarm") };
    let triggered =
        world.scalable[VARIANT].policies.iter().find(|policy| policy["PolicyARN"] == alarm.actions[0]);
    assert_eq!(triggered.map(|policy| &policy["PolicyName"]), Some(&json!("policy-0")), "{story}");
}

#[test]
fn suspended_native_scaling_is_restored_when_the_endpoint_has_settled() {
    let (cloud, policy) = (low_and_registered(), policy(SUSPEND));
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    assert_eq!(cloud.snapshot().scalable, [].into());
    tick(2, &cloud, &policy);
    assert_eq!(cloud.snapshot().scalable, [].into(), "it is changing still");
    tick(10, &cloud, &policy);
    tick(11, &cloud, &policy);
    native_scaling_is_restored(&cloud, "up");
    assert_eq!(tags(&cloud.snapshot()), Vec::<&String>::new());
    answer_alarm(LOW_MEM, 30, &cloud, &policy);
    tick(40, &cloud, &policy);
    tick(41, &cloud, &policy);
    native_scaling_is_restored(&cloud, "up and down");
    nothing_is_left_over(&cloud, "up and down");
}

#[test]
fn a_pair_deleted_while_native_scaling_is_suspended_is_created_again() {
    let (cloud, policy) = (low_and_registered(), policy(SUSPEND));
    answer_alarm(HIGH_MEM, 0, &cloud, &policy);
    cloud.with(|world| world.alarms.retain(|alarm| !alarm.is_ours()));
    cloud.advance(minute(2));
    // The alarm fires once more during the change, and never again. Only the pair leads to the observation that restores
    // native autoscaling.
    assert_eq!(operations(&answer_alarm(HIGH_MEM, 2, &cloud, &policy)), ["aws:PutMetricAlarm"]);
    tick(10, &cloud, &policy);
    tick(11, &cloud, &policy);
    native_scaling_is_restored(&cloud, "its pair was lost");
}

// ---- interrupted ----

/// The initial state of a sequence, and its policy.
#[derive(Debug, Clone, Copy)]
enum Ground {
    Plain,
    Suspended,
}

impl Ground {
    fn cloud(self) -> SimulatedCloud {
        match self {
            Self::Plain => low(),
            Self::Suspended => low_and_registered(),
        }
    }

    fn policy(self) -> Policy {
        match self {
            Self::Plain => policy(""),
            Self::Suspended => policy(SUSPEND),
        }
    }
}

/// What happens at so many minutes; the last is the one that is cut short.
#[derive(Debug, Clone, Copy)]
enum Event {
    Alarm(&'static str),
    Tick,
}

fn happen(
    event: Event,
    at: i64,
    cloud: &SimulatedCloud,
    seen: &dyn stepladder::platform::Client,
    policy: &Policy,
) -> Vec<Outcome> {
    cloud.advance(minute(at));
    match event {
        Event::Alarm(name) => vec![answer_alarm(name, at, seen, policy)],
        Event::Tick => answer(TICK, seen, policy, minute(at)).outcomes,
    }
}

fn replay(ground: Ground, past: &[Event]) -> (SimulatedCloud, i64) {
    let (cloud, policy) = (ground.cloud(), ground.policy());
    let mut at = 0;
    for event in past {
        happen(*event, at, &cloud, &cloud, &policy);
        at += 30;
    }
    cloud.advance(minute(at));
    (cloud, at)
}

#[rstest]
#[case::first_up(&[], Event::Alarm(HIGH_MEM))]
#[case::second_up(&[Event::Alarm(HIGH_MEM), Event::Tick, Event::Tick], Event::Alarm(HIGH_MEM))]
#[case::down(
    &[Event::Alarm(HIGH_MEM), Event::Tick, Event::Tick, Event::Alarm(HIGH_MEM), Event::Tick, Event::Tick],
    Event::Alarm(LOW_MEM)
)]
#[case::down_to_the_original(&[Event::Alarm(HIGH_MEM), Event::Tick, Event::Tick], Event::Alarm(LOW_MEM))]
// The second half of a change: notes, copies, suspended targets, the pair.
#[case::finish_up(&[Event::Alarm(HIGH_MEM)], Event::Tick)]
#[case::finish_up_further(&[Event::Alarm(HIGH_MEM), Event::Tick], Event::Tick)]
#[case::finish_down(&[Event::Alarm(HIGH_MEM), Event::Tick, Event::Tick, Event::Alarm(LOW_MEM)], Event::Tick)]
fn the_next_events_put_a_crash_right(
    #[case] past: &[Event],
    #[case] event: Event,
    #[values(Ground::Plain, Ground::Suspended)] ground: Ground,
    #[values(Side::Before, Side::After)] side: Side,
    #[values(true, false)] load_stays: bool,
) {
    let policy = ground.policy();
    let (whole, at) = replay(ground, past);
    let done = happen(event, at, &whole, &whole, &policy);
    let calls = done.iter().map(|outcome| outcome.calls.len()).sum();
    for call in 0..calls {
        let (cloud, at) = replay(ground, past);
        let story = format!("{past:?}, then {event:?} crashes {side:?} call {call}");
        happen(event, at, &cloud, &Interrupted::after(call, side, &cloud), &policy);
        let world = cloud.snapshot();
        let above = world.deployments[VARIANT].heading().shape != "ml.m5.large";
        assert!(!above || pairs(&world, VARIANT, MEM_PAIR).len() == 1, "{story}: nothing removes it");
        let mut at = at + 30;
        if load_stays {
            tick(at, &cloud, &policy);
            tick(at + 1, &cloud, &policy);
            let before = shape(&cloud);
            answer_alarm(HIGH_MEM, at + 20, &cloud, &policy);
            assert_ne!(support::heading(&cloud, VARIANT).shape, before, "{story}: it is stuck");
            at += 60;
        }
        // The load goes: the pair brings it down to nothing.
        for _ in 0..6 {
            tick(at, &cloud, &policy);
            tick(at + 1, &cloud, &policy);
            if !pairs(&cloud.snapshot(), VARIANT, MEM_PAIR).is_empty() {
                answer_alarm(LOW_MEM, at + 2, &cloud, &policy);
            }
            at += 30;
        }
        nothing_is_left_over(&cloud, &story);
        if matches!(ground, Ground::Suspended) {
            native_scaling_is_restored(&cloud, &story);
        }
    }
}
