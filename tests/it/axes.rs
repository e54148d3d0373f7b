//! What grows in other ways than by instances and fixed shapes: flexible shapes, bandwidth, and model
//! deployments of other kinds. One table each, on the simulated cloud.

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::alarm::Transition;
use stepladder::decide::{Decision, Hold};
use stepladder::ladder::Resource;
use stepladder::outcome::{Ending, Outcome};
use stepladder::platform::oci::call::Call as OciCall;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::platform::{AlarmDefinition, Call};
use stepladder::report;
use stepladder::size::{Axis, Flex, Size};

use crate::support::{
    BANDWIDTH_PAIR, CHURN, CPU_PAIR, HIGH_BANDWIDTH, HIGH_CPU, HIGH_MEM, LOW_BANDWIDTH, LOW_CPU, LOW_MEM,
    MEM_PAIR, VARIANT, at, built_in, cloud, cloud_with, heading, minute, notice, on, operations, pairs, pass,
    policy, reason, send, size,
};

/// The rung that the outcome changes to, or the reason of the hold.
fn rung_of(outcome: &Outcome) -> Result<String, &'static str> {
    match &outcome.decision {
        Decision::Resize { axis, to, .. } => {
            assert_eq!(*axis, Axis::Shape);
            Ok(to.rung().into_owned())
        }
        Decision::Hold(hold) => Err(hold.reason()),
    }
}

/// The bandwidth that the outcome changes to, or the reason of the hold.
fn bandwidth_of(outcome: &Outcome) -> Result<u32, &'static str> {
    match &outcome.decision {
        Decision::Resize { axis, to, .. } => {
            assert_eq!(*axis, Axis::Bandwidth);
            to.bandwidth_mbps.ok_or("no bandwidth")
        }
        Decision::Hold(hold) => Err(hold.reason()),
    }
}

/// Checks that the last guard is the one that blocked, and that its name is the hold's reason.
fn the_last_guard_held(outcome: &Outcome) {
    let Decision::Hold(hold) = &outcome.decision else { return };
    let last = outcome.checks.last().map(|check| (check.guard, check.blocked));
    assert_eq!(last, Some((hold.reason(), true)), "{:?}", outcome.checks);
}

/// The OCI deployment of the small world, two instances of a flexible shape.
fn on_rung(rung: &str) -> SimulatedCloud {
    let size = Size::new(2, "").on_rung(rung);
    let cloud = cloud_with(CHURN, size.instances, &size.shape);
    on(&cloud, CHURN, |found| found.flex = size.flex);
    cloud
}

/// The OCI deployment of the small world with a load balancer of so many Mbps.
fn with_bandwidth(mbps: u32) -> SimulatedCloud {
    let cloud = cloud();
    on(&cloud, CHURN, |found| found.bandwidth_mbps = Some(mbps));
    cloud
}

/// The update of a plan: the configuration, and the tags.
fn update(outcome: &Outcome) -> (Value, std::collections::BTreeMap<String, String>) {
    let update = outcome.calls.iter().find_map(|sent| {
        let Call::Oci(OciCall::UpdateModelDeployment { configuration, stamp, .. }) = &sent.call else {
            return None;
        };
        Some((configuration.body(), stamp.tags()))
    });
    update.unwrap_or_else(|| panic!("no update: {:?}", outcome.decision))
}

#[rstest]
#[case("CPUUtilization", Some(Resource::Cpu))]
#[case("CpuUtilization", Some(Resource::Cpu))]
#[case("MemoryUtilization", Some(Resource::Memory))]
#[case("GPUUtilization", Some(Resource::Gpu))]
#[case("GPUMemoryUtilization", Some(Resource::GpuMemory))]
#[case("GPUCoreUtilization", Some(Resource::Gpu))]
#[case("PredictBandwidth", Some(Resource::Bandwidth))]
// A count and a time have no end.
#[case("Invocations", None)]
#[case("PredictLatency", None)]
fn a_metric_names_the_resource_that_a_larger_shape_must_have(
    #[case] metric: &str,
    #[case] resource: Option<Resource>,
) {
    assert_eq!(Resource::of(metric), resource);
}

// ---- flexible shapes ----

