//! The policy's table `[oci]`: the alarms, the topic and the function that `stepladder provision` sets up.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::Deserialize;
use wildmatch::WildMatch;

use crate::ladder::Resource;
use crate::pair::Pair;
use crate::platform::Destination;
use crate::platform::oci::id;
use crate::policy::{Error, LONGEST_REPEAT, LONGEST_WINDOW, Policy, Rule, effective, flap, minutes};
use crate::size::{Axis, Direction};
use crate::target::TargetId;

/// The topic's name where the policy gives none.
const DEFAULT_TOPIC: &str = "stepladder-alarms";

/// Monitoring takes a delay before an alarm fires of at most an hour.
const LONGEST_PENDING: SignedDuration = SignedDuration::from_hours(1);

/// The alarms of Oracle's guide, and one on bandwidth where the policy has a rule of its own for that: the load
/// balancer's price follows its bandwidth.
const GUIDE: [(&str, &str); 2] =
    [("model_deployment_high_cpu", "CpuUtilization"), ("model_deployment_high_mem", "MemoryUtilization")];
const BANDWIDTH: (&str, &str) = ("model_deployment_high_bandwidth", "PredictBandwidth");

/// What shall stand on OCI, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Where the topic, its subscription and the alarms live.
    pub compartment: String,
    /// Where the deployments and their metrics are.
    pub metric_compartment: String,
    /// The function that the alarms call, by its OCID.
    pub function: String,
    /// What the alarms notify.
    pub topic: Topic,
    /// The deployments, by their OCIDs.
    pub deployments: Vec<String>,
    /// One per deployment and kind of pressure.
    pub alarms: Vec<HighAlarm>,
    /// The topics that hear of a resize, by their OCIDs: the policy's `notify`.
    pub notifies: Vec<String>,
}

impl Desired {
    /// Where alarms may be: a pair is made beside its deployment where the alarm that fired cannot be read.
    pub fn alarm_homes(&self) -> Vec<&str> {
        let beside = Some(self.metric_compartment.as_str()).filter(|home| *home != self.compartment);
        [self.compartment.as_str()].into_iter().chain(beside).collect()
    }
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

/// An alarm that asks for more.
#[derive(Debug, Clone, PartialEq)]
pub struct HighAlarm {
    /// The deployment that it measures.
    pub deployment: String,
    /// Its name, by which a rule answers it.
    pub name: String,
    /// What it measures, as the service spells it.
    pub metric: String,
    /// How the values of a window are made one.
    pub statistic: Statistic,
    /// It fires above this.
    pub above: f64,
    /// How far back it looks.
    pub window: SignedDuration,
    /// How long it must stay above before it fires.
    pub pending: SignedDuration,
    /// How often it says so again, which is what brings the second step.
    pub repeat: SignedDuration,
    /// How bad it is.
    pub severity: Severity,
}

/// How the values of a window are made one, in the words of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the query language's own words")]
pub enum Statistic {
    #[default]
    Max,
    Mean,
    Min,
    Sum,
    Count,
    Rate,
}

impl Statistic {
    /// Whether its result lies among the values that it is made of: a sum of percentages is none.
    fn keeps_the_range(self) -> bool {
        matches!(self, Self::Max | Self::Mean | Self::Min)
    }

    /// The word in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Rate => "rate",
        }
    }
}

/// How bad it is, in the service's words.
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

/// The metrics of the namespace that run from 0 to 100.
const PERCENTAGES: [&str; 3] = ["CpuUtilization", "MemoryUtilization", "PredictBandwidth"];

/// Its other ones, but for those of GPUs. See
/// <https://docs.oracle.com/en-us/iaas/data-science/using/metrics-model-deploy.htm>.
const OTHER_METRICS: [&str; 4] = ["PredictRequestCount", "PredictResponse", "PredictLatency", "NetworkBytes"];

/// So many letters wrong, missing or too many are a slip; more of them make another word.
const SLIP: usize = 2;

/// What `stepladder provision` sets up on OCI: alarms, their topic, and its subscription.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OciText {
    /// The OCID of the compartment in which the topic and the alarms live.
    compartment: String,
    /// The OCID of the compartment in which the deployments are (default: `compartment`).
    metric_compartment: Option<String>,
    /// The OCIDs of the deployments that are to have alarms.
    deployments: Vec<String>,
    /// The OCID of the function that the alarms call.
    function: String,
    /// The name of the topic between them (default: `stepladder-alarms`), or the OCID of one that is there.
    topic: Option<String>,
    /// The alarms that each deployment gets (default: those of Oracle's guide, on CPU and on memory).
    alarm: Option<Vec<AlarmText>>,
}

