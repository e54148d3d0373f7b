//! What the fuzz targets check, on inputs of properties: samples that are cut, joined and changed, and letters of any
//! length beside the signs that matter to a reader.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{HIGH_CPU, TOPIC_ARN, VARIANT, answer, at, built_in, cloud, notice};

#[path = "../../fuzz/checks.rs"]
mod checks;

const PAYLOADS: [&[u8]; 4] = [
    include_bytes!("../../events/oci/two-alarms.repeat.json"),
    include_bytes!("../../events/cloudwatch/sns.high-cpu.firing.json"),
    include_bytes!("../../events/cloudwatch/sqs.event.json"),
    include_bytes!("../../events/signals/endpoint-settled.json"),
];

const POLICIES: [&[u8]; 3] = [
    b"mode = \"act\"\n[defaults]\ninstances = { min = 1, max = 4 }\ncooldown = { up = \"90s\" }\n",
    b"[[notify]]\nto = \"https://me:word@hooks.example/T0/B0/secret\"\nform = \"slack\"\n",
    b"[[rule]]\nalarm = \"*\"\nsteps = [{ above = 0, add = \"30%\" }]\n[[schedule]]\ncron = \"0 8 * * *\"\nfor = \"1h\"\nmin = 2\n",
];

const TAGS: [&[u8]; 2] = [
    b"stepladder:min=900\nstepladder:max=1000\nstepladder:pause/blue=all until=2026-03-02T09:00:00Z\n",
    b"stepladder:cooldown-up=0s\nstepladder:max-hourly-cost=1e308\nstepladder:evidence=fired\nstepladder:recent=1i+1\n",
];

const WORLDS: [&[u8]; 2] = [
    br#"{"clock": "2026-03-02T09:16:00Z", "deployments": {"endpoint/churn/variant/AllTraffic": {"instances": 2,
        "shape": "ml.m5.large", "tags": {"stepladder:recent": "1772442000i+1", "stepladder:step/AllTraffic": "from=a"},
        "bounds": {"min": 1, "max": 4}, "revision": 18446744073709551615}}}"#,
    br#"{"clock": "9999-12-30T22:00:00.999999999Z", "update_seconds": 4294967295, "created": 18446744073709551615,
        "deployments": {"endpoint/churn/variant/AllTraffic": {"instances": 4294967295, "shape": "ml.m5.large",
        "last_change": "-009999-01-02T01:59:59Z"}}, "endpoints": {"churn": {"configuration": "stepladder-churn-x",
        "tags": {"stepladder:parked/AllTraffic/0": "e30"}}}, "scalable": {"endpoint/churn/variant/AllTraffic":
        {"target": 1, "policies": ["x", null], "scheduled": [[]]}}}"#,
];

/// What readers search for, and what they must not trip over.
fn any_piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "\u{e9}",
            "://",
            "\u{65e5}\u{672c}",
            "\"",
            "`",
            "to =",
            "@",
            "[",
            "{",
            "\u{1f600}",
            "=",
            "/",
            "?",
            "\\",
            "\n",
            "\0",
            "9999999999999999999",
            "-1",
            "1e400",
            "until=",
            "stepladder:",
            "\u{301}",
            "\u{202e}",
            "\r",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ]
}

/// A sample with pieces put in at any place, and with a part cut out.
fn any_of(samples: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any_piece()), 0..6);
    let cut = (any::<prop::sample::Index>(), 0_usize..12);
    (prop::sample::select(samples.to_vec()), edits, cut).prop_map(|(sample, edits, (from, length))| {
        let mut bytes = sample.to_vec();
        for (place, piece) in edits {
            let at = place.index(bytes.len() + 1);
            bytes.splice(at..at, piece);
        }
        let from = from.index(bytes.len() + 1);
        bytes.drain(from..(from + length).min(bytes.len()));
        bytes
    })
}