#[rstest]
// Both double, both halve.
#[case::up("VM.Standard.E4.Flex:2:32", HIGH_MEM, Ok("VM.Standard.E4.Flex:4:64"))]
#[case::down("VM.Standard.E4.Flex:2:32", LOW_MEM, Ok("VM.Standard.E4.Flex:1:16"))]
// One core is the least, its memory is not.
#[case::memory_alone("VM.Standard.E4.Flex:1:16", LOW_MEM, Ok("VM.Standard.E4.Flex:1:8"))]
// 6 GB for a core is the least that a model deployment may have.
#[case::to_six_gb("VM.Standard.E4.Flex:1:8", LOW_MEM, Ok("VM.Standard.E4.Flex:1:6"))]
#[case::six_gb_for_each("VM.Standard.E4.Flex:4:24", LOW_MEM, Ok("VM.Standard.E4.Flex:2:12"))]
#[case::at_the_bottom("VM.Standard.E4.Flex:1:6", LOW_MEM, Err("at_floor"))]
// 64 GB for a core is the most.
#[case::sixty_four_gb_for_each("VM.Standard.E4.Flex:1:64", HIGH_MEM, Ok("VM.Standard.E4.Flex:2:128"))]
// An odd number is halved to the larger half.
#[case::odd("VM.Standard.E4.Flex:3:48", LOW_MEM, Ok("VM.Standard.E4.Flex:2:24"))]
// The last step up is as large as the shape may be.
#[case::to_the_limit("VM.Standard.E4.Flex:48:768", HIGH_MEM, Ok("VM.Standard.E4.Flex:64:1024"))]
#[case::at_the_limit("VM.Standard.E4.Flex:64:1024", HIGH_MEM, Err("at_ceiling"))]
// Each shape has limits of its own.
#[case::optimized_up("VM.Optimized3.Flex:10:128", HIGH_MEM, Ok("VM.Optimized3.Flex:18:256"))]
#[case::optimized_top("VM.Optimized3.Flex:18:256", HIGH_MEM, Err("at_ceiling"))]
#[case::memory_ends_before_cores("VM.Standard.A1.Flex:40:512", HIGH_MEM, Err("at_ceiling"))]
// An unknown name with the pattern of a flexible shape.
#[case::unknown("VM.Standard.E9.Flex:2:32", HIGH_MEM, Err("unlisted_shape"))]
#[case::unknown_down("VM.Standard.E9.Flex:2:32", LOW_MEM, Err("unlisted_shape"))]
// The service does not report the size of the shape.
#[case::no_size("VM.Standard.E4.Flex", HIGH_MEM, Err("not_resizable"))]
fn a_flexible_shape_doubles_and_halves(
    #[case] from: &str,
    #[case] alarm: &str,
    #[case] expected: Result<&str, &str>,
) {
    let cloud = on_rung(from);
    let outcome = send(&notice(alarm, CHURN), &cloud, &built_in());
    assert_eq!(rung_of(&outcome), expected.map(str::to_owned));
    the_last_guard_held(&outcome);
    assert_eq!(heading(&cloud, CHURN), Size::new(2, "").on_rung(expected.unwrap_or(from)));
    assert_ne!(outcome.result, Ending::Failed);
}

#[rstest]
// A newer one of a family.
#[case("VM.Standard.E9.Flex:2:32", "VM.Standard.E5.Flex")]
#[case("VM.Standard.A3.Flex:2:32", "VM.Standard.A1.Flex")]
#[case("VM.Optimized4.Flex:2:32", "VM.Optimized3.Flex")]
fn an_unknown_flexible_shape_is_reported_with_the_nearest(#[case] rung: &str, #[case] nearest: &str) {
    let outcome = send(&notice(HIGH_MEM, CHURN), &on_rung(rung), &built_in());
    let Decision::Hold(Hold::UnlistedShape { shape, nearest: found }) = &outcome.decision else {
        panic!("{:?}", outcome.decision)
    };
    assert_eq!((shape.as_str(), found.as_deref()), (rung, Some(nearest)));
    assert!(report::explanation(&outcome).contains(&format!("the nearest is `{nearest}`")));
}

/// Limits of a policy's own.
const OWN_FLEX: &str = "[[flex]]\nshape = \"VM.Standard.E4.Flex\"\nocpus = { min = 2, max = 4 }\n\
                        memory_gib = { min = 32, max = 64 }\n\
                        [[flex]]\nshape = \"VM.Standard.E9.Flex\"\nocpus = { min = 1, max = 8 }\n\
                        memory_gib = { min = 8, max = 64 }\n";

/// A ladder on which a flexible shape takes other steps, and comes after a fixed one.
const OWN_LADDER: &str = "[[ladder]]\nname = \"mine\"\nrungs = [\n\
                          { shape = \"VM.Standard2.1\", vcpus = 2, memory_gib = 15 },\n\
                          { shape = \"VM.Standard.E4.Flex:2:32\", vcpus = 4, memory_gib = 32 },\n\
                          { shape = \"VM.Standard.E4.Flex:3:96\", vcpus = 6, memory_gib = 96 },\n]\n";

