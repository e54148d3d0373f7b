//! Every rule of the design, one table each: the decision, the calls, and the record.

use std::collections::{BTreeMap, BTreeSet};
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::oci::call::Call as OciCall;
use stepladder::platform::{Facts, Observation, aws};

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::alarm::Transition;
use stepladder::decide::{Decision, Hold, UnmatchedName, decide, precheck};
use stepladder::deployment::{Deployment, Lifecycle};
use stepladder::ladder::Rung;
use stepladder::outcome::{CallRecord, Ending, Outcome, Status};
use stepladder::plan::plan;
use stepladder::platform::Error;
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::oci::alarm::OciAlarm;
use stepladder::platform::oci::call::RetryToken;
use stepladder::platform::simulated::{SimulatedCloud, SimulatedDeployment, World};
use stepladder::platform::{AlarmDefinition, Call};
use stepladder::policy::Policy;
use stepladder::report;
use stepladder::size::{Axis, Bounds, Direction, Size};

use crate::support::{
    Blind, CHURN, CPU_PAIR, HIGH_CPU, HIGH_MEM, Interrupted, LOW_CPU, LOW_MEM, MEM_PAIR, Notice, Racing,
    Side, TOPIC_ARN, TOPIC_OCID, VARIANT, answer, at, built_in, cloud, cloud_with, configured, existing,
    heading, minute, notice, on, operations, pairs, pass, policy, reason, scaled_natively, send, size, world,
};

fn size_of(instances: u32, shape: &str) -> Size {
    Size::new(instances, shape)
}

fn held(outcome: &Outcome, reason: &str) -> bool {
    outcome.result == Ending::Held && self::reason(outcome) == reason && outcome.error.is_none()
}

fn error(make: fn(String, String) -> Error) -> Error {
    make("any".to_owned(), "as the service reports".to_owned())
}

fn throttled() -> Error {
    error(|operation, message| Error::Throttled { operation, message })
}

fn unavailable() -> Error {
    error(|operation, message| Error::Unavailable { operation, message })
}

fn denied() -> Error {
    let permission = "cloudwatch:PutMetricAlarm".to_owned();
    Error::Denied { operation: "aws:PutMetricAlarm".to_owned(), permission, message: "no".to_owned() }
}

// ---- R1: only Firing and Repeat act ----

#[rstest]
// The threshold has just been crossed.
#[case::oci_firing(CHURN, Transition::Firing, "resize")]
// OCI repeats the notification: the evidence counts as much.
#[case::oci_repeat(CHURN, Transition::Repeat, "resize")]
// All is well again.
#[case::oci_cleared(CHURN, Transition::Cleared, "not_firing")]
// The metric has gone missing: not zero, not fine, no reason for anything.
#[case::oci_reset(CHURN, Transition::NoData, "not_firing")]
#[case::cloudwatch_alarm(VARIANT, Transition::Firing, "resize")]
#[case::cloudwatch_ok(VARIANT, Transition::Cleared, "not_firing")]
#[case::cloudwatch_insufficient_data(VARIANT, Transition::NoData, "not_firing")]
fn only_a_breach_that_holds_now_acts(
    #[case] target: &str,
    #[case] transition: Transition,
    #[case] expected: &str,
) {
    let notice = notice(HIGH_CPU, target).with_transition(transition);
    assert_eq!(reason(&send(&notice, &cloud(), &built_in())), expected);
    // A transition that does not act is answered without an observation.
    let blind = send(&notice, &Blind(unavailable()), &built_in());
    assert_eq!(reason(&blind), if expected == "resize" { "not_observed" } else { expected });
    assert!(blind.calls.is_empty());
}

#[rstest]
#[case(Transition::Firing, true)]
#[case(Transition::Repeat, true)]
#[case(Transition::Cleared, false)]
#[case(Transition::NoData, false)]
// A person tries the path out.
#[case(Transition::Test, false)]
fn only_some_transitions_lead_to_an_observation(#[case] transition: Transition, #[case] expected: bool) {
    let mut event = stepladder::source::parse(&notice(HIGH_CPU, CHURN).body()).unwrap();
    let mut alarm = event.alarms.remove(0);
    alarm.transition = transition;
    let observes = precheck(&alarm, &alarm.targets[0], &built_in(), at(0)).is_ok();
    assert_eq!(observes, expected);
}

// ---- R2: only a settled deployment is changed ----

#[rstest]
#[case::oci_active(CHURN, None, false, "resize")]
#[case::oci_updating(CHURN, None, true, "busy")]
// Degraded but settled: the platform accepts an update.
#[case::oci_needs_attention(CHURN, Some("NEEDS_ATTENTION"), false, "resize")]
#[case::oci_inactive(CHURN, Some("INACTIVE"), false, "busy")]
#[case::oci_failed(CHURN, Some("FAILED"), false, "busy")]
#[case::sagemaker_in_service(VARIANT, None, false, "resize")]
#[case::sagemaker_updating(VARIANT, None, true, "busy")]
#[case::sagemaker_rolling_back(VARIANT, Some("RollingBack"), false, "busy")]
fn only_a_settled_deployment_is_changed(
    #[case] id: &str,
    #[case] status: Option<&str>,
    #[case] changing: bool,
    #[case] expected: &str,
) {
    let cloud = cloud();
    if changing {
        send(&notice(HIGH_CPU, id), &cloud, &built_in());
    }
    on(&cloud, id, |found| found.status = status.map(str::to_owned));
    let before = heading(&cloud, id);
    let outcome = send(&notice(HIGH_CPU, id).at(minute(1)), &cloud, &built_in());
    assert_eq!(reason(&outcome), expected);
    assert_eq!(heading(&cloud, id) == before, expected == "busy");
}

#[test]
fn a_busy_hold_reports_the_platforms_status() {
    let cloud = cloud();
    on(&cloud, VARIANT, |found| found.status = Some("SystemUpdating".to_owned()));
    let outcome = send(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
    assert_eq!(outcome.decision, Decision::Hold(Hold::Busy { status: "SystemUpdating".to_owned() }));
    assert!(report::explanation(&outcome).contains("`SystemUpdating`"));
}

// ---- R3: evidence must be newer than the last change ----

/// When the last change of these stories was completed.
const CHANGED: i64 = 0;

#[rstest]
// The five minutes of `[5m]` begin exactly when the change was completed.
#[case::window_at_the_boundary(CHURN, "", Some(5), Some(5), Some(300), "resize")]
// One second of the data is older than the change.
#[case::window_a_second_early(CHURN, "", Some(5), Some(5), Some(299), "stale")]
// The payload's own window takes precedence over the alarm's current definition.
#[case::payload_before_observed(CHURN, "", Some(5), Some(10), Some(300), "resize")]
#[case::payload_longer_than_observed(CHURN, "", Some(15), Some(5), Some(899), "stale")]
// A payload without a window: the window of the alarm's definition applies.
#[case::observed_at_the_boundary(CHURN, "", None, Some(10), Some(600), "resize")]
#[case::observed_a_second_early(CHURN, "", None, Some(10), Some(599), "stale")]
// Neither has one: five minutes are assumed.
#[case::assumed_at_the_boundary(CHURN, "", None, None, Some(300), "resize")]
#[case::assumed_a_second_early(CHURN, "", None, None, Some(299), "stale")]
// CloudWatch: period times evaluation periods.
#[case::periods_at_the_boundary(VARIANT, "", Some(3), Some(5), Some(180), "resize")]
#[case::periods_a_second_early(VARIANT, "", Some(3), Some(5), Some(179), "stale")]
#[case::cloudwatch_observed_at_the_boundary(VARIANT, "", None, Some(7), Some(420), "resize")]
#[case::cloudwatch_observed_a_second_early(VARIANT, "", None, Some(7), Some(419), "stale")]
// Only the moment of firing counts.
#[case::fired_at_the_boundary(CHURN, "fired", Some(5), Some(5), Some(0), "resize")]
#[case::fired_a_second_early(CHURN, "fired", Some(5), Some(5), Some(-1), "stale")]
// An alarm without a time proves nothing about the time after a change.
#[case::no_time(CHURN, "", Some(5), Some(5), None, "stale")]
#[case::no_time_fired(CHURN, "fired", Some(5), Some(5), None, "stale")]
#[case::no_time_cloudwatch(VARIANT, "", Some(5), Some(5), None, "stale")]
fn evidence_is_newer_than_the_last_change(
    #[case] id: &str,
    #[case] evidence: &str,
    #[case] reported: Option<i64>,
    #[case] observed: Option<i64>,
    #[case] fired: Option<i64>,
    #[case] expected: &str,
) {
    let evidence = if evidence.is_empty() { "window" } else { evidence };
    let policy = policy(&format!("[defaults]\nevidence = \"{evidence}\""));
    let notice = notice(HIGH_CPU, id).window(reported);
    let notice = fired.map_or_else(|| notice.clone().without_time(), |fired| notice.clone().at(at(fired)));
    let cloud = SimulatedCloud::new(World { alarms: Vec::new(), ..world() });
    cloud.with(|world| world.alarms.push(existing(notice.name(), id, observed)));
    on(&cloud, id, |found| found.last_change = Some(at(CHANGED)));
    assert_eq!(reason(&send(&notice, &cloud, &policy)), expected);
}

#[rstest]
#[case::window("window")]
#[case::fired("fired")]
fn without_a_change_on_record_nothing_is_stale(#[case] evidence: &str) {
    let policy = policy(&format!("[defaults]\nevidence = \"{evidence}\""));
    let outcome = send(&notice(HIGH_CPU, CHURN).without_time(), &cloud(), &policy);
    assert_eq!(reason(&outcome), "resize");
}

// ---- R4: absolute targets, compare and set ----

/// Somebody else has changed the count and the change is done: the alarm's data is outdated.
fn done_by_another(world: &mut World) {
    let now = world.clock;
    let found = world.deployments.get_mut(CHURN).unwrap();
    found.instances += 3;
    found.revision += 1;
    found.last_change = Some(now);
}

/// Somebody else has touched the deployment without changing its size.
fn touched_by_another(world: &mut World) {
    world.deployments.get_mut(CHURN).unwrap().revision += 1;
}

/// Somebody else's update is under way on either deployment.
fn begun_by_another(world: &mut World) {
    for found in world.deployments.values_mut() {
        let change = stepladder::platform::simulated::PendingUpdate::new(5, &found.shape, minute(10));
        found.change = Some(change);
    }
}

#[test]
fn a_lost_race_is_decided_again_on_what_is_there_now() {
    let cloud = cloud();
    let late = notice(HIGH_CPU, CHURN).at(minute(5));
    let outcome = send(&late, &Racing::new(1, done_by_another, &cloud), &built_in());
    let expected = Decision::Resize {
        axis: Axis::Instances,
        from: size_of(4, "VM.Standard2.1"),
        to: size_of(5, "VM.Standard2.1"),
    };
    assert_eq!((outcome.decision, outcome.result, outcome.error), (expected, Ending::Applied, None));
    assert_eq!(heading(&cloud, CHURN).instances, 5);
}

#[test]
fn the_winner_of_a_race_may_have_made_the_same_change() {
    let cloud = cloud();
    let outcome = send(&notice(HIGH_CPU, CHURN), &Racing::new(1, done_by_another, &cloud), &built_in());
    assert!(held(&outcome, "stale"), "{outcome:?}");
    assert_eq!(heading(&cloud, CHURN).instances, 4);
}

#[test]
fn a_race_lost_twice_fails_and_may_be_delivered_again() {
    let cloud = cloud();
    let outcome = send(&notice(HIGH_CPU, CHURN), &Racing::new(2, touched_by_another, &cloud), &built_in());
    assert_eq!(outcome.result, Ending::Failed);
    assert_eq!(outcome.error.as_ref().map(Error::kind), Some("lost_race"));
    assert!(outcome.is_retryable());
    assert_eq!(heading(&cloud, CHURN).instances, 1);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1, "the pair that was written first stays");
}

