//! The main job on OCI: up by a step with a paired alarm, nothing twice, down again, pair gone.

use std::io::Write as _;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, deployment, root};
use super::tenancy::{Tenancy, calls, differences, fired_now, only_outcome, outcome, sample};

const CONFIGURATION: &str = "/modelDeploymentConfigurationDetails/modelConfigurationDetails";

/// The pair of the alarm that scales the count or the shape.
fn expected_pair(tenancy: &Tenancy, name: &str, metric: &str) -> Value {
    let compartment = tenancy.emulator.announced("compartment");
    // The thresholds of the operator's alarms.
    let above = if metric == "CpuUtilization" { "CpuUtilization:80" } else { "MemoryUtilization:85" };
    json!({
        "displayName": name,
        "compartmentId": compartment,
        "metricCompartmentId": compartment,
        "namespace": "oci_datascience_modeldeploy",
        "query": format!("{metric}[5m]{{resourceId = \"{DEPLOYMENT}\"}}.groupBy(resourceId).mean() < 10"),
        // As the operator's alarm that fires has them.
        "severity": "WARNING",
        "destinations": [tenancy.emulator.announced("topic")],
        "isEnabled": true,
        "repeatNotificationDuration": "PT5M",
        "pendingDuration": "PT1M",
        "body": format!("Removes the capacity that stepladder added to {DEPLOYMENT}."),
        "freeformTags": { "stepladder:target": DEPLOYMENT, "stepladder:pair": name, "stepladder:above": above },
    })
}

/// A message of the guide that the function answers, filled in. Prints a line where the guide's messages are missing.
fn guides_message(name: &str, alarm: &str) -> Option<Value> {
    let shared = std::env::var_os("STEPLADDER_SHARED").map_or_else(|| root().join("../shared"), Into::into);
    let Ok(text) = std::fs::read_to_string(shared.join("fixtures/oci").join(name)) else {
        eprintln!("skipped: there is no `{name}` (STEPLADDER_SHARED names its place)");
        return None;
    };
    let text = text.replace("<YOUR_MODEL_DEPLOYMENT_OCID>", DEPLOYMENT);
    Some(fired_now(serde_json::from_str(&text).unwrap(), alarm))
}

#[rstest]
#[case::by_an_instance("test-alarm-scale-cpu-up.json", "instances", "VM.Standard2.2", 2)]
#[case::by_a_shape("test-alarm-scale-mem-up.json", "shape", "VM.Standard2.4", 1)]
fn the_guides_messages_step_up(
    #[case] message: &str,
    #[case] axis: &str,
    #[case] shape: &str,
    #[case] instances: u64,
) {
    let Some(tenancy) = Tenancy::new() else { return };
    let Some(event) = guides_message(message, &tenancy.high) else { return };
    let function = tenancy.emulator.function(&[]);
    let record = outcome(&function, &event);
    assert_eq!(
        (&record["result"], &record["decision"]["axis"]),
        (&json!("applied"), &json!(axis)),
        "{record:#}"
    );
    tenancy.finish();
    assert_eq!((tenancy.shape().as_str(), tenancy.instances()), (shape, instances));
    assert_eq!(tenancy.pairs().len(), 1);
    assert_eq!(outcome(&function, &event)["decision"]["reason"], "stale");
}

/// One of the two axes of the guide's alarms.
struct Axis {
    high: &'static str,
    low: &'static str,
    pair: &'static str,
    metric: &'static str,
    /// What the deployment has of it, one step after the other.
    levels: [Value; 3],
    /// The one leaf of the configuration.
    leaf: &'static str,
}

fn count() -> Axis {
    Axis {
        high: "high-cpu.firing.json",
        low: "low-cpu.repeat.json",
        pair: "model_deployment_low_cpu",
        metric: "CpuUtilization",
        levels: [json!(1), json!(2), json!(3)],
        leaf: "/scalingPolicy/instanceCount",
    }
}

fn shape() -> Axis {
    Axis {
        high: "high-mem.firing.json",
        low: "low-mem.firing.json",
        pair: "model_deployment_low_mem",
        metric: "MemoryUtilization",
        levels: [json!("VM.Standard2.2"), json!("VM.Standard2.4"), json!("VM.Standard2.8")],
        leaf: "/instanceConfiguration/instanceShapeName",
    }
}