#[rstest]
// The built-in limits no longer count, in either direction.
#[case::own_top(OWN_FLEX, "VM.Standard.E4.Flex:4:64", HIGH_MEM, Err("at_ceiling"))]
#[case::own_bottom(OWN_FLEX, "VM.Standard.E4.Flex:2:32", LOW_MEM, Err("at_floor"))]
#[case::between(OWN_FLEX, "VM.Standard.E4.Flex:2:32", HIGH_MEM, Ok("VM.Standard.E4.Flex:4:64"))]
// A shape that only the policy knows.
#[case::own_shape(OWN_FLEX, "VM.Standard.E9.Flex:2:16", HIGH_MEM, Ok("VM.Standard.E9.Flex:4:32"))]
// Other shapes keep theirs.
#[case::others(OWN_FLEX, "VM.Standard.E5.Flex:4:64", HIGH_MEM, Ok("VM.Standard.E5.Flex:8:128"))]
// A ladder with rungs of the shape comes before the doubling.
#[case::own_step(OWN_LADDER, "VM.Standard.E4.Flex:2:32", HIGH_MEM, Ok("VM.Standard.E4.Flex:3:96"))]
#[case::own_last(OWN_LADDER, "VM.Standard.E4.Flex:3:96", HIGH_MEM, Err("at_ceiling"))]
// From a fixed shape to a flexible one, and back.
#[case::to_flexible(OWN_LADDER, "VM.Standard2.1", HIGH_MEM, Ok("VM.Standard.E4.Flex:2:32"))]
#[case::to_fixed(OWN_LADDER, "VM.Standard.E4.Flex:2:32", LOW_MEM, Ok("VM.Standard2.1"))]
// A size that is on no rung of it doubles as ever.
#[case::beside_it(OWN_LADDER, "VM.Standard.E4.Flex:4:64", HIGH_MEM, Ok("VM.Standard.E4.Flex:8:128"))]
fn a_policy_has_its_own_flexible_shapes(
    #[case] text: &str,
    #[case] from: &str,
    #[case] alarm: &str,
    #[case] expected: Result<&str, &str>,
) {
    let cloud = on_rung(from);
    let outcome = send(&notice(alarm, CHURN), &cloud, &policy(text));
    assert_eq!(rung_of(&outcome), expected.map(str::to_owned));
    assert_eq!(heading(&cloud, CHURN).rung(), expected.unwrap_or(from));
}

#[rstest]
// The update contains the size of a flexible shape, and the rest of the configuration stays.
#[case::doubled("VM.Standard.E4.Flex:2:32", HIGH_MEM, "VM.Standard.E4.Flex", json!({"ocpus": 4, "memoryInGBs": 64}))]
// A fixed shape has none.
#[case::to_fixed("VM.Standard.E4.Flex:2:32", LOW_MEM, "VM.Standard2.1", Value::Null)]
#[case::to_flexible("VM.Standard2.1", HIGH_MEM, "VM.Standard.E4.Flex", json!({"ocpus": 2, "memoryInGBs": 32}))]
fn an_update_contains_the_size_of_a_flexible_shape(
    #[case] from: &str,
    #[case] alarm: &str,
    #[case] shape: &str,
    #[case] expected: Value,
) {
    // Only the way up from the flexible rung leaves the ladder of the policy.
    let text = OWN_LADDER.replace("E4.Flex:3:96", "E4.Flex:4:64");
    let outcome = send(&notice(alarm, CHURN), &on_rung(from), &policy(&text));
    let details = &update(&outcome).0["modelConfigurationDetails"];
    assert_eq!(details["instanceConfiguration"]["instanceShapeName"], shape);
    let flex = &details["instanceConfiguration"]["modelDeploymentInstanceShapeConfigDetails"];
    assert_eq!(*flex, expected);
    assert_eq!(details["scalingPolicy"]["instanceCount"], 2, "one dimension per update");
}

