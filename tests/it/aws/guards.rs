//! An endpoint's tags and metrics on AWS: pauses, settings, cooldowns, and loads that no alarm reports.

use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StateValue};
use aws_sdk_sagemaker::types::DesiredWeightAndCapacity;
use jiff::Timestamp;
use serde_json::Value;

use super::emulators::{ALARM_ACTION, root, sequential};
use super::function::Function;
use super::horizontal::{Account, ENDPOINT, VARIANT, outcome, sample};
use super::repeat::{HIGH, put_high_alarm, set};

const TRACK: &str = r#"
[defaults]
instances = { min = 1, max = 9 }
[[rule]]
alarm = "*high_cpu"
axis  = "instances"
track = 60
"#;

const CHEAPEST: &str = r#"
[defaults]
instances  = { min = 1, max = 9 }
headroom   = "20%"
min_savings = 0
allow_cost_surge = true
[[rule]]
alarm = "*high_cpu"
axis  = "cheapest"
"#;

const STEPS: &str = r#"
[defaults]
instances = { min = 1, max = 9 }
cooldown  = { up = "10m" }
evidence     = "fired"
[[rule]]
alarm = "*high_cpu"
axis  = "instances"
steps = [{ above = 0, below = 100, add = 1 }, { above = 100, add = 3 }]
"#;

impl Account {
    async fn arn(&self) -> String {
        let seen = self.sagemaker.describe_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
        seen.endpoint_arn().unwrap().to_owned()
    }

    async fn tag(&self, key: &str, value: &str) {
        self.emulators.tag(&self.arn().await, key, value);
    }

    async fn untag(&self, key: &str) {
        self.sagemaker.delete_tags().resource_arn(self.arn().await).tag_keys(key).send().await.unwrap();
    }

    async fn tagged(&self, key: &str) -> String {
        let listed = self.sagemaker.list_tags().resource_arn(self.arn().await).send().await.unwrap();
        let found = listed.tags().iter().find(|tag| tag.key() == Some(key));
        found.unwrap_or_else(|| panic!("{listed:?}")).value().unwrap().to_owned()
    }

    /// So many instances, an hour ago.
    async fn with_instances(&self, count: i32) {
        let wanted =
            DesiredWeightAndCapacity::builder().variant_name(VARIANT).desired_instance_count(count).build();
        self.sagemaker
            .update_endpoint_weights_and_capacities()
            .endpoint_name(ENDPOINT)
            .desired_weights_and_capacities(wanted)
            .send()
            .await
            .unwrap();
        assert_eq!(self.settle().await, count);
        self.age();
    }

    /// What a metric of the variant was in each of the last minutes that are over.
    pub(super) async fn measure(&self, metric: &str, value: f64) {
        let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
        let minute = Timestamp::now().as_second() / 60 * 60;
        let data = [45, 105, 165].map(|ago| {
            MetricDatum::builder()
                .metric_name(metric)
                .dimensions(dimension("EndpointName", ENDPOINT))
                .dimensions(dimension("VariantName", VARIANT))
                .timestamp(DateTime::from_secs(minute - ago))
                .value(value)
                .build()
        });
        self.cloudwatch
            .put_metric_data()
            .namespace("/aws/sagemaker/Endpoints")
            .set_metric_data(Some(data.to_vec()))
            .send()
            .await
            .unwrap();
    }

    /// An alarm that fires and does not report its value, as a tick finds it.
    async fn let_high_cpu_fire(&self) {
        put_high_alarm(self, HIGH, ALARM_ACTION).await;
        set(self, HIGH, StateValue::Alarm).await;
    }

    fn sent(&self) -> Vec<String> {
        let writes = |name: &str| !["Describe", "List", "Get"].iter().any(|read| name.starts_with(read));
        let requests = self.emulators.requests().into_iter().map(|request| request.operation);
        requests.filter(|name| writes(name)).collect()
    }

    fn times(&self, operation: &str) -> usize {
        self.emulators.requests().iter().filter(|request| request.operation == operation).count()
    }
}

fn with_policy(account: &Account, policy: &str) -> Function {
    Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", policy)])
}

fn tick() -> Vec<u8> {
    std::fs::read(root().join("events/signals/tick.json")).unwrap()
}

fn reason(reply: &Value) -> &str {
    let outcome = outcome(reply);
    outcome["decision"]["reason"].as_str().or_else(|| outcome["result"].as_str()).unwrap()
}

fn hours_from_now(hours: i64) -> Timestamp {
    let second = Timestamp::now().as_second() + hours * 3600;
    Timestamp::from_second(second).unwrap()
}

#[tokio::test]
async fn what_an_alarm_does_not_report_is_read_in_the_same_observation() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    account.with_instances(4).await;
    account.let_high_cpu_fire().await;
    let function = with_policy(&account, TRACK);
    account.emulators.slow_down();

    // Nobody knows the load: nothing is done.
    account.emulators.forget_requests();
    let reply = function.invoke(&tick());
    assert_eq!(reason(&reply), "no_data", "{reply:#}");
    assert_eq!(account.sent(), Vec::<String>::new());
    assert_eq!(account.times("GetMetricData"), 1);

    // 90 % of each of four takes six at 60 %.
    account.measure("CPUUtilization", 360.0).await;
    account.emulators.forget_requests();
    let reply = function.invoke(&tick());
    assert_eq!(outcome(&reply)["decision"]["to"]["instances"], 6, "{reply:#}");
    // The alarms that fire, the observation, the change.
    assert_eq!(sequential(&account.emulators.requests()), 3);
    assert_eq!(account.settle().await, 6);
}

