//! Another type on AWS: a copy that differs in nothing else, what is recorded, what is suspended, and nothing left
//! behind.

use std::collections::BTreeMap;

use aws_sdk_applicationautoscaling::types as scaling;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, Statistic};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::emulators::root;
use super::function::Function;
use super::horizontal::{Account, ENDPOINT, VARIANT, later, moments_later, outcome};

const ORIGINAL: &str = "churn";
const PARK: &str = "[defaults]\nnative_autoscaling = \"suspend\"";

/// An alarm's direct call about the variant's memory, which has fired just now.
fn memory(direction: &str) -> Vec<u8> {
    let path = root().join("events/cloudwatch/action.high-mem.firing.json");
    let mut event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let name = format!("churn-model_deployment_{direction}_mem");
    let state = &mut event["alarmData"]["state"];
    let fired = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.3f%z", state["timestamp"].as_str().unwrap()).unwrap();
    let since = Timestamp::now().duration_since(fired);
    state["reason"] = json!(later(state["reason"].as_str().unwrap(), since));
    state["reasonData"] = json!(moments_later(state["reasonData"].as_str().unwrap(), since));
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string();
    event["alarmArn"] = json!(format!("arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}"));
    event["accountId"] = json!("000000000000");
    event["time"] = json!(now);
    event["alarmData"]["alarmName"] = json!(name);
    event["alarmData"]["state"]["timestamp"] = json!(now);
    let text = event.to_string();
    if direction != "low" {
        return text.into_bytes();
    }
    // What is to be removed is hardly used.
    let low = text.replace("greater than or equal to", "less than").replace("91.2", "9.1");
    low.replace("90.8", "9.0").replace("88.75", "8.75").into_bytes()
}

fn tick() -> Vec<u8> {
    std::fs::read(root().join("events/signals/tick.json")).unwrap()
}

fn calls(outcome: &Value) -> Vec<&str> {
    outcome["calls"].as_array().unwrap().iter().map(|call| call["call"].as_str().unwrap()).collect()
}

impl Account {
    /// An endpoint whose configuration has every member that the API knows, on the lowest rung.
    async fn with_every_member() -> Option<Self> {
        let account = Self::empty()?;
        let made = account.emulators.every_member(ORIGINAL, VARIANT, "ml.m5.large", false);
        assert!(
            made.missing.iter().all(|path| path.starts_with("ShadowProductionVariants")),
            "{:?}",
            made.missing
        );
        assert!(made.covered.len() > 70, "{:?}", made.covered);
        account.emulators.tag(&made.arn, "team", "ml");
        account.emulators.tag(&made.arn, "aws:cloudformation:stack-name", "stack");
        account.create_endpoint(ORIGINAL).await;
        Some(account)
    }

    async fn effective(&self) -> String {
        let seen = self.sagemaker.describe_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
        seen.endpoint_config_name().unwrap().to_owned()
    }

    async fn shape(&self) -> String {
        let name = self.effective().await;
        let found =
            self.sagemaker.describe_endpoint_config().endpoint_config_name(name).send().await.unwrap();
        let variant = found.production_variants().iter().find(|one| one.variant_name() == Some(VARIANT));
        variant.unwrap().instance_type().unwrap().as_str().to_owned()
    }

    async fn configurations(&self) -> Vec<String> {
        let found = self.sagemaker.list_endpoint_configs().send().await.unwrap();
        found.endpoint_configs().iter().filter_map(|one| one.endpoint_config_name.clone()).collect()
    }

    async fn tags(&self, resource: &str) -> BTreeMap<String, String> {
        let arn = format!("arn:aws:sagemaker:us-east-1:000000000000:{resource}");
        let found = self.sagemaker.list_tags().resource_arn(arn).send().await.unwrap();
        let pair = |tag: &aws_sdk_sagemaker::types::Tag| Some((tag.key.clone()?, tag.value.clone()?));
        found.tags().iter().filter_map(pair).collect()
    }

    /// Waits for the change under way; `settle` of the other stories returns the count of the first variant.
    async fn rest(&self) {
        self.settle().await;
        self.age();
        self.emulators.forget_requests();
    }

    async fn nothing_is_left_over(&self) {
        assert_eq!(self.effective().await, ORIGINAL);
        assert_eq!(self.configurations().await, [ORIGINAL]);
        assert_eq!(self.tags("endpoint/churn").await, BTreeMap::new());
        let pairs: Vec<_> = self.alarms().await.into_iter().filter_map(|alarm| alarm.alarm_name).collect();
        assert!(pairs.iter().all(|name| !name.starts_with("stepladder/")), "{pairs:?}");
    }
}

