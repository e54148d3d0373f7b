//! The defects of Oracle's sample function for scaling model deployments, with a test of the correct behaviour for each.
//! The tests in `oci::defects` need the client and its emulator, those in `oci::concurrent` many of them.
//!
//! | the sample | what is right here |
//! |---|---|
//! | 1. crashes where a scale-down alarm of that name exists | `oci::defects::a_low_alarm_that_exists_already_does_not_stop_a_scale_up` |
//! | 2. crashes on the answer to the alarm's creation, before the update | `oci::defects::a_scale_up_reaches_the_update_although_the_pair_is_made_first` |
//! | 3. crashes on every title but four | [`any_title_is_answered_and_a_suffix_is_enough`] |
//! | 4. goes on after a body that is no JSON, and crashes | [`a_body_that_is_no_alarm_is_rejected_and_reported`] |
//! | 5. reads only the first dimension of the first alarm, and fails without one | [`every_deployment_that_fires_is_answered`], [`a_message_without_a_deployment_is_reported`] |
//! | 6. takes every deployment for one model of a fixed size | [`a_deployment_that_scales_itself_is_reported_and_not_changed`] |
//! | 7. does not find its largest shape | [`the_largest_shape_is_at_its_ceiling`] |
//! | 8. swallows what goes wrong | [`a_failure_to_delete_the_pair_is_reported`] |
//! | 9. always reports that the scaling is completed | [`an_answer_reports_only_what_was_done`] |
//! | 10. scales twice on a message that is delivered twice, and overwrites other changes | [`a_message_delivered_twice_changes_once`], [`a_change_by_another_is_not_overwritten`], `oci::concurrent` |
//! | 11. makes an alarm that nothing ties to the update, one for a whole compartment | [`an_update_that_fails_strands_no_alarm`], [`every_deployment_has_a_low_alarm_of_its_own`], [`two_deliveries_make_one_alarm`], `oci::defects::a_pair_on_a_later_page_is_found` |
//! | 12. deletes the alarm that fired, even if somebody else owns it | [`somebody_elses_low_alarm_is_never_deleted`] |
//! | 13. lets one idle replica, or data from before the last change, shrink the fleet | [`the_low_alarm_is_about_the_deployment_not_a_replica`], [`repetitions_on_old_data_take_one_step`], [`limits_and_steps_are_those_of_the_policy`] |
//! | 14. drops what comes in other states, and refuses one that takes updates | [`every_state_is_answered_and_reported`] |
//! | 15. ignores kinds of message without a word | [`a_transition_that_is_no_breach_is_reported_by_its_kind`] |
//! | 16. knows one family of shapes, and loses the network with the shape | [`other_families_are_resized_and_the_network_stays`] |
//! | 17. answers two pressures at once, each blind to the other | [`two_pressures_change_one_dimension_after_the_other`], `oci::concurrent` |
//! | 18. waits for minutes where the function has half of one, or not at all | `oci::defects::a_throttled_call_is_tried_again_and_one_that_takes_minutes_is_not` |
//! | 19. lacks the permission that it needs, and requires others | [`the_statements_grant_what_the_calls_need`] |
//! | 20. prints whole messages, and has neither settings, nor a dry run, nor a record | [`a_dry_run_leaves_a_record_and_nothing_else`], `oci::host::the_log_does_not_repeat_the_payload` |
//!
//! Three parts of 20 have no behaviour to test. The sample creates its clients for every call, stepladder once per
//! process. The sample's message format is meant for mail, stepladder's is the default. The sample's requirements are not
//! pinned, stepladder's are in `Cargo.lock`.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::alarm::Transition;
use stepladder::outcome::{Ending, Outcome};
use stepladder::platform::AlarmDefinition;
use stepladder::platform::Error;
use stepladder::platform::oci::provision::{Access, desired};
use stepladder::platform::simulated::{SimulatedCloud, World, WorldAlarm};
use stepladder::policy::Policy;
use stepladder::size::Size;
use stepladder::{report, source};

