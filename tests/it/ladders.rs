//! The built-in ladders: which shapes they know, and what is reported of those that they do not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;
use stepladder::decide::{Decision, Hold};
use stepladder::ladder::{Resource, Rung};
use stepladder::platform::oci;
use stepladder::policy::Policy;
use stepladder::report;
use stepladder::size::Flex;

use crate::golden::case::Case;
use crate::support::{CHURN, HIGH_CPU, HIGH_MEM, built_in, cloud_with, notice, on, policy, send};

/// Prints the types that an endpoint can have, one a line.
const HOSTING_TYPES: &str = "
import botocore.session
model = botocore.session.get_session().get_service_model('sagemaker')
print('\\n'.join(model.shape_for('ProductionVariantInstanceType').enum))";

/// `scripts/ladders.py` writes the ladders. Where the emulators are installed, their botocore may know newer types.
#[test]
fn every_type_that_an_endpoint_can_have_is_on_a_ladder() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    if !python.exists() {
        let required = std::env::var_os("STEPLADDER_REQUIRE_EMULATORS").is_some();
        assert!(!required, "the emulators are required and not installed: `make emulators`");
        eprintln!("skipped: botocore is not installed (`make emulators` does it)");
        return;
    }
    let listed = Command::new(python).args(["-c", HOSTING_TYPES]).output().unwrap();
    let known = String::from_utf8(listed.stdout).unwrap();
    let shapes = shapes();
    let missing: Vec<_> = known.lines().filter(|shape| !shapes.contains(*shape)).collect();
    assert!(known.lines().count() > 200, "{known}");
    assert_eq!(missing, Vec::<&str>::new(), "raise botocore and moto in scripts/ladders.py, and run it");
}

