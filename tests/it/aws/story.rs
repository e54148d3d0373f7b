//! Plays a load on the whole loop in real time, prints what happens as it happens, and draws it at the end.

use std::time::{Duration, Instant};

use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, MetricAlarm, MetricDatum, StateValue, Statistic,
};
use aws_sdk_sagemaker::types::EndpointStatus;
use serde_json::Value;
use stepladder::policy::Policy;
use stepladder::size::{Axis, Size};
use tokio::time::MissedTickBehavior;

use super::emulators::{ALARM_ACTION, root};
use super::forwarder::Forwarder;
use super::function::Function;
use super::horizontal::{Account, ENDPOINT};
use crate::chart;
use crate::narrator::Narrator;
use crate::story::{Act, Alarm, Sample, Script};

const VARIANT: &str = "AllTraffic";
const NAMESPACE: &str = "/aws/sagemaker/Endpoints";

/// The account is observed so often.
const EVERY: Duration = Duration::from_secs(1);
/// Every so many observations the metric is published, and a tick is sent. An endpoint publishes once a minute, and the
/// template's schedule ticks as often: the story is in a hurry.
const BEAT: u64 = 5;
/// What an act waits for must be seen so often in a row.
const SURE: usize = 5;
/// The longest that an act may take: a scale-down alarm needs two whole minutes after a change, and again for the next
/// step.
const PATIENCE: Duration = Duration::from_mins(5);

/// How a reply of the function came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The alarm itself notified the function, through the topic and the queue.
    Called,
    /// A tick read the alarms that fire.
    Tick,
    /// The endpoint has settled.
    Settled,
}

impl How {
    fn by(self) -> &'static str {
        match self {
            Self::Called => "the alarm notifies",
            Self::Tick => "a tick",
            Self::Settled => "the endpoint has settled",
        }
    }
}

/// How it ended.
pub(super) struct Ending {
    /// The sizes along the axis, one after the other.
    pub(super) sizes: Vec<String>,
    /// The alarms that notified the function by themselves, in the order in which they first did.
    pub(super) called: Vec<String>,
    /// What each resize answered.
    pub(super) resizes: Vec<How>,
    /// The alarms that are left.
    pub(super) alarms: Vec<String>,
    /// The endpoint configurations that are left besides the first.
    pub(super) configurations: Vec<String>,
}

/// Plays a script to its end. `None` where the emulators are not installed.
pub(super) async fn play(script: &Script<'_>) -> Option<Ending> {
    let account = Account::with_endpoint_on(ENDPOINT, script.shape).await?;
    let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", script.policy)]);
    let forwarder = Forwarder::start(&account.emulators, &function);
    let mut stage = Stage {
        script,
        forwarder,
        function,
        account,
        narrator: Narrator::new(script.name),
        samples: Vec::new(),
        called: Vec::new(),
        resizes: Vec::new(),
    };
    stage.put_high_alarm().await;
    for act in &script.acts {
        stage.play(act).await;
    }
    Some(stage.end())
}

/// Everything that takes part, and what was seen of it.
struct Stage<'a> {
    script: &'a Script<'a>,
    // They stop in this order, each before what it talks to.
    forwarder: Forwarder,
    function: Function,
    account: Account,
    narrator: Narrator,
    samples: Vec<Sample>,
    called: Vec<String>,
    resizes: Vec<How>,
}