use crate::support::{
    CHURN, CPU_PAIR, HIGH_CPU, HIGH_MEM, Interrupted, LOW_CPU, MEM_PAIR, Notice, Racing, Side, answer, at,
    built_in, cloud, cloud_with, existing, heading, minute, notice, on, operations, pairs, pass, policy,
    reason, send, size, world,
};

/// Another deployment in the same compartment.
const RANKING: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidranking";

/// A world with two deployments on OCI.
fn two_deployments() -> SimulatedCloud {
    let mut world = world();
    let ranking = world.deployments[CHURN].clone();
    world.deployments.insert(RANKING.to_owned(), ranking);
    SimulatedCloud::new(world)
}

fn instances(cloud: &SimulatedCloud, id: &str) -> u32 {
    heading(cloud, id).instances
}

/// Defect 3: the title of a message was compared with four texts, and any other left a variable unset. A title
/// is the alarm's name, or a text with variables in it.
#[rstest]
// The guide's name.
#[case("model_deployment_high_cpu", "resize")]
// With the deployment's name before it, as two of them in one compartment need.
#[case("churn: model_deployment_high_cpu", "resize")]
#[case("CRITICAL - Model_Deployment_HIGH_CPU", "resize")]
// A title that matches no rule is a reason to hold.
#[case("Disk is full", "no_rule")]
#[case("{{severity}} {{status}}", "no_rule")]
#[case("高負荷", "no_rule")]
fn any_title_is_answered_and_a_suffix_is_enough(#[case] title: &str, #[case] expected: &str) {
    let outcome = send(&Notice::new(title, CHURN), &cloud(), &built_in());
    assert_eq!(reason(&outcome), expected);
    assert_ne!(outcome.result, Ending::Failed);
}

/// Defect 4: a body that was no JSON was printed, and then read as if it had been some.
#[rstest]
#[case(b"", "empty")]
#[case(b"ALARM: too little CPU", "not_json")]
#[case(br#"{"title": "model_deployment_high_cpu""#, "not_json")]
#[case(br#"{"title": "model_deployment_high_cpu"}"#, "not_an_alarm")]
#[case(b"[1, 2]", "not_an_alarm")]
// The one that is sent when a subscription is made.
#[case(br#"{"ConfirmationURL": "https://example.org"}"#, "not_an_alarm")]
fn a_body_that_is_no_alarm_is_rejected_and_reported(#[case] body: &[u8], #[case] kind: &str) {
    let error = source::parse(body).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(report::unreadable_payload(&error)["error"]["kind"], kind);
}

/// Defect 5: of all alarms of a message, and all streams of an alarm, only the first was read.
#[test]
fn every_deployment_that_fires_is_answered() {
    let cloud = two_deployments();
    let mut message = notice(HIGH_CPU, CHURN).message();
    let [first, second] = [CHURN, RANKING].map(|id| json!({ "resourceId": id, "instanceId": "i:1" }));
    // Two instances of one deployment, and another deployment.
    message["alarmMetaData"][0]["dimensions"] = json!([first.clone(), first, second]);
    let answer = answer(message.to_string().as_bytes(), &cloud, &built_in(), at(0));
    assert_eq!(answer.outcomes.len(), 2);
    assert_eq!([CHURN, RANKING].map(|id| instances(&cloud, id)), [2, 2]);
}

/// Defect 5, too: without a first dimension, or an id in it, there was an exception.
#[rstest]
#[case::none(json!([]))]
#[case::no_id(json!([{ "instanceId": "i:1" }]))]
#[case::empty(json!([{}]))]
#[case::no_text(json!([{ "resourceId": 7 }]))]
#[case::no_list(Value::Null)]
fn a_message_without_a_deployment_is_reported(#[case] dimensions: Value) {
    let mut message = notice(HIGH_CPU, CHURN).message();
    message["alarmMetaData"][0]["dimensions"] = dimensions;
    // Where the query names one, that is meant.
    let by_query = answer(message.to_string().as_bytes(), &cloud(), &built_in(), at(0));
    assert_eq!(reason(&by_query.outcomes[0]), "resize");
    message["alarmMetaData"][0]["query"] = json!("CpuUtilization[5m].grouping().mean() > 80");
    let by_nothing = answer(message.to_string().as_bytes(), &cloud(), &built_in(), at(0));
    assert_eq!(reason(&by_nothing.outcomes[0]), "unknown_target");
    assert!(report::explanation(&by_nothing.outcomes[0]).contains("expected an OCI model deployment's"));
}

