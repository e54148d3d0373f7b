//! Every kind of deployment and of size: what is changed in it, what is left alone, and what is refused.

use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, deployment};
use super::tenancy::{Tenancy, calls, differences, outcome, sample};

const CONFIGURATION: &str = "modelDeploymentConfigurationDetails";
const INSTANCES: &str = "/modelDeploymentConfigurationDetails/infrastructureConfigurationDetails";
const MODEL: &str = "/modelDeploymentConfigurationDetails/modelConfigurationDetails";

/// A deployment of a group of models: the same settings in another place.
fn group() -> Value {
    let mut document = deployment();
    let mut settings = document[CONFIGURATION]["modelConfigurationDetails"].take();
    let members = settings.as_object_mut().unwrap();
    members.remove("modelId");
    members.remove("modelArtifactSignatureId");
    members.insert("infrastructureType".to_owned(), json!("INSTANCE_POOL"));
    document[CONFIGURATION] = json!({
        "deploymentType": "MODEL_GROUP",
        "modelGroupConfigurationDetails": { "modelGroupId": "ocid1.datasciencemodelgroup.oc1.iad.churn" },
        "infrastructureConfigurationDetails": settings,
        "environmentConfigurationDetails": document[CONFIGURATION]["environmentConfigurationDetails"],
    });
    document
}

/// A deployment with a shape of configurable size.
fn flexible() -> Value {
    let mut document = deployment();
    let instance = &mut document[CONFIGURATION]["modelConfigurationDetails"]["instanceConfiguration"];
    instance["instanceShapeName"] = json!("VM.Standard.E4.Flex");
    instance["modelDeploymentInstanceShapeConfigDetails"] =
        json!({ "ocpus": 2.0, "memoryInGBs": 32.0, "cpuBaseline": "BASELINE_1_1" });
    document
}

/// A deployment whose load balancer does not grow by itself.
fn narrow() -> Value {
    let mut document = deployment();
    let model = &mut document[CONFIGURATION]["modelConfigurationDetails"];
    model["bandwidthMbps"] = json!(10);
    model["maximumBandwidthMbps"] = Value::Null;
    document
}

/// A deployment whose count the service itself changes.
fn scaled_by_itself() -> Value {
    let mut document = deployment();
    let rule = json!({
        "metricExpressionRuleType": "PREDEFINED_EXPRESSION",
        "metricType": "CPU_UTILIZATION",
        "scaleInConfiguration": { "scalingConfigurationType": "THRESHOLD", "threshold": 10 },
        "scaleOutConfiguration": { "scalingConfigurationType": "THRESHOLD", "threshold": 65 },
    });
    document[CONFIGURATION]["modelConfigurationDetails"]["scalingPolicy"] = json!({
        "policyType": "AUTOSCALING",
        "coolDownInSeconds": 300,
        "isEnabled": true,
        "autoScalingPolicies": [{
            "autoScalingPolicyType": "THRESHOLD",
            "minimumInstanceCount": 1, "maximumInstanceCount": 3, "initialInstanceCount": 1,
            "rules": [rule],
        }],
    });
    document
}

/// A deployment on a compute cluster.
fn on_a_cluster() -> Value {
    let mut document = deployment();
    document[CONFIGURATION] = json!({
        "deploymentType": "SINGLE_MODEL_FLEX",
        "modelConfigurationDetails": { "modelId": "ocid1.datasciencemodel.oc1.iad.churn" },
        "infrastructureConfigurationDetails": {
            "infrastructureType": "MANAGED_COMPUTE_CLUSTER",
            "computeTargetId": "ocid1.datasciencecomputetarget.oc1.iad.churn",
            "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": 1 },
        },
    });
    document
}

fn in_state(state: &str) -> Value {
    let mut document = deployment();
    document["lifecycleState"] = json!(state);
    document
}

/// A sample's message from an alarm of another name.
fn titled(title: &str, alarm: &str) -> Value {
    let mut event = sample("high-cpu.firing.json", alarm);
    event["title"] = json!(title);
    event
}

/// A message from a paired alarm, as it exists there.
fn of_pair(pair: &Value) -> Value {
    let mut event = titled(pair["displayName"].as_str().unwrap(), pair["id"].as_str().unwrap());
    event["alarmMetaData"][0]["query"] = pair["query"].clone();
    event["alarmMetaData"][0]["metricValues"] = json!([{ "value": "3" }]);
    event
}

/// What a step changes and what it pairs.
struct Step {
    high: &'static str,
    low: &'static str,
    /// The members that change, and what they become.
    leaves: Vec<(String, Value)>,
    metric: &'static str,
}

fn step(of: &str, at: &str, leaves: &[(&str, Value)]) -> Step {
    let (high, low, metric) = match of {
        "cpu" => ("model_deployment_high_cpu", "model_deployment_low_cpu", "CpuUtilization"),
        "mem" => ("model_deployment_high_mem", "model_deployment_low_mem", "MemoryUtilization"),
        _ => ("model_deployment_high_bandwidth", "model_deployment_low_bandwidth", "PredictBandwidth"),
    };
    let leaves = leaves.iter().map(|(leaf, value)| (format!("{at}/{leaf}"), value.clone())).collect();
    Step { high, low, leaves, metric }
}

