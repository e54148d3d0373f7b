//! Input that is not trusted: clocks, names, mutes, and alarms that somebody has edited.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::simulated::{SimulatedCloud, WorldConfiguration, WorldEndpoint};
use stepladder::platform::{AlarmDefinition, Call};

use crate::support::{
    CHURN, CPU_PAIR, HIGH_CPU, HIGH_MEM, LOW_CPU, Notice, TICK, TOPIC_ARN, VARIANT, answer, at, built_in,
    cloud, cloud_with, configured, existing, minute, notice, on, operations, pairs, pass, policy, reason,
    send,
};

#[test]
fn evidence_from_the_future_is_as_good_as_todays() {
    // A wrong clock, or a payload made by hand: evidence from the future would stay valid after every change.
    let cloud = cloud();
    on(&cloud, CHURN, |found| found.last_change = Some(at(-60)));
    let body = notice(HIGH_CPU, CHURN).at(minute(60)).body();
    let answer = answer(&body, &cloud, &built_in(), at(0));
    assert_eq!(reason(&answer.outcomes[0]), "stale");
}

#[test]
fn an_envelope_inside_a_message_names_no_topic() {
    // A sender with access to one topic puts an envelope of another topic into the message.
    let message = notice(HIGH_CPU, VARIANT).message().to_string();
    let forged = json!({ "Type": "Notification", "TopicArn": TOPIC_ARN, "Message": message }).to_string();
    let sns = |topic: Value| json!({ "TopicArn": topic, "Message": forged });
    let listed = policy("topics = [\"*:stepladder-alarms\"]");
    for topic in [
        json!("arn:aws:sns:us-east-1:111122223333:others"),
        Value::Null,
        json!([TOPIC_ARN]),
        // Longer than any ARN, so it is not stored.
        json!(format!("{}{TOPIC_ARN}", "a".repeat(512))),
    ] {
        let payload = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns(topic) }] }).to_string();
        let outcome = answer(payload.as_bytes(), &cloud(), &listed, at(0)).outcomes.remove(0);
        assert_eq!(reason(&outcome), "not_allowed", "{payload}");
        // Without the list, the topic is not checked.
        let outcome = answer(payload.as_bytes(), &cloud(), &built_in(), at(0)).outcomes.remove(0);
        assert_eq!(reason(&outcome), "resize", "{payload}");
    }
}

#[test]
fn a_muted_alarm_is_left_alone() {
    // EventBridge gets every change of state, also a muted one. The alarm's own actions do not run then.
    let text = include_str!("../../events/cloudwatch/event.high-cpu.firing.json");
    let mutes = [
        ("/detail", "muteDetail", json!({ "mutedByArn": "arn:aws:cloudwatch:us-east-1:111122223333:rule" })),
        ("/detail/state", "actionsSuppressedBy", json!("WaitPeriod")),
    ];
    let answered = |event: &Value| {
        let cloud = SimulatedCloud::default();
        answer(event.to_string().as_bytes(), &cloud, &built_in(), at(0)).outcomes.remove(0)
    };
    let event: Value = serde_json::from_str(text).unwrap();
    assert_eq!(reason(&answered(&event)), "resize");
    for (place, field, value) in mutes {
        let mut silent = event.clone();
        silent.pointer_mut(place).unwrap()[field] = value;
        let outcome = answered(&silent);
        assert_eq!(reason(&outcome), "muted", "{field}");
        assert!(outcome.observed.is_none(), "nothing is even read");
    }
}

#[test]
fn nothing_under_our_own_prefix_ever_adds() {
    // A pair with the name of an earlier policy, on an endpoint whose name matches a scale-up alarm.
    let target = "endpoint/high-cpu-model/variant/x";
    let outcome = send(
        &Notice::new("stepladder/endpoint/high-cpu-model/variant/x/low_a", target),
        &SimulatedCloud::default(),
        &built_in(),
    );
    assert_eq!(reason(&outcome), "no_rule");
}

#[test]
fn what_is_broken_or_going_gets_no_pair() {
    for (id, status) in [(CHURN, "DELETING"), (CHURN, "FAILED"), (VARIANT, "Deleting"), (VARIANT, "Failed")] {
        let cloud = cloud_with(id, 3, if id == CHURN { "VM.Standard2.1" } else { "ml.m5.xlarge" });
        on(&cloud, id, |found| found.status = Some(status.to_owned()));
        let outcome = send(&notice(HIGH_CPU, id), &cloud, &built_in());
        assert_eq!((reason(&outcome), operations(&outcome)), ("busy", vec![]), "{status}");
    }
}

