//! The flow: parse, observe, decide, plan, apply. Every host and the command line call this and nothing else.

use jiff::Timestamp;

use crate::alarm::Alarm;
use crate::apply::{apply, notify, send_after_rejection};
use crate::decide::{DecisionTrace, Evaluation, decide, is_news, precheck};
use crate::deployment::ObservedAlarm;
use crate::notice::notices;
use crate::outcome::{Answer, Outcome};
use crate::plan::{after_rejection, delete_orphan, plan};
use crate::platform::{self, ActiveAlarm, Client};
use crate::policy::Policy;
use crate::reconcile::{due, scheduled};
use crate::source::{self, Event};
use crate::target::TargetId;

mod order;
pub mod panics;

pub use crate::platform::web::ANSWERS_WITHIN as NOTICES_WITHIN;

/// Handles one payload, and sends the policy's notices about it.
pub async fn handle(
    body: &[u8],
    client: &dyn Client,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, source::Error> {
    let mut answer = handle_each(body, client, policy, now, &mut |_| {}).await?;
    notify(&mut answer.outcomes, client, NOTICES_WITHIN).await;
    Ok(answer)
}

/// Handles one payload, and reports each outcome as soon as it exists, so that it is on record even when the time runs
/// out before the next one. Notices are due afterwards; [`notify`] sends them.
pub async fn handle_each(
    body: &[u8],
    client: &dyn Client,
    policy: &Policy,
    now: Timestamp,
    on_outcome: &mut (dyn FnMut(&Outcome) + Send),
) -> Result<Answer, source::Error> {
    let flow = Flow { client, policy, now };
    let event = source::parse(body)?;
    let (due, error) = match flow.due_alarms(&event).await {
        Ok(due) => (due, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let scheduled = scheduled(&event, policy, now).into_iter().filter(|alarm| flow.is_served(alarm));
    let mut alarms: Vec<ActiveAlarm> =
        event.alarms.into_iter().map(ActiveAlarm::from).chain(due).chain(scheduled).collect();
    let error = flow.find_names(&mut alarms).await.or(error);
    order::sort(&mut alarms, policy);
    let mut outcomes = Vec::new();
    // One alarm after the other, because several of them may be about one deployment.
    for alarm in &alarms {
        for target in alarm.alarm.evaluated_targets() {
            if let Some(outcome) = flow.outcome(alarm, target, &outcomes).await {
                on_outcome(&outcome);
                outcomes.push(outcome);
            }
        }
    }
    Ok(Answer { outcomes, rejected: event.rejected, error })
}

/// What every step of the flow needs.
struct Flow<'a> {
    client: &'a dyn Client,
    policy: &'a Policy,
    now: Timestamp,
}

impl Flow<'_> {
    /// The active alarms that a tick, or a deployment that has settled, makes due.
    async fn due_alarms(&self, event: &Event) -> Result<Vec<ActiveAlarm>, platform::Error> {
        if !event.requests_repeats() {
            return Ok(Vec::new());
        }
        let action = self.policy.alarm_action.as_deref();
        let active = self.client.active_alarms(action, self.now).await?;
        Ok(due(event, active, self.now))
    }

    /// Finds the own names of firing alarms whose messages have a title that no rule matches. Returns why that failed.
    async fn find_names(&self, alarms: &mut [ActiveAlarm]) -> Option<platform::Error> {
        let mut failed = None;
        for ActiveAlarm { alarm, .. } in alarms.iter_mut().filter(|active| self.needs_name(&active.alarm)) {
            match self.client.alarm_name(alarm).await {
                Ok(Some(name)) => {
                    alarm.name = name;
                    alarm.is_titled = false;
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed
    }

    /// Whether only its own name can identify what an alarm is for.
    fn needs_name(&self, alarm: &Alarm) -> bool {
        let may_read = alarm.is_titled && alarm.transition.is_firing() && !alarm.id.is_empty();
        let is_unmatched = |target: &TargetId| {
            self.policy.leaves_out(alarm, target).is_none()
                && self.policy.rule_for(&alarm.name, target).is_none()
        };
        may_read && !alarm.muted && alarm.targets.iter().any(is_unmatched)
    }

    /// Whether all targets of an alarm are on a platform that this process has a client for.
    fn is_served(&self, active: &ActiveAlarm) -> bool {
        active.alarm.targets.iter().all(|target| self.client.serves(target.kind()))
    }

    /// The outcome of one alarm about one target, with the notices that it leads to; `None` where there is nothing to
    /// report.
    async fn outcome(
        &self,
        active: &ActiveAlarm,
        target: Option<&TargetId>,
        earlier: &[Outcome],
    ) -> Option<Outcome> {
        let outcome = match target {
            Some(target) => self.target_outcome(active, target, earlier).await?,
            None => Outcome::without_observation(
                &active.alarm,
                None,
                DecisionTrace::unknown_target(&active.alarm),
            ),
        };
        let notices = notices(&outcome, self.policy, self.now);
        Some(outcome.with_notices(notices, self.policy.mode_for(target)))
    }

    /// The outcome of one alarm about one known target, unless an earlier alarm of the event supersedes it.
    async fn target_outcome(
        &self,
        active: &ActiveAlarm,
        target: &TargetId,
        earlier: &[Outcome],
    ) -> Option<Outcome> {
        let alarm = &active.alarm;
        match (order::superseded_by(earlier, active, target, self.policy), &active.pair) {
            // The resize observed and repaired this pair as well.
            (Some(_), _) if active.is_quiet_pair() => None,
            (Some(by), _) => {
                let trace = DecisionTrace::superseded(alarm, target, self.policy, by);
                Some(Outcome::without_observation(alarm, Some(target), trace))
            }
            (None, Some(pair)) => Box::pin(self.reconcile_pair(active, pair, target)).await,
            (None, None) => Some(self.respond(alarm, target).await),
        }
    }

    /// Responds to a firing alarm. A lost race is observed and decided once more, because the winner may have made the
    /// change already.
    async fn respond(&self, alarm: &Alarm, target: &TargetId) -> Outcome {
        let evaluation = match precheck(alarm, target, self.policy, self.now) {
            Ok(evaluation) => evaluation,
            Err(trace) => return Outcome::without_observation(alarm, Some(target), *trace),
        };
        let outcome = self.run(&evaluation).await;
        if outcome.lost_race() {
            return self.run(&evaluation).await.with_earlier_calls(outcome);
        }
        outcome
    }

    /// Reconciles a paired alarm. One that fires for a rule is responded to; any other is repaired, and deleted with its
    /// deployment. `None` where there was nothing to repair.
    async fn reconcile_pair(
        &self,
        active: &ActiveAlarm,
        pair: &ObservedAlarm,
        target: &TargetId,
    ) -> Option<Outcome> {
        let evaluation = Evaluation::for_repair(&active.alarm, target, self.policy, self.now)?;
        let outcome = if active.is_quiet_pair() || evaluation.has_no_rule() {
            self.run(&evaluation).await
        } else {
            self.respond(&active.alarm, target).await
        };
        if outcome.found_no_deployment() {
            let plan = delete_orphan(&evaluation, pair, outcome.checks);
            return Some(apply(&evaluation, None, plan, self.client, evaluation.mode(self.policy)).await);
        }
        let did_something = !outcome.calls.is_empty() || outcome.error.is_some();
        (did_something || !active.is_quiet_pair()).then_some(outcome)
    }

    /// Observes, decides, plans and applies one evaluation.
    async fn run(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let Self { client, policy, .. } = *self;
        let observed = match client.observe(&evaluation.request()).await {
            Ok(observed) => observed,
            Err(error) => return Outcome::not_observed(evaluation, error),
        };
        let evaluation = &evaluation.with_tags(&observed.tags);
        let trace = decide(evaluation, &observed, policy);
        let plan = plan(evaluation, &observed, trace, policy);
        let is_news = is_news(evaluation, &observed, policy);
        let outcome = apply(evaluation, Some(observed), plan, client, evaluation.mode(policy)).await;
        let outcome = Outcome { is_news, ..outcome };
        let rejected = outcome.rejected_change();
        let calls =
            rejected.map(|rejected| after_rejection(evaluation, &rejected, policy)).unwrap_or_default();
        send_after_rejection(outcome, calls, client).await
    }
}
