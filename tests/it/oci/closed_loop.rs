//! The closed loop with nothing stubbed between the parts: metric, alarm, topic, function, deployment, and the
//! metric again. A load rises and falls; the size follows it up and all the way back.
//!
//! Minutes take a second here. `make demo-oci` prints it as it happens.

use stepladder::size::Axis;

use super::stage::{Ending, play};
use crate::story::{Act, Script};

#[test]
fn horizontal() {
    let script = Script {
        name: "horizontal",
        folder: "demo-oci",
        // To the function minutes are real ones, so it reads when an alarm fired, not its data, and does not wait after
        // a change.
        policy: r#"
[[rule]]
alarm     = "*model_deployment_high_cpu"
axis      = "instances"
instances = { min = 1, max = 3 }
evidence     = "fired"
cooldown  = { down = "0s" }
pair      = { alarm = "model_deployment_low_cpu", metric = "CpuUtilization", below = 30, window = "1m", repeat = "5m" }
"#,
        axis: Axis::Instances,
        shape: "VM.Standard2.2",
        metric: "CpuUtilization",
        alarm: "model_deployment_high_cpu",
        above: 80.0,
        pair: "model_deployment_low_cpu",
        load: "busy vCPUs",
        // Of all instances.
        measured: |load, size, rung| {
            100.0 * (load / (f64::from(size.instances) * f64::from(rung.vcpus))).min(1.0)
        },
        acts: vec![
            Act { name: "quiet", load: 2.0, until: |now| now.is_quiet() },
            // More than 80 % of one or two instances, and less than that of three.
            Act { name: "rush", load: 9.0, until: |now| now.size.instances == 3 && now.is_quiet() },
            Act { name: "evening", load: 1.0, until: |now| now.size.instances == 1 && now.is_tidy() },
        ],
    };
    let Some(ending) = play(&script) else { return };
    assert_eq!(ending.sizes, ["1", "2", "3", "2", "1"]);
    back_to_the_start_by_themselves(&script, &ending);
}

#[test]
fn vertical() {
    let script = Script {
        name: "vertical",
        folder: "demo-oci",
        policy: r#"
[[ladder]]
name  = "story"
rungs = [
  { shape = "VM.Standard2.2", vcpus = 4, memory_gib = 30 },
  { shape = "VM.Standard2.4", vcpus = 8, memory_gib = 60 },
  { shape = "VM.Standard2.8", vcpus = 16, memory_gib = 120 },
]
[[rule]]
alarm = "*model_deployment_high_mem"
axis  = "shape"
evidence = "fired"
cooldown = { down = "0s" }
pair  = { alarm = "model_deployment_low_mem", metric = "MemoryUtilization", below = 30, window = "1m", repeat = "5m" }
"#,
        axis: Axis::Shape,
        shape: "VM.Standard2.2",
        metric: "MemoryUtilization",
        alarm: "model_deployment_high_mem",
        above: 80.0,
        pair: "model_deployment_low_mem",
        load: "GiB in use",
        measured: |load, _, rung| (100.0 * load / rung.memory_gib).min(100.0),
        acts: vec![
            Act { name: "quiet", load: 15.0, until: |now| now.is_quiet() },
            // More than 80 % of 30 or 60 GiB, and not even half of 120.
            Act {
                name: "rush",
                load: 56.0,
                until: |now| now.size.shape == "VM.Standard2.8" && now.is_quiet(),
            },
            Act {
                name: "evening",
                load: 8.0,
                until: |now| now.size.shape == "VM.Standard2.2" && now.is_tidy(),
            },
        ],
    };
    let Some(ending) = play(&script) else { return };
    let [small, middle, large] = ["VM.Standard2.2", "VM.Standard2.4", "VM.Standard2.8"];
    assert_eq!(ending.sizes, [small, middle, large, middle, small]);
    back_to_the_start_by_themselves(&script, &ending);
}

fn back_to_the_start_by_themselves(script: &Script, ending: &Ending) {
    let [high, low] = [script.alarm, script.pair].map(str::to_owned);
    let by = |alarm: &str, kind: &str| [alarm.to_owned(), kind.to_owned()];
    // Each alarm fires once, and the second step of each way is its repetition's.
    let expected =
        [by(&high, "OK_TO_FIRING"), by(&high, "REPEAT"), by(&low, "OK_TO_FIRING"), by(&low, "REPEAT")];
    assert_eq!(ending.resizes[..4], expected);
    assert_eq!(ending.updates, 4);
    assert_eq!(ending.alarms, [high], "no pair is left");
    assert!(ending.all_signed);
}
