//! What is used of an alarm: its numbers only where they are the metric's own, and the same from every source.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::decide::Decision;
use stepladder::outcome::Outcome;
use stepladder::platform::AlarmDefinition;
use stepladder::platform::aws::alarm::{CloudwatchAlarm, MetricMath};
use stepladder::platform::simulated::{SimulatedCloud, WorldAlarm};
use stepladder::policy::Policy;

use crate::support::{CHURN, TICK, TOPIC_ARN, VARIANT, answer, at, built_in, cloud_of, on, policy, reason};

/// A CloudWatch alarm that fires at the beginning, and its datapoints of a minute each, from new to old.
#[derive(Debug, Clone)]
struct Firing {
    name: &'static str,
    metric: &'static str,
    statistic: &'static str,
    period: i64,
    datapoints: Vec<f64>,
    needed: usize,
    threshold: f64,
    below: bool,
    instance: bool,
    expression: Option<&'static str>,
    /// The lower and the upper threshold of a band that fires on both sides.
    band: Option<[f64; 2]>,
}

impl Firing {
    /// The mean of CPU over three minutes, above 80 % of four vCPUs.
    fn high() -> Self {
        Self {
            name: "churn-busy",
            metric: "CPUUtilization",
            statistic: "Average",
            period: 60,
            datapoints: vec![360.0, 352.0, 344.0],
            needed: 3,
            threshold: 320.0,
            below: false,
            instance: false,
            expression: None,
            band: None,
        }
    }

    /// The mean of CPU over three minutes, below 20 % of four vCPUs.
    fn low() -> Self {
        let datapoints = vec![36.0, 40.0, 44.0];
        Self { name: "churn-idle", datapoints, threshold: 80.0, below: true, ..Self::high() }
    }

    /// One that fires outside a band of 100 to 300, below it or above it.
    fn outside(name: &'static str, datapoints: [f64; 3]) -> Self {
        let expression = Some("ANOMALY_DETECTION_BAND(m1, 2)");
        Self { name, datapoints: datapoints.into(), expression, band: Some([100.0, 300.0]), ..Self::high() }
    }

    fn crosses(&self, value: f64) -> bool {
        match self.band {
            Some([lower, upper]) => value < lower || value > upper,
            None if self.below => value < self.threshold,
            None => value > self.threshold,
        }
    }

    fn begins(&self, back: usize) -> Timestamp {
        let seconds = self.period * (i64::try_from(back).unwrap() + 1);
        at(-seconds)
    }

    fn evaluated(&self) -> SignedDuration {
        SignedDuration::from_secs(self.period * i64::try_from(self.datapoints.len()).unwrap())
    }

    fn reason(&self) -> String {
        let crossing = |(_, value): &(usize, &f64)| self.crosses(**value);
        let datapoint = |(back, value): (usize, &f64)| {
            format!("{value:?} ({})", self.begins(back).strftime("%d/%m/%y %H:%M:%S"))
        };
        let all = self.datapoints.iter().enumerate().filter(crossing);
        let listed: Vec<String> = all.clone().take(5).map(datapoint).collect();
        let crossed = match self.band {
            Some(band) => {
                let [lower, upper] = band.map(|one| vec![format!("{one:?}"); listed.len()].join(", "));
                format!(
                    "less than the lower thresholds [{lower}] or greater than the upper thresholds [{upper}]"
                )
            }
            None if self.below => format!("less than the threshold ({:?})", self.threshold),
            None => format!("greater than the threshold ({:?})", self.threshold),
        };
        format!(
            "Threshold Crossed: {} out of the last {} datapoints [{}] were {crossed} (minimum {} datapoints for OK -> \
             ALARM transition).",
            all.count(),
            self.datapoints.len(),
            listed.join(", "),
            self.needed
        )
    }

    fn dimensions(&self) -> Vec<(&'static str, &'static str)> {
        let instance = self.instance.then_some(("InstanceId", "i-0"));
        [("EndpointName", "churn"), ("VariantName", "AllTraffic")].into_iter().chain(instance).collect()
    }

