//! Sets up what the function works with on OCI, and takes it down: observe, plan, send, and observe again.
//!
//! Ids are only known when a thing exists, so what depends on one waits for the next observation. Every call may be
//! sent twice, so a run that was broken off is finished by the next.

use std::time::Duration;

use jiff::Timestamp;

use crate::platform::oci::call::Call;
use crate::platform::{self, Client, Error};

mod access;
mod plan;
mod removal;
mod statistic;
mod table;

pub use access::{Access, OPERATORS_TOO, READS, REQUESTED, of_function, of_operator};
pub use plan::{
    Existing, ExistingAlarm, ExistingSubscription, ExistingTopic, FUNCTIONS, FieldChange, PlannedCall,
    ProvisionPlan, TAG_ALARM, TAG_PROVISIONED, is_ours, plan,
};
pub use removal::removal;
pub use statistic::AlarmStatistic;
pub(super) use table::read_table;
#[cfg(test)]
pub(super) use table::schema;
pub use table::{Desired, HighAlarm, Severity, TABLE, Topic, desired};

/// One for a topic, one for what depends on it; the others are for listings that are behind what was created.
const ROUNDS: usize = 8;

/// Listings are behind by seconds, if at all.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// What turns an observation into calls: [`plan`](fn@plan) or [`removal`](fn@removal).
pub type Planner = fn(&Desired, &Existing, Timestamp) -> ProvisionPlan;

/// What a run has done.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was found and planned before anything was sent.
    pub plan: ProvisionPlan,
    /// What was sent, in order, and what became of it.
    pub sent: Vec<Sent>,
    /// What is still to be done.
    pub left: Vec<PlannedCall>,
    /// The topic as it was last observed.
    pub topic: Option<ExistingTopic>,
    /// What stopped it.
    pub error: Option<Error>,
}

/// One step and what became of it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The step.
    pub step: PlannedCall,
    /// What the API answered, or why it is not done.
    pub answer: Result<String, Error>,
}

impl Report {
    /// Whether all that is wanted exists, or all that stepladder provisioned is gone.
    pub fn nothing_left(&self) -> bool {
        self.left.is_empty() && self.plan.conflicts.is_empty() && self.error.is_none()
    }

    fn is_stopped(&self) -> bool {
        self.error.is_some() || !self.plan.conflicts.is_empty()
    }

    /// Whether the same was done before. What it found then does not matter: etags change with every call.
    fn has_sent(&self, call: &Call) -> bool {
        let call = whatever_it_finds(call);
        self.sent.iter().any(|sent| sent.answer.is_ok() && whatever_it_finds(&sent.step.call) == call)
    }
}

/// The call without its condition.
fn whatever_it_finds(call: &Call) -> Call {
    let mut call = call.clone();
    if let Call::UpdateAlarm { if_match, .. }
    | Call::DeleteAlarm { if_match, .. }
    | Call::DeleteTopic { if_match, .. }
    | Call::DeleteSubscription { if_match, .. } = &mut call
    {
        *if_match = None;
    }
    call
}

/// A refusal that is no failure: a topic's name is unique in the tenancy, and only one compartment is read.
fn in_the_way(call: &Call, error: &Error) -> Option<String> {
    let (Call::CreateTopic { name, .. }, Error::Refused { message, .. }) = (call, error) else {
        return None;
    };
    (message.starts_with("409 ") || message.starts_with("HTTP 409")).then(|| {
        format!(
            "there is a topic `{name}` elsewhere in the tenancy, where a name can be only once: give another name as \
             `topic`, or the OCID of that one, and it is used as it is and never deleted"
        )
    })
}

/// What exists of what is wanted.
async fn observe(wanted: &Desired, cloud: &dyn Client) -> Result<Existing, Error> {
    let platform::Existing::Oci(existing) = cloud.existing(platform::Desired::Oci(wanted)).await?;
    Ok(existing)
}

/// Reports what a planner would have done, and sends nothing.
pub async fn propose(
    wanted: &Desired,
    planner: Planner,
    cloud: &dyn Client,
    run: Timestamp,
) -> Result<Report, Error> {
    let existing = observe(wanted, cloud).await?;
    let plan = planner(wanted, &existing, run);
    let left = plan.steps.clone();
    Ok(Report { plan, sent: Vec::new(), left, topic: existing.topic, error: None })
}

/// Sends what a planner would have done, until another observation finds nothing to do. Nothing at all is sent while
/// something is in the way.
pub async fn carry_out(
    wanted: &Desired,
    planner: Planner,
    cloud: &dyn Client,
    run: Timestamp,
) -> Result<Report, Error> {
    let mut report = propose(wanted, planner, cloud, run).await?;
    for _ in 0..ROUNDS {
        if report.left.is_empty() || report.is_stopped() {
            break;
        }
        if !send_ready(&mut report, cloud).await {
            tokio::time::sleep(BETWEEN_ROUNDS).await;
        }
        if report.is_stopped() {
            break;
        }
        match observe(wanted, cloud).await {
            Ok(existing) => {
                let plan = planner(wanted, &existing, run);
                report.left = plan.steps;
                report.plan.conflicts = plan.conflicts;
                report.topic = existing.topic;
            }
            Err(error) => report.error = Some(error),
        }
    }
    Ok(report)
}

/// Sends the steps that depend on nothing, up to the first that fails; each only once. Returns whether there were
/// any.
async fn send_ready(report: &mut Report, cloud: &dyn Client) -> bool {
    let mut any = false;
    for step in std::mem::take(&mut report.left) {
        if report.is_stopped() || !step.ready || report.has_sent(&step.call) {
            report.left.push(step);
            continue;
        }
        any = true;
        let answer = cloud.send(&step.call.clone().into()).await;
        if let Err(error) = &answer {
            match in_the_way(&step.call, error) {
                Some(conflict) => report.plan.conflicts.push(conflict),
                None => report.error = Some(error.clone()),
            }
        }
        report.sent.push(Sent { step, answer });
    }
    any
}