#[tokio::test]
async fn a_copy_differs_in_nothing_but_the_type_and_the_way_back_leaves_nothing() {
    let Some(account) = Account::with_every_member().await else { return };
    let function = Function::start(&account.emulators);
    account.emulators.slow_down();
    let reply = function.invoke(&memory("high"));
    let steps = ["aws:PutMetricAlarm", "aws:CreateEndpointConfig", "aws:AddTags", "aws:UpdateEndpoint"];
    assert_eq!(calls(outcome(&reply)), steps, "{reply:#}");
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    // One observation, its second half, and four calls that depend on each other.
    assert!(account.round_trips() <= 6, "{} round trips", account.round_trips());
    account.rest().await;

    let copy = account.effective().await;
    let differences = account.emulators.differences(ORIGINAL, &copy);
    assert_eq!(differences, ["ProductionVariants[1].InstanceType"]);
    assert_eq!(account.shape().await, "ml.m5.xlarge");
    let tags = account.tags(&format!("endpoint-config/{copy}")).await;
    let mut expected = account.tags(&format!("endpoint-config/{ORIGINAL}")).await;
    assert!(expected.contains_key("team"));
    assert!(expected.remove("aws:cloudformation:stack-name").is_some());
    expected.insert("stepladder:endpoint".to_owned(), ENDPOINT.to_owned());
    expected.insert("stepladder:original".to_owned(), ORIGINAL.to_owned());
    expected.insert(format!("stepladder:deployed/{VARIANT}"), "ml.m5.large".to_owned());
    assert_eq!(tags, expected);

    // Another step: both the original and the active copy stay until it is completed.
    assert_eq!(outcome(&function.invoke(&memory("high")))["result"], "applied");
    account.settle().await;
    assert_eq!(account.shape().await, "ml.m5.2xlarge");
    assert_eq!(account.configurations().await.len(), 3);
    function.invoke(&tick());
    assert_eq!(account.configurations().await.len(), 2, "a copy that has served is gone");

    for (shape, left) in [("ml.m5.xlarge", 2), ("ml.m5.large", 1)] {
        account.age();
        // A smaller type must carry its cores, too.
        account.measure("CPUUtilization", 20.0).await;
        account.measure("MemoryUtilization", 9.0).await;
        let reply = function.invoke(&memory("low"));
        assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
        account.settle().await;
        assert_eq!(account.shape().await, shape);
        function.invoke(&tick());
        assert_eq!(account.configurations().await.len(), left);
    }
    account.nothing_is_left_over().await;
}

#[tokio::test]
async fn counts_stay_and_a_copy_that_is_not_visible_yet_is_waited_for() {
    let Some(account) = Account::with_every_member().await else { return };
    let wanted = aws_sdk_sagemaker::types::DesiredWeightAndCapacity::builder()
        .variant_name(VARIANT)
        .desired_instance_count(5)
        .build();
    let change = account.sagemaker.update_endpoint_weights_and_capacities().endpoint_name(ENDPOINT);
    change.desired_weights_and_capacities(wanted).send().await.unwrap();
    account.rest().await;
    account.emulators.visibility(1.0);
    let function = Function::start(&account.emulators);
    let reply = function.invoke(&memory("high"));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    account.rest().await;
    assert_eq!(account.shape().await, "ml.m5.xlarge");
    let seen = account.sagemaker.describe_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
    let variant = seen.production_variants().iter().find(|one| one.variant_name() == Some(VARIANT)).unwrap();
    assert_eq!(variant.current_instance_count(), Some(5), "not the two of the configuration");
}

#[tokio::test]
async fn a_call_that_fails_at_any_step_is_made_good_by_the_next_delivery() {
    let Some(account) = Account::with_every_member().await else { return };
    let function = Function::start(&account.emulators);
    for operation in ["PutMetricAlarm", "CreateEndpointConfig", "AddTags", "UpdateEndpoint"] {
        account.emulators.fail(operation, 503, 9, "ServiceUnavailable");
        let error = function.invoke_failing(&memory("high"));
        assert!(error.contains("Retryable") && error.contains(operation), "{error}");
        account.emulators.fail(operation, 503, 0, "ServiceUnavailable");
        assert_eq!(account.effective().await, ORIGINAL);
    }
    assert_eq!(outcome(&function.invoke(&memory("high")))["result"], "applied");
    account.rest().await;
    assert_eq!(account.shape().await, "ml.m5.xlarge");
    assert_eq!(account.configurations().await.len(), 2, "one copy, however often it was tried");
}