    fn operator(&self) -> &'static str {
        match self.band {
            Some(_) => "LessThanLowerOrGreaterThanUpperThreshold",
            None if self.below => "LessThanThreshold",
            None => "GreaterThanThreshold",
        }
    }

    fn metrics(&self, sns: bool) -> Value {
        let dimensions = self.dimensions();
        let pascal = |name: &str| {
            let (first, rest) = name.split_at(1);
            if sns { first.to_uppercase() + rest } else { name.to_owned() }
        };
        let dimensions = if sns {
            dimensions.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
        } else {
            dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Value>()
        };
        let metric = json!({ "namespace": "/aws/sagemaker/Endpoints", "dimensions": dimensions });
        let mut metric: Value =
            metric.as_object().unwrap().iter().map(|(key, value)| (pascal(key), value.clone())).collect();
        metric[if sns { "MetricName" } else { "name" }] = json!(self.metric);
        let stat = json!({ pascal("metric"): metric, pascal("period"): self.period, pascal("stat"): self.statistic });
        let one = json!({ pascal("id"): "m1", pascal("metricStat"): stat, pascal("returnData"): self.expression.is_none() });
        let math = self.expression.map(|expression| {
            json!({ pascal("id"): "e1", pascal("expression"): expression, pascal("returnData"): true })
        });
        std::iter::once(one).chain(math).collect()
    }

    fn sns(&self) -> Value {
        let mut trigger = json!({
            "Period": self.period,
            "EvaluationPeriods": self.datapoints.len(),
            "DatapointsToAlarm": self.needed,
            "ComparisonOperator": self.operator(),
        });
        let (key, threshold) = match self.band {
            Some(_) => ("ThresholdMetricId", json!("e1")),
            None => ("Threshold", json!(self.threshold)),
        };
        trigger[key] = threshold;
        if self.expression.is_some() {
            trigger["Metrics"] = self.metrics(true);
        } else {
            trigger["MetricName"] = json!(self.metric);
            let extended = self.statistic.starts_with('p');
            trigger[if extended { "ExtendedStatistic" } else { "Statistic" }] =
                json!(if extended { self.statistic.to_owned() } else { self.statistic.to_uppercase() });
            trigger["StatisticType"] = json!(if extended { "ExtendedStatistic" } else { "Statistic" });
            trigger["Dimensions"] = self
                .dimensions()
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect();
        }
        let message = json!({
            "AlarmName": self.name,
            "AlarmArn": self.arn(),
            "AWSAccountId": "111122223333",
            "NewStateValue": "ALARM",
            "NewStateReason": self.reason(),
            "StateChangeTime": at(0),
            "Trigger": trigger,
        });
        let sns = json!({ "TopicArn": TOPIC_ARN, "Message": message.to_string() });
        json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] })
    }

    fn arn(&self) -> String {
        format!("arn:aws:cloudwatch:us-east-1:111122223333:alarm:{}", self.name)
    }

    fn block(&self) -> Value {
        let mut recent = self.datapoints.clone();
        recent.reverse();
        let mut data = json!({
            "queryDate": at(0),
            "startDate": at(0) - self.evaluated(),
            "period": self.period,
            "recentDatapoints": recent,
        });
        match self.band {
            Some([lower, upper]) => {
                data["recentLowerThresholds"] = json!(vec![lower; recent.len()]);
                data["recentUpperThresholds"] = json!(vec![upper; recent.len()]);
            }
            None => data["threshold"] = json!(self.threshold),
        }
        json!({
            "alarmName": self.name,
            "state": {
                "value": "ALARM",
                "reason": self.reason(),
                "reasonData": data.to_string(),
                "timestamp": at(0),
            },
            "configuration": { "metrics": self.metrics(false) },
        })
    }

    fn action(&self) -> Value {
        json!({
            "source": "aws.cloudwatch",
            "alarmArn": self.arn(),
            "accountId": "111122223333",
            "time": at(0),
            "alarmData": self.block(),
        })
    }

    fn event(&self) -> Value {
        json!({
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "account": "111122223333",
            "time": at(0),
            "resources": [self.arn()],
            "detail": self.block(),
        })
    }

    /// The alarm as its service describes it.
    fn existing(&self) -> WorldAlarm {
        let dimensions = self.dimensions().into_iter();
        let math = self.expression.map(|expression| MetricMath {
            expression: expression.to_owned(),
            metric: Some(self.metric.to_owned()),
        });
        let definition = CloudwatchAlarm {
            name: self.name.to_owned(),
            namespace: "/aws/sagemaker/Endpoints".into(),
            metric: if math.is_some() { String::new() } else { self.metric.to_owned() },
            statistic: self.statistic.into(),
            dimensions: dimensions.map(|(name, value)| (name.to_owned().into(), value.to_owned())).collect(),
            period: i32::try_from(self.period).unwrap(),
            evaluation_periods: i32::try_from(self.datapoints.len()).unwrap(),
            threshold: self.threshold,
            comparison: self.operator().into(),
            missing_data: "missing".into(),
            actions: vec![TOPIC_ARN.to_owned()],
            enabled: true,
            math,
            ..CloudwatchAlarm::default()
        };
        let firing = WorldAlarm::new(self.name, AlarmDefinition::Aws(definition));
        let reason = Some(self.reason());
        WorldAlarm { breaching_since: Some(at(-600)), notified: Some(at(0)), reason, ..firing }
    }

    /// What is decided from each source, in a world in which the metric has this value.
    fn through_every_source(
        &self,
        policy: &Policy,
        instances: u32,
        reads: Option<f64>,
    ) -> Vec<(&'static str, Outcome)> {
        let bodies = [
            ("SNS", self.sns().to_string().into_bytes()),
            ("EventBridge", self.event().to_string().into_bytes()),
            ("a direct action", self.action().to_string().into_bytes()),
            ("a tick", TICK.to_vec()),
        ];
        let decided = |body: &[u8]| {
            let cloud = world(VARIANT, instances, "ml.m5.xlarge", self.metric, reads);
            cloud.with(|world| world.alarms.push(self.existing()));
            let mut outcomes = answer(body, &cloud, policy, at(0)).outcomes;
            assert_eq!(outcomes.len(), 1, "{outcomes:#?}");
            outcomes.remove(0)
        };
        bodies.into_iter().map(|(source, body)| (source, decided(&body))).collect()
    }
}

