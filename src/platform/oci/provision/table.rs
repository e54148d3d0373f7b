//! The policy's table `[oci]`: the alarms, the topic and the function that `stepladder provision` sets up.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::Deserialize;

use super::statistic::AlarmStatistic;
use crate::alarm::SCHEDULE_ALARM;
use crate::document::{Document, Fault, Faults, Node, Problems, keyed};
use crate::duration::{self, LONGEST_REPEAT, minutes};
use crate::platform::metric::{Range, Usage};
use crate::platform::oci::id;
use crate::platform::oci::model_deployment::metric::{self, METRICS};
use crate::platform::{AlarmOffTheMean, Destination, ProvisionTable, ScaleUpAlarm, WrittenTable};
use crate::size::Axis;
use crate::target::TargetId;
use crate::text::number;

/// The table's key.
pub const TABLE: &str = "oci";

/// The topic's name where the policy gives none.
const DEFAULT_TOPIC: &str = "stepladder-alarms";

/// Monitoring takes a delay before an alarm fires of at most an hour.
const LONGEST_PENDING: SignedDuration = SignedDuration::from_hours(1);

/// The alarms of Oracle's guide, and one on bandwidth where a rule of the file changes that: the load balancer's price
/// follows its bandwidth.
const GUIDE: [(&str, &str); 2] =
    [("model_deployment_high_cpu", "CpuUtilization"), ("model_deployment_high_mem", "MemoryUtilization")];
const BANDWIDTH: (&str, &str) = ("model_deployment_high_bandwidth", "PredictBandwidth");

/// A metric that every active deployment has, whether it serves anything or not.
const ALWAYS_REPORTED: &str = "CpuUtilization";

/// How late a scheduled minimum may be reached. An invocation that changes nothing costs next to nothing.
const SCHEDULES_ARE_KEPT_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// What is wanted on OCI, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Where the topic, its subscription and the alarms live.
    pub compartment: String,
    /// Where the deployments and their metrics are.
    pub metric_compartment: String,
    /// The function that the alarms notify, by its OCID.
    pub function: String,
    /// What the alarms notify.
    pub topic: Topic,
    /// The deployments, by their OCIDs.
    pub deployments: Vec<String>,
    /// One per deployment and kind of pressure.
    pub alarms: Vec<HighAlarm>,
    /// The topics that are notified of a resize, by their OCIDs: the policy's `notify`.
    pub notifies: Vec<String>,
}

impl Desired {
    /// Where alarms may be: a pair is made beside its deployment where the alarm that fired cannot be read.
    pub fn alarm_homes(&self) -> Vec<&str> {
        let beside = Some(self.metric_compartment.as_str()).filter(|home| *home != self.compartment);
        [self.compartment.as_str()].into_iter().chain(beside).collect()
    }

    /// The same with only the alarms at these places.
    #[must_use]
    pub fn with_alarms(mut self, kept: &[bool]) -> Self {
        let mut kept = kept.iter();
        self.alarms.retain(|_| kept.next().copied().unwrap_or(true));
        self
    }

    /// The alarms on a utilization that take another statistic than its mean.
    pub fn alarms_off_the_mean(&self) -> Vec<AlarmOffTheMean> {
        let is_off = |alarm: &&HighAlarm| {
            alarm.statistic != AlarmStatistic::Mean && metric::usage(&alarm.metric) == Usage::Utilization
        };
        let alarms = self.alarms.iter().filter(is_off);
        let described = alarms.filter_map(|HighAlarm { deployment, name, metric, statistic, .. }| {
            let target = id::model_deployment(deployment)?;
            let (name, metric) = (name.clone(), metric.clone());
            Some(AlarmOffTheMean { name, target, metric, statistic: statistic.to_string() })
        });
        described.collect()
    }

    /// The deployments, as targets.
    pub fn targets(&self) -> Vec<TargetId> {
        self.deployments.iter().filter_map(|id| id::model_deployment(id)).collect()
    }

    /// The same with an alarm that always fires for each deployment whose schedule must be kept: there is no tick.
    #[must_use]
    pub fn with_schedules(mut self, is_scheduled: &dyn Fn(&TargetId) -> bool) -> Self {
        let scheduled = self.targets().into_iter().filter(is_scheduled);
        self.alarms.extend(scheduled.map(|target| HighAlarm::of_schedules(target.as_str())));
        self
    }

    /// The same with those destinations that are topics of OCI.
    #[must_use]
    pub fn with_destinations<'a>(mut self, destinations: impl Iterator<Item = &'a Destination>) -> Self {
        let topics = destinations.filter_map(|destination| {
            let Destination::Oci(id) = destination else { return None };
            Some(id.clone())
        });
        self.notifies = topics.collect();
        self
    }
}

