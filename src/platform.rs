//! The platforms: their table, what can be sent to any of them, and the client that reaches one.
//!
//! The only place, besides the hosts, that knows which clients are compiled in. Everything that knows one platform is
//! in that platform's folder.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::time::Instant;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::address::Address;
use crate::alarm::{Alarm, AlarmName};
use crate::deployment::{Deployment, ObservedAlarm};
use crate::document::{Document, Fault, Faults, Node, Problems};
use crate::pair::Pair;
use crate::size::{Axis, Direction};
use crate::target::{TargetId, TargetKind};

pub mod aws;
mod error;
pub mod metric;
pub mod oci;
mod operation;
mod router;
pub mod simulated;
pub mod target;
pub mod web;

#[cfg(any(feature = "aws", feature = "oci"))]
#[cfg_attr(not(feature = "oci"), allow(dead_code, reason = "a webhook needs less of it than OCI does"))]
mod http;

pub use error::Error;
pub use operation::{Operation, operations, permission};
pub use router::Router;
use simulated::Simulation;
use target::Target;

/// Every platform.
pub const PLATFORMS: &[Platform] = &[oci::PLATFORM, aws::PLATFORM];

/// One platform: its row in the table.
pub struct Platform {
    /// Its name: that of its cargo feature, of `--cloud`, and before the colon of its operations.
    pub name: &'static str,
    /// Every kind of target that it has.
    pub targets: &'static [Target],
    /// The target of an id, by its spelling.
    pub target_id: fn(&str) -> Option<TargetId>,
    /// What its alarms must name so that their target is known, in words.
    pub targets_are_named_by: &'static str,
    /// The built-in ladders of its shapes, in TOML.
    pub ladders: &'static str,
    /// How the names of its flexible shapes end, where it has some.
    pub flexible: Option<&'static str>,
    /// Every operation that can be sent to it.
    pub operations: &'static [Operation],
    /// Every read that belongs to no target.
    pub reads: &'static [Operation],
    /// What it calls the ids of its topics.
    pub topic_id: &'static str,
    /// The format of its accounts, where its alarms name theirs.
    pub account: Option<AccountFormat>,
    /// Its store in which a policy may be, where it has one.
    pub policy_store: Option<PolicyStore>,
    /// The policy's table of what `stepladder provision` sets up there, where it does.
    pub(crate) provision: Option<ProvisionRow>,
    /// A topic that a notice may go to, by its id; `None` for what does not begin like one.
    pub topic: fn(&str) -> Option<Result<Destination, String>>,
    /// Under which name the paired alarm of a target exists, whose short name in the policy is this.
    pub pair_name: fn(&TargetId, &str) -> String,
    /// Whether its usual host answers one event after the other, so that no other may be about to need a pair. A host
    /// that knows better sets it in the policy.
    pub one_at_a_time: bool,
    /// How it is simulated.
    pub(crate) simulation: Simulation,
}

/// Whether the name of a shape is that of a flexible one, whose size is a configuration.
///
/// ```
/// use stepladder::platform::is_flexible;
/// assert!(is_flexible("VM.Standard.E9.Flex") && is_flexible("VM.Standard.E9.Flex:2:32"));
/// assert!(!is_flexible("VM.Standard2.1") && !is_flexible("ml.m5.large"));
/// ```
pub fn is_flexible(shape: &str) -> bool {
    let name = shape.split(':').next().unwrap_or_default();
    let ends = |end: &str| {
        let start = name.len().checked_sub(end.len());
        start.and_then(|at| name.get(at..)).is_some_and(|found| found.eq_ignore_ascii_case(end))
    };
    PLATFORMS.iter().filter_map(|platform| platform.flexible).any(ends)
}

/// The format of a platform's accounts.
#[derive(Clone, Copy)]
pub struct AccountFormat {
    /// Whether a text is one.
    pub is: fn(&str) -> bool,
    /// What is expected, in words.
    pub expected: &'static str,
}

/// A store of a platform that may hold the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyStore {
    /// What a policy's place begins with that is in it.
    pub prefix: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The name of the platform whose client reads it.
    pub platform: &'static str,
}