fn world(id: &str, instances: u32, shape: &str, metric: &str, reads: Option<f64>) -> SimulatedCloud {
    let cloud = cloud_of(id, instances, shape);
    on(&cloud, id, |found| found.metrics.extend(reads.map(|value| (metric.to_owned(), value))));
    cloud
}

/// The count that is decided, or the reason to hold.
fn decided(outcome: &Outcome) -> String {
    match &outcome.decision {
        Decision::Resize { to, .. } => to.instances.to_string(),
        Decision::Hold(_) => reason(outcome).to_owned(),
    }
}

/// Rules for both alarms, and for those of OCI.
fn rules(keys: &str) -> Policy {
    let rule = |alarm: &str| format!("[[rule]]\nalarm = \"*-{alarm}\"\naxis = \"instances\"\n{keys}\n");
    let bounds = "[defaults]\ninstances = { min = 1, max = 60 }\ncooldown = { down = \"0s\" }\n";
    let mut policy = policy(&[bounds, &rule("busy"), &rule("idle")].concat());
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    policy
}

/// The built-in rules, for ticks, too.
fn ticked() -> Policy {
    let mut policy = built_in();
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    policy
}

const TRACK: &str = "track = 60";
const STEPS: &str =
    "steps = [{ above = 40, add = 2 }, { above = 0, below = 40, add = 1 }, { below = 0, remove = 1 }]";

// The value is the mean of the datapoints, 352 and 40 of 400, wherever it comes from.
#[rstest]
#[case::tracked_up(Firing::high(), TRACK, 3, 352.0, "5")]
#[case::tracked_down(Firing::low(), TRACK, 6, 40.0, "1")]
#[case::stepped_up(Firing::high(), STEPS, 3, 352.0, "4")]
#[case::stepped_down(Firing::low(), STEPS, 3, 40.0, "2")]
// The sum over three instances is not the mean, which reads 320.
#[case::sum(Firing { statistic: "Sum", threshold: 900.0, datapoints: vec![960.0; 3], ..Firing::high() }, TRACK, 3, 320.0, "4")]
#[case::sum_by_steps(Firing { statistic: "Sum", threshold: 900.0, datapoints: vec![960.0; 3], ..Firing::high() }, STEPS, 3, 320.0, "no_data")]
#[case::percentile(Firing { statistic: "p90", ..Firing::high() }, TRACK, 3, 240.0, "on_target")]
#[case::maximum_of_idle_ones(Firing { statistic: "Maximum", ..Firing::high() }, TRACK, 6, 40.0, "on_target")]
#[case::samples(Firing { statistic: "SampleCount", threshold: 100.0, datapoints: vec![180.0; 3], ..Firing::high() }, TRACK, 3, 370.0, "5")]
#[case::few_samples(Firing { statistic: "SampleCount", threshold: 200.0, datapoints: vec![180.0; 3], ..Firing::low() }, TRACK, 3, 370.0, "5")]
#[case::one_instance(Firing { instance: true, ..Firing::high() }, TRACK, 3, 200.0, "on_target")]
#[case::per_core(Firing { expression: Some("m1/4"), threshold: 80.0, datapoints: vec![92.5; 3], ..Firing::high() }, TRACK, 3, 370.0, "5")]
#[case::idle_share(Firing { expression: Some("100 - m1/4"), threshold: 85.0, datapoints: vec![90.0; 3], ..Firing::high() }, TRACK, 6, 40.0, "1")]
#[case::free_share(Firing { expression: Some("100 - m1/4"), threshold: 15.0, datapoints: vec![8.0; 3], ..Firing::low() }, TRACK, 3, 370.0, "5")]
// 6,000 in five minutes are 1,200 a minute, and the threshold is 1,000.
#[case::requests(Firing { metric: "InvocationsPerInstance", statistic: "Sum", period: 300, datapoints: vec![6000.0], needed: 1, threshold: 5000.0, ..Firing::high() },
    "track = 1000", 3, 1200.0, "4")]