/// What the policy's tables want on OCI.
pub fn desired(tables: &[ProvisionTable]) -> Option<&Desired> {
    tables.iter().map(|ProvisionTable::Oci(desired)| desired).next()
}

/// The topic between the alarms and the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// Ours, by its name.
    Named(String),
    /// Somebody else's, by its OCID: used as it is and never deleted.
    Given(String),
}

impl Topic {
    /// As the policy writes it. It names everything that is provisioned together.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Named(text) | Self::Given(text) => text,
        }
    }
}

/// A scale-up alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct HighAlarm {
    /// The deployment that it measures.
    pub deployment: String,
    /// Its name, by which a rule answers it.
    pub name: String,
    /// What it measures, as the service spells it.
    pub metric: String,
    /// How the values of a window are combined.
    pub statistic: AlarmStatistic,
    /// It fires above this.
    pub threshold: f64,
    /// How far back its data reaches.
    pub window: SignedDuration,
    /// How long it must stay above before it fires.
    pub pending: SignedDuration,
    /// How often it notifies again, which brings the next step.
    pub repeat: SignedDuration,
    /// How bad it is.
    pub severity: Severity,
}

impl HighAlarm {
    /// The alarm that fires as long as a deployment reports anything, and repeats: each time its schedules are kept.
    fn of_schedules(deployment: &str) -> Self {
        Self {
            deployment: deployment.to_owned(),
            name: SCHEDULE_ALARM.to_owned(),
            metric: ALWAYS_REPORTED.to_owned(),
            statistic: AlarmStatistic::Max,
            // No percentage is under 0.
            threshold: -1.0,
            window: SignedDuration::from_mins(1),
            pending: SignedDuration::from_mins(1),
            repeat: SCHEDULES_ARE_KEPT_EVERY,
            severity: Severity::Info,
        }
    }

    /// Whether it only keeps schedules.
    pub fn is_of_schedules(&self) -> bool {
        self.name == SCHEDULE_ALARM
    }
}

/// The severity of an alarm, in the service's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the service's own words")]
pub enum Severity {
    Critical,
    Error,
    Warning,
    #[default]
    Info,
}

impl Severity {
    /// The word in an alarm.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
        }
    }
}

/// What is written out in a query: a million million is more than any metric has, and a millionth finer than any is.
const LARGEST_THRESHOLD: f64 = 1e12;
const SMALLEST_THRESHOLD: f64 = 1e-6;

/// So many letters wrong, missing or too many are a slip; more of them make another word.
const SLIP: usize = 2;

/// What `stepladder provision` sets up on OCI: alarms, their topic, and its subscription.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct OciText {
    /// The OCID of the compartment in which the topic and the alarms live.
    compartment: String,
    /// The OCID of the compartment in which the deployments are (default: `compartment`).
    metric_compartment: Option<String>,
    /// The OCIDs of the deployments that get alarms.
    deployments: Vec<String>,
    /// The OCID of the function that the alarms notify.
    function: String,
    /// The name of the topic between them (default: `stepladder-alarms`), or the OCID of an existing one.
    topic: Option<String>,
    /// The alarms that each deployment gets (default: those of Oracle's guide, on CPU and on memory).
    alarm: Option<Vec<AlarmText>>,
}

/// An alarm that each deployment gets.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct AlarmText {
    /// Its name, which a rule must match.
    name: String,
    /// The metric, as the service spells it.
    metric: String,
    /// How the values of a window are combined: `max`, `mean`, … or a percentile such as `p95` (default: `max`).
    #[serde(default)]
    statistic: AlarmStatistic,
    /// The value above which it fires (default: 80).
    scale_up_threshold: Option<f64>,
    /// The length of its window, in whole minutes (default: `5m`).
    window: Option<String>,
    /// How long it must stay above before it fires: whole minutes up to `1h` (default: `1m`).
    pending: Option<String>,
    /// How often it notifies again, which brings the next step: whole minutes (default: `5m`).
    repeat: Option<String>,
    /// The severity of the alarm (default: `INFO`).
    #[serde(default)]
    severity: Severity,
}

/// Reads and checks the table by itself.
pub(crate) fn read_table(
    document: &Document<'_>,
    node: &Node<'_>,
    problems: &mut Problems<'_>,
) -> Option<Result<WrittenTable, Faults>> {
    let reading = document.read_value::<OciText>(node, problems)?;
    reading.skipped.is_whole(node).then(|| reading.value.checked())
}

/// The table's JSON Schema.
#[cfg(test)]
pub(crate) fn schema() -> schemars::Schema {
    schemars::schema_for!(OciText)
}