/// Defect 6: a policy of the service's own has no count, and to read one was an exception.
#[test]
fn a_deployment_that_scales_itself_is_reported_and_not_changed() {
    let cloud = configured(&json!({ "policyType": "AUTOSCALING", "isEnabled": true }));
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    assert_eq!((reason(&outcome), outcome.calls.len()), ("owned_elsewhere", 0));
    assert!(report::explanation(&outcome).contains("AUTOSCALING"), "{}", report::explanation(&outcome));
    // The axis that it does not scale remains ours.
    assert_eq!(reason(&send(&notice(HIGH_MEM, CHURN), &cloud, &built_in())), "resize");
}

/// The deployment of the small world with this policy, on a flexible shape in a network of its own.
fn configured(scaling: &Value) -> SimulatedCloud {
    let cloud = cloud();
    let configuration = json!({
        "deploymentType": "SINGLE_MODEL",
        "modelConfigurationDetails": {
            "modelId": "ocid1.datasciencemodel.oc1.iad.example",
            "bandwidthMbps": 30,
            "instanceConfiguration": {
                "instanceShapeName": "VM.Standard3.Flex",
                "modelDeploymentInstanceShapeConfigDetails": { "ocpus": 2.0, "memoryInGBs": 32.0 },
                "subnetId": "ocid1.subnet.oc1.iad.example",
                "privateEndpointId": "ocid1.datascienceprivateendpoint.oc1.iad.example",
            },
            "scalingPolicy": scaling,
        },
    });
    on(&cloud, CHURN, |found| found.configuration = Some(configuration));
    cloud
}

/// Defect 7: a comparison with the number of shapes was off by one, so that the largest was not known.
#[test]
fn the_largest_shape_is_at_its_ceiling() {
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud_with(CHURN, 1, "VM.Standard2.24"), &built_in());
    assert_eq!((reason(&outcome), outcome.result), ("at_ceiling", Ending::Held));
    let because = report::explanation(&outcome);
    assert!(because.contains("`VM.Standard2.24` is the last rung"), "{because}");
}

/// Defect 8: whatever went wrong in the branches for shapes ended in an `except` without a name.
#[test]
fn a_failure_to_delete_the_pair_is_reported() {
    let cloud = back_at_the_floor();
    let denied = Error::Denied {
        operation: "oci:DeleteAlarm".to_owned(),
        permission: "manage alarms".to_owned(),
        message: "403 NotAllowed".to_owned(),
    };
    let low = notice("churn-model_deployment_low_mem", CHURN).at(minute(120));
    let outcome = send(&low, &Interrupted::by(denied, &cloud), &built_in());
    assert_eq!(outcome.result, Ending::Failed);
    let record = report::record(&outcome);
    assert_eq!(
        (&record["error"]["kind"], &record["calls"][0]["status"]),
        (&json!("denied"), &json!("failed"))
    );
    assert!(record["because"].as_str().unwrap().contains("manage alarms"), "{record}");
    // Nothing was lost: the next observation deletes the pair.
    assert_eq!(operations(&send(&low, &cloud, &built_in())), ["oci:DeleteAlarm"]);
}

/// A deployment whose shape was scaled up and down again. Its pair still exists.
fn back_at_the_floor() -> SimulatedCloud {
    let cloud = cloud();
    for (hour, alarm) in [HIGH_MEM, "churn-model_deployment_low_mem"].into_iter().enumerate() {
        let now = minute(60 * i64::try_from(hour).unwrap());
        assert_eq!(send(&notice(alarm, CHURN).at(now), &cloud, &built_in()).result, Ending::Applied);
        pass(&cloud, 60);
    }
    assert_eq!(pairs(&cloud.snapshot(), CHURN, MEM_PAIR).len(), 1);
    cloud
}