#[case::requests_by_steps(Firing { metric: "InvocationsPerInstance", statistic: "Sum", period: 300, datapoints: vec![6000.0], needed: 1, threshold: 5000.0, ..Firing::high() },
    "steps = [{ above = 0, below = 300, add = 1 }, { above = 300, add = 9 }]", 3, 1200.0, "4")]
fn the_same_alarm_decides_the_same_from_every_source(
    #[case] firing: Firing,
    #[case] keys: &str,
    #[case] instances: u32,
    #[case] reads: f64,
    #[case] expected: &str,
) {
    for (source, outcome) in firing.through_every_source(&rules(keys), instances, Some(reads)) {
        assert_eq!(decided(&outcome), expected, "from {source}: {outcome:#?}");
    }
}

// What may fire without data, or on the other side, removes nothing unless its own metric reads low.
#[rstest]
#[case::filled_up("FILL(m1, 0)")]
#[case::free_capacity("400 - m1")]
#[case::scaled("m1*1")]
#[case::conditional("IF(m1 > 0, m1, 0)")]
#[case::of_all("MIN(METRICS())")]
fn an_expression_takes_nothing_away_unread(#[case] expression: &'static str) {
    let firing = Firing { expression: Some(expression), ..Firing::low() };
    for (reads, expected) in [(None, "no_data"), (Some(380.0), "would_flap"), (Some(40.0), "5")] {
        for (source, outcome) in firing.through_every_source(&rules("step = -1"), 6, reads) {
            assert_eq!(decided(&outcome), expected, "{reads:?} from {source}: {outcome:#?}");
        }
    }
}

#[rstest]
#[case::free_share("100 - CpuUtilization#.grouping().mean() < 15")]
#[case::turned_around("80 < CpuUtilization#.grouping().mean()")]
#[case::in_a_range("CpuUtilization#.grouping().mean() in (80, 100)")]
#[case::fell_lately("CpuUtilization#.grouping().increment() < -20")]
#[case::none_is_hot("(CpuUtilization#.groupBy(instanceId).mean() > 80).grouping().sum() < 1")]
#[case::either("CpuUtilization#.grouping().mean() < 10 || MemoryUtilization#.grouping().mean() < 10")]
fn a_query_takes_nothing_away_unread(#[case] query: &str) {
    let body = oci("x-idle", query, Some(9.0));
    for (reads, expected) in [(None, "no_data"), (Some(95.0), "would_flap"), (Some(9.0), "7")] {
        let outcome = on_oci(&body, "step = -1", 8, reads);
        assert_eq!(decided(&outcome), expected, "{reads:?}: {outcome:#?}");
    }
}

