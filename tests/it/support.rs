//! Shared helpers of the tests: payloads in the real formats, a small world, and clouds that fail.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use stepladder::platform::{ActiveAlarm, Observation, ObserveRequest};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stepladder::alarm::Transition;
use stepladder::decide::Decision;
use stepladder::handle::handle;
use stepladder::outcome::Answer;
use stepladder::outcome::Outcome;
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::aws::variant::NativeScaling;
use stepladder::platform::oci::alarm::OciAlarm;
use stepladder::platform::simulated::{
    SimulatedCloud, SimulatedDeployment, World, WorldAlarm, WorldConfiguration,
};
use stepladder::platform::{AlarmDefinition, Call};
use stepladder::platform::{Client, Error};
use stepladder::policy::Policy;
use stepladder::size::Size;

/// The OCI model deployment of the small world.
pub(crate) const CHURN: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidchurn";
/// The SageMaker variant of the small world.
pub(crate) const VARIANT: &str = "endpoint/churn/variant/AllTraffic";

/// The built-in ladder of [`CHURN`]'s shape.
pub(crate) const OCI_RUNGS: [&str; 6] = [
    "VM.Standard2.1",
    "VM.Standard2.2",
    "VM.Standard2.4",
    "VM.Standard2.8",
    "VM.Standard2.16",
    "VM.Standard2.24",
];

/// The topics of the small world's alarms.
pub(crate) const TOPIC_OCID: &str = "ocid1.onstopic.oc1.iad.exampleuniqueidtopic";
pub(crate) const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:111122223333:stepladder-alarms";

const COMPARTMENT: &str = "ocid1.compartment.oc1..exampleuniqueidcompartment";

/// The alarms of the small world, with the guide's names.
pub(crate) const HIGH_CPU: &str = "churn-model_deployment_high_cpu";
pub(crate) const LOW_CPU: &str = "churn-model_deployment_low_cpu";
pub(crate) const HIGH_MEM: &str = "churn-model_deployment_high_mem";
pub(crate) const LOW_MEM: &str = "churn-model_deployment_low_mem";
/// Not part of the small world: the simulated cloud adds these two when they fire.
pub(crate) const HIGH_BANDWIDTH: &str = "churn-model_deployment_high_bandwidth";
pub(crate) const LOW_BANDWIDTH: &str = "churn-model_deployment_low_bandwidth";
const EXISTING: [&str; 4] = [HIGH_CPU, LOW_CPU, HIGH_MEM, LOW_MEM];

/// The pairs of the built-in rules.
pub(crate) const CPU_PAIR: &str = "model_deployment_low_cpu";
pub(crate) const MEM_PAIR: &str = "model_deployment_low_mem";
pub(crate) const BANDWIDTH_PAIR: &str = "model_deployment_low_bandwidth";

/// The payload of the scheduled reconcile.
pub(crate) const TICK: &[u8] = br#"{"stepladder": "tick"}"#;

/// A policy without rules of its own.
pub(crate) fn built_in() -> Policy {
    policy("")
}

/// The name of the variant's paired alarm.
pub(crate) fn pair_alarm(pair: &str) -> String {
    format!("stepladder/{VARIANT}/{pair}")
}

/// A policy that must be valid.
pub(crate) fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The moment at which every story here begins, and so many seconds after it.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_452_800 + seconds).unwrap()
}

/// So many minutes after the beginning.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    at(minutes * 60)
}

/// One alarm's notice, before it is written as its service writes it.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    name: String,
    target: String,
    transition: Transition,
    at: Option<Timestamp>,
    window: Option<i64>,
    namespace: &'static str,
    value: Option<f64>,
}