/// Every shape that `stepladder shapes` lists.
fn shapes() -> BTreeSet<String> {
    let run = Command::new(env!("CARGO_BIN_EXE_stepladder"))
        .args(["shapes", "--format", "json"])
        .env_remove("STEPLADDER_POLICY")
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&run.stdout).unwrap();
    let rungs =
        listed["ladders"].as_array().unwrap().iter().flat_map(|ladder| ladder["rungs"].as_array().unwrap());
    rungs.map(|rung| rung["shape"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn all_277_hosting_types_are_known() {
    let shapes = shapes();
    assert_eq!(shapes.iter().filter(|shape| shape.starts_with("ml.")).count(), 277);
}

#[rstest]
#[case::general_purpose("ml.m8g.xlarge", 4, 16.0, 0, 0.0)]
#[case::burstable("ml.t2.medium", 2, 4.0, 0, 0.0)]
#[case::eight_a100("ml.p4de.24xlarge", 96, 1152.0, 8, 640.0)]
#[case::retired("ml.p3.8xlarge", 32, 244.0, 4, 64.0)]
#[case::inferentia("ml.inf1.24xlarge", 96, 192.0, 16, 128.0)]
#[case::trainium("ml.trn2.48xlarge", 192, 2048.0, 16, 1536.0)]
#[case::not_in_the_data("ml.p6e-gb200.36xlarge", 144, 960.0, 4, 740.0)]
#[case::a10_of_oci("VM.GPU.A10.2", 60, 480.0, 2, 48.0)]
#[case::h100_of_oci("BM.GPU.H100.8", 224, 2048.0, 8, 640.0)]
fn a_shape_is_known_with_its_accelerators(
    #[case] shape: &str,
    #[case] vcpus: u32,
    #[case] memory_gib: f64,
    #[case] gpus: u32,
    #[case] gpu_memory_gib: f64,
) {
    let ladders = Policy::built_in().unwrap().ladders;
    let rung = ladders.rung(shape).unwrap();
    let all = f64::from(rung.gpus) * rung.gpu_memory_gib.unwrap_or_default();
    assert_eq!((rung.vcpus, rung.gpus), (vcpus, gpus));
    assert!((rung.memory_gib - memory_gib).abs() < 0.01 && (all - gpu_memory_gib).abs() < 0.01, "{rung:?}");
    assert_eq!(rung.accelerator.is_some(), gpus > 0);
}

#[rstest]
// Of the same series, newer or misspelled.
#[case::newer("ml.m9g.xlarge", Some("ml.m"))]
#[case::newer_accelerated("ml.g8e.xlarge", Some("ml.g"))]
#[case::newer_chip("ml.inf3.xlarge", Some("ml.inf"))]
#[case::misspelled_series("VM.Standart2.2", Some("VM.Standard2"))]
#[case::newer_gpu("VM.GPU.A20.1", Some("VM.GPU.A10"))]
// Never of another kind, however alike the names are.
#[case::cores_are_no_gpus("ml.x2idn.16xlarge", None)]
#[case::storage("ml.i4i.4xlarge", None)]
#[case::high_memory("ml.u7i.12xlarge", None)]
#[case::dense("VM.DenseIO2.8", None)]
#[case::bare_metal("BM.Standard2.52", None)]
// Nor one of another cloud.
#[case::of_no_cloud("Standard_E4s_v3", None)]
// A flexible one is never sent to a fixed one, nor the other way.
#[case::flexible("VM.Standard.E6.Flex:2:32", Some("VM.Standard.E"))]
#[case::fixed("VM.Standard.E2.1", Some("VM.Standard2"))]
fn a_suggestion_is_of_the_same_kind(#[case] shape: &str, #[case] begins: Option<&str>) {
    let cloud = cloud_with(CHURN, 1, shape);
    on(&cloud, CHURN, |found| {
        let size = found.size().on_rung(shape);
        (found.shape, found.flex) = (size.shape, size.flex);
    });
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud, &built_in());
    let Decision::Hold(Hold::UnlistedShape { nearest, .. }) = &outcome.decision else {
        panic!("{:?}", outcome.decision)
    };
    let fits = match (nearest, begins) {
        (Some(nearest), Some(begins)) => nearest.starts_with(begins),
        (nearest, begins) => nearest.is_none() && begins.is_none(),
    };
    assert!(fits, "{nearest:?}");
}

/// The sentence on an OCI deployment of a flexible shape.
fn sentence(shape: &str, alarm: &str, text: &str) -> String {
    let cloud = cloud_with(CHURN, 1, shape);
    on(&cloud, CHURN, |found| {
        found.flex = Some(Flex { ocpus: 2, memory_gib: 32 });
        found.metrics =
            ["CpuUtilization", "MemoryUtilization"].map(|metric| (metric.to_owned(), 50.0)).into();
    });
    report::explanation(&send(&notice(alarm, CHURN), &cloud, &policy(text)))
}

#[rstest]
#[case::unknown(
    "VM.Standard.E6.Flex",
    HIGH_MEM,
    "",
    "add a `[[flex]]` with `shape = \"VM.Standard.E6.Flex\"`"
)]
#[case::unknown_arm(
    "VM.Standard.A4.Flex",
    HIGH_MEM,
    "",
    "add a `[[flex]]` with `shape = \"VM.Standard.A4.Flex\"`"
)]
#[case::other_case("VM.Standard.E6.flex", HIGH_MEM, "", "add a `[[flex]]`")]
#[case::without_a_price(
    "VM.Standard3.Flex",
    HIGH_CPU,
    "[defaults]\nmax_hourly_cost = 5",
    "`price_per_ocpu` and `price_per_gib`"
)]
#[case::another_without_a_price(
    "VM.Standard.A1.Flex",
    HIGH_MEM,
    "[defaults]\nmax_hourly_cost = 5",
    "`[[flex]]` with `shape = \"VM.Standard.A1.Flex\"`"
)]
#[case::cheapest_without_a_price(
    "VM.Standard3.Flex",
    "own",
    "[[rule]]\nalarm = \"own\"\naxis = \"cheapest\"",
    "`price_per_gib`"
)]
fn a_flexible_shape_is_sent_to_flex(
    #[case] shape: &str,
    #[case] alarm: &str,
    #[case] text: &str,
    #[case] expected: &str,
) {
    let sentence = sentence(shape, alarm, text);
    assert!(sentence.contains(expected) && !sentence.contains("[[ladder]]"), "{sentence}");
}