// A band that fires on both sides: the latest datapoint, which is listed first, shows on which side it was left.
#[rstest]
#[case::high_and_left_upwards("churn-high-cpu", [340.0; 3], "4")]
#[case::high_and_left_downwards("churn-high-cpu", [40.0; 3], "on_target")]
#[case::low_and_left_downwards("churn-low-cpu", [40.0; 3], "2")]
#[case::low_and_left_upwards("churn-low-cpu", [340.0; 3], "on_target")]
#[case::fell_through_the_band("churn-high-cpu", [40.0, 340.0, 340.0], "on_target")]
#[case::rose_through_the_band("churn-high-cpu", [340.0, 40.0, 40.0], "4")]
fn a_band_was_left_on_the_side_of_the_latest_datapoint(
    #[case] name: &'static str,
    #[case] datapoints: [f64; 3],
    #[case] expected: &str,
) {
    let reads = datapoints.first().copied();
    for (source, outcome) in Firing::outside(name, datapoints).through_every_source(&ticked(), 3, reads) {
        assert_eq!(decided(&outcome), expected, "from {source}: {outcome:#?}");
    }
}

// Nobody knows the side then, so a step goes the way of its rule, as for every alarm of an unknown side.
#[rstest]
#[case::set_by_hand("trying it")]
#[case::no_thresholds("were less than the lower thresholds or greater than the upper thresholds")]
#[case::fewer_thresholds(
    "were less than the lower thresholds [100.0] or greater than the upper thresholds [300.0]"
)]
#[case::back_inside(
    "were less than the lower thresholds [30.0, 100.0, 100.0] or greater than the upper thresholds [50.0, 300.0, 300.0]"
)]
fn a_band_without_a_side_leaves_the_direction_to_the_rule(#[case] crossed: &str) {
    let points = ["58", "57", "56"].map(|minute| format!("40.0 (02/03/26 11:{minute}:00)"));
    let reason =
        format!("Thresholds Crossed: 3 out of the last 3 datapoints [{}] {crossed}", points.join(", "));
    for (name, expected) in [("churn-high-cpu", "4"), ("churn-low-cpu", "2")] {
        let body =
            in_sns(&Firing::outside(name, [40.0; 3]), |message| message["NewStateReason"] = json!(reason));
        let cloud = world(VARIANT, 3, "ml.m5.xlarge", "CPUUtilization", Some(40.0));
        let outcomes = answer(&body, &cloud, &ticked(), at(0)).outcomes;
        assert_eq!(decided(&outcomes[0]), expected, "{outcomes:#?}");
    }
}

// Three of five datapoints are enough. Two that did not cross count as the threshold itself.
#[rstest]
#[case::newest_is_back(vec![290.0, 372.0, 365.0, 301.0, 359.0], 3, "4")]
#[case::others_are_near_nothing(vec![2.0, 372.0, 365.0, 1.0, 359.0], 3, "4")]
#[case::all_crossed(vec![390.0, 372.0, 365.0, 361.0, 359.0], 3, "5")]
#[case::more_than_are_listed(vec![390.0; 8], 8, "5")]
fn every_payload_has_the_same_value(
    #[case] datapoints: Vec<f64>,
    #[case] needed: usize,
    #[case] expected: &str,
) {
    let firing = Firing { datapoints, needed, ..Firing::high() };
    let policy = rules(STEPS);
    for (source, outcome) in firing.through_every_source(&policy, 3, None).into_iter().take(3) {
        assert_eq!(decided(&outcome), expected, "from {source}: {outcome:#?}");
    }
}

// The state was set by hand: neither a value nor a threshold, but both can be read.
#[rstest]
#[case::above(Firing::high(), 371.0, "5")]
#[case::below(Firing::low(), 40.0, "2")]
fn the_threshold_is_read_where_the_payload_has_none(
    #[case] firing: Firing,
    #[case] reads: f64,
    #[case] expected: &str,
) {
    let cloud = world(VARIANT, 3, "ml.m5.xlarge", "CPUUtilization", Some(reads));
    cloud.with(|world| world.alarms.push(firing.existing()));
    let mut action = firing.action();
    let state = action["alarmData"]["state"].as_object_mut().unwrap();
    state.remove("reasonData");
    state["reason"] = json!("trying it");
    let outcomes = answer(action.to_string().as_bytes(), &cloud, &rules(STEPS), at(0)).outcomes;
    assert_eq!(decided(&outcomes[0]), expected, "{outcomes:#?}");
}

fn in_sns(firing: &Firing, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut payload = firing.sns();
    let text = payload["Records"][0]["Sns"]["Message"].as_str().unwrap().to_owned();
    let mut message: Value = serde_json::from_str(&text).unwrap();
    change(&mut message);
    payload["Records"][0]["Sns"]["Message"] = json!(message.to_string());
    payload.to_string().into_bytes()
}