/// Defect 9: every answer was that the scaling is completed, in a text that was no JSON.
#[rstest]
#[case::at_the_top(HIGH_CPU, 10, "VM.Standard2.1", "held", "at_ceiling")]
#[case::at_the_bottom(LOW_CPU, 1, "VM.Standard2.1", "held", "at_floor")]
#[case::unknown_shape(HIGH_MEM, 1, "VM.DenseIO2.8", "held", "unlisted_shape")]
#[case::changed(HIGH_CPU, 1, "VM.Standard2.1", "applied", "")]
fn an_answer_reports_only_what_was_done(
    #[case] alarm: &str,
    #[case] count: u32,
    #[case] shape: &str,
    #[case] result: &str,
    #[case] expected: &str,
) {
    let cloud = cloud_with(CHURN, count, shape);
    let answer = answer(&notice(alarm, CHURN).body(), &cloud, &built_in(), at(0));
    let reply: Value = serde_json::from_str(&report::reply(&answer).to_string()).unwrap();
    let record = &reply["outcomes"][0];
    assert_eq!(record["result"], result);
    assert_eq!(record["decision"]["reason"].as_str().unwrap_or_default(), expected);
    assert!(!reply.to_string().contains("completed"), "{reply}");
    // The service only accepts an update: a later observation shows whether it is done.
    let update = record["calls"].as_array().unwrap().iter().find(|call| call["call"] == UPDATE);
    assert_eq!(update.is_some(), result == "applied");
    assert!(update.is_none_or(|call| call["detail"].as_str().unwrap().contains("accepted")), "{update:?}");
}

const UPDATE: &str = "oci:UpdateModelDeployment";

/// Defect 10: a message that was delivered twice took two steps, unless the first was still under way.
#[rstest]
// While the change is under way, when it has just been done, and half an hour later.
#[case(HIGH_CPU, 1, &[1, 5, 30])]
#[case(LOW_CPU, 5, &[1, 5, 30])]
fn a_message_delivered_twice_changes_once(#[case] alarm: &str, #[case] count: u32, #[case] minutes: &[i64]) {
    let cloud = cloud_with(CHURN, count, "VM.Standard2.1");
    let message = notice(alarm, CHURN);
    send(&message, &cloud, &built_in());
    let once = heading(&cloud, CHURN);
    assert_ne!(once.instances, count);
    for later in minutes {
        cloud.advance(minute(*later));
        let again = answer(&message.body(), &cloud, &built_in(), minute(*later)).outcomes.remove(0);
        assert!(["busy", "stale"].contains(&reason(&again)), "{later}: {}", reason(&again));
        assert_eq!(heading(&cloud, CHURN), once, "{later}");
    }
}

/// Defect 10, too: the update was not conditional, and undid every change in between.
#[test]
fn a_change_by_another_is_not_overwritten() {
    fn grown(world: &mut World) {
        let found = world.deployments.get_mut(CHURN).unwrap();
        (found.instances, found.revision) = (7, found.revision + 1);
    }
    let cloud = cloud();
    let outcome = send(&notice(HIGH_CPU, CHURN), &Racing::new(1, grown, &cloud), &built_in());
    assert_eq!((outcome.result, instances(&cloud, CHURN)), (Ending::Applied, 8), "not one more than one");
}

/// Defect 11: the scale-down alarm was created first, and stayed for ever if the update failed.
#[test]
fn an_update_that_fails_strands_no_alarm() {
    let cloud = cloud();
    let failed = send(&notice(HIGH_CPU, CHURN), &Interrupted::after(1, Side::Before, &cloud), &built_in());
    assert_eq!(failed.result, Ending::Failed);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1);
    // It fires at once, finds nothing to scale down, and is deleted.
    let low = Notice::new(CPU_PAIR, CHURN).at(minute(5));
    let outcome = send(&low, &cloud, &built_in());
    assert_eq!((reason(&outcome), operations(&outcome)), ("at_floor", vec!["oci:DeleteAlarm"]));
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR), []);
}