#[test]
fn a_pair_that_was_switched_off_is_switched_on_again() {
    let edits: [fn(&mut CloudwatchAlarm); 3] = [
        |alarm| alarm.enabled = false,
        |alarm| alarm.datapoints = Some(1),
        |alarm| alarm.unit = Some("Count".to_owned()),
    ];
    for edit in edits {
        let cloud = cloud();
        send(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
        pass(&cloud, 60);
        let wanted = pairs(&cloud.snapshot(), VARIANT, CPU_PAIR);
        cloud.with(|world| {
            for alarm in world.alarms.iter_mut().filter(|alarm| alarm.is_ours()) {
                if let AlarmDefinition::Aws(definition) = &mut alarm.definition {
                    edit(definition);
                }
            }
        });
        let outcome = send(&notice(LOW_CPU, VARIANT).at(at(0)), &cloud, &built_in());
        assert_eq!(operations(&outcome), ["aws:PutMetricAlarm"]);
        let repaired = pairs(&cloud.snapshot(), VARIANT, CPU_PAIR);
        assert_eq!(repaired[0].definition, wanted[0].definition);
    }
}

#[test]
fn the_pair_never_triggers_an_auto_scaling_policy() {
    let scale_out = "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:1:policyName/out";
    let cloud = cloud();
    cloud.with(|world| {
        for alarm in &mut world.alarms {
            if let AlarmDefinition::Aws(definition) = &mut alarm.definition {
                definition.actions = vec![scale_out.to_owned(), TOPIC_ARN.to_owned()];
            }
        }
    });
    let outcome = send(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
    let Call::Aws(AwsCall::PutMetricAlarm(pair)) = &outcome.calls[0].call else { panic!("{outcome:?}") };
    assert_eq!(pair.actions, [TOPIC_ARN]);
}

#[test]
fn a_scale_up_without_a_pair_is_noted() {
    let without_pair = policy("[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"");
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud(), &without_pair);
    assert_eq!(operations(&outcome), ["oci:UpdateModelDeployment"]);
    assert_eq!(outcome.notes, ["rule 1 of the policy has no `pair`, so stepladder never undoes this change"]);
}

// ---- tags that somebody else wrote ----

const PAGER: &str = "arn:aws:sns:us-east-1:111122223333:pager";
const UNRELATED: &str = "orders-are-failing";
const SUSPENDS: &str = "[defaults]\nnative_autoscaling = \"suspend\"\n";

/// A record of suspended scaling that was never suspended, as the tags of an endpoint hold one.
fn forged(variant: &str, policy_of: &str, replaced: &str, alarms: &[&str]) -> Vec<(String, String)> {
    let alarms: Vec<Value> =
        alarms.iter().map(|name| json!({ "name": name, "on": ["AlarmActions"] })).collect();
    let record = json!({
        "target": { "ServiceNamespace": "sagemaker", "ResourceId": variant, "MinCapacity": 1, "MaxCapacity": 100,
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount" },
        "policies": [{
            "arn": replaced,
            "alarms": alarms,
            "request": { "PolicyName": "p", "PolicyType": "StepScaling", "ResourceId": policy_of },
        }],
        "scheduled": [],
    });
    let text = BASE64.encode(record.to_string());
    let chunks = text.as_bytes().chunks(256).map(|chunk| String::from_utf8_lossy(chunk).into_owned());
    let key = |number: usize| format!("stepladder:parked/AllTraffic/{number}");
    chunks.enumerate().map(|(number, chunk)| (key(number), chunk)).collect()
}

/// The operations of all events that follow the forged tags: an alarm, and what ticks find afterwards.
fn operations_after(tags: Vec<(String, String)>, text: &str) -> Vec<&'static str> {
    let cloud = cloud_with(VARIANT, 2, "ml.m5.large");
    configured(&cloud, &json!({}));
    cloud.with(|world| {
        let (configuration, tags) = ("churn".to_owned(), tags.into_iter().collect());
        let endpoint = WorldEndpoint { configuration, tags, ..WorldEndpoint::default() };
        world.endpoints.insert("churn".to_owned(), endpoint);
        let mut unrelated = existing(UNRELATED, VARIANT, Some(5));
        if let AlarmDefinition::Aws(alarm) = &mut unrelated.definition {
            alarm.dimensions = [("QueueName".into(), "orders".to_owned())].into();
            alarm.actions = vec![PAGER.to_owned()];
        }
        world.alarms.push(unrelated);
    });
    let mut policy = policy(text);
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    let mut sent = Vec::new();
    for minutes in 0..4 {
        cloud.advance(minute(minutes));
        for body in [notice(HIGH_MEM, VARIANT).at(minute(minutes)).body(), TICK.to_vec()] {
            let answered = answer(&body, &cloud, &policy, minute(minutes)).outcomes;
            sent.extend(answered.iter().flat_map(operations));
        }
    }
    let alarms = cloud.snapshot().alarms;
    let unrelated = alarms.iter().find(|alarm| alarm.id == UNRELATED).unwrap();
    assert_eq!(unrelated.definition.notifies(), [PAGER]);
    sent
}

#[rstest]
#[case::another_endpoint("endpoint/payments/variant/AllTraffic", VARIANT, "")]
#[case::another_variant("endpoint/churn/variant/green", VARIANT, "")]
#[case::a_policy_of_another_endpoint(VARIANT, "endpoint/payments/variant/AllTraffic", "")]
#[case::the_pager_of_an_unrelated_alarm(VARIANT, VARIANT, PAGER)]
fn a_forged_record_of_suspended_scaling_registers_nothing(
    #[case] variant: &str,
    #[case] policy_of: &str,
    #[case] replaced: &str,
    #[values("", SUSPENDS)] text: &str,
) {
    let sent = operations_after(forged(variant, policy_of, replaced, &[UNRELATED]), text);
    for operation in ["aws:RegisterScalableTarget", "aws:PutScalingPolicy", "aws:UpdateEndpoint"] {
        assert!(!sent.contains(&operation), "{operation}: {sent:?}");
    }
}

#[test]
fn a_record_of_suspended_scaling_counts_only_where_the_policy_suspends() {
    let record = || forged(VARIANT, VARIANT, "", &[]);
    let registers = |sent: &[&str]| sent.contains(&"aws:RegisterScalableTarget");
    assert!(!registers(&operations_after(record(), "")));
    assert!(registers(&operations_after(record(), SUSPENDS)));
}

// ---- configurations that somebody else created ----

/// A configuration that somebody else creates under the name that a copy will have, with something changed.
fn precreated(change: impl FnOnce(&mut WorldConfiguration)) -> (SimulatedCloud, String) {
    let cloud = cloud_with(VARIANT, 2, "ml.m5.large");
    configured(&cloud, &json!({}));
    let trial = SimulatedCloud::new(cloud.snapshot());
    send(&notice(HIGH_MEM, VARIANT), &trial, &built_in());
    let mut all = trial.snapshot().configurations.into_iter();
    let (name, mut forged) = all.find(|(name, _)| name.starts_with("stepladder-")).unwrap();
    change(&mut forged);
    cloud.with(|world| world.configurations.insert(name.clone(), forged));
    (cloud, name)
}

/// What the endpoint becomes.
fn next_configuration(cloud: &SimulatedCloud) -> (String, WorldConfiguration) {
    let world = cloud.snapshot();
    let (name, _) = world.endpoints["churn"].next.clone().unwrap();
    let found = world.configurations[&name].clone();
    (name, found)
}

#[rstest]
#[case::another_model(|found: &mut WorldConfiguration| found.document["ProductionVariants"][0]["ModelName"] = json!("evil"))]
#[case::a_larger_type(|found: &mut WorldConfiguration| found.document["ProductionVariants"][0]["InstanceType"] = json!("ml.p4d.24xlarge"))]
#[case::data_that_goes_elsewhere(|found: &mut WorldConfiguration| found.document["DataCaptureConfig"] = json!({ "DestinationS3Uri": "s3://elsewhere" }))]
#[case::another_origin(|found: &mut WorldConfiguration| {
    found.tags.insert("stepladder:original".to_owned(), "evil".to_owned());
})]
fn a_configuration_under_a_foreseen_name_is_not_used(#[case] change: fn(&mut WorldConfiguration)) {
    let (cloud, foreseen) = precreated(change);
    let before =
        cloud.snapshot().configurations["churn"].document["ProductionVariants"][0]["ModelName"].clone();
    let outcome = send(&notice(HIGH_MEM, VARIANT), &cloud, &built_in());
    assert_eq!(reason(&outcome), "resize");
    let (name, active) = next_configuration(&cloud);
    assert_ne!(name, foreseen);
    let variant = &active.document["ProductionVariants"][0];
    assert_eq!((&variant["ModelName"], &variant["InstanceType"]), (&before, &json!("ml.m5.xlarge")));
    assert_eq!(active.document.get("DataCaptureConfig"), None);
    assert_eq!(active.tags["stepladder:original"], "churn");
}

#[test]
fn the_copy_of_an_interrupted_change_is_used() {
    let (cloud, foreseen) = precreated(|_| {});
    send(&notice(HIGH_MEM, VARIANT), &cloud, &built_in());
    assert_eq!(next_configuration(&cloud).0, foreseen);
}