// Whatever the rule: missing data removes nothing.
#[rstest]
fn partial_data_removes_nothing(
    #[values("step = -1", TRACK, STEPS)] keys: &str,
    #[values(
        "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching].",
        "Threshold Crossed: 2 datapoints were received for 3 periods and 1 missing datapoint was treated as [Breaching].",
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching].",
        "Threshold Crossed: 1 out of the last 3 datapoints [22.0 (02/03/26 11:58:00)] was less than the threshold (80.0) (minimum 3 datapoints for OK -> ALARM transition).",
        "Threshold Crossed: 1 out of the last 1 datapoints [22.0 (02/03/26 11:58:00)] was less than the threshold (80.0) (minimum 2 datapoints for OK -> ALARM transition).",
        "Threshold Crossed: 1 datapoint [22.0 (02/03/26 11:58:00)] was less than the threshold (80.0)."
    )]
    reason: &str,
    #[values(None, Some(40.0))] reads: Option<f64>,
) {
    let firing = Firing::low();
    let cloud = world(VARIANT, 6, "ml.m5.xlarge", "CPUUtilization", reads);
    let body = in_sns(&firing, |message| message["NewStateReason"] = json!(reason));
    cloud.with(|world| {
        world.alarms.push(WorldAlarm { reason: Some(reason.to_owned()), ..firing.existing() });
    });
    for body in [&body, TICK] {
        let outcomes = answer(body, &cloud, &rules(keys), at(0)).outcomes;
        assert_eq!(decided(&outcomes[0]), "no_data", "{outcomes:#?}");
    }
}

#[rstest]
#[case::event(Firing::event, "/detail/state")]
#[case::action(Firing::action, "/alarmData/state")]
fn a_state_of_partial_data_takes_nothing_away(#[case] payload: fn(&Firing) -> Value, #[case] state: &str) {
    let mut payload = payload(&Firing::low());
    payload.pointer_mut(state).unwrap()["evaluationState"] = json!("PARTIAL_DATA");
    let cloud = world(VARIANT, 6, "ml.m5.xlarge", "CPUUtilization", Some(40.0));
    let outcomes = answer(payload.to_string().as_bytes(), &cloud, &rules(TRACK), at(0)).outcomes;
    assert_eq!(decided(&outcomes[0]), "no_data", "{outcomes:#?}");
}

#[test]
fn partial_data_adds_by_what_was_measured() {
    let reason = "Threshold Crossed: 1 out of the last 3 datapoints [371.0 (02/03/26 11:58:00)] was greater than the \
                  threshold (320.0) (minimum 3 datapoints for OK -> ALARM transition).";
    let body = in_sns(&Firing::high(), |message| message["NewStateReason"] = json!(reason));
    let cloud = world(VARIANT, 3, "ml.m5.xlarge", "CPUUtilization", None);
    let outcomes = answer(&body, &cloud, &rules(TRACK), at(0)).outcomes;
    assert_eq!(decided(&outcomes[0]), "5", "{outcomes:#?}");
}

// The moments of the datapoints, whatever the envelope: with gaps between them they reach back further than the window.
#[rstest]
#[case::before_the_first(-481, "5")]
#[case::after_the_first(-479, "stale")]
#[case::after_the_second(-299, "stale")]
fn the_evidence_begins_with_the_first_datapoint(#[case] changed: i64, #[case] expected: &str) {
    let reason = "Threshold Crossed: 3 out of the last 3 datapoints [371.0 (02/03/26 11:58:00), 350.0 (02/03/26 \
                  11:54:00), 391.0 (02/03/26 11:52:00)] were greater than the threshold (320.0) (minimum 3 datapoints \
                  for OK -> ALARM transition).";
    let (mut event, mut action) = (Firing::high().event(), Firing::high().action());
    event["detail"]["state"]["reason"] = json!(reason);
    action["alarmData"]["state"]["reason"] = json!(reason);
    let sns = in_sns(&Firing::high(), |message| message["NewStateReason"] = json!(reason));
    for body in [sns, event.to_string().into_bytes(), action.to_string().into_bytes()] {
        let cloud = world(VARIANT, 3, "ml.m5.xlarge", "CPUUtilization", None);
        cloud.with(|world| world.deployments.get_mut(VARIANT).unwrap().last_change = Some(at(changed)));
        let outcomes = answer(&body, &cloud, &rules(TRACK), at(0)).outcomes;
        assert_eq!(decided(&outcomes[0]), expected, "{outcomes:#?}");
    }
}