/// Defect 11, too: an alarm was known by its name alone, so all deployments of a compartment shared one.
#[test]
fn every_deployment_has_a_low_alarm_of_its_own() {
    let cloud = two_deployments();
    for id in [CHURN, RANKING] {
        let outcome = send(&Notice::new(HIGH_CPU, id), &cloud, &built_in());
        assert_eq!(operations(&outcome), ["oci:CreateAlarm", UPDATE]);
    }
    let world = cloud.snapshot();
    for id in [CHURN, RANKING] {
        let [pair] = pairs(&world, id, CPU_PAIR).try_into().unwrap();
        assert!(query(&pair.definition).contains(id), "{pair:?}");
    }
    // One at its floor takes its own with it, and not the other's.
    on(&cloud, CHURN, |found| (found.instances, found.change) = (1, None));
    send(&Notice::new(CPU_PAIR, CHURN).at(minute(60)), &cloud, &built_in());
    let left = [CHURN, RANKING].map(|id| pairs(&cloud.snapshot(), id, CPU_PAIR).len());
    assert_eq!(left, [0, 1]);
}

fn query(definition: &AlarmDefinition) -> &str {
    let AlarmDefinition::Oci(alarm) = definition else { panic!("{definition:?} is on OCI") };
    &alarm.query
}

/// Defect 11, too: two deliveries at once made two alarms, because the requests had nothing in common.
#[test]
fn two_deliveries_make_one_alarm() {
    /// Between our observation and our call, the other delivery creates its pair and nothing more.
    fn overtaken(world: &mut World) {
        let theirs = std::thread::spawn(|| {
            let cloud = cloud();
            send(&notice(HIGH_CPU, CHURN), &Interrupted::after(1, Side::Before, &cloud), &built_in());
            cloud.snapshot()
        });
        let theirs = theirs.join().unwrap();
        world.alarms.extend(theirs.alarms.into_iter().filter(WorldAlarm::is_ours));
        world.tokens.extend(theirs.tokens);
    }
    let cloud = cloud();
    // Another event about the same deployment, such as the repetition of the alarm.
    let repeat = notice(HIGH_CPU, CHURN).with_transition(Transition::Repeat).at(at(30));
    let outcome = send(&repeat, &Racing::new(1, overtaken, &cloud), &built_in());
    assert_eq!(operations(&outcome), ["oci:CreateAlarm", UPDATE]);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1);
}

/// Defect 12: at the floor, the alarm that had fired was deleted, even if somebody else had created it.
#[rstest]
#[case(LOW_CPU)]
#[case("churn-model_deployment_low_mem")]
fn somebody_elses_low_alarm_is_never_deleted(#[case] alarm: &str) {
    let cloud = cloud();
    let before = cloud.snapshot().alarms;
    let outcome = send(&notice(alarm, CHURN), &cloud, &built_in());
    assert_eq!((reason(&outcome), outcome.calls.len()), ("at_floor", 0));
    assert_eq!(cloud.snapshot().alarms, before);
    // Nor one that has the very name of the pair, which others may use, too.
    cloud.with(|world| world.alarms.push(existing(CPU_PAIR, CHURN, Some(5))));
    let outcome = send(&notice(CPU_PAIR, CHURN), &cloud, &built_in());
    assert_eq!((reason(&outcome), outcome.calls.len()), ("at_floor", 0));
}

/// Defect 13: the low query had one stream for each replica, and the first that was idle took one away.
#[test]
fn the_low_alarm_is_about_the_deployment_not_a_replica() {
    let cloud = cloud();
    send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    let pair = &pairs(&cloud.snapshot(), CHURN, CPU_PAIR)[0];
    let AlarmDefinition::Oci(alarm) = &pair.definition else { panic!("{pair:?}") };
    assert!(alarm.query.contains(".groupBy(resourceId).mean() < "), "{}", alarm.query);
    assert!(alarm.pending.is_some() && alarm.repeat.is_some(), "{alarm:?}");
}