impl Notice {
    /// A notice that fires at the beginning, with a window of five minutes.
    pub(crate) fn new(name: &str, target: &str) -> Self {
        Self {
            name: name.to_owned(),
            target: target.to_owned(),
            transition: Transition::Firing,
            at: Some(at(0)),
            window: Some(5),
            namespace: "oci_datascience_modeldeploy",
            value: Some(if is_low(name) { 4.2 } else { 91.4 }),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn with_transition(self, transition: Transition) -> Self {
        Self { transition, ..self }
    }

    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    pub(crate) fn without_time(self) -> Self {
        Self { at: None, ..self }
    }

    /// About a compute instance's metric, not a model deployment's.
    pub(crate) fn outside(self) -> Self {
        Self { namespace: "oci_computeagent", ..self }
    }

    /// A notice with this measured value.
    pub(crate) fn value(self, value: f64) -> Self {
        Self { value: Some(value), ..self }
    }

    /// A notice without the measured value.
    pub(crate) fn without_value(self) -> Self {
        Self { value: None, ..self }
    }

    /// The minutes of data that the alarm evaluated; `None` for a payload without a window.
    pub(crate) fn window(self, minutes: Option<i64>) -> Self {
        Self { window: minutes, ..self }
    }

    /// The payload: an OCI message, or a CloudWatch alarm in an SNS record.
    pub(crate) fn body(&self) -> Vec<u8> {
        let payload = if self.target.starts_with("endpoint/") { self.sns() } else { self.oci() };
        payload.to_string().into_bytes()
    }

    /// The message itself, as it is published.
    pub(crate) fn message(&self) -> Value {
        if self.target.starts_with("endpoint/") { self.cloudwatch() } else { self.oci() }
    }

    /// In the metric's own unit: the variant of the small world has four vCPUs.
    fn reason(&self) -> String {
        let times = if self.name.contains("mem") { 1.0 } else { 4.0 };
        let Some(value) = self.value else { return "Threshold Crossed".to_owned() };
        let periods = self.window.unwrap_or(1);
        let begins = |back: i64| self.at.unwrap_or(at(0)) - SignedDuration::from_mins(back);
        let datapoint =
            |back: i64| format!("{} ({})", value * times, begins(back).strftime("%d/%m/%y %H:%M:%S"));
        let listed: Vec<String> = (1..=periods.min(5)).map(datapoint).collect();
        let side = if self.is_low() { "less" } else { "greater" };
        format!(
            "Threshold Crossed: {periods} out of the last {periods} datapoints [{}] were {side} than the threshold \
             (minimum {periods} datapoints for OK -> ALARM transition).",
            listed.join(", ")
        )
    }

    fn is_low(&self) -> bool {
        is_low(&self.name)
    }

    fn oci(&self) -> Value {
        let (kind, status) = match self.transition {
            Transition::Firing => ("OK_TO_FIRING", "FIRING"),
            Transition::Repeat => ("REPEAT", "FIRING"),
            Transition::Cleared => ("FIRING_TO_OK", "OK"),
            Transition::NoData | Transition::Test => ("RESET", "OK"),
        };
        let query = query(&self.name, &self.target, self.window);
        json!({
            "dedupeKey": "6513270e-269e-4d37-b2a7-4de452e6b438",
            "title": self.name,
            "type": kind,
            "severity": "CRITICAL",
            "timestampEpochMillis": self.at.map(Timestamp::as_millisecond),
            "alarmMetaData": [{
                "id": format!("ocid1.alarm.oc1.iad.{}", self.name),
                "status": status,
                "namespace": self.namespace,
                "query": query,
                "totalMetricsFiring": 1,
                "dimensions": [{ "resourceId": self.target }],
                "metricValues": self.value.map(|value| json!([{ "CpuUtilization": value.to_string() }])),
            }],
            "version": 1.5,
        })
    }

    fn cloudwatch(&self) -> Value {
        let state = match self.transition {
            Transition::Firing | Transition::Repeat => "ALARM",
            Transition::Cleared => "OK",
            Transition::NoData | Transition::Test => "INSUFFICIENT_DATA",
        };
        let (endpoint, variant) = names(&self.target);
        let mut trigger = json!({
            "MetricName": metric(&self.name).replace("Cpu", "CPU"),
            "Namespace": "/aws/sagemaker/Endpoints",
            "Statistic": "AVERAGE",
            "Dimensions": [
                { "name": "EndpointName", "value": endpoint },
                { "name": "VariantName", "value": variant },
            ],
            "ComparisonOperator": if self.is_low() { "LessThanThreshold" } else { "GreaterThanThreshold" },
            "Threshold": if self.is_low() { 40.0 } else { 160.0 },
        });
        if let Some(minutes) = self.window {
            trigger["Period"] = json!(60);
            trigger["EvaluationPeriods"] = json!(minutes);
        }
        json!({
            "AlarmName": self.name,
            "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:111122223333:alarm:{}", self.name),
            "NewStateValue": state,
            "NewStateReason": self.reason(),
            "StateChangeTime": self.at,
            "AlarmActions": [TOPIC_ARN],
            "Trigger": trigger,
        })
    }

    fn sns(&self) -> Value {
        let sns = json!({ "TopicArn": TOPIC_ARN, "Message": self.cloudwatch().to_string() });
        json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] })
    }
}