/// The message of an OCI alarm with a query, in which `#` is replaced by what follows a metric's name.
fn oci(name: &str, query: &str, value: Option<f64>) -> Vec<u8> {
    let query = query.replace('#', &format!("[5m]{{resourceId = \"{CHURN}\"}}"));
    json!({
        "dedupeKey": "d",
        "title": name,
        "type": "OK_TO_FIRING",
        "timestampEpochMillis": at(0).as_millisecond(),
        "alarmMetaData": [{
            "id": "ocid1.alarm.oc1.iad.a",
            "status": "FIRING",
            "namespace": "oci_datascience_modeldeploy",
            "query": query,
            "dimensions": [{ "resourceId": CHURN }],
            "metricValues": value.map(|value| json!([{ "v": value.to_string() }])),
        }],
        "version": 1.5,
    })
    .to_string()
    .into_bytes()
}

fn on_oci(body: &[u8], keys: &str, instances: u32, reads: Option<f64>) -> Outcome {
    let cloud = world(CHURN, instances, "VM.Standard2.2", "CpuUtilization", reads);
    let outcomes = answer(body, &cloud, &rules(keys), at(0)).outcomes;
    assert_eq!(outcomes.len(), 1, "{outcomes:#?}");
    outcomes.into_iter().next().unwrap()
}

#[rstest]
#[case::plain("x-busy", "CpuUtilization#.grouping().mean() > 80", 95.0, 3, None, "5")]
#[case::joined_with_less(
    "x-busy",
    "CpuUtilization#.grouping().mean() > 80 && MemoryUtilization#.grouping().mean() < 40",
    95.0,
    3,
    Some(95.0),
    "5"
)]
#[case::joined_the_other_way_round(
    "x-busy",
    "MemoryUtilization#.grouping().mean() < 40 && CpuUtilization#.grouping().mean() > 80",
    30.0,
    3,
    Some(95.0),
    "5"
)]
#[case::idle_but_serving(
    "x-idle",
    "CpuUtilization#.grouping().mean() < 15 && PredictRequestCount#.grouping().sum() > 0",
    9.0,
    8,
    Some(9.0),
    "2"
)]
#[case::joined_and_unread(
    "x-busy",
    "CpuUtilization#.grouping().mean() > 80 && MemoryUtilization#.grouping().mean() > 50",
    95.0,
    3,
    None,
    "no_data"
)]
#[case::hot_instances(
    "x-busy",
    "(CpuUtilization#.groupBy(instanceId).mean() > 80).grouping().sum() >= 2",
    3.0,
    3,
    Some(90.0),
    "5"
)]
#[case::hot_instances_among_idle_ones(
    "x-busy",
    "(CpuUtilization#.groupBy(instanceId).mean() > 80).grouping().sum() >= 2",
    3.0,
    9,
    Some(30.0),
    "on_target"
)]
#[case::free_share("x-busy", "100 - CpuUtilization#.grouping().mean() < 15", 5.0, 3, Some(95.0), "5")]
#[case::idle_share("x-idle", "100 - CpuUtilization#.grouping().mean() > 85", 92.0, 8, Some(8.0), "2")]
#[case::sum("x-busy", "CpuUtilization#.grouping().sum() > 240", 270.0, 3, Some(90.0), "5")]
#[case::count("x-busy", "CpuUtilization#.grouping().count() > 10", 15.0, 3, Some(90.0), "5")]
#[case::absent("x-idle", "CpuUtilization#.groupBy(resourceId).absent()", 1.0, 8, None, "no_data")]
#[case::absent_and_read_late(
    "x-idle",
    "CpuUtilization#.groupBy(resourceId).absent()",
    1.0,
    8,
    Some(9.0),
    "no_data"
)]
#[case::low_or_absent(
    "x-idle",
    "CpuUtilization#.grouping().mean() < 10 || CpuUtilization#.grouping().absent()",
    1.0,
    8,
    Some(9.0),
    "no_data"
)]
fn an_oci_alarm_is_used_only_where_it_is_plain(
    #[case] name: &str,
    #[case] query: &str,
    #[case] value: f64,
    #[case] instances: u32,
    #[case] reads: Option<f64>,
    #[case] expected: &str,
) {
    // What is not plain decides the same with another value, and with none.
    let is_plain = name == "x-busy"
        && query.starts_with("CpuUtilization#.grouping().mean() > 80")
        && !query.contains('&');
    for value in [Some(value), Some(value * 7.0), None].into_iter().take(if is_plain { 1 } else { 3 }) {
        let outcome = on_oci(&oci(name, query, value), TRACK, instances, reads);
        assert_eq!(decided(&outcome), expected, "{value:?}: {outcome:#?}");
    }
}