impl OciText {
    fn checked(self) -> Result<WrittenTable, Faults> {
        let mut faults = Faults::default();
        let mut check = |key, checked| faults.note(keyed(key, checked));
        let homes = ["ocid1.compartment.", "ocid1.tenancy."];
        check("compartment", check_ocid("compartment", &self.compartment, &homes));
        if let Some(home) = &self.metric_compartment {
            check("metric_compartment", check_ocid("metric_compartment", home, &homes));
        }
        check("function", check_ocid("function", &self.function, &["ocid1.fnfunc."]));
        let topic = keyed("topic", checked_topic(self.topic.as_deref().unwrap_or(DEFAULT_TOPIC)));
        let topic = faults.note(topic);
        let mut faults = faults.about("`oci`");
        faults.note_all(check_deployments(&self.deployments));
        let alarms = faults.note_all(alarms(self.alarm, &self.deployments));
        let (Some(topic), Some(alarms)) = (topic, alarms) else { return Err(faults) };
        faults.into_result()?;
        let Self { compartment, function, deployments, .. } = self;
        let metric_compartment = self.metric_compartment.unwrap_or_else(|| compartment.clone());
        let (alarms, described) = alarms.into_iter().unzip();
        let notifies = Vec::new();
        let desired =
            Desired { compartment, metric_compartment, function, topic, deployments, alarms, notifies };
        Ok(WrittenTable { key: TABLE, table: ProvisionTable::Oci(desired), alarms: described })
    }
}

fn check_deployments(deployments: &[String]) -> Result<(), Faults> {
    if deployments.is_empty() {
        let fault = Fault::of("deployments", "`deployments` is empty: expected at least one OCID");
        return Err(fault.about("`oci`").into());
    }
    let mut faults = Faults::default();
    let mut known = BTreeSet::new();
    for (i, id) in deployments.iter().enumerate() {
        let checked = check_ocid("deployments", id, &["ocid1.datasciencemodeldeployment."]);
        let checked = match checked {
            Ok(()) if !known.insert(id) => Err(format!("`deployments` lists `{id}` twice")),
            other => other,
        };
        if let Err(problem) = checked {
            faults.push(
                Fault::whole(format!("deployment {} of `oci`: {problem}", i + 1))
                    .nth(i)
                    .within("deployments"),
            );
        }
    }
    faults.into_result()
}

fn check_ocid(key: &str, id: &str, prefixes: &[&str]) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if prefixes.iter().any(|prefix| id.starts_with(prefix)) && id.chars().all(plain) {
        return Ok(());
    }
    let expected: Vec<String> = prefixes.iter().map(|prefix| format!("`{prefix}…`")).collect();
    Err(format!("`{key}`: `{id}` is not an OCID of that kind: expected {}", expected.join(" or ")))
}