/// A platform's table of the policy.
#[derive(Clone, Copy)]
pub(crate) struct ProvisionRow {
    /// Its key at the top of the file.
    pub(crate) key: &'static str,
    /// Reads and checks the table by itself; `None` where it cannot be read, which the problems report.
    pub(crate) read: fn(&Document<'_>, &Node<'_>, &mut Problems<'_>) -> Option<Result<WrittenTable, Faults>>,
    /// Its JSON Schema.
    #[cfg(test)]
    pub(crate) schema: fn() -> schemars::Schema,
}

/// Every platform's table of the policy.
pub(crate) fn provision_tables() -> impl Iterator<Item = ProvisionRow> {
    PLATFORMS.iter().filter_map(|platform| platform.provision)
}

/// A platform's table of the policy, checked by itself.
#[derive(Debug)]
pub struct WrittenTable {
    /// Its key at the top of the file.
    pub key: &'static str,
    /// The table.
    pub table: ProvisionTable,
    /// Every scale-up alarm of it, in the table's order.
    pub alarms: Vec<ScaleUpAlarm>,
}

/// An alarm on a utilization that takes another statistic than its mean, so that its value is not the metric's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmOffTheMean {
    /// Its name.
    pub name: String,
    /// The target that it measures.
    pub target: TargetId,
    /// Its metric.
    pub metric: String,
    /// Its statistic, as in a query.
    pub statistic: String,
}

/// What `stepladder provision` sets up on one platform.
#[derive(Debug, Clone, PartialEq)]
pub enum ProvisionTable {
    /// OCI.
    Oci(oci::provision::Desired),
}

impl ProvisionTable {
    /// Keeps only the alarms at these places.
    #[must_use]
    pub fn with_alarms(self, kept: &[bool]) -> Self {
        match self {
            Self::Oci(desired) => Self::Oci(desired.with_alarms(kept)),
        }
    }

    /// The alarms on a utilization that take another statistic than its mean.
    pub fn alarms_off_the_mean(&self) -> Vec<AlarmOffTheMean> {
        match self {
            Self::Oci(desired) => desired.alarms_off_the_mean(),
        }
    }

    /// The targets that it lists.
    pub fn targets(&self) -> Vec<TargetId> {
        match self {
            Self::Oci(desired) => desired.targets(),
        }
    }

    /// Adds an alarm that repeats for each target whose schedule must be kept.
    #[must_use]
    pub fn with_schedules(self, is_scheduled: &dyn Fn(&TargetId) -> bool) -> Self {
        match self {
            Self::Oci(desired) => Self::Oci(desired.with_schedules(is_scheduled)),
        }
    }

    /// Adds the destinations that are notified of a resize: what sends to them needs a permission.
    #[must_use]
    pub fn with_destinations<'a>(self, destinations: impl Iterator<Item = &'a Destination>) -> Self {
        match self {
            Self::Oci(desired) => Self::Oci(desired.with_destinations(destinations)),
        }
    }
}

/// An alarm of a platform's table, in the terms of a policy.
#[derive(Debug, Clone)]
pub struct ScaleUpAlarm {
    /// The target that it measures.
    pub target: TargetId,
    /// Its name, which a rule must match.
    pub name: String,
    /// Its metric.
    pub metric: String,
    /// Its threshold.
    pub threshold: f64,
    /// Whether its statistic lies among the values of the metric: a sum of percentages does not.
    pub keeps_range: bool,
    /// The axis that a rule of the file must change for it; `None` for an alarm that always exists.
    pub only_for: Option<Axis>,
    /// Its place in messages.
    pub place: String,
    /// Its index in the list that the table has; `None` for one that is not written.
    pub index: Option<usize>,
}

impl ScaleUpAlarm {
    /// The key that sets the threshold of an alarm that scales up, in this table as in the settings.
    pub const THRESHOLD: &str = "scale_up_threshold";

    /// Its threshold where nothing sets another, in percent.
    pub const DEFAULT_THRESHOLD: f64 = 80.0;

    /// Something wrong with one of its keys.
    pub fn fault(&self, key: &'static str, message: String) -> Fault {
        let fault = match self.index {
            Some(index) => Fault::of(key, message).nth(index).within("alarm"),
            None => Fault::whole(message),
        };
        fault.about(&self.place)
    }
}

/// The platform that has targets of a kind.
pub fn of(kind: TargetKind) -> Option<&'static Platform> {
    PLATFORMS.iter().find(|platform| platform.targets.iter().any(|target| target.kind == kind))
}

/// The target of an id, by its spelling; `None` where no platform has such ids.
///
/// ```
/// use stepladder::platform::target_id;
/// assert_eq!(target_id("endpoint/churn/variant/AllTraffic").unwrap().as_str(), "endpoint/churn/variant/AllTraffic");
/// assert_eq!(target_id("https://example.com"), None);
/// ```
pub fn target_id(id: &str) -> Option<TargetId> {
    PLATFORMS.iter().find_map(|platform| (platform.target_id)(id))
}

/// Under which name the paired alarm of a target exists.
pub fn pair_name(target: &TargetId, pair: &str) -> String {
    of(target.kind()).map_or_else(|| pair.to_owned(), |platform| (platform.pair_name)(target, pair))
}