#[rstest]
#[case::oci(CHURN)]
#[case::sagemaker(VARIANT)]
fn a_refusal_during_another_change_is_busy(#[case] id: &str) {
    let cloud = cloud();
    let outcome = send(&notice(HIGH_CPU, id), &Racing::new(1, begun_by_another, &cloud), &built_in());
    assert!(held(&outcome, "busy"), "{outcome:?}");
    assert!(!outcome.is_retryable());
    assert_eq!(
        outcome.calls.iter().map(|sent| sent.status).collect::<Vec<_>>(),
        [Status::Done, Status::Failed]
    );
    assert_eq!(heading(&cloud, id).instances, 5, "the other's change goes on");
}

/// Somebody else has removed the paired alarm.
fn pair_removed(world: &mut World) {
    world.alarms.retain(|alarm| !alarm.is_ours());
}

#[test]
fn a_pair_that_vanished_before_its_rewrite_is_a_lost_race() {
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.1");
    send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    pass(&cloud, 60);
    edit_pairs(&cloud);
    let outcome =
        send(&notice(HIGH_CPU, CHURN).at(minute(60)), &Racing::new(1, pair_removed, &cloud), &built_in());
    assert_eq!(outcome.result, Ending::Applied, "{outcome:?}");
    assert_eq!(heading(&cloud, CHURN).instances, 5);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1);
}

/// Somebody else has edited the paired alarm.
fn pair_touched(world: &mut World) {
    world.alarms.iter_mut().filter(|alarm| alarm.is_ours()).for_each(|alarm| alarm.revision += 1);
}

#[test]
fn a_pair_that_was_edited_before_its_deletion_is_a_lost_race() {
    let cloud = with_a_pair(CHURN, HIGH_CPU);
    floor(&cloud, CHURN);
    let low = notice(LOW_CPU, CHURN).at(minute(120));
    let outcome = send(&low, &Racing::new(1, pair_touched, &cloud), &built_in());
    assert!(held(&outcome, "at_floor"), "{outcome:?}");
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR), []);
}

#[test]
fn a_size_is_sent_in_absolute_numbers() {
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud(), &built_in());
    let Call::Oci(OciCall::UpdateModelDeployment { if_match, configuration, .. }) = &outcome.calls[1].call
    else {
        panic!("no update")
    };
    assert_eq!(if_match, "etag-0");
    let details = &configuration.body()["modelConfigurationDetails"];
    assert_eq!(details["scalingPolicy"]["instanceCount"], 2);
    assert_eq!(details["instanceConfiguration"]["instanceShapeName"], "VM.Standard2.1", "one leaf changes");
}

// ---- R5: bounds ----

const NONE: Option<(u32, u32)> = None;

#[rstest]
// The policy's bounds alone.
#[case::up_inside((2, 6), NONE, 3, HIGH_CPU, Ok(4))]
#[case::up_to_the_ceiling((2, 6), NONE, 5, HIGH_CPU, Ok(6))]
#[case::at_the_ceiling((2, 6), NONE, 6, HIGH_CPU, Err("at_ceiling"))]
#[case::down_inside((2, 6), NONE, 5, LOW_CPU, Ok(4))]
#[case::down_to_the_floor((2, 6), NONE, 3, LOW_CPU, Ok(2))]
#[case::at_the_floor((2, 6), NONE, 2, LOW_CPU, Err("at_floor"))]
// The platform's bounds are narrower.
#[case::platform_ceiling((1, 10), Some((2, 4)), 4, HIGH_CPU, Err("at_ceiling"))]
#[case::platform_floor((1, 10), Some((2, 4)), 2, LOW_CPU, Err("at_floor"))]
// They overlap: the higher floor and the lower ceiling count.
#[case::overlap_ceiling((1, 5), Some((3, 9)), 5, HIGH_CPU, Err("at_ceiling"))]
#[case::overlap_floor((1, 5), Some((3, 9)), 3, LOW_CPU, Err("at_floor"))]
#[case::overlap_inside((1, 5), Some((3, 9)), 4, HIGH_CPU, Ok(5))]
// They do not overlap: no size satisfies both, so nothing moves.
#[case::disjoint_up((1, 4), Some((6, 9)), 6, HIGH_CPU, Err("at_ceiling"))]
#[case::disjoint_ceiling((1, 4), Some((6, 9)), 9, HIGH_CPU, Err("at_ceiling"))]
#[case::disjoint_floor((1, 4), Some((6, 9)), 6, LOW_CPU, Err("at_floor"))]
// Above the ceiling already: a scale-up alarm must not shrink it, a scale-down alarm may.
#[case::above_up((1, 4), NONE, 7, HIGH_CPU, Err("at_ceiling"))]
#[case::above_down((1, 4), NONE, 7, LOW_CPU, Ok(6))]
// Below the floor already: a scale-down alarm must not grow it, a scale-up alarm brings it there.
#[case::below_down((3, 6), NONE, 1, LOW_CPU, Err("at_floor"))]
#[case::below_up((3, 6), NONE, 1, HIGH_CPU, Ok(3))]
fn the_count_stays_inside_the_bounds(
    #[case] own: (u32, u32),
    #[case] platform: Option<(u32, u32)>,
    #[case] instances: u32,
    #[case] alarm: &str,
    #[case] expected: Result<u32, &str>,
    #[values(CHURN, VARIANT)] id: &str,
) {
    let (min, max) = own;
    let policy = policy(&format!("[defaults]\ninstances = {{ min = {min}, max = {max} }}"));
    let cloud = cloud();
    on(&cloud, id, |found| {
        found.instances = instances;
        found.bounds = platform.map(|(min, max)| Bounds { min, max });
    });
    let outcome = send(&notice(alarm, id), &cloud, &policy);
    assert_eq!(resized_to(&outcome), expected);
    assert_eq!(heading(&cloud, id).instances, expected.unwrap_or(instances));
}

/// The count that the outcome changes to, or the reason of the hold.
fn resized_to(outcome: &Outcome) -> Result<u32, &'static str> {
    match &outcome.decision {
        Decision::Resize { to, .. } => Ok(to.instances),
        Decision::Hold(hold) => Err(hold.reason()),
    }
}

#[rstest]
// A step of four stops at the bounds.
#[case::up(8, HIGH_CPU, 10)]
#[case::down(5, LOW_CPU, 3)]
// And is taken whole where there is room.
#[case::up_whole(4, HIGH_CPU, 8)]
#[case::down_whole(9, LOW_CPU, 5)]
fn a_long_step_stops_at_the_bounds(#[case] from: u32, #[case] alarm: &str, #[case] to: u32) {
    let text = "[defaults]\ninstances = { min = 3, max = 10 }\n\
                [[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\nstep = 4\n\
                [[rule]]\nalarm = \"*low_cpu\"\naxis = \"instances\"\nstep = -4";
    let outcome = send(&notice(alarm, CHURN), &cloud_with(CHURN, from, "VM.Standard2.1"), &policy(text));
    assert_eq!(resized_to(&outcome), Ok(to));
}

// ---- R6: ladders ----

#[rstest]
#[case::next_rung("VM.Standard2.4", HIGH_MEM, Ok("VM.Standard2.8"))]
#[case::previous_rung("VM.Standard2.4", LOW_MEM, Ok("VM.Standard2.2"))]
#[case::to_the_top("VM.Standard2.16", HIGH_MEM, Ok("VM.Standard2.24"))]
// The top rung is an answer, never an error.
#[case::top("VM.Standard2.24", HIGH_MEM, Err("at_ceiling"))]
#[case::bottom("VM.Standard2.1", LOW_MEM, Err("at_floor"))]
// In no built-in table: families never mix.
#[case::of_no_ladder("VM.Standard1.4", HIGH_MEM, Err("unlisted_shape"))]
#[case::of_no_ladder_down("VM.Standard1.4", LOW_MEM, Err("unlisted_shape"))]
// Names are compared whole.
#[case::longer_name("VM.Standard2.160", HIGH_MEM, Err("unlisted_shape"))]
fn the_shape_moves_along_its_ladder(
    #[case] shape: &str,
    #[case] alarm: &str,
    #[case] expected: Result<&'static str, &'static str>,
) {
    let cloud = cloud_with(CHURN, 2, shape);
    let outcome = send(&notice(alarm, CHURN), &cloud, &built_in());
    let got = match &outcome.decision {
        Decision::Resize { axis, to, .. } => Ok((*axis, to.clone())),
        Decision::Hold(hold) => Err(hold.reason()),
    };
    assert_eq!(got, expected.map(|to| (Axis::Shape, size_of(2, to))));
    assert_eq!(heading(&cloud, CHURN), size_of(2, expected.unwrap_or(shape)));
    assert_ne!(outcome.result, Ending::Failed);
}