/// Defect 13, too: a repetition every five minutes, on data of five minutes, took one away each time.
#[test]
fn repetitions_on_old_data_take_one_step() {
    let cloud = cloud_with(CHURN, 6, "VM.Standard2.1");
    let low = notice(LOW_CPU, CHURN);
    let mut counts = Vec::new();
    // The update takes five minutes, and the data must be newer than that: ten in all.
    for minutes in [0, 5, 9, 10, 15, 19, 20] {
        cloud.advance(minute(minutes));
        send(&low.clone().with_transition(Transition::Repeat).at(minute(minutes)), &cloud, &built_in());
        counts.push(instances(&cloud, CHURN));
    }
    assert_eq!(counts, [5, 5, 5, 4, 4, 4, 3]);
}

/// Defect 13, too: the steps and limits were constants in the code.
#[test]
fn limits_and_steps_are_those_of_the_policy() {
    let own = policy(
        "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\nstep = 3\ninstances = { min = 2, max = 6 }\n\
         pair = { alarm = \"quiet\", metric = \"PredictRequestCount\", below = 40, window = \"15m\" }",
    );
    let cloud = cloud_with(CHURN, 2, "VM.Standard2.1");
    send(&notice(HIGH_CPU, CHURN), &cloud, &own);
    assert_eq!(instances(&cloud, CHURN), 5);
    let pair = &pairs(&cloud.snapshot(), CHURN, "quiet")[0];
    // 40 a minute, or none at all.
    let streams = format!("PredictRequestCount[15m]{{resourceId = \"{CHURN}\"}}.groupBy(resourceId)");
    let wanted = format!("{streams}.sum() < 600 || {streams}.absent(3d)");
    assert_eq!(query(&pair.definition), wanted);
    pass(&cloud, 60);
    send(&notice(HIGH_CPU, CHURN).at(minute(60)), &cloud, &own);
    assert_eq!(instances(&cloud, CHURN), 6);
}

/// Defect 14: in every state except one nothing happened and nothing was logged. `NEEDS_ATTENTION` takes updates.
#[rstest]
#[case("ACTIVE", "resize")]
#[case("NEEDS_ATTENTION", "resize")]
#[case("UPDATING", "busy")]
#[case("CREATING", "busy")]
#[case("INACTIVE", "busy")]
#[case("FAILED", "busy")]
#[case("DELETING", "busy")]
// An unknown state.
#[case("HIBERNATING", "busy")]
fn every_state_is_answered_and_reported(#[case] state: &str, #[case] expected: &str) {
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.1");
    on(&cloud, CHURN, |found| found.status = Some(state.to_owned()));
    for alarm in [HIGH_CPU, LOW_CPU] {
        let on_this = cloud.snapshot();
        let outcome = send(&notice(alarm, CHURN), &SimulatedCloud::new(on_this), &built_in());
        assert_eq!(reason(&outcome), expected);
        assert_eq!(report::record(&outcome)["observed"]["status"], state);
        assert!(expected == "resize" || report::explanation(&outcome).contains(state));
    }
}

/// Defect 15: other kinds of message were dropped without a log line, unknown kinds included.
#[test]
fn a_transition_that_is_no_breach_is_reported_by_its_kind() {
    for (transition, word) in [(Transition::Cleared, "cleared"), (Transition::NoData, "no_data")] {
        let outcome = send(&notice(LOW_CPU, CHURN).with_transition(transition), &cloud(), &built_in());
        let record = report::record(&outcome);
        assert_eq!((reason(&outcome), &record["alarm"]["transition"]), ("not_firing", &json!(word)));
    }
    let mut unknown = notice(HIGH_CPU, CHURN).message();
    unknown["type"] = json!("FIRING_TO_PANIC");
    let error = source::parse(unknown.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains("FIRING_TO_PANIC") && error.contains("`OK_TO_FIRING`"), "{error}");
}