/// A batch of messages, as a queue hands it to a function.
pub(crate) fn batch(messages: &[(&str, &[u8])]) -> Value {
    let record = |(id, body): &(&str, &[u8])| {
        let body = String::from_utf8_lossy(body);
        json!({ "eventSource": "aws:sqs", "messageId": id, "receiptHandle": "handle", "body": body })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

/// Whether an alarm of the tests fires below its threshold: a scale-down alarm, or a pair of another name.
fn is_low(alarm: &str) -> bool {
    ["low_", "calm", "small"].into_iter().any(|word| alarm.contains(word))
}

fn metric(alarm: &str) -> &'static str {
    match alarm {
        memory if memory.contains("mem") => "MemoryUtilization",
        bandwidth if bandwidth.contains("bandwidth") => "PredictBandwidth",
        _ => "CpuUtilization",
    }
}

fn names(variant: &str) -> (&str, &str) {
    variant.strip_prefix("endpoint/").and_then(|rest| rest.split_once("/variant/")).unwrap_or_default()
}

fn query(alarm: &str, target: &str, window: Option<i64>) -> String {
    let metric = metric(alarm);
    let window = window.map(|minutes| format!("[{minutes}m]")).unwrap_or_default();
    let threshold = if is_low(alarm) { "< 10" } else { "> 80" };
    format!("{metric}{window}{{resourceId = \"{target}\"}}.groupBy(resourceId).mean() {threshold}")
}

/// An existing alarm of the operator. Without a window, the service does not report one either.
pub(crate) fn existing(name: &str, target: &str, window: Option<i64>) -> WorldAlarm {
    if target.starts_with("endpoint/") {
        cloudwatch_alarm(name, target, window)
    } else {
        oci_alarm(name, target, window)
    }
}

fn oci_alarm(name: &str, target: &str, window: Option<i64>) -> WorldAlarm {
    let definition = OciAlarm {
        name: name.to_owned(),
        compartment: COMPARTMENT.to_owned(),
        metric_compartment: COMPARTMENT.to_owned(),
        namespace: "oci_datascience_modeldeploy".into(),
        query: query(name, target, window),
        severity: "CRITICAL".into(),
        destinations: vec![TOPIC_OCID.to_owned()],
        repeat: Some("PT5M".to_owned()),
        pending: Some("PT1M".into()),
        enabled: true,
        body: None,
        tags: BTreeMap::new(),
    };
    WorldAlarm::new(&format!("ocid1.alarm.oc1.iad.{name}"), AlarmDefinition::Oci(definition))
}

fn cloudwatch_alarm(name: &str, target: &str, window: Option<i64>) -> WorldAlarm {
    let (endpoint, variant) = names(target);
    let dimensions = [("EndpointName", endpoint), ("VariantName", variant)];
    let definition = CloudwatchAlarm {
        name: name.to_owned(),
        description: "Somebody's own alarm.".to_owned(),
        namespace: "/aws/sagemaker/Endpoints".into(),
        metric: "CPUUtilization".to_owned(),
        statistic: "Average".into(),
        dimensions: dimensions.map(|(name, value)| (name.to_owned().into(), value.to_owned())).into(),
        period: 60,
        evaluation_periods: i32::try_from(window.unwrap_or(0)).unwrap(),
        threshold: 160.0,
        comparison: "GreaterThanThreshold".into(),
        missing_data: "missing".into(),
        actions: vec![TOPIC_ARN.to_owned()],
        enabled: true,
        datapoints: None,
        unit: None,
        math: None,
    };
    WorldAlarm::new(name, AlarmDefinition::Aws(definition))
}

/// A world with one deployment of each kind, both at the floor, and the four alarms of the guide on each. Their cores are
/// in use, and as little as any smaller shape can carry.
pub(crate) fn world() -> World {
    let deployments = [(CHURN, "VM.Standard2.1", 20.0), (VARIANT, "ml.m5.xlarge", 60.0)];
    let alarms = |id| EXISTING.map(|name| existing(&suffixed(name, id), id, Some(5)));
    World {
        clock: at(0),
        furnish: false,
        deployments: deployments
            .map(|(id, shape, cpu)| {
                let metrics = [("CpuUtilization".to_owned(), cpu)].into();
                (id.to_owned(), SimulatedDeployment { metrics, ..SimulatedDeployment::new(1, shape) })
            })
            .into(),
        alarms: [alarms(CHURN), alarms(VARIANT)].concat(),
        ..World::default()
    }
}

/// The two clouds' alarms have the same names, so a variant's get another prefix.
fn suffixed(name: &str, target: &str) -> String {
    if target.starts_with("endpoint/") { name.replace("churn-", "variant-") } else { name.to_owned() }
}

/// A notice of one of the existing alarms about one of the two deployments.
pub(crate) fn notice(name: &str, target: &str) -> Notice {
    Notice::new(&suffixed(name, target), target)
}

/// The small world.
pub(crate) fn cloud() -> SimulatedCloud {
    SimulatedCloud::new(world())
}

/// The small world with one of its deployments at another size.
pub(crate) fn cloud_with(id: &str, instances: u32, shape: &str) -> SimulatedCloud {
    let cloud = cloud();
    on(&cloud, id, |found| {
        found.instances = instances;
        shape.clone_into(&mut found.shape);
    });
    cloud
}

/// A cloud of one deployment, without any alarm.
pub(crate) fn cloud_of(id: &str, instances: u32, shape: &str) -> SimulatedCloud {
    let deployments = [(id.to_owned(), SimulatedDeployment::new(instances, shape))].into();
    SimulatedCloud::new(World { clock: at(0), deployments, ..World::default() })
}

/// Reads or changes one deployment, as an operator does at the console.
pub(crate) fn on<T>(
    cloud: &SimulatedCloud,
    id: &str,
    touch: impl FnOnce(&mut SimulatedDeployment) -> T,
) -> T {
    cloud.with(|world| touch(world.deployments.get_mut(id).unwrap()))
}

/// Gives the variant's entry in its endpoint's configuration further members.
pub(crate) fn configured(cloud: &SimulatedCloud, members: &Value) {
    let (endpoint, variant) = names(VARIANT);
    let mut entry = json!({ "VariantName": variant, "ModelName": "model", "InitialInstanceCount": 1,
        "InstanceType": size(cloud, VARIANT).shape });
    entry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let document = json!({ "EndpointConfigName": endpoint, "ProductionVariants": [entry] });
    let known = WorldConfiguration { document, tags: BTreeMap::new(), created: Timestamp::UNIX_EPOCH };
    cloud.with(|world| world.configurations.insert(endpoint.to_owned(), known));
}

/// The ARN of a policy of the variant, before it is suspended.
pub(crate) fn policy_arn(number: usize) -> String {
    format!(
        "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:old-{number}:resource/sagemaker/{VARIANT}:\
         policyName/policy-{number}"
    )
}

/// Registers the variant with Application Auto Scaling, with so many policies.
pub(crate) fn scaled_natively(cloud: &SimulatedCloud, suspended: &Value, policies: usize) {
    let policy = |number: usize| {
        let (name, arn) = (format!("policy-{number}"), policy_arn(number));
        json!({ "PolicyName": name, "PolicyARN": arn, "PolicyType": "StepScaling", "ResourceId": VARIANT })
    };
    let native = NativeScaling {
        target: Some(json!({ "ResourceId": VARIANT, "MinCapacity": 1, "MaxCapacity": 4,
            "SuspendedState": suspended })),
        policies: (0..policies).map(policy).collect(),
        scheduled: vec![json!({ "ScheduledActionName": "night", "ResourceId": VARIANT })],
    };
    cloud.with(|world| world.scalable.insert(VARIANT.to_owned(), native));
}

/// The current size.
pub(crate) fn size(cloud: &SimulatedCloud, id: &str) -> Size {
    on(cloud, id, |found| found.size())
}

/// The size after the change in progress.
pub(crate) fn heading(cloud: &SimulatedCloud, id: &str) -> Size {
    on(cloud, id, |found| found.heading())
}

/// Lets so many minutes pass.
pub(crate) fn pass(cloud: &SimulatedCloud, minutes: i64) {
    let now = cloud.with(|world| world.clock);
    cloud.advance(now + SignedDuration::from_mins(minutes));
}

/// The existing pairs of one target, identified by their marker.
pub(crate) fn pairs(world: &World, id: &str, pair: &str) -> Vec<WorldAlarm> {
    let marker = format!("\nstepladder: pair={pair} target={id} ");
    let by_tags = |alarm: &WorldAlarm| {
        let AlarmDefinition::Oci(found) = &alarm.definition else { return false };
        let tag = |key: &str| found.tags.get(key).map(String::as_str);
        (tag("stepladder:target"), tag("stepladder:pair")) == (Some(id), Some(pair))
    };
    let by_description = |alarm: &WorldAlarm| {
        let AlarmDefinition::Aws(found) = &alarm.definition else { return false };
        found.description.contains(&marker)
    };
    let is_pair = |alarm: &&WorldAlarm| by_tags(alarm) || by_description(alarm);
    world.alarms.iter().filter(is_pair).cloned().collect()
}

/// Answers one payload.
pub(crate) fn answer(body: &[u8], cloud: &dyn Client, policy: &Policy, now: Timestamp) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(handle(body, cloud, policy, now)).unwrap_or_else(|error| panic!("{error}"))
}