#[rstest]
#[case::fixed("VM.Standard1.4", HIGH_MEM, "", "add a `[[ladder]]` that holds it")]
#[case::without_a_price(
    "VM.GPU3.1",
    HIGH_CPU,
    "[defaults]\nmax_hourly_cost = 5",
    "add a `[[ladder]]` that holds it with a `price`"
)]
fn a_fixed_shape_is_sent_to_a_ladder(
    #[case] shape: &str,
    #[case] alarm: &str,
    #[case] text: &str,
    #[case] expected: &str,
) {
    let outcome = send(&notice(alarm, CHURN), &cloud_with(CHURN, 1, shape), &policy(text));
    let sentence = report::explanation(&outcome);
    assert!(sentence.contains(expected) && !sentence.contains("[[flex]]"), "{sentence}");
}

#[rstest]
#[case::without_a_size("VM.Standard.E6.Flex")]
#[case::with_a_size("VM.Standard.E6.Flex:2:32")]
#[case::other_case("VM.Standard.E6.FLEX")]
fn a_ladder_of_an_unknown_flexible_shape_is_refused(#[case] shape: &str) {
    let text = format!(
        "[[ladder]]\nname = \"e6\"\nrungs = [{{ shape = \"{shape}\", vcpus = 4, memory_gib = 32, price = 0.1 }}]"
    );
    let errors = Policy::parse(&text).unwrap_err().to_string();
    assert!(errors.contains("[[flex]]") && errors.contains("E6"), "{errors}");
}

#[test]
fn a_ladder_of_a_flexible_shape_is_taken_beside_its_flex() {
    let text = "[[flex]]\nshape = \"VM.Standard.E6.Flex\"\nocpus = { min = 1, max = 8 }\n\
                memory_gib = { min = 6, max = 128 }\n[[ladder]]\nname = \"e6\"\n\
                rungs = [{ shape = \"VM.Standard.E6.Flex:2:32\", vcpus = 4, memory_gib = 32 }]";
    assert!(Policy::parse(text).is_ok());
}

#[test]
fn a_hold_at_the_end_names_what_no_rung_has_more_of() {
    let sentence = |shape: &str| {
        let case = Case::new("", "axis = \"shape\"").variant(1, shape);
        let Decision::Hold(hold) = case.high("GPUMemoryUtilization", 97.0, 90.0).decided().decision else {
            panic!("it is resized")
        };
        hold.to_string()
    };
    let own = "its shape cannot scale up: `ml.g5.48xlarge` is the last rung of ladder `ml.g5`";
    assert_eq!(sentence("ml.g5.48xlarge"), own);
    let case = Case::new("", "axis = \"shape\"").shape("VM.Standard.A1.Flex:80:480").high(
        "CpuUtilization",
        97.0,
        90.0,
    );
    let Decision::Hold(hold) = case.decided().decision else { panic!("it is resized") };
    let none = "no rung above `VM.Standard.A1.Flex:80:480` on ladder `VM.Standard.A1.Flex` has more vCPUs";
    assert!(hold.to_string().contains(none), "{hold}");
}

/// Every built-in shape with a metric of its platform, and the resource that it measures.
fn measured() -> impl Strategy<Value = (String, &'static str, Resource)> {
    let ladders = Policy::built_in().unwrap().ladders;
    let shapes: Vec<String> =
        ladders.iter().flat_map(|ladder| &ladder.rungs).map(|rung| rung.shape.clone()).collect();
    let metrics = [
        ("CPUUtilization", "CpuUtilization", Resource::Cpu),
        ("MemoryUtilization", "MemoryUtilization", Resource::Memory),
        ("GPUUtilization", "GPUCoreUtilization", Resource::Gpu),
        ("GPUMemoryUtilization", "GPUMemoryUtilization", Resource::GpuMemory),
    ];
    let metric = prop::sample::select(metrics.to_vec());
    (prop::sample::select(shapes), metric).prop_map(|(shape, (aws, oci, resource))| {
        let metric = if shape.starts_with("ml.") { aws } else { oci };
        (shape, metric, resource)
    })
}