#[tokio::test]
async fn a_rollback_and_a_quota_are_remembered() {
    let Some(account) = Account::with_every_member().await else { return };
    let function = Function::start(&account.emulators);
    account.emulators.rollback(ENDPOINT);
    assert_eq!(outcome(&function.invoke(&memory("high")))["result"], "applied");
    account.settle().await;
    // Long enough ago for the alarm's window, and still after the step was begun.
    let reply = function.invoke(&std::fs::read(root().join("events/signals/endpoint-settled.json")).unwrap());
    let operations: Vec<&str> = reply["outcomes"].as_array().unwrap().iter().flat_map(calls).collect();
    assert!(
        operations.contains(&"aws:AddTags") && operations.contains(&"aws:DeleteEndpointConfig"),
        "{reply:#}"
    );
    account.age();
    let held = function.invoke(&memory("high"));
    assert_eq!(outcome(&held)["decision"]["reason"], "infeasible", "{held:#}");
    assert!(outcome(&held)["because"].as_str().unwrap().contains("rolled back"));
    account.forget().await;

    account.emulators.quota("ml.m5.xlarge", Some(1));
    let refused = function.invoke(&memory("high"));
    assert_eq!(outcome(&refused)["error"]["kind"], "over_quota", "{refused:#}");
    assert_eq!(calls(outcome(&refused)).last(), Some(&"aws:AddTags"));
    account.emulators.forget_requests();
    let held = function.invoke(&memory("high"));
    assert_eq!(outcome(&held)["decision"]["reason"], "infeasible", "{held:#}");
    let requests = account.emulators.requests();
    assert!(requests.iter().all(|request| request.operation != "UpdateEndpoint"), "it is not tried again");
}

impl Account {
    /// An operator takes all notes off the endpoint.
    async fn forget(&self) {
        let keys = self.tags("endpoint/churn").await.into_keys().collect();
        let arn = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/churn";
        self.sagemaker.delete_tags().resource_arn(arn).set_tag_keys(Some(keys)).send().await.unwrap();
    }
}

/// Somebody else foresees the name of a copy, and creates another configuration under it.
#[tokio::test]
async fn a_configuration_under_a_foreseen_name_is_not_used() {
    let Some(account) = Account::with_every_member().await else { return };
    let trial = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", "mode = \"observe\"")]);
    let planned = trial.invoke(&memory("high"));
    let planned = outcome(&planned)["calls"].as_array().unwrap().iter();
    let create = planned.clone().find(|call| call["call"] == "aws:CreateEndpointConfig").unwrap();
    let foreseen = create["detail"].as_str().unwrap().split('`').nth(1).unwrap().to_owned();
    let made = account.emulators.every_member(&foreseen, VARIANT, "ml.m5.4xlarge", false);
    account.emulators.tag(&made.arn, "stepladder:endpoint", ENDPOINT);

    let function = Function::start(&account.emulators);
    let reply = function.invoke(&memory("high"));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    account.rest().await;
    let copy = account.effective().await;
    assert_ne!(copy, foreseen);
    assert_eq!(account.shape().await, "ml.m5.xlarge");
    assert_eq!(account.emulators.differences(ORIGINAL, &copy), ["ProductionVariants[1].InstanceType"]);
}

/// Tags that nobody wrote for a suspended variant register nothing, and replace no action of any alarm.
#[tokio::test]
async fn a_forged_record_of_suspended_scaling_is_not_restored() {
    let Some(account) = Account::with_every_member().await else { return };
    let pager = "arn:aws:sns:us-east-1:1:people";
    put_alarm_calling(&account, pager).await;
    let record = json!({
        "target": { "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/payments/variant/AllTraffic",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "MinCapacity": 1, "MaxCapacity": 9 },
        "policies": [{ "arn": pager, "alarms": [{ "name": "busy", "on": ["AlarmActions"] }],
            "request": { "PolicyName": "p", "ResourceId": "endpoint/payments/variant/AllTraffic" } }],
        "scheduled": [],
    });
    let text = STANDARD_NO_PAD.encode(record.to_string());
    let arn = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/churn";
    for (number, chunk) in text.as_bytes().chunks(256).enumerate() {
        let key = format!("stepladder:parked/{VARIANT}/{number}");
        account.emulators.tag(arn, &key, &String::from_utf8_lossy(chunk));
    }
    for policy in ["mode = \"act\"", PARK] {
        let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", policy)]);
        for event in [memory("high"), tick()] {
            function.invoke(&event);
        }
    }
    let native = account.emulators.scaling();
    let asked = native.describe_scalable_targets().service_namespace(scaling::ServiceNamespace::Sagemaker);
    assert_eq!(asked.send().await.unwrap().scalable_targets(), []);
    let alarms = account.alarms().await;
    let busy = alarms.iter().find(|alarm| alarm.alarm_name() == Some("busy")).unwrap();
    assert_eq!(busy.alarm_actions(), [pager]);
}