#[rstest]
#[case::instances(count())]
#[case::shapes(shape())]
fn up_twice_with_one_pair_and_all_the_way_back(#[case] axis: Axis) {
    let leaf = format!("{CONFIGURATION}{}", axis.leaf);
    // A ladder of shapes has a floor of its own.
    let mut bottom = deployment();
    let policy = "[defaults]\nevidence = \"fired\"\n[[ladder]]\nname = \"short\"\nrungs = [\n\
                  { shape = \"VM.Standard2.2\", vcpus = 4, memory_gib = 30 },\n\
                  { shape = \"VM.Standard2.4\", vcpus = 8, memory_gib = 60 },\n\
                  { shape = \"VM.Standard2.8\", vcpus = 16, memory_gib = 120 },\n]\n";
    bottom["freeformTags"] = json!({ "team": "forecast" });
    let Some(tenancy) = Tenancy::with(&bottom) else { return };
    // A smaller shape must carry its cores, too.
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 4.0);
    let function = tenancy.emulator.function(&[("STEPLADDER_POLICY", policy)]);
    let level = || tenancy.document().pointer(&leaf).cloned().unwrap();
    tenancy.emulator.slow_down();

    // Up: the pair first, then the size. Only the one leaf is changed, and the stamp has the time.
    let high = sample(axis.high, &tenancy.high);
    let record = outcome(&function, &high);
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(calls(&record), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    let requests = tenancy.requests();
    assert_eq!(super::emulators::sequential(&requests), 3, "{requests:#?}");
    let put = requests.iter().find(|request| request.operation == "UpdateModelDeployment").unwrap();
    assert!(put.if_match.is_some());
    assert!(put.body["modelDeploymentConfigurationDetails"]["environmentConfigurationDetails"].is_null());
    let pair = tenancy.pair();
    for (key, expected) in expected_pair(&tenancy, axis.pair, axis.metric).as_object().unwrap() {
        assert_eq!(&pair[key], expected, "{key}");
    }

    // The same message while the change is under way, and after it: one observation, and no change.
    assert_eq!(outcome(&function, &high)["decision"]["reason"], "busy");
    assert_eq!(tenancy.round_trips(), 1);
    tenancy.finish();
    assert_eq!(outcome(&function, &high)["decision"]["reason"], "stale");
    assert_eq!(tenancy.round_trips(), 1);
    let mut changed = differences(&bottom, &tenancy.document());
    changed
        .retain(|path| path != "/modelDeploymentSystemData/currentInstanceCount" && path != "/timeCreated");
    assert_eq!(changed, ["/freeformTags/stepladder:changed", &leaf]);
    assert_eq!(level(), axis.levels[1]);

    // An alarm that still fires, longer than a window after the change, shows that it was not enough.
    tenancy.finish_long_ago();
    let mut again = sample(axis.high, &tenancy.high);
    again["type"] = json!("REPEAT");
    let record = outcome(&function, &again);
    assert_eq!(calls(&record), ["oci:UpdateModelDeployment"], "the pair exists: {record:#}");
    assert_eq!(tenancy.round_trips(), 2);
    tenancy.finish_long_ago();
    assert_eq!(level(), axis.levels[2]);

    // Down, step by step, by the pair.
    let pair = pair["id"].as_str().unwrap();
    for below in [&axis.levels[1], &axis.levels[0]] {
        let record = outcome(&function, &sample(axis.low, pair));
        assert_eq!(calls(&record), ["oci:UpdateModelDeployment"], "{record:#}");
        assert_eq!(tenancy.round_trips(), 2);
        assert_eq!(tenancy.pairs().len(), 1, "the floor is not yet observed");
        tenancy.finish_long_ago();
        assert_eq!(level(), *below);
    }

    // Seen at the floor: the pair goes, and nothing else happens.
    let record = outcome(&function, &sample(axis.low, pair));
    assert_eq!(record["decision"]["reason"], "at_floor", "{record:#}");
    assert_eq!(calls(&record), ["oci:DeleteAlarm"]);
    assert!(tenancy.pairs().is_empty());
    assert_eq!(level(), axis.levels[0]);
    assert_eq!(tenancy.emulator.alarms().len(), 1, "the operator's own stays");
    tenancy.requests();
}

/// The messages are the emulator's own, of the alarms that exist there, evaluated over what it measures.
#[test]
fn the_pair_fires_by_itself_and_is_answered() {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    let message = |of: &str| {
        let sent = tenancy.emulator.evaluate(6);
        let sent = sent.as_array().unwrap().iter().rfind(|sent| sent["alarm"] == of);
        let message = sent.unwrap_or_else(|| panic!("`{of}` sends nothing"))["message"].clone();
        message.as_str().map_or(message.clone(), |text| serde_json::from_str(text).unwrap())
    };
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 92.0);
    let record = outcome(&function, &message(&tenancy.high));
    assert_eq!(record["decision"]["to"]["instances"], 2, "{record:#}");
    tenancy.finish_long_ago();
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 3.0);
    let record = outcome(&function, &message(tenancy.pair()["id"].as_str().unwrap()));
    assert_eq!(record["decision"]["to"]["instances"], 1, "{record:#}");
}