/// Defect 16: one family of fixed shapes was known, and an update contained only the shape.
#[test]
fn other_families_are_resized_and_the_network_stays() {
    let cloud = configured(&json!({ "policyType": "FIXED_SIZE", "instanceCount": 2 }));
    let before = on(&cloud, CHURN, |found| found.configuration.clone()).unwrap();
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud, &built_in());
    assert_eq!(outcome.result, Ending::Applied, "{}", report::explanation(&outcome));
    pass(&cloud, 60);
    let mut wanted = before;
    let flex = "/modelConfigurationDetails/instanceConfiguration/modelDeploymentInstanceShapeConfigDetails";
    *wanted.pointer_mut(flex).unwrap() = json!({ "ocpus": 4, "memoryInGBs": 64 });
    assert_eq!(on(&cloud, CHURN, |found| found.configuration.clone()), Some(wanted));
}

/// Defect 17: little memory changed the shape and little CPU the count, both at the same moment.
#[test]
fn two_pressures_change_one_dimension_after_the_other() {
    let cloud = cloud();
    let mut sizes = BTreeSet::new();
    let mut before = size(&cloud, CHURN);
    for minutes in 0..30 {
        cloud.advance(minute(minutes));
        for alarm in [HIGH_CPU, HIGH_MEM] {
            send(
                &notice(alarm, CHURN).with_transition(Transition::Repeat).at(minute(minutes)),
                &cloud,
                &built_in(),
            );
        }
        let after = heading(&cloud, CHURN);
        assert!(before.instances == after.instances || before.shape == after.shape, "{before} → {after}");
        sizes.insert((after.instances, after.shape.clone()));
        before = after;
    }
    assert!(sizes.len() > 2, "the pressure was answered: {sizes:?}");
}

/// Defect 19: the statements did not allow the update, and allowed operations that were never called.
#[test]
fn the_statements_grant_what_the_calls_need() {
    let text = "[oci]\ncompartment = \"ocid1.compartment.oc1..example\"\nfunction = \"ocid1.fnfunc.oc1.iad.example\"\n\
                deployments = [\"ocid1.datasciencemodeldeployment.oc1.iad.example\"]";
    let statements = Access::of(desired(&policy(text).provision).unwrap()).function;
    let granted: BTreeSet<&str> = statements
        .iter()
        .map(|one| one.split(" to ").nth(1).unwrap().split(" in ").next().unwrap())
        .collect();
    let expected = [
        "manage alarms",
        "manage data-science-model-deployments",
        "read data-science-work-requests",
        "read metrics",
        // For notices, where the policy has a topic for them.
        "use ons-topics",
    ];
    assert_eq!(granted, expected.into());
}

/// Defect 20: there was no dry run, and no record of what it had done.
#[test]
fn a_dry_run_leaves_a_record_and_nothing_else() {
    let (cloud, before) = (cloud(), cloud().snapshot());
    let observe = Policy::parse("mode = \"observe\"").unwrap();
    let shown = send(&notice(HIGH_CPU, CHURN), &cloud, &observe);
    assert_eq!((shown.result, cloud.snapshot()), (Ending::DryRun, before));
    let done = send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    assert_eq!(operations(&shown), operations(&done), "what it shows is what it does");
    for outcome in [&shown, &done] {
        trail(outcome);
    }
}

/// Checks that a record contains the alarm, the observation, the guards, the decision and the calls.
fn trail(outcome: &Outcome) {
    let record = report::record(outcome);
    assert_eq!(record["alarm"]["name"], HIGH_CPU);
    assert_eq!(record["observed"]["instances"], 1);
    let to = serde_json::to_value(Size::new(2, "VM.Standard2.1")).unwrap();
    assert_eq!(record["decision"]["to"], to);
    assert!(
        record["guards"].as_array().unwrap().len() > 10 && record["calls"].as_array().unwrap().len() == 2
    );
}
