//! Measures what one decision takes: `decide` and `plan`, from a deployment that was seen to the calls to send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot be set up has failed"
)]
#![allow(missing_docs, reason = "the macros make functions of their own")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stepladder::alarm::{Alarm, Measurement, Side, TargetId, Transition};
use stepladder::decide::{decide, worth_a_look};
use stepladder::deployment::{Deployment, Facts, Lifecycle, Size};
use stepladder::plan::plan;
use stepladder::policy::Policy;

const OCID: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueid";

fn now() -> Timestamp {
    Timestamp::from_second(1_772_452_800).unwrap()
}

fn alarm(name: &str, metric: &str, target: TargetId) -> Alarm {
    Alarm {
        id: String::new(),
        name: name.to_owned(),
        source: "bench",
        transition: Transition::Firing,
        muted: false,
        targets: vec![target],
        measurement: Measurement {
            metric: Some(metric.to_owned()),
            value: Some(91.4),
            threshold: Some(80.0),
            side: Some(Side::Above),
            missing: false,
            window: Some(SignedDuration::from_mins(5)),
        },
        at: Some(now()),
        topic: None,
        account: None,
    }
}

fn seen(target: TargetId, size: Size, facts: Facts) -> Deployment {
    let readings = ["CPUUtilization", "MemoryUtilization", "CpuUtilization"];
    Deployment {
        target,
        heading: size.clone(),
        size,
        lifecycle: Lifecycle::Settled,
        status: "InService".to_owned(),
        last_change: now().checked_sub(SignedDuration::from_hours(1)).ok(),
        bounds: None,
        fixed: BTreeMap::new(),
        owners: BTreeMap::new(),
        pauses: Vec::new(),
        tags: BTreeMap::new(),
        readings: readings.map(|metric| (metric.to_owned(), 60.0)).into(),
        infeasible: Vec::new(),
        floor: None,
        alarm: None,
        pair: None,
        duplicates: Vec::new(),
        facts,
    }
}

fn on_sagemaker() -> Deployment {
    let facts = Facts::SagemakerVariant {
        configuration: "churn-config-3".to_owned(),
        arn: "arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn".to_owned(),
        created: None,
        endpoint: None,
    };
    seen(TargetId::sagemaker_variant("churn", "AllTraffic"), Size::new(2, "ml.m5.xlarge"), facts)
}

fn on_oci() -> Deployment {
    let facts = Facts::OciModelDeployment {
        etag: "etag".to_owned(),
        compartment: "ocid1.compartment.oc1..example".to_owned(),
        configuration: Arc::new(json!({
            "deploymentType": "SINGLE_MODEL",
            "modelConfigurationDetails": {
                "modelId": "ocid1.datasciencemodel.oc1..example",
                "bandwidthMbps": 10,
                "instanceConfiguration": { "instanceShapeName": "VM.Standard2.2" },
                "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": 2 },
            },
        })),
        tags: Arc::default(),
    };
    seen(TargetId::oci_model_deployment(OCID), Size::new(2, "VM.Standard2.2"), facts)
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide + plan");
    let rule = |axis: &str, more: &str| format!("[[rule]]\nalarm = \"*\"\naxis = \"{axis}\"\n{more}");
    let high = ("model_deployment_high_cpu", "CPUUtilization");
    let rows = [
        ("step, SageMaker", String::new(), high, on_sagemaker()),
        ("step, OCI", String::new(), ("model_deployment_high_cpu", "CpuUtilization"), on_oci()),
        ("shape, OCI", String::new(), ("model_deployment_high_mem", "MemoryUtilization"), on_oci()),
        (
            "steps, SageMaker",
            rule("instances", "steps = [{ above = 0, add = 1 }, { above = 10, add = \"30%\" }]"),
            high,
            on_sagemaker(),
        ),
        ("track, SageMaker", rule("instances", "track = 60"), high, on_sagemaker()),
        ("cheapest, OCI", rule("cheapest", ""), ("busy", "CpuUtilization"), on_oci()),
    ];
    for (name, text, (alarm_name, metric), seen) in rows {
        let mut policy = Policy::parse(&text).unwrap();
        policy.alarm_action = Some("arn:aws:sns:us-east-1:111122223333:stepladder-alarms".to_owned());
        let alarm = alarm(alarm_name, metric, seen.target.clone());
        let target = seen.target.clone();
        let (evaluation, _) = worth_a_look(&alarm, &target, &policy, now()).unwrap();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                // What was asked before the look is handed on as it is.
                let decided = decide(&evaluation, Vec::new(), black_box(&seen), &policy);
                plan(&evaluation, &seen, decided, &policy)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