#[test]
fn an_absence_takes_nothing_whatever_the_rule() {
    let body = oci("x-idle", "CpuUtilization#.groupBy(resourceId).absent()", Some(1.0));
    for keys in ["step = -1", TRACK, STEPS] {
        let outcome = on_oci(&body, keys, 8, Some(9.0));
        assert_eq!(decided(&outcome), "no_data", "{keys}: {outcome:#?}");
    }
}

/// Alarms whose numbers are not the metric's own.
fn not_plain() -> impl Strategy<Value = Firing> {
    let statistic = prop::sample::select(vec!["Sum", "Maximum", "Minimum", "SampleCount", "p50", "p99.9"]);
    let expression = prop::sample::select(vec![
        "m1/4",
        "100 - m1",
        "m1*m1",
        "FILL(m1, 0)",
        "RATE(m1)",
        "IF(m1 > 5, 1, 0)",
    ]);
    let kind = prop_oneof![
        statistic.prop_map(|statistic| Firing { statistic, ..Firing::high() }),
        expression.prop_map(|expression| Firing { expression: Some(expression), ..Firing::high() }),
        Just(Firing { instance: true, ..Firing::high() }),
    ];
    (kind, any::<bool>()).prop_map(|(kind, below)| Firing {
        below,
        name: if below { "churn-idle" } else { "churn-busy" },
        ..kind
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_number_that_is_not_plain_changes_a_size(
        firing in not_plain(),
        numbers in prop::collection::vec((0.0..10_000.0_f64, 0.0..10_000.0_f64), 2),
        reads in prop::option::of(0.0..400.0_f64),
        instances in 1..12_u32,
        keys in prop::sample::select(vec![TRACK, STEPS]),
    ) {
        let handled = |(value, threshold): &(f64, f64)| {
            let [lower, upper] = [value.min(*threshold), value.max(*threshold) + 1.0];
            let [value, threshold] = if firing.below { [lower, upper] } else { [upper, lower] };
            let firing = Firing { datapoints: vec![value; 3], threshold, ..firing.clone() };
            firing.through_every_source(&rules(keys), instances, reads)
        };
        let decisions: Vec<String> =
            numbers.iter().flat_map(handled).map(|(_, outcome)| decided(&outcome)).collect();
        prop_assert!(decisions.windows(2).all(|two| two[0] == two[1]), "{decisions:?}");
    }

    #[test]
    fn a_plain_alarm_decides_the_same_from_every_source(
        value in 0.0..400.0_f64,
        threshold in 1.0..399.0_f64,
        instances in 1..12_u32,
        periods in 1..5_usize,
        keys in prop::sample::select(vec![TRACK, STEPS, "step = 1", "step = -1"]),
    ) {
        let below = value < threshold;
        let name = if below { "churn-idle" } else { "churn-busy" };
        let firing = Firing { name, below, threshold, datapoints: vec![value; periods], needed: periods, ..Firing::high() };
        prop_assume!(firing.crosses(value));
        let decisions: Vec<String> = firing
            .through_every_source(&rules(keys), instances, Some(value))
            .into_iter()
            .map(|(_, outcome)| decided(&outcome))
            .collect();
        prop_assert!(decisions.windows(2).all(|two| two[0] == two[1]), "{decisions:?}");
    }

    #[test]
    fn an_alarm_above_its_threshold_never_shrinks(
        firing in not_plain(),
        reads in prop::option::of(0.0..400.0_f64),
        instances in 1..12_u32,
    ) {
        prop_assume!(!firing.below && firing.expression.is_none_or(|expression| ["m1/4", "FILL(m1, 0)"].contains(&expression)));
        let firing = Firing { datapoints: vec![9000.0; 3], threshold: 8000.0, ..firing };
        for (_, outcome) in firing.through_every_source(&rules(TRACK), instances, reads) {
            let shrinks = matches!(&outcome.decision, Decision::Resize { to, .. } if to.instances < instances);
            prop_assert!(!shrinks, "{outcome:#?}");
        }
    }
}
