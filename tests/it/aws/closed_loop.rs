//! The closed loop with nothing stubbed between the parts: metric, alarm, topic, queue, function, endpoint,
//! and the metric again. A load rises and falls; the size follows it up and all the way back.
//!
//! It runs in real time. `make demo-aws` prints it as it happens.

use stepladder::size::Axis;

use super::horizontal::PAIR;
use super::story::{Ending, How, play};
use crate::story::{Act, Script};

#[tokio::test]
async fn horizontal() {
    let script = Script {
        name: "horizontal",
        folder: "demo-aws",
        // A story does not wait five minutes after each change.
        policy: r#"
[[rule]]
alarm     = "*model_deployment_high_cpu"
axis      = "instances"
instances = { min = 1, max = 3 }
pair      = { alarm = "model_deployment_low_cpu", metric = "CpuUtilization", below = 30, window = "1m" }
cooldown  = { down = "0s" }
"#,
        axis: Axis::Instances,
        shape: "ml.m5.xlarge",
        metric: "CPUUtilization",
        alarm: "churn-model_deployment_high_cpu",
        above: 320.0,
        pair: PAIR,
        load: "busy vCPUs",
        // Of one instance, on average: to 100 × its vCPUs.
        measured: |load, size, rung| 100.0 * (load / f64::from(size.instances)).min(f64::from(rung.vcpus)),
        acts: vec![
            Act { name: "quiet", load: 2.0, until: |now| now.is_quiet() },
            // More than one or two instances can bear, and less than 80 % of three.
            Act { name: "rush", load: 9.0, until: |now| now.size.instances == 3 && now.is_quiet() },
            Act { name: "evening", load: 1.0, until: |now| now.size.instances == 1 && now.is_tidy() },
        ],
    };
    let Some(ending) = play(&script).await else { return };
    assert_eq!(ending.sizes, ["1", "2", "3", "2", "1"]);
    back_to_the_start_by_themselves(&script, &ending);
}

#[tokio::test]
async fn vertical() {
    let script = Script {
        name: "vertical",
        folder: "demo-aws",
        // The ladder ends where the story does: LocalStack lets an alarm fire for half a minute after its metric
        // has gone below the threshold, and the clock would take one step more.
        policy: r#"
[[ladder]]
name  = "story"
rungs = [
  { shape = "ml.m5.large",   vcpus = 2, memory_gib = 8 },
  { shape = "ml.m5.xlarge",  vcpus = 4, memory_gib = 16 },
  { shape = "ml.m5.2xlarge", vcpus = 8, memory_gib = 32 },
]
[[rule]]
alarm = "*model_deployment_high_mem"
axis  = "shape"
pair  = { alarm = "model_deployment_low_mem", metric = "MemoryUtilization", below = 30, window = "1m" }
cooldown = { down = "0s" }
"#,
        axis: Axis::Shape,
        shape: "ml.m5.large",
        metric: "MemoryUtilization",
        alarm: "churn-model_deployment_high_mem",
        above: 80.0,
        pair: "stepladder/endpoint/churn/variant/AllTraffic/model_deployment_low_mem",
        load: "GiB in use",
        measured: |load, _, rung| (100.0 * load / rung.memory_gib).min(100.0),
        acts: vec![
            Act { name: "quiet", load: 4.0, until: |now| now.is_quiet() },
            // More than 80 % of 8 or 16 GiB, and not even half of 32.
            Act {
                name: "rush",
                load: 14.0,
                until: |now| now.size.shape == "ml.m5.2xlarge" && now.is_quiet(),
            },
            Act { name: "evening", load: 2.0, until: |now| now.size.shape == "ml.m5.large" && now.is_tidy() },
        ],
    };
    let Some(ending) = play(&script).await else { return };
    assert_eq!(ending.sizes, ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.m5.xlarge", "ml.m5.large"]);
    back_to_the_start_by_themselves(&script, &ending);
}

fn back_to_the_start_by_themselves(script: &Script, ending: &Ending) {
    assert_eq!(ending.called, [script.alarm, script.pair], "both called through the topic and the queue");
    // CloudWatch calls once per transition: the second step of each way is the clock's.
    let [_, up, _, down] = ending.resizes[..] else { panic!("four resizes, not {:?}", ending.resizes) };
    assert_eq!([up, down], [How::Tick, How::Tick]);
    assert_eq!(ending.alarms, [script.alarm], "no pair is left");
    assert_eq!(ending.configurations, [""; 0], "no other endpoint configuration is left");
}