/// An alarm that each deployment gets.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct AlarmText {
    /// Its name, which a rule has to answer.
    name: String,
    /// The metric, as the service spells it.
    metric: String,
    /// How the values of a window are made one.
    #[serde(default)]
    statistic: Statistic,
    /// It fires above this (default: 80).
    above: Option<f64>,
    /// How far back it looks: whole minutes, as in `5m`, which is the default.
    window: Option<String>,
    /// How long it must stay above before it fires: whole minutes up to `1h` (default: `1m`).
    pending: Option<String>,
    /// How often it says so again, which brings the next step: whole minutes (default: `5m`).
    repeat: Option<String>,
    /// How bad it is.
    #[serde(default)]
    severity: Severity,
}

impl OciText {
    /// Checks what is written, and that the policy's rules answer every alarm.
    pub(crate) fn checked(self, policy: &Policy) -> Result<Desired, Error> {
        let invalid = |problem: String| Error::invalid("`oci`".to_owned(), problem);
        let homes = ["ocid1.compartment.", "ocid1.tenancy."];
        check_ocid("compartment", &self.compartment, &homes).map_err(invalid)?;
        let metric_compartment = self.metric_compartment.unwrap_or_else(|| self.compartment.clone());
        check_ocid("metric_compartment", &metric_compartment, &homes).map_err(invalid)?;
        check_ocid("function", &self.function, &["ocid1.fnfunc."]).map_err(invalid)?;
        let topic = checked_topic(self.topic.as_deref().unwrap_or(DEFAULT_TOPIC)).map_err(invalid)?;
        if self.deployments.is_empty() {
            return Err(invalid("`deployments` is empty: expected at least one OCID".to_owned()));
        }
        let mut known = BTreeSet::new();
        for (i, id) in self.deployments.iter().enumerate() {
            let invalid = |problem| Error::invalid(format!("deployment {} of `oci`", i + 1), problem);
            check_ocid("deployments", id, &["ocid1.datasciencemodeldeployment."]).map_err(invalid)?;
            if !known.insert(id) {
                return Err(invalid(format!("`deployments` lists `{id}` twice")));
            }
        }
        let alarms = alarms(self.alarm, &self.deployments, policy)?;
        let Self { compartment, function, deployments, .. } = self;
        let notifies = policy.notify.iter().filter_map(|told| match &told.to {
            Destination::Oci(id) => Some(id.clone()),
            Destination::Aws(_) | Destination::Web(_) => None,
        });
        let notifies = notifies.collect();
        Ok(Desired { compartment, metric_compartment, function, topic, deployments, alarms, notifies })
    }
}

fn check_ocid(key: &str, id: &str, prefixes: &[&str]) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if prefixes.iter().any(|prefix| id.starts_with(prefix)) && id.chars().all(plain) {
        return Ok(());
    }
    let expected: Vec<String> = prefixes.iter().map(|prefix| format!("`{prefix}…`")).collect();
    Err(format!("`{key}`: `{id}` is not the OCID of one: expected {}", expected.join(" or ")))
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

/// What is written, or else the guide's, for each deployment.
fn alarms(
    written: Option<Vec<AlarmText>>,
    deployments: &[String],
    policy: &Policy,
) -> Result<Vec<HighAlarm>, Error> {
    let guides = written.is_none();
    let texts = written.unwrap_or_else(|| GUIDE.into_iter().chain([BANDWIDTH]).map(AlarmText::of).collect());
    let mut alarms: Vec<HighAlarm> = Vec::new();
    for (i, text) in texts.into_iter().enumerate() {
        let place = if guides { "`oci`".to_owned() } else { format!("alarm {} of `oci`", i + 1) };
        let invalid = |problem: String| Error::invalid(place.clone(), problem);
        let alarm = text.checked().map_err(invalid)?;
        if alarms.iter().any(|known| known.name == alarm.name) {
            return Err(invalid(format!("another alarm is called `{}`, too", alarm.name)));
        }
        for deployment in deployments {
            let Some(target) = id::model_deployment(deployment) else { continue };
            if guides && alarm.name == BANDWIDTH.0 && !asks_for_bandwidth(policy, &target) {
                continue;
            }
            check_answered(&alarm, &target, policy).map_err(invalid)?;
            alarms.push(HighAlarm { deployment: deployment.clone(), ..alarm.clone() });
        }
    }
    Ok(alarms)
}

/// Whether a rule of the policy's own, and none that is built in, moves a deployment's bandwidth.
fn asks_for_bandwidth(policy: &Policy, target: &TargetId) -> bool {
    let matched = policy.rule_for(BANDWIDTH.0, target).filter(|matched| matched.rule.axis == Axis::Bandwidth);
    matched.is_some_and(|matched| policy.is_own(&matched.rule))
}

/// An alarm that nothing answers would call for nothing.
fn check_answered(alarm: &HighAlarm, target: &TargetId, policy: &Policy) -> Result<(), String> {
    let name = &alarm.name;
    if !policy.allows(target) {
        return Err(format!("`{name}` would call for nothing: `targets` leaves out `{target}`"));
    }
    match policy.rule_for(name, target) {
        None => Err(format!(
            "`{name}` would call for nothing: no rule answers an alarm of this name on `{target}`; \
             expected a rule with such a glob in `alarm`, or another `name`"
        )),
        Some(matched) if matched.direction() == Some(Direction::Down) => Err(format!(
            "`{name}` would fire under load and take capacity away: {matched}; expected a rule that adds"
        )),
        Some(matched) => matched.rule.pair.as_ref().map_or(Ok(()), |pair| {
            if !alarm.statistic.keeps_the_range() || !alarm.metric.eq_ignore_ascii_case(&pair.metric) {
                return Ok(());
            }
            check_apart(alarm, pair)?;
            check_not_called_back(alarm, target, &matched.rule, policy)
        }),
    }
}

