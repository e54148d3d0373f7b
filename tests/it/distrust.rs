//! Input that is not trusted: clocks, names, mutes, and alarms that somebody has edited.

use serde_json::{Value, json};
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{AlarmDefinition, Call};

use crate::support::{
    CHURN, CPU_PAIR, HIGH_CPU, LOW_CPU, Notice, TOPIC_ARN, VARIANT, answer, at, built_in, cloud, cloud_with,
    minute, notice, on, operations, pairs, pass, policy, reason, tell,
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
        assert!(outcome.observed.is_none(), "nothing is even looked at");
    }
}

#[test]
fn nothing_under_our_own_prefix_ever_adds() {
    // A pair with the name of an earlier policy, on an endpoint whose name matches a high alarm.
    let target = "endpoint/high-cpu-model/variant/x";
    let outcome = tell(
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
        let outcome = tell(&notice(HIGH_CPU, id), &cloud, &built_in());
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
        tell(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
        pass(&cloud, 60);
        let wanted = pairs(&cloud.snapshot(), VARIANT, CPU_PAIR);
        cloud.with(|world| {
            for alarm in world.alarms.iter_mut().filter(|alarm| alarm.is_ours()) {
                if let AlarmDefinition::Aws(definition) = &mut alarm.definition {
                    edit(definition);
                }
            }
        });
        let outcome = tell(&notice(LOW_CPU, VARIANT).at(at(0)), &cloud, &built_in());
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
    let outcome = tell(&notice(HIGH_CPU, VARIANT), &cloud, &built_in());
    let Call::Aws(AwsCall::PutMetricAlarm(pair)) = &outcome.calls[0].call else { panic!("{outcome:?}") };
    assert_eq!(pair.actions, [TOPIC_ARN]);
}

#[test]
fn a_scale_up_without_a_pair_is_noted() {
    let without_pair = policy("[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"");
    let outcome = tell(&notice(HIGH_CPU, CHURN), &cloud(), &without_pair);
    assert_eq!(operations(&outcome), ["oci:UpdateModelDeployment"]);
    assert_eq!(outcome.notes, ["rule 1 of the policy has no `pair`: nothing of ours takes this back"]);
}