#[rstest]
#[case::parse(checks::parse, &PAYLOADS, 400)]
#[case::policy(checks::policy, &POLICIES, 400)]
#[case::tags(checks::tags, &TAGS, 400)]
#[case::world(checks::world, &WORLDS, 400)]
#[case::invocation(checks::invocation, &PAYLOADS, 200)]
fn any_input_is_answered(
    #[case] check: fn(&[u8]),
    #[case] samples: &'static [&'static [u8]],
    #[case] cases: u32,
) {
    for sample in samples {
        check(sample);
    }
    // The same inputs in every run, so that a failure is found again.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner =
        TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, rng);
    let any = prop_oneof![3 => any_of(samples), 1 => any_of(&POLICIES), 1 => prop::collection::vec(any::<u8>(), 0..200)];
    runner
        .run(&any, |body| {
            check(&body);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

// ---- what is copied into records is bounded ----

/// As long as a payload allows one member to be.
fn endless() -> String {
    "x".repeat(800_000)
}

fn oci(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(PAYLOADS[0]).unwrap();
    // A hundred entries share what is long.
    let entry = event["alarmMetaData"][0].clone();
    let many = (0..100).map(|number| {
        let mut entry = entry.clone();
        entry["dimensions"] =
            json!([{ "resourceId": format!("ocid1.datasciencemodeldeployment.oc1.iad.example{number}") }]);
        entry
    });
    event["alarmMetaData"] = many.collect();
    change(&mut event);
    event.to_string().into_bytes()
}

fn sns(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut message = notice(HIGH_CPU, VARIANT).message();
    change(&mut message);
    json!({ "Records": [{ "EventSource": "aws:sns",
        "Sns": { "TopicArn": TOPIC_ARN, "Message": message.to_string() } }] })
    .to_string()
    .into_bytes()
}

#[rstest]
#[case::alarm_id(oci(|event| event["alarmMetaData"][0]["id"] = json!(endless())))]
#[case::metric(oci(|event| event["alarmMetaData"][0]["query"] = json!(format!("{}[1m].mean() > 80", endless()))))]
#[case::query(oci(|event| {
    event["alarmMetaData"][0]["query"] = json!(format!("CpuUtilization[1m]{{a = \"{}\"}}.mean() > 80", endless()));
}))]
#[case::resource(oci(|event| event["alarmMetaData"][0]["dimensions"] = json!([{ "resourceId": endless() }])))]
#[case::many_ids(oci(|event| {
    for entry in event["alarmMetaData"].as_array_mut().unwrap() {
        entry["id"] = json!("x".repeat(8_000));
    }
}))]
#[case::title(oci(|event| event["title"] = json!(endless())))]
#[case::kind(oci(|event| event["type"] = json!(endless())))]
#[case::arn(sns(|message| message["AlarmArn"] = json!(endless())))]
#[case::account(sns(|message| message["AWSAccountId"] = json!(endless())))]
#[case::metric_of_cloudwatch(sns(|message| message["Trigger"]["MetricName"] = json!(endless())))]
#[case::dimension(sns(|message| message["Trigger"]["Dimensions"][0]["value"] = json!(endless())))]
#[case::name(sns(|message| message["AlarmName"] = json!(endless())))]
#[case::description(sns(|message| message["AlarmDescription"] = json!(endless())))]
#[case::reason(sns(|message| message["NewStateReason"] = json!(endless())))]
#[case::state(sns(|message| message["NewStateValue"] = json!(endless())))]
#[case::unknown(json!({ "detail-type": endless(), "source": endless(), endless(): 1 }).to_string().into_bytes())]
fn a_reply_is_as_short_as_for_a_genuine_payload(#[case] body: Vec<u8>) {
    let length = |body: &[u8]| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answered = runtime.block_on(stepladder::handle::handle(body, &cloud(), &built_in(), at(0)));
        let reply = match answered {
            Ok(answer) => stepladder::report::reply(&answer),
            Err(error) => stepladder::report::unreadable_payload(&error),
        };
        reply.to_string().len()
    };
    let genuine = length(&oci(|_| {}));
    let found = length(&body);
    assert!(found <= 2 * genuine, "{found} bytes instead of {genuine} for {} bytes", body.len());
    let parsed = stepladder::source::parse(&body)
        .map_or(0, |event| stepladder::report::parsed(&event).to_string().len());
    assert!(parsed <= genuine, "{parsed} bytes parsed");
}

#[test]
fn a_world_is_no_larger_for_an_endless_id() {
    let cloud = cloud();
    answer(&oci(|event| event["alarmMetaData"][0]["id"] = json!(endless())), &cloud, &built_in(), at(0));
    assert!(cloud.snapshot().to_json().unwrap().len() < 1_000_000);
}