fn checked_topic(text: &str) -> Result<Topic, String> {
    if text.starts_with("ocid1.") {
        check_ocid("topic", text, &["ocid1.onstopic."])?;
        return Ok(Topic::Given(text.to_owned()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if text.is_empty() || text.len() > 256 || !text.chars().all(plain) {
        let expected = "expected 1 to 256 letters, digits, `-` and `_`, or the OCID of a topic";
        return Err(format!("`topic = \"{text}\"`: {expected}"));
    }
    Ok(Topic::Named(text.to_owned()))
}

/// The written alarms, or else those of the guide, for each deployment; and each in the terms of a policy.
fn alarms(
    written: Option<Vec<AlarmText>>,
    deployments: &[String],
) -> Result<Vec<(HighAlarm, ScaleUpAlarm)>, Faults> {
    let are_guides = written.is_none();
    let texts = written.unwrap_or_else(|| {
        GUIDE.into_iter().chain([BANDWIDTH]).map(|(name, metric)| AlarmText::of(name, metric)).collect()
    });
    let mut faults = Faults::default();
    let mut known = BTreeSet::new();
    let mut alarms = Vec::new();
    for (i, text) in texts.into_iter().enumerate() {
        let place = if are_guides { "`oci`".to_owned() } else { format!("alarm {} of `oci`", i + 1) };
        let index = Some(i).filter(|_| !are_guides);
        let in_list = |faults: Faults| faults.about(&place).map(|fault| fault.nth(i).within("alarm"));
        let Some(alarm) = faults.note_all(text.checked().map_err(in_list)) else { continue };
        if !known.insert(alarm.name.clone()) {
            let problem = format!("another alarm is called `{}`, too", alarm.name);
            faults.push(Fault::of("name", problem).about(&place).nth(i).within("alarm"));
        }
        alarms.extend(deployments.iter().filter_map(|deployment| {
            let alarm = HighAlarm { deployment: deployment.clone(), ..alarm.clone() };
            let described = described(&alarm, place.clone(), index)?;
            Some((alarm, described))
        }));
    }
    faults.into_result().map(|()| alarms)
}

/// An alarm in the terms of a policy. Of the guide's, which have no index, one depends on what the rules change.
fn described(alarm: &HighAlarm, place: String, index: Option<usize>) -> Option<ScaleUpAlarm> {
    Some(ScaleUpAlarm {
        target: id::model_deployment(&alarm.deployment)?,
        name: alarm.name.clone(),
        metric: alarm.metric.clone(),
        threshold: alarm.threshold,
        keeps_range: alarm.statistic.keeps_the_range(),
        only_for: Some(Axis::Bandwidth).filter(|_| index.is_none() && alarm.name == BANDWIDTH.0),
        place,
        index,
    })
}

/// A metric as the service spells it. One that is like a known one is a slip; any other is somebody's own.
fn spelled(metric: String) -> Result<String, String> {
    if metric.is_empty() || !metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`metric = \"{metric}\"`: expected a metric's plain name"));
    }
    if let Some(known) = metric::metric(&metric) {
        return Ok(known.name.to_owned());
    }
    // The name of one GPU metric may be a letter away from that of a metric of cores, and be right.
    let is_of_gpus = |name: &str| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("gpu"));
    let is_slip =
        |name: &&str| is_of_gpus(name) == is_of_gpus(&metric) && strsim::levenshtein(name, &metric) <= SLIP;
    match METRICS.iter().map(|known| known.name).find(is_slip) {
        Some(name) => Err(format!("`metric = \"{metric}\"`: there is none; did you mean `{name}`?")),
        None => Ok(metric),
    }
}

/// A threshold that a query can write, and a percentage that there is.
fn check_threshold(threshold: f64, metric: &str, statistic: AlarmStatistic) -> Result<(), String> {
    const THRESHOLD: &str = ScaleUpAlarm::THRESHOLD;
    let size = threshold.abs();
    if !threshold.is_finite() || size > LARGEST_THRESHOLD || (size > 0.0 && size < SMALLEST_THRESHOLD) {
        return Err(format!(
            "`{THRESHOLD} = {threshold:e}`: expected a number of a size from a millionth to a million million"
        ));
    }
    let known = metric::metric(metric);
    let percentage = known.is_some_and(|known| known.range == Range::Percent) && statistic.keeps_the_range();
    if percentage && threshold > 0.0 && threshold <= 1.0 {
        let (written, meant) = (number(threshold), number(threshold * 100.0));
        return Err(format!(
            "`{THRESHOLD} = {written}`: `{metric}` is a percentage; did you mean `{meant}`?"
        ));
    }
    if percentage && (threshold <= 0.0 || threshold >= 100.0) {
        return Err(format!(
            "`{THRESHOLD} = {}`: `{metric}` is a percentage; expected a number between 0 and 100",
            number(threshold)
        ));
    }
    Ok(())
}

impl AlarmText {
    fn of(name: &str, metric: &str) -> Self {
        Self { name: name.to_owned(), metric: metric.to_owned(), ..Self::default() }
    }

    fn checked(self) -> Result<HighAlarm, Faults> {
        let mut faults = Faults::default();
        let Self { name, statistic, severity, .. } = self;
        if name.trim().is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            let message = format!("`name = \"{name}\"`: expected 1 to 255 characters in one line");
            faults.push(Fault::of("name", message));
        }
        if name == SCHEDULE_ALARM {
            let message = format!(
                "`name = \"{name}\"` is the alarm that keeps a schedule's `min`: expected another name"
            );
            faults.push(Fault::of("name", message));
        }
        let metric = faults.note(keyed("metric", spelled(self.metric)));
        let threshold = self.scale_up_threshold.unwrap_or(ScaleUpAlarm::DEFAULT_THRESHOLD);
        if let Some(metric) = &metric {
            faults.note(keyed(ScaleUpAlarm::THRESHOLD, check_threshold(threshold, metric, statistic)));
        }
        let window = duration::window("window", self.window.as_deref().unwrap_or("5m"));
        let window = faults.note(keyed("window", window));
        let pending = minutes("pending", self.pending.as_deref().unwrap_or("1m"), LONGEST_PENDING);
        let pending = faults.note(keyed("pending", pending));
        let repeat = minutes("repeat", self.repeat.as_deref().unwrap_or("5m"), LONGEST_REPEAT);
        let repeat = faults.note(keyed("repeat", repeat));
        let (Some(metric), Some(window), Some(pending), Some(repeat)) = (metric, window, pending, repeat)
        else {
            return Err(faults);
        };
        faults.into_result()?;
        let deployment = String::new();
        Ok(HighAlarm { deployment, name, metric, statistic, threshold, window, pending, repeat, severity })
    }
}