#[tokio::test]
async fn suspended_scaling_is_restored_after_a_change_of_type() {
    let Some(account) = Account::with_every_member().await else { return };
    let native = account.emulators.scaling();
    let target = format!("endpoint/{ENDPOINT}/variant/{VARIANT}");
    let dimension = scaling::ScalableDimension::SageMakerVariantDesiredInstanceCount;
    native
        .register_scalable_target()
        .service_namespace(scaling::ServiceNamespace::Sagemaker)
        .resource_id(&target)
        .scalable_dimension(dimension.clone())
        .min_capacity(1)
        .max_capacity(7)
        .send()
        .await
        .unwrap();
    let step =
        scaling::StepAdjustment::builder().metric_interval_lower_bound(0.0).scaling_adjustment(1).build();
    let steps = scaling::StepScalingPolicyConfiguration::builder()
        .adjustment_type(scaling::AdjustmentType::ChangeInCapacity)
        .step_adjustments(step.unwrap())
        .build();
    let put = native
        .put_scaling_policy()
        .policy_name("busy")
        .service_namespace(scaling::ServiceNamespace::Sagemaker)
        .resource_id(&target)
        .scalable_dimension(dimension.clone())
        .policy_type(scaling::PolicyType::StepScaling)
        .step_scaling_policy_configuration(steps)
        .send()
        .await
        .unwrap();
    put_alarm_calling(&account, put.policy_arn()).await;

    // Without leave it is left alone.
    let function = Function::start(&account.emulators);
    let held = function.invoke(&memory("high"));
    assert_eq!(outcome(&held)["decision"]["reason"], "owned_elsewhere", "{held:#}");

    let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", PARK)]);
    let reply = function.invoke(&memory("high"));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    account.rest().await;
    for _ in 0..2 {
        function.invoke(&tick());
    }
    assert_eq!(account.shape().await, "ml.m5.xlarge");
    let asked = native.describe_scalable_targets().service_namespace(scaling::ServiceNamespace::Sagemaker);
    let targets = asked.send().await.unwrap();
    assert_eq!(targets.scalable_targets()[0].max_capacity(), 7);
    let asked = native.describe_scaling_policies().service_namespace(scaling::ServiceNamespace::Sagemaker);
    let policies = asked.send().await.unwrap();
    let now = &policies.scaling_policies()[0];
    assert_eq!(now.policy_name(), "busy");
    assert!(now.step_scaling_policy_configuration().unwrap().step_adjustments().len() == 1);
    assert_ne!(now.policy_arn(), put.policy_arn(), "restored, it is another policy");
    let alarms = account.alarms().await;
    let busy = alarms.iter().find(|alarm| alarm.alarm_name() == Some("busy")).unwrap();
    assert_eq!(busy.alarm_actions(), [now.policy_arn()]);
    assert_eq!(
        (busy.threshold(), busy.ok_actions()),
        (Some(400.0), &["arn:aws:sns:us-east-1:1:people".to_owned()][..])
    );
    assert_eq!(account.tags("endpoint/churn").await, BTreeMap::new());
}

async fn put_alarm_calling(account: &Account, policy: &str) {
    account
        .cloudwatch
        .put_metric_alarm()
        .alarm_name("busy")
        .namespace("/aws/sagemaker/Endpoints")
        .metric_name("CPUUtilization")
        .statistic(Statistic::Average)
        .dimensions(Dimension::builder().name("EndpointName").value(ENDPOINT).build())
        .period(60)
        .evaluation_periods(3)
        .threshold(400.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .alarm_actions(policy)
        .ok_actions("arn:aws:sns:us-east-1:1:people")
        .send()
        .await
        .unwrap();
}