#[rstest]
#[case("VM.Standard1.4", "VM.Standard2")]
#[case("VM.Standard2.48", "VM.Standard2")]
#[case("ml.g5.metal", "ml.g5")]
#[case("ml.m5n.xlarge", "ml.m5")]
fn an_unlisted_shape_is_reported_with_the_nearest_ladder(#[case] shape: &str, #[case] nearest: &str) {
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud_with(CHURN, 1, shape), &built_in());
    let because = report::explanation(&outcome);
    assert!(
        because.contains(&format!("`{shape}`")) && because.contains(&format!("`{nearest}`")),
        "{because}"
    );
}

#[test]
fn no_step_up_takes_anything_away() {
    let ladders = Policy::built_in().unwrap().ladders;
    for ladder in ladders.iter() {
        for step in ladder.rungs.windows(2) {
            let [from, to] = step else { panic!("windows of two") };
            let more = to.vcpus > from.vcpus || to.memory_gib > from.memory_gib || to.gpus > from.gpus;
            let less = to.vcpus < from.vcpus || to.memory_gib < from.memory_gib || to.gpus < from.gpus;
            assert!(more && !less, "{}: {} → {}", ladder.name, from.shape, to.shape);
            assert_eq!(ladder.up(&from.shape).map(|rung| &rung.shape), Some(&to.shape));
            assert_eq!(ladder.down(&to.shape).map(|rung| &rung.shape), Some(&from.shape));
        }
    }
}

#[test]
fn a_shape_is_the_same_on_every_ladder() {
    let ladders = Policy::built_in().unwrap().ladders;
    let mut known: BTreeMap<&str, &Rung> = BTreeMap::new();
    for rung in ladders.iter().flat_map(|ladder| &ladder.rungs) {
        assert_eq!(*known.entry(&rung.shape).or_insert(rung), rung);
    }
}

#[test]
fn the_gpus_of_a_family_are_not_monotone_and_its_ladders_are() {
    // 16xlarge has a quarter of the GPUs of 12xlarge: it is on a ladder of its own.
    for family in ["ml.g4dn", "ml.g5", "ml.g6", "ml.g6e"] {
        let ladders = Policy::built_in().unwrap().ladders;
        let of = |size: &str| ladders.rung(&format!("{family}.{size}")).unwrap();
        assert!(of("16xlarge").gpus < of("12xlarge").gpus);
        let main = ladders.holding(&format!("{family}.8xlarge")).unwrap();
        assert_eq!((&*main.name, main.rung(&format!("{family}.16xlarge"))), (family, None));
    }
}

const OWN_LADDER: &str = r#"
[[ladder]]
name  = "mine"
rungs = [{ shape = "VM.Standard2.1", vcpus = 2, memory_gib = 15 }, { shape = "VM.Standard2.8", vcpus = 16, memory_gib = 120 }]
"#;

#[test]
fn a_ladder_of_the_policy_comes_before_the_built_in_ones() {
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud(), &policy(OWN_LADDER));
    let Decision::Resize { to, .. } = &outcome.decision else { panic!("{:?}", outcome.decision) };
    assert_eq!(to.shape, "VM.Standard2.8");
    // What it does not hold is still found on the built-in one.
    let other = send(&notice(HIGH_MEM, CHURN), &cloud_with(CHURN, 1, "VM.Standard2.2"), &policy(OWN_LADDER));
    let Decision::Resize { to, .. } = &other.decision else { panic!("{:?}", other.decision) };
    assert_eq!(to.shape, "VM.Standard2.4");
}

// ---- R13: the pair ----

/// A deployment that went up once, by this alarm, and has settled. An hour has passed.
fn with_a_pair(id: &str, alarm: &str) -> SimulatedCloud {
    let cloud = cloud();
    let outcome = send(&notice(alarm, id), &cloud, &built_in());
    assert_eq!(outcome.result, Ending::Applied);
    pass(&cloud, 60);
    cloud
}

/// Somebody brings a deployment back to the floor at the console, long ago.
fn floor(cloud: &SimulatedCloud, id: &str) {
    let start = world().deployments.remove(id).unwrap();
    on(cloud, id, |found| *found = SimulatedDeployment { revision: found.revision + 1, ..start });
}

/// Somebody edits the paired alarms at the console: they would shrink a deployment under load.
fn edit_pairs(cloud: &SimulatedCloud) {
    cloud.with(|world| {
        for alarm in world.alarms.iter_mut().filter(|alarm| alarm.is_ours()) {
            alarm.revision += 1;
            if let AlarmDefinition::Oci(found) = &mut alarm.definition {
                found.query = found.query.replace("< 10", "< 99");
            }
            if let AlarmDefinition::Aws(found) = &mut alarm.definition {
                found.threshold = 399.0;
            }
        }
    });
}

#[rstest]
#[case::cpu(CHURN, HIGH_CPU, ["oci:CreateAlarm", "oci:UpdateModelDeployment"])]
#[case::mem(CHURN, HIGH_MEM, ["oci:CreateAlarm", "oci:UpdateModelDeployment"])]
#[case::sagemaker(VARIANT, HIGH_CPU, ["aws:PutMetricAlarm", "aws:UpdateEndpointWeightsAndCapacities"])]
fn the_pair_is_written_before_the_capacity(#[case] id: &str, #[case] alarm: &str, #[case] calls: [&str; 2]) {
    let outcome = send(&notice(alarm, id), &cloud(), &built_in());
    assert_eq!(operations(&outcome), calls);
    assert_eq!(outcome.result, Ending::Applied);
}

#[rstest]
// The pair is correct: only the size is set.
#[case::oci(CHURN, HIGH_CPU, &["oci:UpdateModelDeployment"])]
#[case::oci_mem(CHURN, HIGH_MEM, &["oci:UpdateModelDeployment"])]
#[case::sagemaker(VARIANT, HIGH_CPU, &["aws:UpdateEndpointWeightsAndCapacities"])]
fn the_pair_is_not_written_twice(#[case] id: &str, #[case] alarm: &str, #[case] calls: &[&str]) {
    let cloud = with_a_pair(id, alarm);
    let before = cloud.snapshot().alarms;
    let outcome = send(&notice(alarm, id).at(minute(60)), &cloud, &built_in());
    assert_eq!(operations(&outcome), calls);
    assert_eq!(cloud.snapshot().alarms, before);
}

#[rstest]
#[case::oci_going_up(CHURN, HIGH_CPU, HIGH_CPU, &["oci:UpdateAlarm", "oci:UpdateModelDeployment"])]
#[case::oci_going_down(CHURN, HIGH_CPU, LOW_CPU, &["oci:UpdateAlarm", "oci:UpdateModelDeployment"])]
#[case::oci_mem(CHURN, HIGH_MEM, HIGH_MEM, &["oci:UpdateAlarm", "oci:UpdateModelDeployment"])]
#[case::sagemaker(VARIANT, HIGH_CPU, HIGH_CPU, &["aws:PutMetricAlarm", "aws:UpdateEndpointWeightsAndCapacities"])]
fn an_edited_pair_is_written_anew(
    #[case] id: &str,
    #[case] up: &str,
    #[case] next: &str,
    #[case] calls: &[&str],
) {
    let cloud = with_a_pair(id, up);
    let pair = if up == HIGH_CPU { CPU_PAIR } else { MEM_PAIR };
    let before = pairs(&cloud.snapshot(), id, pair);
    edit_pairs(&cloud);
    let outcome = send(&notice(next, id).at(minute(60)), &cloud, &built_in());
    assert_eq!(operations(&outcome), calls);
    let after = pairs(&cloud.snapshot(), id, pair);
    let definitions = |alarms: &[stepladder::platform::simulated::WorldAlarm]| {
        alarms.iter().map(|alarm| alarm.definition.clone()).collect::<Vec<_>>()
    };
    assert_eq!(definitions(&after), definitions(&before));
}

/// What keeps the deployment from being resized while it is above the floor.
#[derive(PartialEq)]
enum HoldCase {
    Stale,
    Busy,
    AtCeiling,
}

#[rstest]
#[case::stale(HoldCase::Stale, "stale")]
#[case::busy(HoldCase::Busy, "busy")]
#[case::at_ceiling(HoldCase::AtCeiling, "at_ceiling")]
fn a_hold_above_the_floor_brings_a_lost_pair_back(
    #[case] kept: HoldCase,
    #[case] expected: &str,
    #[values(CHURN, VARIANT)] id: &str,
) {
    let cloud = with_a_pair(id, HIGH_CPU);
    let mut policy = built_in();
    cloud.with(pair_removed);
    let mut late = notice(HIGH_CPU, id).at(minute(60));
    match kept {
        HoldCase::Stale => late = late.at(minute(1)),
        HoldCase::Busy => on(&cloud, id, |found| found.status = Some("Updating".to_owned())),
        HoldCase::AtCeiling => policy = self::policy("[defaults]\ninstances = { min = 1, max = 2 }"),
    }
    let mut outcome = send(&late, &cloud, &policy);
    assert!(held(&outcome, expected), "{outcome:?}");
    if id == CHURN && kept == HoldCase::Busy {
        // The change in progress may have created a pair: only a settled deployment proves that there is none.
        assert_eq!(operations(&outcome), [""; 0]);
        on(&cloud, id, |found| found.status = None);
        late = late.at(minute(1));
        outcome = send(&late, &cloud, &policy);
    }
    assert_eq!(outcome.calls.len(), 1);
    assert_eq!(pairs(&cloud.snapshot(), id, CPU_PAIR).len(), 1);
    assert_eq!(heading(&cloud, id).instances, 2);
    assert_eq!(operations(&send(&late, &cloud, &policy)), [""; 0], "it is as it should be");
}