impl Stage<'_> {
    async fn play(&mut self, act: &Act) {
        self.narrator.print(&format!("── {}: {} {}", act.name, act.load, self.script.load));
        let deadline = Instant::now() + PATIENCE;
        let mut clock = tokio::time::interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut beat, mut sure) = (0, 0);
        while sure < SURE {
            assert!(Instant::now() < deadline, "`{}` does not end\n{}", act.name, self.function.log());
            clock.tick().await;
            sure = if self.beat(beat, act).await { sure + 1 } else { 0 };
            beat += 1;
        }
    }

    /// An observation, and what is due at that moment. Whether the act's end is seen.
    async fn beat(&mut self, beat: u64, act: &Act) -> bool {
        let sample = self.observe(act).await;
        if beat.is_multiple_of(BEAT) {
            self.publish(sample.measured).await;
        }
        self.narrator.changes(self.script, self.samples.last(), &sample);
        for reply in self.forwarder.replies() {
            self.record(How::Called, &reply);
        }
        let was_changing = self.samples.last().is_some_and(|last| !last.settled);
        if was_changing && sample.settled {
            self.measurement(How::Settled, "endpoint-settled.json");
        } else if beat % BEAT == BEAT / 2 {
            self.measurement(How::Tick, "tick.json");
        }
        let done = (act.until)(&sample);
        self.samples.push(sample);
        done
    }

    /// The scale-up alarm, as an operator would make it.
    async fn put_high_alarm(&self) {
        let Script { metric, alarm, above, .. } = self.script;
        self.account
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(*alarm)
            .namespace(NAMESPACE)
            .metric_name(*metric)
            .statistic(Statistic::Average)
            .set_dimensions(Some(dimensions()))
            .period(10)
            .evaluation_periods(1)
            .threshold(*above)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .alarm_actions(ALARM_ACTION)
            .send()
            .await
            .unwrap();
    }

    /// What the endpoint's instances publish.
    async fn publish(&self, measured: f64) {
        let datum = |metric: &str, value: f64| {
            MetricDatum::builder().metric_name(metric).set_dimensions(Some(dimensions())).value(value).build()
        };
        let mut put = self.account.cloudwatch.put_metric_data().namespace(NAMESPACE);
        put = put.metric_data(datum(self.script.metric, measured));
        // A smaller type must carry its cores, too: a tenth of four.
        if self.script.axis == Axis::Shape {
            put = put.metric_data(datum("CPUUtilization", 40.0));
        }
        put.send().await.unwrap();
    }

    async fn observe(&self, act: &Act) -> Sample {
        let sagemaker = &self.account.sagemaker;
        let endpoint = sagemaker.describe_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
        let name = endpoint.endpoint_config_name().unwrap();
        let configuration =
            sagemaker.describe_endpoint_config().endpoint_config_name(name).send().await.unwrap();
        let shape = configuration.production_variants()[0].instance_type().unwrap().as_str().to_owned();
        let instances = endpoint.production_variants()[0].current_instance_count().unwrap();
        let size = Size::new(u32::try_from(instances).unwrap(), shape);
        let listed = sagemaker.list_endpoint_configs().send().await.unwrap();
        let name_of = |found: &aws_sdk_sagemaker::types::EndpointConfigSummary| {
            found.endpoint_config_name().unwrap_or_default().to_owned()
        };
        let ladders = Policy::built_in().unwrap().ladders;
        let rung = ladders.rung(&size.shape).unwrap();
        Sample {
            at: self.narrator.at(),
            act: act.name,
            load: act.load,
            measured: (self.script.measured)(act.load, &size, &rung),
            size,
            leftovers: listed
                .endpoint_configs()
                .iter()
                .map(name_of)
                .filter(|name| name != ENDPOINT)
                .collect(),
            alarms: self.account.alarms().await.into_iter().map(named).collect(),
            settled: endpoint.endpoint_status() == Some(&EndpointStatus::InService),
        }
    }

    /// What EventBridge would send.
    fn measurement(&mut self, how: How, name: &str) {
        let payload = std::fs::read(root().join("events/signals").join(name)).unwrap();
        let reply = self.function.invoke(&payload);
        self.record(how, &reply);
    }

    /// Keeps what a reply reports.
    fn record(&mut self, how: How, reply: &Value) {
        assert!(reply["error"].is_null() && reply["rejected"].is_null(), "{reply:#}");
        for outcome in reply["outcomes"].as_array().unwrap() {
            assert_ne!(outcome["result"], "failed", "{outcome:#}");
            let alarm = outcome["alarm"]["name"].as_str().unwrap();
            if how == How::Called && !self.called.iter().any(|called| called == alarm) {
                self.called.push(alarm.to_owned());
            }
            if outcome["result"] == "applied" {
                self.resizes.push(how);
            }
            self.narrator.outcome(how.by(), outcome);
        }
    }

    fn end(self) -> Ending {
        let file = chart::draw(self.script, &self.samples);
        self.narrator.print(&format!("drawn in {}", file.strip_prefix(root()).unwrap().display()));
        let sizes = self.script.levels(&self.samples);
        let last = self.samples.into_iter().next_back().unwrap();
        Ending {
            sizes,
            called: self.called,
            resizes: self.resizes,
            alarms: last.alarms.into_keys().collect(),
            configurations: last.leftovers,
        }
    }
}

fn dimensions() -> Vec<Dimension> {
    let dimension = |(name, value)| Dimension::builder().name(name).value(value).build();
    [("EndpointName", ENDPOINT), ("VariantName", VARIANT)].map(dimension).into()
}

fn named(alarm: MetricAlarm) -> (String, Alarm) {
    let threshold = alarm.threshold().unwrap_or_default();
    let state = alarm.state_value().map_or("INSUFFICIENT_DATA", StateValue::as_str).to_owned();
    (alarm.alarm_name.unwrap_or_default(), Alarm { state, threshold })
}