#[test]
fn a_flexible_shape_has_its_pair_until_it_is_as_small_as_it_may_be() {
    let cloud = on_rung("VM.Standard.E4.Flex:1:6");
    let up = send(&notice(HIGH_MEM, CHURN), &cloud, &built_in());
    assert_eq!(operations(&up), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert_eq!(pair_query(&cloud, MEM_PAIR), format!("MemoryUtilization[5m]{}", low_of(CHURN)));
    pass(&cloud, 60);
    assert_eq!(size(&cloud, CHURN).rung(), "VM.Standard.E4.Flex:2:12");
    let down = send(&notice(LOW_MEM, CHURN).at(minute(60)), &cloud, &built_in());
    assert_eq!(operations(&down), ["oci:UpdateModelDeployment"], "the pair goes when the floor is seen");
    pass(&cloud, 60);
    let last = send(&notice(LOW_MEM, CHURN).at(minute(120)), &cloud, &built_in());
    assert_eq!((reason(&last), operations(&last)), ("at_floor", vec!["oci:DeleteAlarm"]));
    assert_eq!(pairs(&cloud.snapshot(), CHURN, MEM_PAIR), []);
}

/// The end of a paired alarm's query: grouped over instances, and below ten percent.
fn low_of(id: &str) -> String {
    format!("{{resourceId = \"{id}\"}}.groupBy(resourceId).mean() < 10")
}

fn pair_query(cloud: &SimulatedCloud, pair: &str) -> String {
    let definition = pairs(&cloud.snapshot(), CHURN, pair)[0].definition.clone();
    let AlarmDefinition::Oci(alarm) = definition else { panic!("{definition:?} is on OCI") };
    alarm.query
}

// ---- bandwidth ----

#[rstest]
// Up doubles, down halves.
#[case::up(10, HIGH_BANDWIDTH, "", Ok(20))]
#[case::up_again(20, HIGH_BANDWIDTH, "", Ok(40))]
#[case::down(40, LOW_BANDWIDTH, "", Ok(20))]
// An odd number is halved to the larger half.
#[case::odd(25, LOW_BANDWIDTH, "", Ok(13))]
// What a load balancer may have bounds both.
#[case::to_the_most(5000, HIGH_BANDWIDTH, "", Ok(8000))]
#[case::at_the_most(8000, HIGH_BANDWIDTH, "", Err("at_ceiling"))]
#[case::to_the_least(15, LOW_BANDWIDTH, "", Ok(10))]
#[case::at_the_least(10, LOW_BANDWIDTH, "", Err("at_floor"))]
// The policy's own bounds.
#[case::default_top(80, HIGH_BANDWIDTH, DEFAULTS, Ok(100))]
#[case::at_default_top(100, HIGH_BANDWIDTH, DEFAULTS, Err("at_ceiling"))]
#[case::default_bottom(30, LOW_BANDWIDTH, DEFAULTS, Ok(20))]
#[case::at_default_bottom(20, LOW_BANDWIDTH, DEFAULTS, Err("at_floor"))]
// Outside of them: a scale-up alarm never removes, a scale-down alarm never adds.
#[case::above_up(400, HIGH_BANDWIDTH, DEFAULTS, Err("at_ceiling"))]
#[case::above_down(400, LOW_BANDWIDTH, DEFAULTS, Ok(200))]
#[case::below_down(10, LOW_BANDWIDTH, DEFAULTS, Err("at_floor"))]
#[case::below_up(10, HIGH_BANDWIDTH, DEFAULTS, Ok(20))]
// A rule's own come before the defaults, and its step is a number of doublings.
#[case::rule_top(20, HIGH_BANDWIDTH, RULES, Ok(40))]
#[case::at_rule_top(40, HIGH_BANDWIDTH, RULES, Err("at_ceiling"))]
#[case::two_halvings(160, LOW_BANDWIDTH, RULES, Ok(40))]
#[case::two_doublings(10, HIGH_BANDWIDTH, TWICE, Ok(40))]
// So many doublings that no number holds them.
#[case::far(10, HIGH_BANDWIDTH, FAR, Ok(8000))]
// 4.2 % of 8000 are 72 % of 467: with less, the scale-up alarm would fire again.
#[case::far_down(8000, LOW_BANDWIDTH, FAR, Ok(467))]
fn the_bandwidth_doubles_and_halves_inside_its_bounds(
    #[case] from: u32,
    #[case] alarm: &str,
    #[case] text: &str,
    #[case] expected: Result<u32, &str>,
) {
    let cloud = with_bandwidth(from);
    let outcome = send(&notice(alarm, CHURN), &cloud, &policy(text));
    assert_eq!(bandwidth_of(&outcome), expected);
    the_last_guard_held(&outcome);
    let to = expected.unwrap_or(from);
    assert_eq!(heading(&cloud, CHURN).bandwidth_mbps, Some(to));
    if expected.is_ok() {
        let details = &update(&outcome).0["modelConfigurationDetails"];
        assert_eq!(details["bandwidthMbps"], to);
        assert_eq!(details["scalingPolicy"]["instanceCount"], 1, "one dimension per update");
    }
}

const DEFAULTS: &str = "[defaults]\nbandwidth = { min = 20, max = 100 }";
const RULES: &str = "[defaults]\nbandwidth = { min = 20, max = 100 }\n\
                     [[rule]]\nalarm = \"*high_bandwidth\"\naxis = \"bandwidth\"\n\
                     bandwidth = { min = 10, max = 40 }\n\
                     [[rule]]\nalarm = \"*low_bandwidth\"\naxis = \"bandwidth\"\nstep = -2\n\
                     bandwidth = { min = 10, max = 40 }";
const TWICE: &str = "[[rule]]\nalarm = \"*high_bandwidth\"\naxis = \"bandwidth\"\nstep = 2";
const FAR: &str = "[[rule]]\nalarm = \"*high_bandwidth\"\naxis = \"bandwidth\"\nstep = 1000\n\
                   [[rule]]\nalarm = \"*low_bandwidth\"\naxis = \"bandwidth\"\nstep = -1000";

#[test]
fn bandwidth_has_its_pair_until_it_is_back_at_the_floor() {
    let cloud = cloud();
    // The service's default for a load balancer is ten.
    let up = send(&notice(HIGH_BANDWIDTH, CHURN), &cloud, &built_in());
    assert_eq!(operations(&up), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert_eq!(pair_query(&cloud, BANDWIDTH_PAIR), format!("PredictBandwidth[5m]{}", low_of(CHURN)));
    pass(&cloud, 60);
    let down = send(&notice(LOW_BANDWIDTH, CHURN).at(minute(60)), &cloud, &built_in());
    assert_eq!((bandwidth_of(&down), operations(&down)), (Ok(10), vec!["oci:UpdateModelDeployment"]));
    pass(&cloud, 60);
    let last = send(&notice(LOW_BANDWIDTH, CHURN).at(minute(120)), &cloud, &built_in());
    assert_eq!((reason(&last), operations(&last)), ("at_floor", vec!["oci:DeleteAlarm"]));
}

#[test]
fn the_three_pairs_of_a_deployment_coexist() {
    let cloud = cloud();
    for (hour, alarm) in [HIGH_CPU, HIGH_MEM, HIGH_BANDWIDTH].into_iter().enumerate() {
        let now = minute(60 * i64::try_from(hour).unwrap());
        assert_eq!(send(&notice(alarm, CHURN).at(now), &cloud, &built_in()).result, Ending::Applied);
        pass(&cloud, 60);
    }
    let grown = Size { bandwidth_mbps: Some(20), ..Size::new(2, "VM.Standard2.2") };
    assert_eq!(size(&cloud, CHURN), grown);
    for pair in [CPU_PAIR, MEM_PAIR, BANDWIDTH_PAIR] {
        assert_eq!(pairs(&cloud.snapshot(), CHURN, pair).len(), 1, "{pair}");
    }
}

#[test]
fn a_variant_has_no_bandwidth() {
    for alarm in [HIGH_BANDWIDTH, LOW_BANDWIDTH] {
        let outcome = send(&notice(alarm, VARIANT), &cloud(), &built_in());
        assert_eq!((reason(&outcome), outcome.calls.len()), ("not_resizable", 0));
        let because = report::explanation(&outcome);
        assert!(because.contains("its bandwidth cannot be changed"), "{because}");
        the_last_guard_held(&outcome);
    }
}

// ---- deployments of other kinds, written as worlds ----

/// A world of one deployment with this configuration.
fn described(configuration: &Value) -> SimulatedCloud {
    let deployment = json!({ "instances": 3, "shape": "as configured", "configuration": configuration });
    let world = json!({ "clock": at(0), "deployments": { CHURN: deployment } });
    SimulatedCloud::new(World::from_json(world.to_string().as_bytes()).unwrap())
}

/// The settings that a deployment of one model and one of a group have in common.
fn settings() -> Value {
    json!({
        "instanceConfiguration": {
            "instanceShapeName": "VM.Standard.E4.Flex",
            "modelDeploymentInstanceShapeConfigDetails": {
                "ocpus": 2.0, "memoryInGBs": 32.0, "cpuBaseline": "BASELINE_1_2",
            },
            "subnetId": "ocid1.subnet.oc1.iad.example",
        },
        "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": 3 },
        "bandwidthMbps": 20,
        "maximumBandwidthMbps": null,
    })
}

fn model(settings: Value) -> Value {
    let mut details = settings;
    details["modelId"] = json!("ocid1.datasciencemodel.oc1.iad.example");
    json!({
        "deploymentType": "SINGLE_MODEL",
        "modelConfigurationDetails": details,
        "environmentConfigurationDetails": { "environmentConfigurationType": "DEFAULT" },
    })
}

fn group(settings: Value, infrastructure: &str) -> Value {
    let mut details = settings;
    details["infrastructureType"] = json!(infrastructure);
    json!({
        "deploymentType": "MODEL_GROUP",
        "modelGroupConfigurationDetails": { "modelGroupId": "ocid1.datasciencemodelgroup.oc1.iad.example" },
        "infrastructureConfigurationDetails": details,
    })
}

/// A managed cluster chooses the instances itself.
fn managed() -> Value {
    let mut configuration = group(settings(), "MANAGED_COMPUTE_CLUSTER");
    configuration["deploymentType"] = json!("SINGLE_MODEL_FLEX");
    configuration
}

fn scaled_by_itself(enabled: bool) -> Value {
    let mut settings = settings();
    settings["scalingPolicy"] = json!({
        "policyType": "AUTOSCALING", "isEnabled": enabled, "coolDownInSeconds": 600,
        "autoScalingPolicies": [{ "autoScalingPolicyType": "THRESHOLD", "minimumInstanceCount": 1,
            "maximumInstanceCount": 5, "initialInstanceCount": 1, "rules": [] }],
    });
    model(settings)
}

fn with(key: &str, value: Value) -> Value {
    let mut settings = settings();
    settings[key] = value;
    model(settings)
}

#[rstest]
#[case::model(model(settings()), HIGH_CPU, "resize")]
#[case::model_shape(model(settings()), HIGH_MEM, "resize")]
#[case::model_bandwidth(model(settings()), HIGH_BANDWIDTH, "resize")]
// A group has the same settings in another place.
#[case::group(group(settings(), "INSTANCE_POOL"), HIGH_CPU, "resize")]
#[case::group_shape(group(settings(), "INSTANCE_POOL"), HIGH_MEM, "resize")]
#[case::group_bandwidth(group(settings(), "INSTANCE_POOL"), HIGH_BANDWIDTH, "resize")]
#[case::group_on_a_cluster(group(settings(), "MANAGED_COMPUTE_CLUSTER"), HIGH_CPU, "not_resizable")]
// On a managed cluster there is nothing of a size.
#[case::cluster(managed(), HIGH_CPU, "not_resizable")]
#[case::cluster_shape(managed(), HIGH_MEM, "not_resizable")]
#[case::cluster_bandwidth(managed(), HIGH_BANDWIDTH, "not_resizable")]
// The service's own autoscaling has the count, in both directions and although it is switched off.
#[case::autoscaling(scaled_by_itself(true), HIGH_CPU, "owned_elsewhere")]
#[case::autoscaling_down(scaled_by_itself(true), LOW_CPU, "owned_elsewhere")]
#[case::autoscaling_off(scaled_by_itself(false), HIGH_CPU, "owned_elsewhere")]
// The other axes remain scalable.
#[case::autoscaling_shape(scaled_by_itself(true), HIGH_MEM, "resize")]
#[case::autoscaling_bandwidth(scaled_by_itself(true), HIGH_BANDWIDTH, "resize")]
// A load balancer with two ends grows by itself, and nothing else does.
#[case::maximum(with("maximumBandwidthMbps", json!(40)), HIGH_BANDWIDTH, "owned_elsewhere")]
#[case::maximum_down(with("maximumBandwidthMbps", json!(40)), LOW_BANDWIDTH, "owned_elsewhere")]
#[case::maximum_count(with("maximumBandwidthMbps", json!(40)), HIGH_CPU, "resize")]
// The service reports no bandwidth.
#[case::no_bandwidth(with("bandwidthMbps", Value::Null), HIGH_BANDWIDTH, "not_resizable")]
// An unknown policy type.
#[case::new_policy(with("scalingPolicy", json!({"policyType": "QUANTUM"})), HIGH_CPU, "not_resizable")]
#[case::new_policy_shape(with("scalingPolicy", json!({"policyType": "QUANTUM"})), HIGH_MEM, "resize")]
fn a_deployment_is_resized_where_that_is_possible(
    #[case] configuration: Value,
    #[case] alarm: &str,
    #[case] expected: &str,
) {
    let cloud = described(&configuration);
    let outcome = send(&notice(alarm, CHURN), &cloud, &built_in());
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
    the_last_guard_held(&outcome);
    assert_eq!(outcome.calls.is_empty(), expected != "resize", "{:?}", operations(&outcome));
    assert_ne!(outcome.result, Ending::Failed);
}

#[test]
fn no_pair_is_created_for_a_deployment_with_another_scaler() {
    let cloud = described(&scaled_by_itself(true));
    // Their change has just been completed, so the first hold is `stale`.
    on(&cloud, CHURN, |found| found.last_change = Some(at(0)));
    for (at, expected) in [(at(0), "stale"), (minute(5), "owned_elsewhere")] {
        let outcome = send(&notice(HIGH_CPU, CHURN).at(at), &cloud, &built_in());
        assert_eq!((reason(&outcome), operations(&outcome)), (expected, vec![]));
    }
}

#[test]
fn an_owner_and_a_reason_are_reported_in_the_services_terms() {
    let rows = [
        (scaled_by_itself(true), HIGH_CPU, "`AUTOSCALING` policy"),
        (scaled_by_itself(false), HIGH_CPU, "which is switched off"),
        (with("maximumBandwidthMbps", json!(40)), HIGH_BANDWIDTH, "`maximumBandwidthMbps`"),
        (managed(), HIGH_CPU, "`SINGLE_MODEL_FLEX`"),
        (group(settings(), "MANAGED_COMPUTE_CLUSTER"), HIGH_MEM, "`MANAGED_COMPUTE_CLUSTER`"),
    ];
    for (configuration, alarm, part) in rows {
        let because =
            report::explanation(&send(&notice(alarm, CHURN), &described(&configuration), &built_in()));
        assert!(because.contains(part), "{because}");
        // OCI has no native autoscaling to suspend, so the message must not suggest it.
        assert!(!because.contains("park"), "{because}");
    }
}

#[rstest]
#[case::count(HIGH_CPU, "/scalingPolicy/instanceCount", json!(4))]
#[case::shape(HIGH_MEM, "/instanceConfiguration/modelDeploymentInstanceShapeConfigDetails",
    json!({"ocpus": 4, "memoryInGBs": 64, "cpuBaseline": "BASELINE_1_2"}))]