#[tokio::test]
async fn the_cheapest_size_is_found_by_both_metrics() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    account.let_high_cpu_fire().await;
    account.measure("CPUUtilization", 360.0).await;
    let function = with_policy(&account, CHEAPEST);

    // Of cores alone nothing is concluded.
    assert_eq!(reason(&function.invoke(&tick())), "no_data");

    // 3.6 of 4 vCPUs and 4.8 of 16 GiB, a fifth kept free: three ml.m5.large are cheapest, and the count goes first.
    account.measure("MemoryUtilization", 30.0).await;
    account.emulators.forget_requests();
    let reply = function.invoke(&tick());
    let to = &outcome(&reply)["decision"]["to"];
    assert_eq!((&to["instances"], &to["shape"]), (&3.into(), &"ml.m5.xlarge".into()), "{reply:#}");
    assert_eq!(account.times("GetMetricData"), 1, "one call for both");
}

#[tokio::test]
async fn a_pause_stops_one_way_until_it_is_over() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    account.with_instances(2).await;
    let function = Function::start(&account.emulators);
    let (high, low) = ("sns.high-cpu.firing.json", "sns.low-cpu.firing.json");

    account.tag("stepladder:pause", &format!("down until={}", hours_from_now(1))).await;
    let reply = function.invoke(&sample(low));
    assert_eq!(reason(&reply), "paused", "{reply:#}");
    let reply = function.invoke(&sample(high));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    assert_eq!(account.settle().await, 3);

    account.age();
    account.tag("stepladder:pause", &format!("down until={}", hours_from_now(-1))).await;
    let reply = function.invoke(&sample(low));
    assert_eq!(outcome(&reply)["decision"]["to"]["instances"], 2, "{reply:#}");
}

#[tokio::test]
async fn tags_set_bounds_and_slips_of_the_pen_hold() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    let high = || sample("sns.high-cpu.firing.json");

    account.tag("stepladder:max", "1").await;
    let reply = function.invoke(&high());
    assert_eq!(reason(&reply), "at_ceiling", "{reply:#}");
    // Of the variant alone, and stronger than its endpoint's.
    account.tag("stepladder:max/AllTraffic", "3").await;
    account.tag("stepladder:maxx", "3").await;
    let reply = function.invoke(&high());
    assert_eq!(reason(&reply), "unreadable_tag", "{reply:#}");
    account.untag("stepladder:maxx").await;
    let reply = function.invoke(&high());
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
}

#[tokio::test]
async fn what_was_added_is_remembered_before_it_is_and_is_not_added_twice() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = with_policy(&account, STEPS);
    let recent = format!("stepladder:recent/{VARIANT}");

    // 18 above the threshold: the small step.
    let reply = function.invoke(&sample("sns.high-cpu.firing.json"));
    assert_eq!(outcome(&reply)["decision"]["to"]["instances"], 2, "{reply:#}");
    assert_eq!(account.sent(), ["AddTags", "UpdateEndpointWeightsAndCapacities"]);
    assert!(account.tagged(&recent).await.ends_with("i+1"));
    assert_eq!(account.settle().await, 2);

    // The same again is what was added already.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let reply = function.invoke(&sample("sns.high-cpu.firing.json"));
    assert_eq!(reason(&reply), "cooling_down", "{reply:#}");

    // 128 above it: three, of which one is there.
    let larger = String::from_utf8(sample("sns.high-cpu.firing.json")).unwrap();
    let larger = larger.replace("187.34", "287.34").replace("181.02", "281.02").replace("166.9 ", "296.9 ");
    let reply = function.invoke(larger.as_bytes());
    assert_eq!(outcome(&reply)["decision"]["to"]["instances"], 4, "{reply:#}");
    assert!(account.tagged(&recent).await.ends_with("i+3"));
    assert_eq!(account.settle().await, 4);
}

#[tokio::test]
async fn tags_are_found_by_another_arn_and_a_denied_read_of_them_is_no_leave() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    let high = sample("sns.high-cpu.firing.json");

    // A pause may be in tags that the function may not read.
    account.emulators.fail("ListTags", 400, 1, "AccessDeniedException");
    let reply = function.invoke(&high);
    assert_eq!(outcome(&reply)["error"]["hint"], "allow `sagemaker:ListTags`", "{reply:#}");
    assert_eq!(account.sent(), Vec::<String>::new());

    // An alarm of another account, which watches this one's metrics: the endpoint reports its own ARN.
    account.tag("stepladder:pause", "all").await;
    let foreign = String::from_utf8(high.clone()).unwrap().replace("000000000000", "111122223333");
    account.emulators.slow_down();
    account.emulators.forget_requests();
    let reply = function.invoke(foreign.as_bytes());
    assert_eq!(reason(&reply), "paused", "{reply:#}");
    assert_eq!(account.round_trips(), 2);

    // The alarm's own account spares the second.
    account.emulators.forget_requests();
    assert_eq!(reason(&function.invoke(&high)), "paused");
    assert_eq!(account.round_trips(), 1);
}