const COUNT: &str = "scalingPolicy/instanceCount";
const SHAPE: &str = "instanceConfiguration/instanceShapeName";
const OCPUS: &str = "instanceConfiguration/modelDeploymentInstanceShapeConfigDetails/ocpus";
const MEMORY: &str = "instanceConfiguration/modelDeploymentInstanceShapeConfigDetails/memoryInGBs";

#[rstest]
#[case::instances_of_a_group(group(), step("cpu", INSTANCES, &[(COUNT, json!(2))]))]
#[case::the_shape_of_a_group(group(), step("mem", INSTANCES, &[(SHAPE, json!("VM.Standard2.4"))]))]
#[case::instances_of_a_flexible_shape(flexible(), step("cpu", MODEL, &[(COUNT, json!(2))]))]
#[case::a_flexible_shape(flexible(), step("mem", MODEL, &[(MEMORY, json!(64)), (OCPUS, json!(4))]))]
#[case::bandwidth(narrow(), step("bandwidth", MODEL, &[("bandwidthMbps", json!(20))]))]
#[case::the_shape_where_the_count_is_the_services(
    scaled_by_itself(),
    step("mem", MODEL, &[(SHAPE, json!("VM.Standard2.4"))])
)]
#[case::what_needs_attention(in_state("NEEDS_ATTENTION"), step("cpu", MODEL, &[(COUNT, json!(2))]))]
fn one_step_up_and_back(#[case] before: Value, #[case] step: Step) {
    let Some(tenancy) = Tenancy::with(&before) else { return };
    // A smaller shape must carry both loads.
    for metric in ["CpuUtilization", "MemoryUtilization"] {
        tenancy.emulator.gauge(DEPLOYMENT, metric, 4.0);
    }
    let function = tenancy.function();
    let record = outcome(&function, &titled(step.high, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    tenancy.finish_long_ago();

    // Only that, whatever else there is.
    let after = tenancy.document();
    let mut changed = differences(&before, &after);
    let of_the_service = ["/timeCreated", "/modelDeploymentSystemData/currentInstanceCount"];
    let in_its_state = ["/lifecycleState", "/lifecycleDetails", "/freeformTags/stepladder:changed"];
    changed.retain(|path| !of_the_service.iter().chain(&in_its_state).any(|expected| path == expected));
    changed.sort();
    let mut leaves: Vec<&str> = step.leaves.iter().map(|(leaf, _)| leaf.as_str()).collect();
    leaves.sort_unstable();
    assert_eq!(changed, leaves);
    for (leaf, expected) in &step.leaves {
        assert_eq!(after.pointer(leaf), Some(expected), "{leaf}");
    }

    // Its pair scales it down.
    let pair = tenancy.pair();
    assert_eq!(pair["displayName"], step.low);
    assert!(pair["query"].as_str().unwrap().starts_with(step.metric), "{pair:#}");
    let record = outcome(&function, &of_pair(&pair));
    assert_eq!(record["result"], "applied", "{record:#}");
    tenancy.finish_long_ago();
    let after = tenancy.document();
    for (leaf, _) in &step.leaves {
        assert_eq!(number_or_text(&after, leaf), number_or_text(&before, leaf), "{leaf}");
    }
    tenancy.requests();
}

/// The API may write a whole number as `2.0`.
fn number_or_text(document: &Value, leaf: &str) -> Value {
    let value = document.pointer(leaf).unwrap();
    value.as_f64().map_or(value.clone(), |number| json!(number))
}

#[rstest]
#[case::the_services_own_count(
    scaled_by_itself(),
    "model_deployment_high_cpu",
    "owned_elsewhere",
    "AUTOSCALING"
)]
#[case::the_services_own_bandwidth(
    deployment(),
    "model_deployment_high_bandwidth",
    "owned_elsewhere",
    "maximumBandwidthMbps"
)]
#[case::instances_of_a_cluster(
    on_a_cluster(),
    "model_deployment_high_cpu",
    "not_resizable",
    "SINGLE_MODEL_FLEX"
)]
#[case::the_shape_of_a_cluster(
    on_a_cluster(),
    "model_deployment_high_mem",
    "not_resizable",
    "SINGLE_MODEL_FLEX"
)]
#[case::what_is_switched_off(in_state("INACTIVE"), "model_deployment_high_cpu", "busy", "INACTIVE")]
#[case::what_is_being_made(in_state("CREATING"), "model_deployment_high_cpu", "busy", "CREATING")]
fn what_stepladder_may_not_change_is_left_with_a_reason(
    #[case] before: Value,
    #[case] alarm: &str,
    #[case] reason: &str,
    #[case] said: &str,
) {
    let Some(tenancy) = Tenancy::with(&before) else { return };
    let function = tenancy.function();
    let record = outcome(&function, &titled(alarm, &tenancy.high));
    assert_eq!(
        (&record["result"], &record["decision"]["reason"]),
        (&json!("held"), &json!(reason)),
        "{record:#}"
    );
    assert!(record["because"].as_str().unwrap().contains(said), "{record:#}");
    assert_eq!(calls(&record), [""; 0]);
    assert!(tenancy.pairs().is_empty());
    assert_eq!(differences(&before, &tenancy.document()), ["/timeCreated"]);
}