#[test]
fn a_deployment_that_scales_up_from_the_floor_has_its_pair() {
    let cloud = cloud();
    send(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
    cloud.with(pair_removed);
    let outcome = send(&notice(HIGH_CPU, VARIANT).at(minute(1)), &cloud, &built_in());
    assert!(held(&outcome, "busy"), "{outcome:?}");
    assert_eq!(operations(&outcome), ["aws:PutMetricAlarm"]);
}

#[test]
fn a_deployment_that_scales_down_keeps_its_pair_until_it_has_settled() {
    let cloud = with_a_pair(VARIANT, HIGH_CPU);
    send(&notice(LOW_CPU, VARIANT).at(minute(60)), &cloud, &built_in());
    cloud.with(pair_removed);
    let outcome = send(&notice(LOW_CPU, VARIANT).at(minute(61)), &cloud, &built_in());
    assert!(held(&outcome, "busy"), "{outcome:?}");
    assert_eq!(operations(&outcome), ["aws:PutMetricAlarm"]);
}

#[rstest]
#[case::cpu(CHURN, HIGH_CPU, LOW_CPU, CPU_PAIR, "oci:DeleteAlarm")]
#[case::mem(CHURN, HIGH_MEM, LOW_MEM, MEM_PAIR, "oci:DeleteAlarm")]
#[case::sagemaker(VARIANT, HIGH_CPU, LOW_CPU, CPU_PAIR, "aws:DeleteAlarms")]
fn the_pair_is_deleted_once_the_deployment_has_settled_at_the_floor(
    #[case] id: &str,
    #[case] up: &str,
    #[case] down: &str,
    #[case] pair: &str,
    #[case] call: &str,
) {
    let cloud = with_a_pair(id, up);
    let left = |cloud: &SimulatedCloud| pairs(&cloud.snapshot(), id, pair).len();
    // Going down to the floor is no reason yet: the update may still fail.
    let last = send(&notice(down, id).at(minute(60)), &cloud, &built_in());
    assert_eq!((last.result, last.calls.len(), left(&cloud)), (Ending::Applied, 1, 1));
    // Neither is being on the way.
    let moving = send(&notice(down, id).at(minute(61)), &cloud, &built_in());
    assert!(held(&moving, "busy"), "{moving:?}");
    assert_eq!(left(&cloud), 1);
    pass(&cloud, 60);
    let outcome = send(&notice(down, id).at(minute(120)), &cloud, &built_in());
    assert!(held(&outcome, "at_floor"), "{outcome:?}");
    assert_eq!((operations(&outcome), left(&cloud)), (vec![call], 0));
}

/// Where deliveries may be answered at the same time, a scale-up alarm may be about to need the pair: it is deleted
/// only when it calls itself.
#[rstest]
#[case::one_at_a_time(VARIANT, Some(true), true)]
#[case::several_at_once(VARIANT, Some(false), false)]
#[case::usual_on_aws(VARIANT, None, true)]
#[case::usual_on_oci(CHURN, None, false)]
#[case::one_at_a_time_on_oci(CHURN, Some(true), true)]
fn another_alarm_deletes_the_pair_only_where_events_come_one_at_a_time(
    #[case] id: &str,
    #[case] one_at_a_time: Option<bool>,
    #[case] deletes: bool,
) {
    let cloud = with_a_pair(id, HIGH_CPU);
    floor(&cloud, id);
    let mut policy = policy("[defaults]\ninstances = { min = 1, max = 1 }");
    policy.one_at_a_time = one_at_a_time;
    let outcome = send(&notice(HIGH_CPU, id).at(minute(60)), &cloud, &policy);
    assert!(held(&outcome, "at_ceiling"), "{outcome:?}");
    assert_eq!(pairs(&cloud.snapshot(), id, CPU_PAIR).is_empty(), deletes, "{outcome:?}");
    // Its own call deletes it anywhere.
    send(&notice(LOW_CPU, id).at(minute(61)), &cloud, &policy);
    assert_eq!(pairs(&cloud.snapshot(), id, CPU_PAIR).len(), 0);
}

#[test]
fn an_update_that_fell_back_to_the_floor_keeps_the_pair_while_it_lasts() {
    // At the floor in size, but the platform does not report it as settled.
    let cloud = with_a_pair(CHURN, HIGH_CPU);
    floor(&cloud, CHURN);
    on(&cloud, CHURN, |found| found.status = Some("FAILED".to_owned()));
    let outcome = send(&notice(LOW_CPU, CHURN).at(minute(60)), &cloud, &built_in());
    assert!(held(&outcome, "busy"), "{outcome:?}");
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1);
}

/// A foreign alarm with the pair's name.
fn with_a_foreign_pair(id: &str, instances: u32) -> SimulatedCloud {
    let cloud = cloud();
    let name = built_in_pair_name(id);
    cloud.with(|world| world.alarms.push(existing(&name, id, Some(5))));
    on(&cloud, id, |found| found.instances = instances);
    cloud
}

fn built_in_pair_name(id: &str) -> String {
    if id == CHURN { CPU_PAIR.to_owned() } else { format!("stepladder/{id}/{CPU_PAIR}") }
}

#[test]
fn an_alarm_of_somebody_else_keeps_a_variant_from_scaling_up() {
    let cloud = with_a_foreign_pair(VARIANT, 1);
    let before = cloud.snapshot();
    let outcome = send(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
    assert!(held(&outcome, "pair_taken"), "{outcome:?}");
    assert!(report::explanation(&outcome).contains(&built_in_pair_name(VARIANT)));
    assert_eq!(cloud.snapshot(), before);
}

#[rstest]
// A scale-down adds no capacity, so it needs no pair.
#[case::going_down(3, LOW_CPU, "resize")]
// At the floor, stepladder's own pair would be deleted.
#[case::at_the_floor(1, LOW_CPU, "at_floor")]
// Above the floor, stepladder's own pair would be overwritten.
#[case::at_the_ceiling(10, HIGH_CPU, "at_ceiling")]
fn an_alarm_of_somebody_else_is_left_alone(
    #[case] instances: u32,
    #[case] alarm: &str,
    #[case] expected: &str,
) {
    let cloud = with_a_foreign_pair(VARIANT, instances);
    let before = cloud.snapshot().alarms;
    let outcome = send(&notice(alarm, VARIANT), &cloud, &built_in());
    assert_eq!(reason(&outcome), expected);
    assert_eq!(cloud.snapshot().alarms, before);
}

#[test]
fn on_oci_an_alarm_of_the_same_name_is_nobodys_business() {
    // Display names are not unique, so tags identify stepladder's own alarms.
    let cloud = with_a_foreign_pair(CHURN, 1);
    let foreign = cloud.snapshot().alarms.pop();
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    assert_eq!(operations(&outcome), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert!(cloud.snapshot().alarms.contains(&foreign.unwrap()));
    floor(&cloud, CHURN);
    let down = send(&notice(LOW_CPU, CHURN), &cloud, &built_in());
    assert_eq!(operations(&down), ["oci:DeleteAlarm"]);
    assert_eq!(cloud.snapshot().alarms.iter().filter(|alarm| alarm.definition.name() == CPU_PAIR).count(), 1);
}

#[test]
fn another_deployments_pair_is_nobodys_business() {
    let cloud = with_a_pair(CHURN, HIGH_CPU);
    let other = format!("{CHURN}2");
    cloud
        .with(|world| world.deployments.insert(other.clone(), SimulatedDeployment::new(1, "VM.Standard2.1")));
    send(&Notice::new(HIGH_CPU, &other).at(minute(60)), &cloud, &built_in());
    let world = cloud.snapshot();
    assert_eq!((pairs(&world, CHURN, CPU_PAIR).len(), pairs(&world, &other, CPU_PAIR).len()), (1, 1));
}

#[rstest]
// The built-in low threshold is 10 %: of 100 × vCPUs for `CPUUtilization`.
#[case::two_vcpus("ml.m5.large", "CpuUtilization", "CPUUtilization", 20.0)]
#[case::four_vcpus("ml.m5.xlarge", "CpuUtilization", "CPUUtilization", 40.0)]
#[case::ninety_six_vcpus("ml.c5.18xlarge", "CpuUtilization", "CPUUtilization", 720.0)]
// The other cloud's spelling is understood.
#[case::own_spelling("ml.m5.xlarge", "CPUUtilization", "CPUUtilization", 40.0)]
#[case::other_name("ml.g5.12xlarge", "GPUCoreUtilization", "GPUUtilization", 40.0)]
// Of 100 × GPUs for GPU metrics.
#[case::four_gpus("ml.g5.12xlarge", "GPUUtilization", "GPUUtilization", 40.0)]
#[case::one_gpu("ml.g5.xlarge", "GPUMemoryUtilization", "GPUMemoryUtilization", 10.0)]
// Of 100 for memory and disk, however large the shape.
#[case::memory("ml.m5.24xlarge", "MemoryUtilization", "MemoryUtilization", 10.0)]
#[case::disk("ml.m5.24xlarge", "DiskUtilization", "DiskUtilization", 10.0)]
fn the_low_threshold_is_a_share_of_what_there_is(
    #[case] shape: &str,
    #[case] written: &str,
    #[case] metric: &str,
    #[case] threshold: f64,
) {
    let policy = policy(&format!(
        "[[rule]]\nalarm = \"*high_mem\"\naxis = \"instances\"\n\
         pair = {{ alarm = \"low\", metric = \"{written}\", below = 10, window = \"7m\" }}"
    ));
    let outcome = send(&notice(HIGH_MEM, VARIANT), &cloud_with(VARIANT, 1, shape), &policy);
    let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = &outcome.calls[0].call else {
        panic!("no alarm is put first")
    };
    assert_eq!((alarm.metric.as_str(), alarm.threshold), (metric, threshold));
    assert_eq!((alarm.period, alarm.evaluation_periods), (60, 7));
    assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
}

#[test]
fn the_threshold_follows_the_shape() {
    let cloud = with_a_pair(VARIANT, HIGH_CPU);
    on(&cloud, VARIANT, |found| "ml.m5.2xlarge".clone_into(&mut found.shape));
    let outcome = send(&notice(HIGH_CPU, VARIANT).at(minute(60)), &cloud, &built_in());
    let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = &outcome.calls[0].call else {
        panic!("no alarm is put first")
    };
    assert!((alarm.threshold - 80.0).abs() < f64::EPSILON, "{}", alarm.threshold);
}

#[test]
fn the_pair_on_oci_is_grouped_over_instances_and_like_the_alarm_that_fired() {
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud(), &built_in());
    let Call::Oci(OciCall::CreateAlarm { alarm, .. }) = &outcome.calls[0].call else {
        panic!("no alarm is created first")
    };
    let expected = OciAlarm {
        name: MEM_PAIR.to_owned(),
        query: format!("MemoryUtilization[5m]{{resourceId = \"{CHURN}\"}}.groupBy(resourceId).mean() < 10"),
        body: Some(format!("Removes the capacity that stepladder added to {CHURN}.")),
        tags: [
            ("stepladder:target", CHURN),
            ("stepladder:pair", MEM_PAIR),
            ("stepladder:above", "MemoryUtilization:80"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
        ..existing_oci_alarm(HIGH_MEM)
    };
    assert_eq!(**alarm, expected);
}

fn existing_oci_alarm(name: &str) -> OciAlarm {
    let definition = existing(name, CHURN, Some(5)).definition;
    let AlarmDefinition::Oci(alarm) = definition else { panic!("{definition:?} is on OCI") };
    alarm
}

/// The tokens that the paired alarm would be created with: the first, and the next where that one is blocked.
fn tokens(cloud: &SimulatedCloud, minutes: i64) -> [RetryToken; 2] {
    let plan = send(&notice(HIGH_CPU, CHURN).at(minute(minutes)), cloud, &policy("mode = \"observe\""));
    let Call::Oci(OciCall::CreateAlarm { retry_token, next_token, .. }) = &plan.calls[0].call else {
        panic!("no alarm is created")
    };
    [*retry_token, *next_token]
}

#[test]
fn two_deliveries_create_one_alarm_and_a_later_one_creates_another() {
    let cloud = cloud();
    let first = tokens(&cloud, 0);
    assert_eq!(first, tokens(&cloud, 0), "a second delivery");
    assert_eq!(first[0], tokens(&cloud, 5)[0], "another event about the same deployment as it is");
    // Up, down, and the pair is gone. A token whose alarm was deleted is refused for a day.
    for (alarm, minutes) in [(HIGH_CPU, 0), (LOW_CPU, 60), (LOW_CPU, 120)] {
        send(&notice(alarm, CHURN).at(minute(minutes)), &cloud, &built_in());
        pass(&cloud, 60);
    }
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR), []);
    assert!(tokens(&cloud, 180).iter().all(|token| !first.contains(token)));
}

#[test]
fn a_deleted_pair_can_be_created_again() {
    // The pair was created, the update failed, and at the floor the pair was deleted. The deployment has not
    // changed at all, and a token whose alarm was deleted is refused for a day.
    let cloud = cloud();
    let first = tokens(&cloud, 0);
    send(&notice(HIGH_CPU, CHURN), &Interrupted::after(1, Side::Before, &cloud), &built_in());
    send(&notice(LOW_CPU, CHURN).at(minute(30)), &cloud, &built_in());
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR), []);
    assert_eq!(first[0], tokens(&cloud, 60)[0]);
    let again = send(&notice(HIGH_CPU, CHURN).at(minute(60)), &cloud, &built_in());
    assert_eq!(again.result, Ending::Applied, "{again:?}");
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1);
}