/// Everything that can ever be sent. Nothing else is ever sent.
///
/// A call is complete: names, numbers and texts are all in it. Sending one twice leaves the account as sending it once; a
/// message that is sent twice has the same id, by which its receiver knows it again.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// To AWS.
    Aws(aws::call::Call),
    /// To OCI.
    Oci(oci::call::Call),
    /// To a webhook.
    Web(web::Call),
}

impl Call {
    /// `platform:ApiOperation`, in the API's own spelling.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Aws(call) => call.operation(),
            Self::Oci(call) => call.operation(),
            Self::Web(call) => call.operation(),
        }
    }

    /// What the caller must be allowed to do.
    pub fn permission(&self) -> &'static str {
        permission(self.operation())
    }

    /// Whether this call changes the deployment itself, not only an alarm.
    pub fn resizes(&self) -> bool {
        match self {
            Self::Aws(call) => call.resizes(),
            Self::Oci(call) => call.resizes(),
            Self::Web(_) => false,
        }
    }

    /// Whether this call changes the deployment itself, or makes something ready for nothing but that.
    pub fn serves_a_resize(&self) -> bool {
        let prepares = match self {
            Self::Aws(call) => call.prepares_a_resize(),
            Self::Oci(_) | Self::Web(_) => false,
        };
        prepares || self.resizes()
    }
}

/// What the call does, for an operator.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(call) => call.fmt(f),
            Self::Oci(call) => call.fmt(f),
            Self::Web(call) => call.fmt(f),
        }
    }
}

/// A word of an API: one of a few, and mostly one that is known here.
pub type ApiWord = Cow<'static, str>;

/// An alarm in full, in its own platform's terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AlarmDefinition {
    /// CloudWatch.
    #[serde(rename = "cloudwatch")]
    Aws(aws::alarm::CloudwatchAlarm),
    /// OCI Monitoring.
    #[serde(rename = "oci")]
    Oci(oci::alarm::OciAlarm),
}

impl AlarmDefinition {
    /// The alarm's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Aws(alarm) => &alarm.name,
            Self::Oci(alarm) => &alarm.name,
        }
    }

    /// What it notifies: topics and functions by their ids.
    pub fn notifies(&self) -> &[String] {
        match self {
            Self::Aws(alarm) => &alarm.actions,
            Self::Oci(alarm) => &alarm.destinations,
        }
    }
}

/// The alarm in one line: its name and when it fires.
impl fmt::Display for AlarmDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(alarm) => alarm.fmt(f),
            Self::Oci(alarm) => alarm.fmt(f),
        }
    }
}

/// What only one platform needs of an observation, for its calls.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one per observation, and it is not moved often")]
pub enum Facts {
    /// AWS.
    Aws(aws::Facts),
    /// OCI.
    Oci(oci::Facts),
}

/// All that one observation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What is decided about.
    pub deployment: Deployment,
    /// What the calls need besides.
    pub facts: Facts,
}

impl Deref for Observation {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

/// Where a notice goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// A topic of AWS, by its ARN.
    Aws(String),
    /// A topic of OCI, by its OCID.
    Oci(String),
    /// A webhook.
    Web(Address),
}

/// One message in the two forms that destinations take.
#[derive(Debug)]
pub struct Message {
    /// The subject of an e-mail, in ASCII and on one line.
    pub subject: String,
    /// What the body is.
    pub content_type: &'static str,
    /// The message.
    pub body: String,
}

impl Destination {
    /// The call that delivers a message.
    pub fn deliver(&self, message: Message) -> Call {
        let Message { subject, content_type, body } = message;
        match self {
            Self::Aws(topic) => {
                aws::call::Call::Publish { topic: topic.clone(), subject, message: body }.into()
            }
            Self::Oci(topic) => {
                oci::call::Call::PublishMessage { topic: topic.clone(), title: subject, body }.into()
            }
            Self::Web(address) => web::Call::Post { address: address.clone(), content_type, body }.into(),
        }
    }
}

/// What is to be observed.
#[derive(Debug)]
pub struct ObserveRequest<'a> {
    /// The alarm that fired.
    pub alarm: &'a Alarm,
    /// The deployment.
    pub target: &'a TargetId,
    /// The pair of the rule that answers.
    pub pair: Option<&'a Pair>,
    /// What the rule changes.
    pub axis: Axis,
    /// Whether it may change the shape.
    pub changes_shape: bool,
    /// Whether native autoscaling that is in the way of a change of shape is suspended.
    pub suspends_native: bool,
    /// Which way the rule goes, where that is sure before anything is measured.
    pub direction: Option<Direction>,
    /// The metrics to read: of the alarm's own the name as it spells it, of others as their platform does.
    pub metrics: Vec<&'a str>,
    /// How long a shape without capacity is not requested again.
    pub capacity_backoff: SignedDuration,
    /// The current time.
    pub now: Timestamp,
}