#[test]
fn a_second_pair_is_deleted_and_an_alarm_of_the_same_name_is_not() {
    let Some(tenancy) = Tenancy::new() else { return };
    let mut named_alike = expected_pair(&tenancy, "model_deployment_low_cpu", "CpuUtilization");
    named_alike["freeformTags"] = json!({ "owner": "somebody" });
    let foreign = tenancy.emulator.put_alarm(&named_alike);
    let mut of_another = named_alike.clone();
    of_another["freeformTags"] = json!({
        "stepladder:target": "ocid1.datasciencemodeldeployment.oc1.iad.another",
        "stepladder:pair": "model_deployment_low_cpu",
    });
    let another = tenancy.emulator.put_alarm(&of_another);
    let before = tenancy.emulator.alarms();
    let function = tenancy.function();
    outcome(&function, &sample("high-cpu.firing.json", &tenancy.high));
    tenancy.finish_long_ago();
    let pair = tenancy.pair();

    // A second one with the marker, as two deliveries at once may leave it.
    let mut stray = expected_pair(&tenancy, "model_deployment_low_cpu", "CpuUtilization");
    stray["severity"] = json!("INFO");
    tenancy.emulator.put_alarm(&stray);
    let record = outcome(&function, &sample("high-cpu.cleared.json", &tenancy.high));
    assert_eq!(record["decision"]["reason"], "not_firing", "{record:#}");
    let record = outcome(&function, &sample("high-cpu.repeat.json", &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert!(calls(&record).contains(&"oci:DeleteAlarm"), "{record:#}");
    let kept = tenancy.pair();
    assert!(kept["id"] == pair["id"] || kept["severity"] == "INFO", "one of the two: {kept:#}");

    // Back at the floor: what is not ours is as it was.
    tenancy.finish_long_ago();
    let low = kept["id"].as_str().unwrap();
    for _ in 0..3 {
        outcome(&function, &sample("low-cpu.repeat.json", low));
        tenancy.finish_long_ago();
    }
    assert_eq!(tenancy.instances(), 1);
    let after = tenancy.emulator.alarms();
    assert_eq!(after, before, "{foreign} and {another} are somebody else's");
    for request in tenancy.requests() {
        let theirs = [&foreign, &another].into_iter().any(|id| request.path.contains(id.as_str()));
        assert!(!theirs, "{request:#?}");
    }
}

#[rstest]
#[case::which_takes_it(202)]
#[case::or_is_not_there(404)]
fn a_topic_is_notified_after_the_update(#[case] status: u64) {
    let Some(tenancy) = Tenancy::new() else { return };
    let topic = "ocid1.onstopic.oc1.iad.operators";
    let topic_id = tenancy.emulator.announced("topic").to_owned();
    let to = if status == 202 { &topic_id } else { topic };
    let policy = format!("[[notify]]\nto = \"{to}\"\n");
    let function = tenancy.emulator.function(&[("STEPLADDER_POLICY", &policy)]);
    let record = outcome(&function, &sample("high-cpu.firing.json", &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(record["error"], Value::Null);
    assert_eq!(calls(&record), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    let requests = tenancy.requests();
    let last = requests.last().unwrap();
    assert_eq!((last.operation.as_str(), last.status), ("PublishMessage", status), "{requests:#?}");
    let said = last.body["title"].as_str().unwrap();
    assert!(said.contains("instances") || said.contains(DEPLOYMENT), "{said}");
    let notice = &record["notices"][0];
    assert_eq!(notice["status"], if status == 202 { "done" } else { "failed" }, "{record:#}");
}

#[test]
fn the_command_does_the_same_with_a_persons_key() {
    let Some(tenancy) = Tenancy::new() else { return };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(sample("high-cpu.firing.json", &tenancy.high).to_string().as_bytes()).unwrap();
    let handled = |more: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_stepladder"))
            .args(["handle", "--cloud", "oci", "--format", "json"])
            .arg(file.path())
            .args(more)
            .env_clear()
            .envs(tenancy.emulator.profile())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        only_outcome(serde_json::from_slice(&done.stdout).unwrap())
    };
    let record = handled(&["--dry-run"]);
    assert_eq!(record["result"], "dry_run", "{record:#}");
    assert_eq!(differences(&deployment(), &tenancy.document()), ["/timeCreated"]);
    assert!(tenancy.pairs().is_empty());
    let record = handled(&[]);
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(calls(&record), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert_eq!(handled(&[])["decision"]["reason"], "busy");
    tenancy.finish();
    assert_eq!(tenancy.instances(), 2);
    assert_eq!(tenancy.pairs().len(), 1);
    tenancy.requests();
}