fn on_shape(keys: &str, shape: &str) -> Case {
    let case = Case::new("", keys);
    if shape.starts_with("ml.") { case.variant(1, shape) } else { case.count(1).shape(shape) }
}

/// How many hundreds a metric of a resource reads on a rung where all of it is used.
fn full(rung: &Rung, resource: Resource) -> f64 {
    match resource {
        Resource::Cpu if rung.shape.starts_with("ml.") => f64::from(rung.vcpus),
        Resource::Gpu | Resource::GpuMemory if rung.shape.starts_with("ml.") => f64::from(rung.gpus.max(1)),
        Resource::Cpu | Resource::Memory | Resource::Gpu | Resource::GpuMemory | Resource::Bandwidth => 1.0,
    }
}

proptest! {
    /// Whatever the metric and the way of deciding: more of what is measured, and of nothing less.
    #[test]
    fn a_step_up_brings_what_was_requested(
        (shape, metric, resource) in measured(),
        keys in prop::sample::select(vec!["step = 1", "step = 2", "step = 5", "track = 60", "track = 10"]),
        value in 80.0..100.0_f64,
    ) {
        let ladders = Policy::built_in().unwrap().ladders;
        let from = ladders.rung(&shape).unwrap().into_owned();
        let factor = full(&from, resource);
        let case = on_shape(&format!("axis = \"shape\"\n{keys}"), &shape).high(metric, value * factor, 80.0 * factor);
        match case.decided().decision {
            Decision::Resize { to, .. } => {
                let to = ladders.rung(&to.rung()).unwrap().into_owned();
                prop_assert!(resource.offered(&to) > resource.offered(&from), "{shape} → {}", to.shape);
                let less = to.vcpus < from.vcpus || to.memory_gib < from.memory_gib || to.gpus < from.gpus;
                prop_assert!(!less, "{shape} → {}", to.shape);
            }
            Decision::Hold(hold) => {
                // OCI publishes no metric of the accelerators' memory.
                let unpublished = resource == Resource::GpuMemory && !shape.starts_with("ml.");
                let is_right = hold.reason() == "at_ceiling" || (unpublished && hold.reason() == "no_data");
                prop_assert!(is_right, "{hold}");
            }
        }
    }

    /// What a step down leaves carries every load that was read, with a tenth to spare.
    #[test]
    fn a_step_down_leaves_every_load_its_room(
        (shape, metric, own) in measured(),
        keys in prop::sample::select(vec!["step = -1", "step = -3", "track = 60"]),
        loads in prop::array::uniform4(0.0..100.0_f64),
    ) {
        let ladders = Policy::built_in().unwrap().ladders;
        let from = ladders.rung(&shape).unwrap().into_owned();
        let is_aws = shape.starts_with("ml.");
        let factor = |resource| full(&from, resource);
        let resources = [Resource::Cpu, Resource::Memory, Resource::Gpu, Resource::GpuMemory];
        let names = if is_aws {
            ["CPUUtilization", "MemoryUtilization", "GPUUtilization", "GPUMemoryUtilization"]
        } else {
            ["CpuUtilization", "MemoryUtilization", "GPUCoreUtilization", "GPUMemoryUtilization"]
        };
        let mut case = on_shape(&format!("axis = \"shape\"\n{keys}"), &shape);
        for ((name, resource), load) in names.iter().zip(resources).zip(loads) {
            case = case.reads(name, load * factor(resource));
        }
        let at = resources.iter().position(|resource| *resource == own).unwrap();
        let case = case.low(metric, loads[at] * factor(own), 100.0 * factor(own));
        if let Decision::Resize { to, .. } = case.decided().decision {
            let to = ladders.rung(&to.rung()).unwrap().into_owned();
            for (resource, load) in resources.into_iter().zip(loads) {
                // OCI publishes no metric of the accelerators' memory, so it is read only where an alarm names it.
                if is_aws || resource != Resource::GpuMemory || resource == own {
                    let after = load * resource.ratio(&from, &to);
                    let grows = resource.ratio(&from, &to) > 1.0;
                    prop_assert!(!grows || after < 72.0 + 1e-6, "{resource:?} at {load} is {after} on {}", to.shape);
                }
            }
        }
    }
}

