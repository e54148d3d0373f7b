//! Variants whose count or type somebody else determines: the simulated cloud holds them as the real one does.

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::decide::Hold;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::size::Axis;
use tempfile::TempDir;

use crate::cli::{run, write};
use crate::support::{
    HIGH_CPU, HIGH_MEM, LOW_CPU, VARIANT, built_in, cloud_with, configured, notice, policy, reason, send,
};

fn with(members: &Value) -> SimulatedCloud {
    let cloud = cloud_with(VARIANT, 2, "ml.m5.xlarge");
    configured(&cloud, members);
    cloud
}

fn serverless() -> Value {
    json!({ "ServerlessConfig": { "MaxConcurrency": 5 }, "InstanceType": null, "InitialInstanceCount": null })
}

fn managed() -> Value {
    json!({ "ManagedInstanceScaling": { "Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4 } })
}

fn pools() -> Value {
    json!({ "InstanceType": null, "InstancePools": [{ "InstanceType": "ml.m5.xlarge", "Priority": 1 }] })
}

#[rstest]
#[case::serverless(serverless(), HIGH_CPU, "not_resizable")]
#[case::serverless_type(serverless(), HIGH_MEM, "not_resizable")]
#[case::serverless_down(serverless(), LOW_CPU, "not_resizable")]
#[case::managed(managed(), HIGH_CPU, "not_resizable")]
#[case::managed_type(managed(), HIGH_MEM, "not_resizable")]
#[case::managed_down(managed(), LOW_CPU, "not_resizable")]
#[case::pools(pools(), HIGH_CPU, "not_resizable")]
#[case::pools_type(pools(), HIGH_MEM, "not_resizable")]
// What hosts inference components has instances of its own, and a type that they were packed for.
#[case::components(json!({ "ModelName": null }), HIGH_CPU, "resize")]
#[case::components_type(json!({ "ModelName": null }), HIGH_MEM, "not_resizable")]
// What is switched off determines nothing.
#[case::switched_off(json!({ "ManagedInstanceScaling": { "Status": "DISABLED" } }), HIGH_CPU, "resize")]
#[case::plain(json!({}), HIGH_MEM, "resize")]
fn what_somebody_else_determines_is_held(
    #[case] members: Value,
    #[case] alarm: &str,
    #[case] expected: &str,
) {
    let cloud = with(&members);
    let outcome = send(&notice(alarm, VARIANT), &cloud, &built_in());
    assert_eq!(reason(&outcome), expected, "{:?}", outcome.decision);
    let resizes = outcome.calls.iter().any(|sent| sent.call.resizes());
    assert_eq!(resizes, expected == "resize");
}

#[rstest]
#[case::count(HIGH_CPU, "resize")]
#[case::shape(HIGH_MEM, "not_resizable")]
fn a_shadow_variant_keeps_the_type(#[case] alarm: &str, #[case] expected: &str) {
    let cloud = with(&json!({}));
    cloud.with(|world| {
        let known = world.configurations.get_mut("churn").unwrap();
        known.document["ShadowProductionVariants"] = json!([{ "VariantName": "shadow" }]);
    });
    assert_eq!(reason(&send(&notice(alarm, VARIANT), &cloud, &built_in())), expected);
}

#[rstest]
#[case::serverless(serverless())]
#[case::managed(managed())]
#[case::pools(pools())]
fn the_cheapest_size_is_not_searched_there(#[case] members: Value) {
    let policy = policy("[[rule]]\nalarm = \"*\"\naxis = \"cheapest\"");
    assert_eq!(reason(&send(&notice(HIGH_CPU, VARIANT), &with(&members), &policy)), "not_resizable");
}

#[test]
fn a_size_is_shown_as_the_service_reports_it() {
    let observed = |members: &Value| {
        let outcome = send(&notice(HIGH_CPU, VARIANT), &with(members), &built_in());
        outcome.observed.unwrap().size.to_string()
    };
    assert_eq!(observed(&serverless()), "serverless");
    assert_eq!(observed(&pools()), "2 instances");
    assert_eq!(observed(&managed()), "2 × ml.m5.xlarge");
}

/// A serverless variant is called so, and nothing is said of the price of instances that it does not have.
#[test]
fn a_serverless_variant_is_explained_without_a_price() {
    let dir = TempDir::new().unwrap();
    let cloud = with(&serverless());
    let world = write(&dir, "world.json", cloud.snapshot().to_json().unwrap());
    let ran = run(&["explain", "events/cloudwatch/sns.high-cpu.firing.json", "--world", &world]);
    assert!(ran.out.contains("Deployment: serverless, `InService`"), "{ran}");
    assert!(!ran.out.contains("none`") && !ran.out.contains("Cost"), "{ran}");
}

#[test]
fn instances_belong_to_their_owner_in_the_plural() {
    let owned = |axis| Hold::OwnedElsewhere { axis, who: "a policy".to_owned(), can_be_suspended: false };
    assert_eq!(owned(Axis::Instances).to_string(), "its instances belong to a policy");
    assert_eq!(owned(Axis::Shape).to_string(), "its shape belongs to a policy");
}