#[case::bandwidth(HIGH_BANDWIDTH, "/bandwidthMbps", json!(40))]
fn one_leaf_of_what_was_read_is_changed(
    #[case] alarm: &str,
    #[case] path: &str,
    #[case] expected: Value,
    #[values(false, true)] of_a_group: bool,
) {
    let (name, configuration) = if of_a_group {
        ("infrastructureConfigurationDetails", group(settings(), "INSTANCE_POOL"))
    } else {
        ("modelConfigurationDetails", model(settings()))
    };
    let cloud = described(&configuration);
    let outcome = send(&notice(alarm, CHURN), &cloud, &built_in());
    let mut wanted = configuration[name].clone();
    *wanted.pointer_mut(path).unwrap() = expected.clone();
    assert_eq!(update(&outcome).0[name], wanted);
    assert_eq!(update(&outcome).0.get("environmentConfigurationDetails"), None);
    // And so it is when the update is done.
    pass(&cloud, 60);
    let settled = on(&cloud, CHURN, |found| found.configuration.clone()).unwrap();
    assert_eq!(settled[name].pointer(path), Some(&expected));
}

// ---- sizes in a record ----

#[rstest]
#[case::fixed("VM.Standard2.2", HIGH_CPU,
    json!({"instances": 2, "shape": "VM.Standard2.2"}), json!({"instances": 3, "shape": "VM.Standard2.2"}))]