#[rstest]
#[case::own("GPUCoreUtilization", "GPUCoreUtilization")]
#[case::in_other_letters("gpucoreutilization", "GPUCoreUtilization")]
#[case::another_clouds("GPUUtilization", "GPUCoreUtilization")]
#[case::of_cores("CPUUtilization", "CpuUtilization")]
#[case::somebodys_own("QueueLength", "QueueLength")]
fn a_metric_of_oci_has_one_name(#[case] written: &str, #[case] name: &str) {
    assert_eq!(oci::model_deployment::metric::spelled(written), name);
}

#[rstest]
#[case::one_letter("GPUCoreUtilisation", "GPUCoreUtilization")]
#[case::a_letter_missing("GPUCoreUtilizaton", "GPUCoreUtilization")]
#[case::two_letters("GPUCorUtilisation", "GPUCoreUtilization")]
#[case::of_memory("GPUMemoryUtilisation", "GPUMemoryUtilization")]
#[case::of_cores("CpuUtilisation", "CpuUtilization")]
fn a_misspelled_metric_of_a_pair_is_refused(#[case] written: &str, #[case] meant: &str) {
    let text = format!(
        "[[rule]]\nalarm = \"*high_gpu\"\naxis = \"instances\"\n\
         pair = {{ alarm = \"low_gpu\", metric = \"{written}\", below = 10, window = \"5m\" }}"
    );
    let errors = Policy::parse(&text).unwrap_err().to_string();
    assert!(errors.contains(written) && errors.contains(meant), "{errors}");
}

#[rstest]
#[case::of_cores("CpuUtilization")]
#[case::of_gpus("GPUCoreUtilization")]
#[case::of_gpus_elsewhere("GPUUtilization")]
#[case::of_gpu_memory("GPUMemoryUtilization")]
fn a_pair_on_a_share_of_a_resource_must_not_flap(#[case] metric: &str) {
    let parsed = |below: u32| {
        Policy::parse(&format!(
            "[[rule]]\nalarm = \"*high\"\naxis = \"instances\"\n\
             pair = {{ alarm = \"low\", metric = \"{metric}\", below = {below}, window = \"5m\" }}"
        ))
    };
    assert!(parsed(60).unwrap_err().to_string().contains("must flap"));
    assert!(parsed(35).is_ok());
}

#[test]
fn a_step_down_reads_the_load_of_every_resource() {
    let read = |keys: &str, metric: &str| {
        let case = Case::new("", keys).low(metric, 5.0, 10.0);
        case.readings()
    };
    let down = "axis = \"shape\"\nstep = -1";
    assert_eq!(read(down, "MemoryUtilization"), ["CpuUtilization", "GPUCoreUtilization"]);
    assert_eq!(read(down, "CpuUtilization"), ["MemoryUtilization", "GPUCoreUtilization"]);
    assert_eq!(
        read("axis = \"shape\"\ntrack = 60", "MemoryUtilization"),
        ["CpuUtilization", "GPUCoreUtilization"]
    );
    // A step up, and a change of the count, need no such check.
    assert_eq!(read("axis = \"shape\"\nstep = 1", "MemoryUtilization"), Vec::<String>::new());
    assert_eq!(read("axis = \"instances\"\nstep = -1", "MemoryUtilization"), Vec::<String>::new());
    let on_aws = Case::new("", down).variant(1, "ml.m5.large").low("MemoryUtilization", 5.0, 10.0);
    assert_eq!(on_aws.readings(), ["CPUUtilization", "GPUUtilization", "GPUMemoryUtilization"]);
}