/// Removes the destinations of every alarm.
fn mute(cloud: &SimulatedCloud) {
    cloud.with(|world| {
        for alarm in &mut world.alarms {
            if let AlarmDefinition::Oci(found) = &mut alarm.definition {
                found.destinations.clear();
            }
            if let AlarmDefinition::Aws(found) = &mut alarm.definition {
                found.actions.clear();
            }
        }
    });
}

#[rstest]
#[case::oci(CHURN)]
#[case::sagemaker(VARIANT)]
fn a_pair_without_an_action_keeps_it_from_scaling_up(#[case] id: &str) {
    let cloud = cloud();
    mute(&cloud);
    let before = cloud.snapshot();
    // The payload names an action, but only the service's own answer is trusted.
    let outcome = send(&notice(HIGH_CPU, id), &cloud, &built_in());
    assert!(held(&outcome, "no_pair_action"), "{outcome:?}");
    assert_eq!(cloud.snapshot(), before);
    // Going down needs no pair.
    on(&cloud, id, |found| found.instances = 3);
    assert_eq!(resized_to(&send(&notice(LOW_CPU, id), &cloud, &built_in())), Ok(2));
}

#[rstest]
// The function's configuration takes precedence over the alarm's action.
#[case::configured(
    Some("arn:aws:sns:us-east-1:111122223333:mine"),
    "arn:aws:sns:us-east-1:111122223333:mine"
)]
#[case::like_the_alarm(None, TOPIC_ARN)]
fn the_pair_notifies(#[case] configured: Option<&str>, #[case] expected: &str) {
    let mut policy = built_in();
    policy.alarm_action = configured.map(str::to_owned);
    let outcome = send(&notice(HIGH_CPU, VARIANT), &cloud(), &policy);
    let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = &outcome.calls[0].call else {
        panic!("no alarm is put first")
    };
    assert_eq!(alarm.actions, [expected]);
}

#[test]
fn a_rule_without_a_pair_scales_up_alone() {
    let cloud = cloud();
    mute(&cloud);
    let policy = policy("[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"");
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud, &policy);
    assert_eq!(operations(&outcome), ["oci:UpdateModelDeployment"]);
}

// ---- R15: dry run ----

#[rstest]
#[case::oci_cpu(CHURN, HIGH_CPU)]
#[case::oci_mem(CHURN, HIGH_MEM)]
#[case::sagemaker(VARIANT, HIGH_CPU)]
fn a_dry_run_shows_the_calls_and_sends_none(#[case] id: &str, #[case] alarm: &str) {
    let cloud = cloud();
    let before = cloud.snapshot();
    let dry = send(&notice(alarm, id), &cloud, &policy("mode = \"observe\""));
    assert_eq!(cloud.snapshot(), before);
    assert_eq!(dry.result, Ending::DryRun);
    assert!(dry.calls.iter().all(|sent| sent.status == Status::DryRun && sent.answer.is_none()));
    // The same path: what it shows is what would be sent.
    let real = send(&notice(alarm, id), &cloud, &built_in());
    let calls = |outcome: &Outcome| outcome.calls.iter().map(|sent| sent.call.clone()).collect::<Vec<_>>();
    assert_eq!((calls(&dry), &dry.decision, &dry.checks), (calls(&real), &real.decision, &real.checks));
    assert_eq!(report::record(&dry)["calls"][1]["status"], "dry_run");
}

#[test]
fn a_dry_run_repairs_nothing() {
    let cloud = with_a_pair(CHURN, HIGH_CPU);
    edit_pairs(&cloud);
    let before = cloud.snapshot();
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud, &policy("mode = \"observe\""));
    assert_eq!((reason(&outcome), outcome.result), ("stale", Ending::DryRun));
    assert_eq!(operations(&outcome), ["oci:UpdateAlarm"]);
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn a_dry_run_with_nothing_to_send_is_held() {
    let outcome = send(&notice(LOW_CPU, CHURN), &cloud(), &policy("mode = \"observe\""));
    assert!(held(&outcome, "at_floor"), "{outcome:?}");
}

// ---- R16: the decision record ----

#[test]
fn the_record_of_a_resize_is_a_contract() {
    let answer = answer(&notice(HIGH_CPU, VARIANT).body(), &cloud(), &built_in(), at(0));
    let outcome = &answer.outcomes[0];
    // The wording of sentences may change. The facts in them may not.
    let because = report::explanation(outcome);
    let details: Vec<String> =
        outcome.calls.iter().map(|sent| format!("{}: {}", sent.call, answered(sent))).collect();
    contains_all(&because, &["CPUUtilization", "365.6", "160", "1 × ml.m5.xlarge", "2", "high_cpu"]);
    contains_all(&details[0], &[CPU_PAIR, "CPUUtilization", "40"]);
    contains_all(&details[1], &["`AllTraffic`", "2 instances"]);
    let expected = json!({"outcomes": [{
        "alarm": {
            "name": "variant-model_deployment_high_cpu",
            "source": "cloudwatch-sns",
            "transition": "firing",
            "target": VARIANT,
            "at": "2026-03-02T12:00:00Z",
        },
        "observed": {"instances": 1, "shape": "ml.m5.xlarge", "status": "InService", "last_change": null},
        "decision": {
            "kind": "resize",
            "axis": "instances",
            "from": {"instances": 1, "shape": "ml.m5.xlarge"},
            "to": {"instances": 2, "shape": "ml.m5.xlarge"},
        },
        "because": because,
        "guards": guards_of_a_scale_up(outcome),
        "calls": [
            {"call": "aws:PutMetricAlarm", "status": "done", "detail": details[0]},
            {"call": "aws:UpdateEndpointWeightsAndCapacities", "status": "done", "detail": details[1]},
        ],
        "result": "applied",
    }]});
    assert_eq!(report::reply(&answer), expected);
}

fn answered(sent: &CallRecord) -> &str {
    sent.answer.as_deref().unwrap()
}

fn contains_all(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert!(!sentence.contains('\n'), "{sentence}");
}

/// Every guard in order, with its input.
fn guards_of_a_scale_up(outcome: &Outcome) -> Vec<Value> {
    let names = [
        "not_firing",
        "muted",
        "unknown_target",
        "not_allowed",
        "no_rule",
        "busy",
        "stale",
        "not_resizable",
        "owned_elsewhere",
        "paused",
        "cooling_down",
        "at_ceiling",
        "pair_cannot_fire",
        "pair_taken",
        "no_pair_action",
    ];
    let inputs = outcome.checks.iter().map(|check| check.input.clone());
    let checks = names.iter().zip(inputs);
    checks.map(|(guard, input)| json!({"guard": guard, "held": false, "saw": input})).collect()
}

