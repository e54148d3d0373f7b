//! What happened, in our words: the one shape that every alarm source is read into.
//!
//! Knows no cloud's field names and decides nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What one payload said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// The alarms that could be read, in the payload's order.
    pub alarms: Vec<Alarm>,
    /// Deployments that have come to rest, when a platform told of a change of state; empty while one is
    /// still changing.
    pub settled: Option<Vec<TargetId>>,
    /// Whether the clock has called: everything that fires is to be looked at.
    pub tick: bool,
    /// Records of the payload that could not be read. They never keep the others from being answered.
    pub rejected: Vec<crate::source::Error>,
}

/// One alarm's notice about one or more deployments.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// The cloud's own id of the alarm: an OCID or an ARN. Empty when the payload has none.
    pub id: String,
    /// The name that rules match on: alarm name (CloudWatch) or notification title (OCI).
    pub name: String,
    /// Which shape of payload it came in: the name of a row of [`crate::source::SOURCES`].
    pub source: &'static str,
    /// What the alarm says has happened.
    pub transition: Transition,
    /// Whether its actions are muted or suppressed: then only services that listen to changes of state hear of
    /// it at all.
    pub muted: bool,
    /// The deployments it speaks of, each once. Empty when the alarm names none that can be recognised.
    pub targets: Vec<TargetId>,
    /// What was measured.
    pub measurement: Measurement,
    /// When the alarm changed state or repeated; `None` when the payload does not say.
    pub at: Option<Timestamp>,
    /// The topic that it came through: empty when its envelope does not say which, `None` when it came through
    /// none that is known of.
    pub topic: Option<String>,
    /// The account that it belongs to: empty when the payload does not say, `None` where alarms tell none.
    pub account: Option<String>,
}

impl Event {
    /// Whether it calls for the alarms that fire now.
    pub fn asks_for_repeats(&self) -> bool {
        self.tick || self.settled.as_ref().is_some_and(|settled| !settled.is_empty())
    }
}

impl Alarm {
    /// Every target; nobody once, when it names none.
    pub fn asked_about(&self) -> Vec<Option<&TargetId>> {
        if self.targets.is_empty() { vec![None] } else { self.targets.iter().map(Some).collect() }
    }
}

/// What an alarm says has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// The threshold has just been crossed.
    Firing,
    /// It is still crossed: the alarm says so again.
    Repeat,
    /// It is crossed no longer.
    Cleared,
    /// The metric has gone missing. Not zero and not fine.
    NoData,
    /// A person or the platform tries the path out.
    Test,
}

impl Transition {
    /// Only a breach that holds now is worth a look at the deployment.
    pub fn is_firing(self) -> bool {
        matches!(self, Self::Firing | Self::Repeat)
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firing => "firing",
            Self::Repeat => "repeat",
            Self::Cleared => "cleared",
            Self::NoData => "no_data",
            Self::Test => "test",
        })
    }
}

/// What was measured, as far as the payload tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurement {
    /// The metric's name as the cloud spells it.
    pub metric: Option<String>,
    /// The latest value; with several streams the one furthest beyond the threshold.
    pub value: Option<f64>,
    /// The alarm's threshold.
    pub threshold: Option<f64>,
    /// On which side of the threshold it fires; `None` when it does not say, or fires on both.
    pub side: Option<Side>,
    /// Whether it fires because data that is missing counts as beyond the threshold: nothing was measured.
    pub missing: bool,
    /// How long the data reaches back that the alarm was evaluated on: `[5m]` of an OCI query, period ×
    /// evaluation periods of CloudWatch.
    pub window: Option<SignedDuration>,
}

/// On which side of its threshold an alarm fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it: there is too little of the deployment.
    Above,
    /// Below it: there is more of the deployment than it takes.
    Below,
}

impl Side {
    /// The side of a comparison as CloudWatch names it: `GreaterThanThreshold`, `LessThanLowerThreshold` and so on.
    pub fn of_comparison(operator: &str) -> Option<Self> {
        if operator.starts_with("GreaterThan") {
            Some(Self::Above)
        } else if operator.starts_with("LessThan") {
            Some(Self::Below).filter(|_| !operator.contains("OrGreaterThan"))
        } else {
            None
        }
    }
}

/// The cloud's own full id of something that can be resized, and what kind of thing it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId {
    /// What it is. Decides which target file answers for it.
    pub kind: TargetKind,
    /// An OCID, or `endpoint/<name>/variant/<name>` as Application Auto Scaling writes it.
    pub id: String,
}

/// What kinds of things alarms speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// An OCI Data Science model deployment.
    OciModelDeployment,
    /// One production variant of a SageMaker endpoint.
    SagemakerVariant,
    /// Something else: named by the alarm, but nothing that stepladder can resize.
    Unknown,
}

impl TargetId {
    /// An OCI Data Science model deployment.
    pub fn oci_model_deployment(ocid: impl Into<String>) -> Self {
        Self { kind: TargetKind::OciModelDeployment, id: ocid.into() }
    }

    /// One production variant of a SageMaker endpoint.
    ///
    /// ```
    /// use stepladder::alarm::TargetId;
    /// let target = TargetId::sagemaker_variant("churn", "AllTraffic");
    /// assert_eq!(target.to_string(), "endpoint/churn/variant/AllTraffic");
    /// assert_eq!(target.endpoint_and_variant(), Some(("churn", "AllTraffic")));
    /// ```
    pub fn sagemaker_variant(endpoint: &str, variant: &str) -> Self {
        Self { kind: TargetKind::SagemakerVariant, id: format!("endpoint/{endpoint}/variant/{variant}") }
    }

    /// A SageMaker endpoint with all its variants.
    pub fn sagemaker_endpoint(endpoint: &str) -> Self {
        Self { kind: TargetKind::SagemakerVariant, id: format!("endpoint/{endpoint}") }
    }

    /// Whether the other is this very target, or one of its variants.
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.id.strip_prefix(&self.id);
        self.kind == other.kind && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("/variant/"))
    }

    /// The target of an id, by its spelling; `None` where that is of nothing that is resized here.
    ///
    /// ```
    /// use stepladder::alarm::TargetId;
    /// let target = TargetId::sagemaker_variant("churn", "AllTraffic");
    /// assert_eq!(TargetId::read("endpoint/churn/variant/AllTraffic"), Some(target));
    /// assert_eq!(TargetId::read("endpoint/churn"), None);
    /// ```
    pub fn read(id: &str) -> Option<Self> {
        let of_oci = |rest: &str| !rest.is_empty() && !rest.contains(['/', ' ']);
        if id.strip_prefix("ocid1.datasciencemodeldeployment.").is_some_and(of_oci) {
            return Some(Self::oci_model_deployment(id));
        }
        let variant = Self { kind: TargetKind::SagemakerVariant, id: id.to_owned() };
        variant.endpoint_and_variant().is_some().then_some(variant)
    }

    /// Something that nothing here resizes.
    pub fn unknown(id: impl Into<String>) -> Self {
        Self { kind: TargetKind::Unknown, id: id.into() }
    }

    /// The two names inside a SageMaker variant's id; `None` for any other id.
    pub fn endpoint_and_variant(&self) -> Option<(&str, &str)> {
        let (endpoint, rest) = self.id.strip_prefix("endpoint/")?.split_once('/')?;
        let variant = rest.strip_prefix("variant/")?;
        let plain = !endpoint.is_empty() && !variant.is_empty() && !variant.as_bytes().contains(&b'/');
        plain.then_some((endpoint, variant))
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}