#[case::fixed_shape("VM.Standard2.2", HIGH_MEM,
    json!({"instances": 2, "shape": "VM.Standard2.2"}), json!({"instances": 2, "shape": "VM.Standard2.4"}))]
// The size of a flexible shape is part of the record on every axis.
#[case::flexible("VM.Standard.E4.Flex:2:32", HIGH_CPU,
    json!({"instances": 2, "shape": "VM.Standard.E4.Flex", "ocpus": 2, "memory_gib": 32}),
    json!({"instances": 3, "shape": "VM.Standard.E4.Flex", "ocpus": 2, "memory_gib": 32}))]
#[case::flexible_shape("VM.Standard.E4.Flex:2:32", HIGH_MEM,
    json!({"instances": 2, "shape": "VM.Standard.E4.Flex", "ocpus": 2, "memory_gib": 32}),
    json!({"instances": 2, "shape": "VM.Standard.E4.Flex", "ocpus": 4, "memory_gib": 64}))]
// The bandwidth is part of the record on its own axis.
#[case::bandwidth("VM.Standard2.2", HIGH_BANDWIDTH,
    json!({"instances": 2, "shape": "VM.Standard2.2", "bandwidth_mbps": 10}),
    json!({"instances": 2, "shape": "VM.Standard2.2", "bandwidth_mbps": 20}))]