/// Answers a notice about one deployment, at the notice's own time.
pub(crate) fn send(notice: &Notice, cloud: &dyn Client, policy: &Policy) -> Outcome {
    let now = notice.at.unwrap_or(at(0));
    let mut answer = answer(&notice.body(), cloud, policy, now);
    assert_eq!(answer.outcomes.len(), 1, "one alarm, one target");
    answer.outcomes.remove(0)
}

/// The reason of a hold, or `resize`.
pub(crate) fn reason(outcome: &Outcome) -> &'static str {
    match &outcome.decision {
        Decision::Resize { .. } => "resize",
        Decision::Hold(hold) => hold.reason(),
    }
}

/// The operations of a plan, in order.
pub(crate) fn operations(outcome: &Outcome) -> Vec<&'static str> {
    outcome.calls.iter().map(|call_record| call_record.call.operation()).collect()
}

/// Whether a crash comes before or after the last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The call never arrived.
    Before,
    /// The call took effect and its answer was lost.
    After,
}

/// A cloud that accepts some calls and then fails, before or after the next one.
pub(crate) struct Interrupted<'a> {
    cloud: &'a SimulatedCloud,
    left: AtomicUsize,
    side: Side,
    error: Error,
    /// Whether only one call fails.
    goes_on: bool,
    failed: AtomicBool,
}