#[test]
fn a_hold_has_every_field_too() {
    let outcome = send(&notice(HIGH_CPU, CHURN).with_transition(Transition::Cleared), &cloud(), &built_in());
    let expected = json!({
        "alarm": {
            "name": HIGH_CPU,
            "source": "oci",
            "transition": "cleared",
            "target": CHURN,
            "at": "2026-03-02T12:00:00Z",
        },
        "observed": null,
        "decision": {"kind": "hold", "reason": "not_firing"},
        "because": "the alarm is `cleared`: only `firing` and `repeat` act",
        "guards": [{"guard": "not_firing", "held": true, "saw": "cleared"}],
        "calls": [],
        "result": "held",
    });
    assert_eq!(report::record(&outcome), expected);
}

#[test]
fn a_failure_has_every_field_and_its_error() {
    let cloud = cloud();
    let outcome = send(&notice(HIGH_CPU, VARIANT), &Interrupted::by(denied(), &cloud), &built_in());
    let record = report::record(&outcome);
    assert_eq!(record["result"], "failed");
    let statuses: Vec<_> = outcome.calls.iter().map(|sent| sent.status).collect();
    assert_eq!(statuses, [Status::Failed, Status::NotSent]);
    assert_eq!(record["calls"][1]["status"], "not_sent");
    assert_eq!(
        record["error"],
        json!({
            "kind": "denied",
            "message": "aws:PutMetricAlarm was denied: no",
            "retryable": false,
            "hint": "allow `cloudwatch:PutMetricAlarm`",
        })
    );
}

#[test]
fn every_guard_up_to_the_one_that_holds_is_on_record() {
    let outcome = send(&notice(LOW_CPU, CHURN), &cloud(), &built_in());
    let asked: Vec<_> = outcome.checks.iter().map(|check| check.guard).collect();
    let in_order = [
        "not_firing",
        "muted",
        "unknown_target",
        "not_allowed",
        "no_rule",
        "busy",
        "stale",
        "not_resizable",
        "owned_elsewhere",
        "paused",
        "cooling_down",
        "at_floor",
    ];
    assert_eq!(asked, in_order);
    assert_eq!(outcome.checks.iter().filter(|check| check.blocked).count(), 1);
    assert!(outcome.checks.last().is_some_and(|last| last.blocked));
}

#[test]
fn there_is_one_outcome_per_alarm_and_target() {
    let mut message: Value = serde_json::from_slice(&notice(HIGH_CPU, CHURN).body()).unwrap();
    let other = format!("{CHURN}2");
    // Two streams of one deployment and one of another, and a second alarm about the first.
    message["alarmMetaData"][0]["dimensions"] =
        json!([{"resourceId": CHURN}, {"resourceId": other}, {"resourceId": CHURN}]);
    let mut second = message["alarmMetaData"][0].clone();
    second["dimensions"] = json!([{"resourceId": CHURN}]);
    message["alarmMetaData"].as_array_mut().unwrap().push(second);
    let cloud = cloud();
    let answer = answer(message.to_string().as_bytes(), &cloud, &built_in(), at(0));
    let reasons: Vec<_> =
        answer.outcomes.iter().map(|o| (o.target.as_ref().unwrap().as_str(), reason(o))).collect();
    // The unknown target does not affect the others, and the second alarm waits for the first one's change.
    assert_eq!(reasons, [(CHURN, "resize"), (other.as_str(), "not_observed"), (CHURN, "superseded")]);
    assert_eq!(heading(&cloud, CHURN).instances, 2);
}

/// Several notices in one payload, as SNS may hand them over.
fn together(notices: &[Notice]) -> Vec<u8> {
    let records = |notice: &Notice| {
        let body: Value = serde_json::from_slice(&notice.body()).unwrap();
        body["Records"][0].clone()
    };
    json!({ "Records": notices.iter().map(records).collect::<Vec<_>>() }).to_string().into_bytes()
}

const THREE: &str = "[defaults]\ninstances = { min = 1, max = 3 }";
const DEAR: &str = "[defaults]\nmax_hourly_cost = 0.7";

#[rstest]
// The scale-down alarm came first, and waits: a scale-up takes precedence.
#[case::less_and_more("", &[LOW_CPU, HIGH_CPU], &[(HIGH_CPU, "resize"), (LOW_CPU, "superseded")])]
// Both scale up: one change at a time, in the order of arrival.
#[case::two_kinds("", &[HIGH_MEM, HIGH_CPU], &[(HIGH_MEM, "resize"), (HIGH_CPU, "superseded")])]
// Memory scales up, CPU scales down.
#[case::across_axes("", &[LOW_CPU, HIGH_MEM], &[(HIGH_MEM, "resize"), (LOW_CPU, "superseded")])]
// The scale-up is at the ceiling, and still prevents the scale-down.
#[case::in_vain(THREE, &[LOW_CPU, HIGH_CPU], &[(HIGH_CPU, "at_ceiling"), (LOW_CPU, "superseded")])]
// A smaller shape has fewer cores, too.
#[case::in_vain_across_axes(THREE, &[LOW_MEM, HIGH_CPU], &[(HIGH_CPU, "at_ceiling"), (LOW_MEM, "superseded")])]
// Where a shape cannot be had, its memory is none of the count's business; another shape's is.
#[case::of_a_shape(DEAR, &[LOW_CPU, HIGH_MEM], &[(HIGH_MEM, "over_budget"), (LOW_CPU, "resize")])]
#[case::of_a_shape_for_less(DEAR, &[LOW_MEM, HIGH_MEM], &[(HIGH_MEM, "over_budget"), (LOW_MEM, "superseded")])]
// A scale-up on another axis is still possible.
#[case::more_by_another_way(THREE, &[HIGH_CPU, HIGH_MEM], &[(HIGH_CPU, "at_ceiling"), (HIGH_MEM, "resize")])]
// A hold `on_target` supersedes no other alarm.
#[case::on_target(
    "[[rule]]\nalarm = \"*high*cpu\"\naxis = \"instances\"\ntrack = 99",
    &[HIGH_CPU, LOW_CPU],
    &[(HIGH_CPU, "on_target"), (LOW_CPU, "resize")]
)]
// For a rule with both directions, the alarm decides.
#[case::tracked(
    "[[rule]]\nalarm = \"*_cpu\"\naxis = \"instances\"\ntrack = 60",
    &[LOW_CPU, HIGH_CPU],
    &[(HIGH_CPU, "resize"), (LOW_CPU, "superseded")]
)]
// A dry run has the same order.
#[case::observed("mode = \"observe\"", &[LOW_CPU, HIGH_CPU], &[(HIGH_CPU, "resize"), (LOW_CPU, "superseded")])]
fn more_wins_over_less(#[case] text: &str, #[case] alarms: &[&str], #[case] expected: &[(&str, &str)]) {
    let cloud = cloud_with(VARIANT, 3, "ml.m5.xlarge");
    let notices: Vec<Notice> = alarms.iter().map(|alarm| notice(alarm, VARIANT)).collect();
    let answer = answer(&together(&notices), &cloud, &policy(text), at(0));
    let reasons: Vec<_> = answer.outcomes.iter().map(|o| (o.alarm.name.to_string(), reason(o))).collect();
    let expected: Vec<_> =
        expected.iter().map(|(alarm, reason)| (notice(alarm, VARIANT).name().to_owned(), *reason)).collect();
    assert_eq!(reasons, expected);
    // The superseded alarm is held, and its next notification is answered.
    let superseded = answer.outcomes.iter().find(|outcome| reason(outcome) == "superseded");
    assert!(superseded.is_none_or(|held| held.calls.is_empty() && held.result == Ending::Held));
}

#[test]
fn a_tag_may_only_have_it_watched() {
    let cloud = tagged(&[("stepladder:mode", "observe")]);
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    assert_eq!((reason(&outcome), outcome.result), ("resize", Ending::DryRun));
    assert_eq!(heading(&cloud, CHURN).instances, 1);
    // What a target has for itself may let it loose, but not on a dry run.
    let text = "mode = \"observe\"\n[[target]]\ntarget = \"*churn\"\nmode = \"act\"";
    assert_eq!(send(&notice(HIGH_CPU, CHURN), &self::cloud(), &policy(text)).result, Ending::Applied);
    assert_eq!(
        send(&notice(HIGH_CPU, CHURN), &self::cloud(), &policy(text).observing()).result,
        Ending::DryRun
    );
}