fn a_record_contains_every_known_part_of_a_size(
    #[case] rung: &str,
    #[case] alarm: &str,
    #[case] from: Value,
    #[case] to: Value,
) {
    let record = report::record(&send(&notice(alarm, CHURN), &on_rung(rung), &built_in()));
    assert_eq!((&record["decision"]["from"], &record["decision"]["to"]), (&from, &to));
    let mut observed = from;
    observed["status"] = json!("ACTIVE");
    observed["last_change"] = Value::Null;
    assert_eq!(record["observed"], observed);
}

#[test]
fn a_variants_sizes_have_two_members() {
    for alarm in [HIGH_CPU, HIGH_MEM] {
        let record = report::record(&send(&notice(alarm, VARIANT), &cloud(), &built_in()));
        for size in [&record["decision"]["from"], &record["decision"]["to"]] {
            let keys: Vec<&String> = size.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["instances", "shape"]);
        }
    }
}

// ---- one pair too many ----

/// A second alarm with the marker of the pair, as two creations without a common token leave it.
fn doubled(cloud: &SimulatedCloud) {
    cloud.with(|world| {
        let mut second = world.alarms.iter().find(|alarm| alarm.is_ours()).unwrap().clone();
        second.id += "-second";
        world.alarms.push(second);
    });
}

#[rstest]
// The next observation deletes it with any decision: an update, a hold, or the pair's own deletion.
#[case::with_an_update(HIGH_CPU, 60, &["oci:UpdateModelDeployment", "oci:DeleteAlarm"], 1)]
#[case::with_a_hold(HIGH_CPU, 4, &["oci:DeleteAlarm"], 1)]
#[case::on_the_way_down(LOW_CPU, 60, &["oci:UpdateModelDeployment", "oci:DeleteAlarm"], 1)]
fn an_orphan_pair_is_deleted(
    #[case] alarm: &str,
    #[case] minutes: i64,
    #[case] calls: &[&str],
    #[case] left: usize,
) {
    let cloud = cloud();
    send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    doubled(&cloud);
    pass(&cloud, minutes);
    let outcome = send(&notice(alarm, CHURN).at(minute(minutes)), &cloud, &built_in());
    assert_eq!((operations(&outcome), outcome.result != Ending::Failed), (calls.to_vec(), true));
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), left);
}

#[test]
fn at_the_floor_all_of_them_go() {
    let cloud = cloud();
    send(&notice(HIGH_CPU, CHURN), &cloud, &built_in());
    doubled(&cloud);
    pass(&cloud, 60);
    on(&cloud, CHURN, |found| found.instances = 1);
    let outcome = send(&notice(LOW_CPU, CHURN).at(minute(60)), &cloud, &built_in());
    assert_eq!(operations(&outcome), ["oci:DeleteAlarm", "oci:DeleteAlarm"]);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR), []);
}

// ---- the stamp ----