/// What is high and low at once would go up and down for ever.
fn check_apart(HighAlarm { above, .. }: &HighAlarm, pair: &Pair) -> Result<(), String> {
    let Pair { alarm: low, below, .. } = pair;
    if above > below {
        return Ok(());
    }
    Err(format!(
        "`above = {above}`: the paired alarm `{low}` fires below {below}, so between {above} and {below} both would \
         fire and the size go up and down for ever; expected more than {below}, or a rule whose pair has a lower `below`"
    ))
}

/// So would what is taken away and called back. It is this alarm that calls, whatever threshold the rule reckons with. Of
/// what is no utilization nobody knows how much less capacity makes of it.
fn check_not_called_back(
    alarm: &HighAlarm,
    target: &TargetId,
    rule: &Rule,
    policy: &Policy,
) -> Result<(), String> {
    let HighAlarm { metric, above, .. } = alarm;
    if Resource::of(metric).is_none() {
        return Ok(());
    }
    let mut called = effective::with_tables(rule, &WildMatch::new(target.as_str()), &policy.own);
    called.is.scale_up_threshold = Some(*above);
    let schedules = policy.schedules.iter().filter(|schedule| schedule.is_for(target));
    let at_times = schedules.map(|schedule| schedule.during(&called));
    let ladders = || policy.ladders.iter().take(policy.own_ladders).filter(|_| policy.is_own(rule));
    std::iter::once(called.clone())
        .chain(at_times)
        .try_for_each(|rule| flap::check(&rule, ladders()))
        .map_err(|problem| format!("`above = {above}` is too low for {}: {problem}", rule.name()))
}

/// A metric as the service spells it. One that is like a known one is a slip; any other is somebody's own.
fn spelled(metric: String) -> Result<String, String> {
    let mut known = PERCENTAGES.iter().chain(&OTHER_METRICS);
    if let Some(name) = known.clone().find(|name| name.eq_ignore_ascii_case(&metric)) {
        return Ok((*name).to_owned());
    }
    // There are more metrics of GPUs than are known here, and the first is one letter away from another.
    let of_gpus = metric.to_ascii_lowercase().starts_with("gpu");
    match known.find(|name| !of_gpus && strsim::levenshtein(name, &metric) <= SLIP) {
        Some(name) => Err(format!("`metric = \"{metric}\"`: there is none; did you mean `{name}`?")),
        None => Ok(metric),
    }
}

fn check_above(above: f64, metric: &str, statistic: Statistic) -> Result<(), String> {
    let size = above.abs();
    if !above.is_finite() || size > LARGEST_THRESHOLD || (size > 0.0 && size < SMALLEST_THRESHOLD) {
        return Err(format!(
            "`above = {above:e}`: expected a number of a size from a millionth to a million million"
        ));
    }
    let percentage = PERCENTAGES.contains(&metric) && statistic.keeps_the_range();
    if percentage && (above <= 0.0 || above >= 100.0) {
        return Err(format!(
            "`above = {above}`: `{metric}` is a percentage; expected a number between 0 and 100"
        ));
    }
    Ok(())
}

impl AlarmText {
    fn of((name, metric): (&str, &str)) -> Self {
        Self { name: name.to_owned(), metric: metric.to_owned(), ..Self::default() }
    }

    fn checked(self) -> Result<HighAlarm, String> {
        let Self { name, metric, statistic, severity, .. } = self;
        if name.trim().is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            return Err(format!("`name = \"{name}\"`: expected 1 to 255 characters in one line"));
        }
        if metric.is_empty() || !metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`metric = \"{metric}\"`: expected a metric's plain name"));
        }
        let metric = spelled(metric)?;
        let above = self.above.unwrap_or(80.0);
        check_above(above, &metric, statistic)?;
        let of = |key, text: Option<&str>, default, longest| minutes(key, text.unwrap_or(default), longest);
        let window = of("window", self.window.as_deref(), "5m", LONGEST_WINDOW)?;
        if window.as_mins() > 60 && window.as_mins() % 60 != 0 {
            return Err(format!("`window = \"{window:#}\"`: expected whole hours above `60m`"));
        }
        let pending = of("pending", self.pending.as_deref(), "1m", LONGEST_PENDING)?;
        let repeat = of("repeat", self.repeat.as_deref(), "5m", LONGEST_REPEAT)?;
        let deployment = String::new();
        Ok(HighAlarm { deployment, name, metric, statistic, above, window, pending, repeat, severity })
    }
}
