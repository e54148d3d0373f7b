//! Measures what one decision takes: `decide` and `plan`, from a deployment that was observation to the calls to send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark without its setup has failed"
)]
#![allow(missing_docs, reason = "the macros make functions of their own")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stepladder::alarm::{
    Alarm, AlarmName, Comparison, Condition, EvidenceTime, Measurement, Side, Subject, Transition,
};
use stepladder::decide::{decide, precheck};
use stepladder::deployment::{Deployment, Lifecycle};
use stepladder::plan::plan;
use stepladder::platform::{Facts, Observation, aws, oci};
use stepladder::policy::Policy;
use stepladder::size::Size;
use stepladder::target::TargetId;

const OCID: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueid";

fn now() -> Timestamp {
    Timestamp::from_second(1_772_452_800).unwrap()
}

fn alarm(name: &str, metric: &str, target: TargetId) -> Alarm {
    Alarm {
        id: String::new(),
        name: AlarmName::new(name).unwrap(),
        source: "bench",
        transition: Transition::Firing,
        muted: false,
        targets: vec![target],
        unknown_targets: Vec::new(),
        is_titled: false,
        subject: Subject::default(),
        measurement: Measurement {
            metric: Some(metric.to_owned()),
            condition: Condition::Plain(Comparison { threshold: 80.0, side: Side::Above, value: Some(91.4) }),
            window: Some(SignedDuration::from_mins(5)),
            ..Measurement::default()
        },
        at: Some(now()),
        evidence: EvidenceTime::At(now()),
        topic: None,
        account: None,
    }
}

fn observed(target: TargetId, size: Size, facts: Facts) -> Observation {
    let readings = ["CPUUtilization", "MemoryUtilization", "CpuUtilization"];
    let deployment = Deployment {
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
        unpublished: BTreeMap::new(),
        infeasible: Vec::new(),
        floor: None,
        alarm: None,
        pair: None,
        duplicates: Vec::new(),
    };
    Observation { deployment, facts }
}

fn on_sagemaker() -> Observation {
    let facts = aws::Facts {
        configuration: "churn-config-3".to_owned(),
        arn: "arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn".to_owned(),
        created: None,
        endpoint: None,
        pair: None,
    };
    let target = aws::id::variant("churn", "AllTraffic").unwrap();
    observed(target, Size::new(2, "ml.m5.xlarge"), Facts::Aws(facts))
}

fn on_oci() -> Observation {
    let facts = oci::Facts {
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
        alarm: None,
        pair: None,
    };
    let target = oci::id::model_deployment(OCID).unwrap();
    observed(target, Size::new(2, "VM.Standard2.2"), Facts::Oci(facts))
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
    for (name, text, (alarm_name, metric), observation) in rows {
        let mut policy = Policy::parse(&text).unwrap();
        policy.alarm_action = Some("arn:aws:sns:us-east-1:111122223333:stepladder-alarms".to_owned());
        let alarm = alarm(alarm_name, metric, observation.target.clone());
        let target = observation.target.clone();
        let evaluation = precheck(&alarm, &target, &policy, now()).unwrap();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let trace = decide(&evaluation, black_box(&observation), &policy);
                plan(&evaluation, &observation, trace, &policy)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