#[rstest]
#[case::count(HIGH_CPU, "")]
// A shape besides, so that it is known which one could not be had.
#[case::shape(HIGH_MEM, " VM.Standard2.2")]
#[case::bandwidth(HIGH_BANDWIDTH, "")]
fn an_update_is_stamped_and_keeps_other_tags(#[case] alarm: &str, #[case] shape: &str) {
    let cloud = cloud();
    let tags = [("owner", "risk"), ("stepladder:changed", "2026-01-01T00:00:00Z")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    on(&cloud, CHURN, |found| found.tags = tags.into());
    let outcome = send(&notice(alarm, CHURN).at(minute(7)), &cloud, &built_in());
    let stamp = format!("{}{shape}", minute(7));
    let expected = [("owner", "risk".to_owned()), ("stepladder:changed", stamp)];
    let expected = expected.map(|(key, value)| (key.to_owned(), value));
    assert_eq!(update(&outcome).1, expected.into());
    assert_eq!(on(&cloud, CHURN, |found| found.tags.clone()), update(&outcome).1);
}

#[test]
fn a_pair_keeps_the_tags_that_somebody_has_added() {
    let cloud = cloud();
    send(&notice(HIGH_BANDWIDTH, CHURN), &cloud, &built_in());
    cloud.with(|world| {
        let pair = world.alarms.iter_mut().find(|alarm| alarm.is_ours()).unwrap();
        let AlarmDefinition::Oci(alarm) = &mut pair.definition else { panic!("{pair:?}") };
        alarm.tags.insert("owner".to_owned(), "risk".to_owned());
        alarm.query = alarm.query.replace("< 10", "< 99");
        pair.revision += 1;
    });
    pass(&cloud, 60);
    let outcome = send(&notice(HIGH_BANDWIDTH, CHURN).at(minute(60)), &cloud, &built_in());
    assert_eq!(operations(&outcome), ["oci:UpdateAlarm", "oci:UpdateModelDeployment"]);
    let AlarmDefinition::Oci(alarm) = &pairs(&cloud.snapshot(), CHURN, BANDWIDTH_PAIR)[0].definition else {
        panic!("no alarm of OCI")
    };
    assert_eq!(alarm.tags["owner"], "risk");
    assert!(alarm.query.ends_with("< 10"), "{}", alarm.query);
}

// ---- the rest of the rules hold on these axes, too ----

#[rstest]
#[case::cleared(Transition::Cleared)]
// A missing metric is no evidence about the load.
#[case::no_data(Transition::NoData)]
fn bandwidth_follows_only_what_fires(#[case] transition: Transition) {
    let cloud = with_bandwidth(40);
    for alarm in [HIGH_BANDWIDTH, LOW_BANDWIDTH] {
        let outcome = send(&notice(alarm, CHURN).with_transition(transition), &cloud, &built_in());
        assert_eq!(reason(&outcome), "not_firing");
    }
    assert_eq!(heading(&cloud, CHURN).bandwidth_mbps, Some(40));
}

#[rstest]
// Whichever comes first, the second waits until it is done, and then until its own data is newer.
#[case(HIGH_BANDWIDTH, HIGH_CPU)]
#[case(HIGH_CPU, HIGH_BANDWIDTH)]
#[case(HIGH_MEM, HIGH_BANDWIDTH)]
fn one_axis_after_the_other(#[case] first: &str, #[case] second: &str) {
    let cloud = on_rung("VM.Standard.E4.Flex:2:32");
    let reasons = [(first, 0), (second, 1), (second, 6), (second, 10)].map(|(alarm, at)| {
        cloud.advance(minute(at));
        let outcome = send(&notice(alarm, CHURN).at(minute(at)), &cloud, &built_in());
        reason(&outcome)
    });
    assert_eq!(reasons, ["resize", "busy", "stale", "resize"]);
}

#[test]
fn a_flexible_size_is_read_from_whatever_the_service_writes() {
    let rows = [
        // as the service writes numbers
        (json!({"ocpus": 2.0, "memoryInGBs": 32.0}), Some(Flex { ocpus: 2, memory_gib: 32 })),
        (json!({"ocpus": 2, "memoryInGBs": 32}), Some(Flex { ocpus: 2, memory_gib: 32 })),
        // a part of a core, or one of the two alone, is no place on a ladder
        (json!({"ocpus": 1.5, "memoryInGBs": 32}), None),
        (json!({"ocpus": 2}), None),
    ];
    for (written, expected) in rows {
        let mut settings = settings();
        settings["instanceConfiguration"]["modelDeploymentInstanceShapeConfigDetails"] = written.clone();
        let outcome = send(&notice(HIGH_MEM, CHURN), &described(&model(settings)), &built_in());
        assert_eq!(outcome.observed.as_ref().unwrap().size.flex, expected, "{written}");
        assert_eq!(
            reason(&outcome),
            if expected.is_some() { "resize" } else { "not_resizable" },
            "{written}"
        );
    }
}

// ---- what could not be had ----

#[rstest]
#[case::fixed("VM.Standard2.2", "VM.Standard2.4")]
// Of a flexible shape it is one size.
#[case::flexible("VM.Standard.E4.Flex:2:32", "VM.Standard.E4.Flex:4:64")]
fn a_size_beyond_the_quota_is_not_tried_again_for_an_hour(#[case] from: &str, #[case] beyond: &str) {
    let cloud = on_rung(from);
    cloud.with(|world| world.unavailable = vec![beyond.to_owned()]);
    let at = |minutes| send(&notice(HIGH_MEM, CHURN).at(minute(minutes)), &cloud, &built_in());
    let refused = at(0);
    assert_eq!(
        refused.error.as_ref().map(stepladder::platform::Error::kind),
        Some("over_quota"),
        "{refused:?}"
    );
    let held = at(10);
    assert_eq!(rung_of(&held), Err("infeasible"), "{held:?}");
    assert_eq!(refused.observed.unwrap().size.rung(), from);
    // Pressure of another kind is answered all the same, and what is remembered stays.
    send(&notice(HIGH_CPU, CHURN).at(minute(20)), &cloud, &built_in());
    pass(&cloud, 10);
    assert_eq!(rung_of(&at(40)), Err("infeasible"));
    cloud.with(|world| world.unavailable.clear());
    assert_eq!(rung_of(&at(70)), Ok(beyond.to_owned()));
}
