//! The picture of the closed loop in the documentation: a day of load on the simulated cloud, drawn by the program itself.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use stepladder::platform::AlarmDefinition;
use stepladder::platform::simulated::{SimulatedCloud, SimulatedDeployment, World, WorldAlarm};
use stepladder::policy::Policy;
use stepladder::size::Axis;

use crate::chart;
use crate::story::{Alarm, Sample, Script};
use crate::support::{CHURN, CPU_PAIR, answer, at, existing, on, policy};

const HIGH: &str = "model_deployment_high_cpu";
const DAY: i64 = 24 * 60;

fn script() -> Script<'static> {
    Script {
        name: "closed-loop",
        folder: "docs",
        policy: r#"
[[rule]]
alarm     = "*model_deployment_high_cpu"
axis      = "instances"
instances = { min = 1, max = 6 }
pair      = { alarm = "model_deployment_low_cpu", metric = "CpuUtilization", below = 35, window = "5m", repeat = "5m" }
"#,
        axis: Axis::Instances,
        shape: "VM.Standard2.2",
        metric: "CpuUtilization",
        alarm: HIGH,
        above: 80.0,
        pair: CPU_PAIR,
        load: "load, busy vCPUs",
        measured: |load, size, rung| {
            100.0 * (load / (f64::from(size.instances) * f64::from(rung.vcpus))).min(1.0)
        },
        acts: Vec::new(),
    }
}

/// The load of one minute of the day, in busy vCPUs: little at night, a long day, and a rush at seven in the evening.
fn load(minute: i64) -> f64 {
    let hour = f64::from(i32::try_from(minute).unwrap()) / 60.0;
    let bump = |middle: f64, half: f64| {
        let distance = ((hour - middle) / half).abs().min(1.0);
        f64::midpoint(1.0, (std::f64::consts::PI * distance).cos())
    };
    // Thousandths, so that the last bits of a cosine do not show.
    ((1.2 + 7.0 * bump(13.0, 7.0) + 8.0 * bump(19.0, 1.5)) * 1000.0).round() / 1000.0
}

fn act(minute: i64) -> &'static str {
    match minute / 60 {
        0..6 => "night",
        6..18 => "day",
        18..21 => "evening rush",
        _ => "late",
    }
}

fn cloud(script: &Script) -> SimulatedCloud {
    let world = World {
        clock: at(0),
        deployments: [(CHURN.to_owned(), SimulatedDeployment::new(1, script.shape))].into(),
        alarms: vec![existing(HIGH, CHURN, Some(5))],
        ..World::default()
    };
    SimulatedCloud::new(world)
}

/// One minute: the metric follows the load, alarms fire, and the handler answers them.
fn sample(script: &Script, policy: &Policy, cloud: &SimulatedCloud, minute: i64) -> Sample {
    let now = at(minute * 60);
    let load = load(minute);
    let size = on(cloud, CHURN, |found| found.size());
    let measured = (script.measured)(load, &size, &policy.ladders.rung(&size.shape).unwrap());
    on(cloud, CHURN, |found| found.metrics = [(script.metric.to_owned(), measured)].into());
    for delivery in cloud.advance(now) {
        answer(&delivery.body, cloud, policy, delivery.at);
    }
    let world = cloud.snapshot();
    let seconds = f64::from(i32::try_from(minute * 60).unwrap());
    Sample {
        at: seconds,
        act: act(minute),
        load,
        measured,
        size: world.deployments[CHURN].size(),
        alarms: world.alarms.iter().map(|alarm| named(alarm, now)).collect(),
        leftovers: Vec::new(),
        settled: world.deployments[CHURN].change.is_none(),
    }
}

fn named(alarm: &WorldAlarm, now: Timestamp) -> (String, Alarm) {
    let AlarmDefinition::Oci(definition) = &alarm.definition else { panic!("{alarm:?}") };
    let threshold = definition.query.rsplit(' ').next().unwrap().parse().unwrap();
    let fires = alarm.notified.is_some_and(|last| now.duration_since(last) < SignedDuration::from_hours(1));
    let state = if fires { "FIRING" } else { "OK" };
    (definition.name.clone(), Alarm { state: state.to_owned(), threshold })
}

#[test]
fn the_picture_is_what_the_program_draws() {
    let script = script();
    let policy = policy(script.policy);
    let cloud = cloud(&script);
    let samples: Vec<Sample> = (0..=DAY).map(|minute| sample(&script, &policy, &cloud, minute)).collect();
    assert_eq!(script.levels(&samples).first(), script.levels(&samples).last(), "the loop closes");
    assert!(samples.last().unwrap().is_tidy(), "no pair is left");

    let folder = tempfile::tempdir().unwrap();
    let drawn = folder.path().join("closed-loop.svg");
    chart::draw_to(&drawn, &script, &samples);
    let drawn = fs::read_to_string(drawn).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/closed-loop.svg");
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(&file, &drawn).unwrap();
    }
    assert!(fs::read_to_string(&file).unwrap() == drawn, "`make bless` draws docs/closed-loop.svg again");
}