/// An alarm that notifies this function, in any state.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlarm {
    /// The alarm. One that was read is as if it had notified stepladder now.
    pub alarm: Alarm,
    /// Since when it is in its state.
    pub since: Option<Timestamp>,
    /// The alarm itself when it is one of stepladder's paired alarms.
    pub pair: Option<ObservedAlarm>,
}

/// An alarm that has notified stepladder by itself.
impl From<Alarm> for ActiveAlarm {
    fn from(alarm: Alarm) -> Self {
        Self { alarm, since: None, pair: None }
    }
}

impl ActiveAlarm {
    /// Whether it is one of stepladder's paired alarms and does not fire. Only unfinished changes are completed for it.
    pub fn is_quiet_pair(&self) -> bool {
        self.pair.is_some() && !self.alarm.transition.is_firing()
    }
}

/// What the policy wants provisioned, by platform.
#[derive(Debug, Clone, Copy)]
pub enum Desired<'a> {
    /// OCI.
    Oci(&'a oci::provision::Desired),
}

/// What exists of it.
#[derive(Debug)]
pub enum Existing {
    /// OCI.
    Oci(oci::provision::Existing),
}

/// A platform as this program sees it: one way to observe, one way to act.
#[async_trait]
pub trait Client: Send + Sync {
    /// Connects ahead of the first request, which otherwise does the same.
    async fn connect(&self) {}

    /// Whether it observes targets of a kind.
    fn serves(&self, _kind: TargetKind) -> bool {
        true
    }

    /// Starts an invocation: no request is sent that cannot be answered by its deadline. Credentials and connections
    /// are renewed, because they may have expired while the process slept.
    fn begin(&self, _deadline: Option<Instant>) {}

    /// Reads the deployment, the alarm that fired and the place of the paired alarm, in parallel where the API allows.
    /// Changes nothing. [`Error::NotFound`] when there is no such deployment.
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error>;

    /// The alarms that notify this function, whatever their state: those with the action `action`. One round trip per
    /// hundred.
    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error>;

    /// The own name of an alarm whose message has a title in its place; `None` where its service does not know the alarm.
    async fn alarm_name(&self, _alarm: &Alarm) -> Result<Option<AlarmName>, Error> {
        Ok(None)
    }

    /// Sends one call and returns what the API answered, in a few words. Sending it twice leaves the account as sending
    /// it once; deleting what is gone succeeds.
    async fn send(&self, call: &Call) -> Result<String, Error>;

    /// The text of the policy that a parameter of the platform's own store holds.
    async fn policy_text(&self, _parameter: &str) -> Result<String, Error> {
        Err(Error::Refused {
            operation: "policy".to_owned(),
            message: "this cloud keeps no policies: expected a file's path or the TOML itself".to_owned(),
        })
    }

    /// What exists of what the policy wants provisioned. Changes nothing.
    async fn existing(&self, _desired: Desired<'_>) -> Result<Existing, Error> {
        Err(Error::Refused {
            operation: "provision".to_owned(),
            message: "nothing is provisioned on this cloud".to_owned(),
        })
    }
}

/// Refuses a call of another platform.
#[cfg(any(feature = "aws", feature = "oci"))]
fn not_for(platform: &str, call: &Call) -> Error {
    let message = format!("expected a call of `{platform}`");
    Error::Refused { operation: call.operation().to_owned(), message }
}

/// The cloud's client was left out of this build.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("this build has no `{0}` client: build stepladder with `--features {0}`")]
pub struct NotCompiled(pub &'static str);

/// The cryptography that a client of this build brings: one is enough.
#[cfg(feature = "oci")]
fn crypto() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The cryptography that the AWS SDK brings.
#[cfg(all(feature = "aws", not(feature = "oci")))]
fn crypto() -> rustls::crypto::CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// AWS, with the environment's region and credentials. Connects for the first request.
#[cfg(feature = "aws")]
pub fn aws() -> Result<Box<dyn Client>, NotCompiled> {
    Ok(Box::new(aws::client::AwsClient::default()))
}

/// AWS: not in this build.
#[cfg(not(feature = "aws"))]
pub fn aws() -> Result<Box<dyn Client>, NotCompiled> {
    Err(NotCompiled("aws"))
}

/// OCI, as the function's resource principal or with the API key of `~/.oci/config`. Connects for the first
/// request.
#[cfg(feature = "oci")]
pub fn oci() -> Result<Box<dyn Client>, NotCompiled> {
    Ok(Box::new(oci::client::OciClient::default()))
}

/// OCI: not in this build.
#[cfg(not(feature = "oci"))]
pub fn oci() -> Result<Box<dyn Client>, NotCompiled> {
    Err(NotCompiled("oci"))
}