#[rstest]
#[case::all("all", HIGH_CPU)]
#[case::its_own_way("down", LOW_CPU)]
#[case::nobody_knows("perhaps", HIGH_CPU)]
fn what_is_paused_is_left_alone_with_its_pair(#[case] pause: &str, #[case] alarm: &str) {
    let cloud = tagged(&[("stepladder:pause", pause)]);
    on(&cloud, CHURN, |found| found.instances = 3);
    let before = cloud.snapshot();
    // There is capacity without a pair. Without the pause, the pair would be repaired.
    let outcome = send(&notice(alarm, CHURN), &cloud, &built_in());
    assert!(outcome.calls.is_empty(), "{:?}", outcome.calls);
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn the_same_story_has_the_same_record() {
    let record = || report::record(&send(&notice(HIGH_MEM, CHURN), &cloud(), &built_in())).to_string();
    assert_eq!(record(), record());
}

// ---- R17: what goes wrong ----

#[rstest]
#[case::throttled(throttled(), "throttled", true)]
#[case::unavailable(unavailable(), "unavailable", true)]
#[case::denied(denied(), "denied", false)]
#[case::quota(error(|operation, message| Error::OverQuota { operation, message }), "over_quota", false)]
#[case::refused(error(|operation, message| Error::Refused { operation, message }), "refused", false)]
#[case::not_found(error(|operation, message| Error::NotFound { operation, message }), "not_found", false)]
fn what_may_succeed_later_is_delivered_again(#[case] error: Error, #[case] kind: &str, #[case] again: bool) {
    // On the observation.
    let blind = send(&notice(HIGH_CPU, CHURN), &Blind(error.clone()), &built_in());
    assert_eq!((reason(&blind), blind.result, blind.is_retryable()), ("not_observed", Ending::Failed, again));
    assert_eq!(blind.error.as_ref().map(Error::kind), Some(kind));
    assert_eq!(report::record(&blind)["error"]["retryable"], json!(again));
    // On a call.
    let cloud = cloud();
    let before = cloud.snapshot();
    let stopped = send(&notice(HIGH_CPU, CHURN), &Interrupted::by(error, &cloud), &built_in());
    assert_eq!((reason(&stopped), stopped.result, stopped.is_retryable()), ("resize", Ending::Failed, again));
    assert_eq!(cloud.snapshot(), before, "nothing is sent after a failure");
}

#[test]
fn an_unknown_deployment_is_a_permanent_failure() {
    let ghost = Notice::new(HIGH_CPU, "ocid1.datasciencemodeldeployment.oc1.iad.ghost");
    let outcome = send(&ghost, &cloud(), &built_in());
    assert_eq!(
        (reason(&outcome), outcome.result, outcome.is_retryable()),
        ("not_observed", Ending::Failed, false)
    );
    assert!(report::explanation(&outcome).contains("ghost"), "{}", report::explanation(&outcome));
}

#[rstest]
// Named, but nothing that can be resized.
#[case::instance(Transition::Firing, json!([{"resourceId": "ocid1.instance.oc1.iad.x"}]), Ending::Failed)]
// Not named at all.
#[case::nameless(Transition::Firing, json!([]), Ending::Failed)]
// Only a firing alarm is worth a complaint.
#[case::nameless_and_cleared(Transition::Cleared, json!([]), Ending::Held)]
fn an_unknown_target_is_a_permanent_failure(
    #[case] transition: Transition,
    #[case] dimensions: Value,
    #[case] expected: Ending,
) {
    let body = notice(HIGH_CPU, CHURN).with_transition(transition).body();
    let mut message: Value = serde_json::from_slice(&body).unwrap();
    let entry = message["alarmMetaData"][0].as_object_mut().unwrap();
    entry.insert("dimensions".to_owned(), dimensions);
    entry.insert("namespace".to_owned(), json!("oci_computeagent"));
    entry.insert("query".to_owned(), json!("CpuUtilization[5m].mean() > 80"));
    let mut answer = answer(message.to_string().as_bytes(), &Blind(unavailable()), &built_in(), at(0));
    let outcome = answer.outcomes.remove(0);
    let reason_expected = if expected == Ending::Failed { "unknown_target" } else { "not_firing" };
    assert_eq!(
        (reason(&outcome), outcome.result, outcome.is_retryable()),
        (reason_expected, expected, false)
    );
    assert!(answer.outcomes.is_empty());
}

#[test]
fn a_failure_after_the_pair_is_reported() {
    let cloud = cloud();
    let interrupted = Interrupted::after(1, Side::Before, &cloud);
    let outcome = send(&notice(HIGH_CPU, CHURN), &interrupted, &built_in());
    assert_eq!(
        outcome.calls.iter().map(|sent| sent.status).collect::<Vec<_>>(),
        [Status::Done, Status::Failed]
    );
    assert_eq!(size(&cloud, CHURN), heading(&cloud, CHURN));
}

// ---- every reason to hold ----

/// One row of the table of holds: the reason, and a story that ends with it.
struct Story {
    reason: &'static str,
    policy: Policy,
    cloud: Box<dyn stepladder::platform::Client>,
    notice: Notice,
}

impl Story {
    fn new(reason: &'static str) -> Self {
        Self { reason, policy: built_in(), cloud: Box::new(cloud()), notice: notice(HIGH_CPU, CHURN) }
    }

    fn policy(self, text: &str) -> Self {
        Self { policy: policy(text), ..self }
    }

    fn notice(self, notice: Notice) -> Self {
        Self { notice, ..self }
    }

    fn cloud(self, cloud: SimulatedCloud) -> Self {
        Self { cloud: Box::new(cloud), ..self }
    }
}

fn changed_world(touch: impl FnOnce(&SimulatedCloud)) -> SimulatedCloud {
    let cloud = cloud();
    touch(&cloud);
    cloud
}

/// The OCI deployment of the small world with these tags.
fn tagged(tags: &[(&str, &str)]) -> SimulatedCloud {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    changed_world(|cloud| on(cloud, CHURN, |found| found.tags.extend(tags)))
}

/// A rule on the count with something in it.
fn ruled(alarm: &str, key: &str) -> String {
    format!("[[rule]]\nalarm = \"{alarm}\"\naxis = \"instances\"\n{key}")
}

fn stories() -> Vec<Story> {
    vec![
        // The threshold is crossed no longer.
        Story::new("not_firing").notice(notice(HIGH_CPU, CHURN).with_transition(Transition::Cleared)),
        // A virtual machine is nothing to resize here.
        Story::new("unknown_target").notice(Notice::new(HIGH_CPU, "ocid1.instance.oc1.iad.x").outside()),
        // The policy lists other deployments.
        Story::new("not_allowed").policy("targets = [\"endpoint/*\"]"),
        // It listens to other topics.
        Story::new("not_allowed").policy("topics = []").notice(notice(HIGH_CPU, VARIANT)),
        // It listens to other accounts.
        Story::new("not_allowed").policy("accounts = []").notice(notice(HIGH_CPU, VARIANT)),
        // A name that no rule knows.
        Story::new("no_rule").notice(Notice::new("disk_full", CHURN)),
        // The world holds no such deployment.
        Story::new("not_observed").notice(Notice::new(HIGH_CPU, &format!("{CHURN}9"))),
        // The platform takes no update now.
        Story::new("busy").cloud(changed_world(|cloud| {
            on(cloud, CHURN, |found| found.status = Some("CREATING".to_owned()));
        })),
        // It was changed after the alarm's data began.
        Story::new("stale")
            .cloud(changed_world(|cloud| on(cloud, CHURN, |found| found.last_change = Some(at(0))))),
        // A serverless variant has no shape.
        Story::new("not_resizable").notice(notice(HIGH_MEM, VARIANT)).cloud(changed_world(|cloud| {
            configured(cloud, &json!({ "ServerlessConfig": { "MaxConcurrency": 5 } }));
        })),
        // Application Auto Scaling owns its count.
        Story::new("owned_elsewhere").notice(notice(HIGH_CPU, VARIANT)).cloud(changed_world(|cloud| {
            scaled_natively(cloud, &json!({}), 1);
        })),
        // Somebody has suspended scaling out.
        Story::new("paused").notice(notice(HIGH_CPU, VARIANT)).cloud(changed_world(|cloud| {
            scaled_natively(cloud, &json!({ "DynamicScalingOutSuspended": true }), 0);
        })),
        // Its operator has paused it with a tag.
        Story::new("paused").cloud(tagged(&[("stepladder:pause", "up;until=2026-03-02T13:00:00Z")])),
        // A typo in the tag's name: its meaning is unknown.
        Story::new("unreadable_tag").cloud(tagged(&[("stepladder:puase", "up")])),
        // To be tracked the metric has to be known, and there are two deployments to one value.
        Story::new("no_data")
            .policy(&ruled("*high_cpu", "track = 60"))
            .notice(notice(HIGH_CPU, VARIANT).window(None).without_value())
            .cloud(changed_world(|cloud| on(cloud, VARIANT, |found| found.metrics.clear()))),
        // 91.4 % is where it should be.
        Story::new("on_target").policy(&ruled("*high_cpu", "track = 95")),
        // A quarter of an hour it shall stay as it is, and half of that is over.
        Story::new("cooling_down")
            .policy("[defaults]\ncooldown = { up = \"15m\" }")
            .cloud(changed_world(|cloud| on(cloud, CHURN, |found| found.last_change = Some(at(-450))))),
        // Twice within an hour is as often as it may be.
        Story::new("too_many_changes").policy("[defaults]\nmax_changes_per_hour = 2").cloud(tagged(&[(
            "stepladder:recent",
            &format!("{}i+1 {}s-1", at(-3599).as_second(), at(-60).as_second()),
        )])),
        // 4.2 % of two are 8.4 % of one, and the scale-up alarm fires above 9.
        Story::new("would_flap")
            .policy("[[rule]]\nalarm = \"*low_cpu\"\naxis = \"instances\"\nstep = -1\nscale_up_threshold = 9")
            .notice(notice(LOW_CPU, CHURN))
            .cloud(cloud_with(CHURN, 2, "VM.Standard2.1")),
        // Two of them cost 0.1276 an hour.
        Story::new("over_budget").policy("[defaults]\nmax_hourly_cost = 0.12"),
        // The account may not have the next rung, which was found out a minute ago.
        Story::new("infeasible").notice(notice(HIGH_MEM, VARIANT)).cloud(changed_world(|cloud| {
            cloud.with(|world| world.unavailable.push("ml.m5.2xlarge".to_owned()));
            let outcome = send(&notice(HIGH_MEM, VARIANT).at(at(-60)), cloud, &built_in());
            assert_eq!(outcome.error.as_ref().map(Error::kind), Some("over_quota"));
        })),
        // Ten instances are the most.
        Story::new("at_ceiling").cloud(cloud_with(CHURN, 10, "VM.Standard2.1")),
        // One is the least.
        Story::new("at_floor").notice(notice(LOW_CPU, CHURN)),
        // No ladder holds it.
        Story::new("unlisted_shape").notice(notice(HIGH_MEM, CHURN)).cloud(cloud_with(
            CHURN,
            1,
            "VM.Standard1.4",
        )),
        // Nobody publishes the pair's metric for a model deployment.
        Story::new("pair_cannot_fire").policy(&ruled(
            "*high_cpu",
            "pair = { alarm = \"low\", metric = \"DiskUtilization\", below = 10, window = \"5m\" }",
        )),
        // A foreign alarm has the pair's name.
        Story::new("pair_taken").notice(notice(HIGH_CPU, VARIANT)).cloud(with_a_foreign_pair(VARIANT, 1)),
        // The pair would have no destination.
        Story::new("no_pair_action").cloud(changed_world(mute)),
    ]
}

/// A sample of the reason after this one: a new variant must find its place here, and a row above.
fn after(hold: &Hold) -> Option<Hold> {
    let text = String::new;
    match hold {
        Hold::NotFiring(_) => Some(Hold::Muted),
        Hold::Muted => Some(Hold::UnknownTarget),
        Hold::UnknownTarget => Some(Hold::NotAllowed { list: "targets", value: text() }),
        Hold::NotAllowed { .. } => Some(Hold::ForeignMetric { account: text() }),
        Hold::ForeignMetric { .. } => {
            Some(Hold::NoRule(UnmatchedName { name: text(), is_titled: false, globs: Vec::new() }))
        }
        Hold::NoRule(_) => Some(Hold::NotObserved),
        Hold::NotObserved => Some(Hold::TargetGone),
        Hold::TargetGone => Some(Hold::Busy { status: text() }),
        Hold::Busy { .. } => Some(Hold::Stale { since: None, changed: Timestamp::UNIX_EPOCH }),
        Hold::Stale { .. } => Some(Hold::NotResizable { axis: Axis::Shape, why: text() }),
        Hold::NotResizable { .. } => {
            Some(Hold::OwnedElsewhere { axis: Axis::Shape, who: text(), can_be_suspended: true })
        }
        Hold::OwnedElsewhere { .. } => Some(Hold::Paused { by: text() }),
        Hold::Paused { .. } => Some(Hold::UnreadableTag { tag: text(), problem: text() }),
        Hold::UnreadableTag { .. } => Some(Hold::NoData { missing: text() }),
        Hold::NoData { .. } => Some(Hold::OnTarget { why: text() }),
        Hold::OnTarget { .. } => Some(Hold::Superseded { by: text() }),
        Hold::Superseded { .. } => {
            Some(Hold::CoolingDown { direction: Direction::Up, until: Timestamp::UNIX_EPOCH, credit: 0 })
        }
        Hold::CoolingDown { .. } => Some(Hold::TooManyChanges { most: 1, until: Timestamp::UNIX_EPOCH }),
        Hold::TooManyChanges { .. } => Some(Hold::WouldFlap { why: text() }),
        Hold::WouldFlap { .. } => Some(Hold::OverBudget { shape: text(), cost: None, most: 1.0 }),
        Hold::OverBudget { .. } => {
            Some(Hold::Infeasible { shape: text(), until: Timestamp::UNIX_EPOCH, why: text() })
        }
        Hold::Infeasible { .. } => Some(Hold::AtCeiling { axis: Axis::Shape, limit: text() }),
        Hold::AtCeiling { .. } => Some(Hold::AtFloor { axis: Axis::Shape, limit: text() }),
        Hold::AtFloor { .. } => Some(Hold::UnlistedShape { shape: text(), nearest: None }),
        Hold::UnlistedShape { .. } => Some(Hold::PairCannotFire { why: text() }),
        Hold::PairCannotFire { .. } => Some(Hold::PairTaken { name: text() }),
        Hold::PairTaken { .. } => Some(Hold::NoPairAction),
        Hold::NoPairAction => None,
    }
}

#[test]
fn every_reason_to_hold_has_a_story() {
    let every = std::iter::successors(Some(Hold::NotFiring(Transition::Cleared)), after);
    let every: BTreeSet<&str> = every.map(|hold| hold.reason()).collect();
    let mut reasons = BTreeSet::new();
    for Story { reason, policy, cloud, notice } in stories() {
        let outcome = send(&notice, &*cloud, &policy);
        assert_eq!(self::reason(&outcome), reason);
        assert!(outcome.calls.iter().all(|sent| !sent.call.resizes()), "{reason} resizes");
        assert_eq!(report::record(&outcome)["decision"], json!({"kind": "hold", "reason": reason}));
        reasons.insert(reason);
    }
    // These three need more than one notice: `muted` an event, `target_gone` a tick, `superseded` two alarms. Their
    // tests are `a_muted_alarm_is_left_alone`, `a_pair_whose_endpoint_is_gone_goes_too` and
    // `more_wins_over_less`.
    reasons.extend(["muted", "target_gone", "superseded"]);
    assert_eq!(reasons, every);
}

// ---- purity: deciding and planning need nothing but their arguments ----

fn variant_as_observed(pair: Option<CloudwatchAlarm>) -> Observation {
    let deployment = Deployment {
        target: aws::id::variant("churn", "AllTraffic").unwrap(),
        size: size_of(2, "ml.m5.large"),
        heading: size_of(2, "ml.m5.large"),
        lifecycle: Lifecycle::Settled,
        status: "InService".to_owned(),
        last_change: None,
        bounds: None,
        fixed: BTreeMap::new(),
        owners: BTreeMap::new(),
        pauses: Vec::new(),
        tags: BTreeMap::new(),
        readings: BTreeMap::new(),
        unpublished: BTreeMap::new(),
        infeasible: Vec::new(),
        floor: None,
        alarm: None,
        pair: pair.as_ref().map(|alarm| aws::variant::observed(alarm, true)),
        duplicates: Vec::new(),
    };
    let facts = aws::Facts {
        configuration: "churn-config-3".to_owned(),
        arn: String::new(),
        created: None,
        endpoint: None,
        pair,
    };
    Observation { deployment, facts: Facts::Aws(facts) }
}

#[test]
fn a_plan_carried_out_has_nothing_left_to_write() {
    let mut policy = built_in();
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    let mut event = stepladder::source::parse(&notice(HIGH_CPU, VARIANT).body()).unwrap();
    let alarm = event.alarms.remove(0);
    let planned = |observed: &Observation| {
        let evaluation = precheck(&alarm, &alarm.targets[0], &policy, at(0)).unwrap();
        plan(&evaluation, observed, decide(&evaluation, observed, &policy), &policy).calls
    };
    let first = planned(&variant_as_observed(None));
    let [
        Call::Aws(AwsCall::PutMetricAlarm(pair)),
        Call::Aws(AwsCall::UpdateEndpointWeightsAndCapacities { instances: 3, .. }),
    ] = first.as_slice()
    else {
        panic!("{first:?}")
    };
    assert!(pair.description.ends_with(
        "\nstepladder: pair=model_deployment_low_cpu target=endpoint/churn/variant/AllTraffic \
         config=churn-config-3 shape=ml.m5.large above=CPUUtilization:160"
    ));
    let second = planned(&variant_as_observed(Some((**pair).clone())));
    assert_eq!(second, first[1..], "the pair exists, only the size is set");
}

#[test]
fn the_pair_on_oci_notifies_the_topic_of_the_alarm_that_fired() {
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud(), &built_in());
    let Call::Oci(OciCall::CreateAlarm { alarm, .. }) = &outcome.calls[0].call else {
        panic!("no alarm is created first")
    };
    assert_eq!(alarm.destinations, [TOPIC_OCID]);
}