impl<'a> Interrupted<'a> {
    /// As if the process ended, or the network did.
    pub(crate) fn after(calls: usize, side: Side, cloud: &'a SimulatedCloud) -> Self {
        let error = Error::Unavailable { operation: "any".to_owned(), message: "interrupted".to_owned() };
        let (left, failed) = (AtomicUsize::new(calls), AtomicBool::new(false));
        Self { cloud, left, side, error, goes_on: false, failed }
    }

    /// The first call is answered with this.
    pub(crate) fn by(error: Error, cloud: &'a SimulatedCloud) -> Self {
        Self::at(0, error, cloud)
    }

    /// The call after so many is answered with this, and those after it go through.
    pub(crate) fn at(calls: usize, error: Error, cloud: &'a SimulatedCloud) -> Self {
        Self { error, goes_on: true, ..Self::after(calls, Side::Before, cloud) }
    }
}

#[async_trait]
impl Client for Interrupted<'_> {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        self.cloud.observe(request).await
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let left = self.left.load(SeqCst);
        if left > 0 || (self.goes_on && self.failed.swap(true, SeqCst)) {
            self.left.store(left.saturating_sub(1), SeqCst);
            return self.cloud.send(call).await;
        }
        if self.side == Side::After {
            self.cloud.send(call).await?;
        }
        Err(self.error.clone())
    }
}

/// A cloud on which somebody else acts between the observation and the first call, so many times.
pub(crate) struct Racing<'a> {
    cloud: &'a SimulatedCloud,
    left: AtomicUsize,
    meddle: fn(&mut World),
}

impl<'a> Racing<'a> {
    pub(crate) fn new(times: usize, meddle: fn(&mut World), cloud: &'a SimulatedCloud) -> Self {
        Self { cloud, left: AtomicUsize::new(times), meddle }
    }
}

#[async_trait]
impl Client for Racing<'_> {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        let observed = self.cloud.observe(request).await;
        if self.left.load(SeqCst) > 0 {
            self.left.fetch_sub(1, SeqCst);
            self.cloud.with(self.meddle);
        }
        observed
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        self.cloud.send(call).await
    }
}

/// A cloud that fails every observation and accepts no call.
pub(crate) struct Blind(pub(crate) Error);

#[async_trait]
impl Client for Blind {
    async fn observe(&self, _: &ObserveRequest<'_>) -> Result<Observation, Error> {
        Err(self.0.clone())
    }

    async fn active_alarms(&self, _: Option<&str>, _: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        Err(self.0.clone())
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        panic!("nothing was seen, and yet it sends {call}")
    }
}

/// A cloud that records the world before and after every call.
pub(crate) struct Watched<'a> {
    cloud: &'a SimulatedCloud,
    steps: Mutex<Vec<(World, World)>>,
}

impl<'a> Watched<'a> {
    pub(crate) fn new(cloud: &'a SimulatedCloud) -> Self {
        Self { cloud, steps: Mutex::default() }
    }

    /// The worlds before and after each call, in order.
    pub(crate) fn steps(self) -> Vec<(World, World)> {
        self.steps.into_inner().unwrap()
    }
}

#[async_trait]
impl Client for Watched<'_> {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        self.cloud.observe(request).await
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let before = self.cloud.snapshot();
        let answer = self.cloud.send(call).await;
        self.steps.lock().unwrap().push((before, self.cloud.snapshot()));
        answer
    }
}