#[test]
fn changes_are_recorded_if_a_rule_needs_them() {
    let recorded = |text: &str| {
        let cloud = cloud();
        send(&notice(HIGH_CPU, CHURN), &cloud, &policy(text));
        on(&cloud, CHURN, |found| found.tags.get("stepladder:recent").cloned())
    };
    let line = Some(format!("{}i+1", at(0).as_second()));
    assert_eq!(recorded("[defaults]\ncooldown = { up = \"10m\" }"), line);
    assert_eq!(recorded("[defaults]\nmax_changes_per_hour = 3"), line);
    assert_eq!(recorded(""), None);
}

#[rstest]
#[case::more_instances("*high_cpu", "axis = \"instances\"\nstep = 3", HIGH_CPU, "", "i+3")]
#[case::fewer_instances("*low_cpu", "axis = \"instances\"\nstep = -2", LOW_CPU, "", "i-2")]
#[case::a_larger_shape("*high_cpu", "axis = \"shape\"\nstep = 2", HIGH_CPU, "", "s+1")]
#[case::a_smaller_shape("*low_cpu", "axis = \"shape\"\nstep = -1", LOW_CPU, "", "s-1")]
#[case::more_bandwidth("*high_cpu", "axis = \"bandwidth\"", HIGH_CPU, "", "b+1")]
// A scale-out a minute ago counts as part of the step, and is recorded with it.
#[case::the_rest_of_a_step("*high_cpu", "axis = \"instances\"\nstep = 3", HIGH_CPU, "i+1", "i+3")]
// A scale-in is recorded separately from a scale-out.
#[case::less_after_more("*low_cpu", "axis = \"instances\"\nstep = -1", LOW_CPU, "i+2", "i-1")]
fn the_record_holds_the_direction_and_the_distance(
    #[case] rule: &str,
    #[case] keys: &str,
    #[case] alarm: &str,
    #[case] before: &str,
    #[case] expected: &str,
) {
    let cloud = changed_world(|cloud| {
        on(cloud, CHURN, |found| {
            (found.instances, found.shape, found.bandwidth_mbps) = (4, "VM.Standard2.4".to_owned(), Some(20));
            found.metrics.insert("MemoryUtilization".to_owned(), 20.0);
            if !before.is_empty() {
                let line = format!("{}{before}", at(-60).as_second());
                found.tags.insert("stepladder:recent".to_owned(), line);
                found.last_change = Some(at(-60));
            }
        });
    });
    let text = format!(
        "[[rule]]\nalarm = \"{rule}\"\n{keys}\ncooldown = {{ up = \"10m\", down = \"0s\" }}\nevidence = \"fired\""
    );
    send(&notice(alarm, CHURN).value(if alarm == LOW_CPU { 5.0 } else { 91.0 }), &cloud, &policy(&text));
    let line = on(&cloud, CHURN, |found| found.tags.get("stepladder:recent").cloned());
    let last = line.as_deref().and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned();
    assert_eq!(last, format!("{}{expected}", at(0).as_second()), "{line:?}");
}

#[test]
fn a_pair_scales_down_although_a_rule_for_every_name_precedes_it() {
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.1");
    let every = policy(&ruled("*", "step = 1"));
    send(&notice(CPU_PAIR, CHURN), &cloud, &every);
    assert_eq!(heading(&cloud, CHURN).instances, 2);
}
