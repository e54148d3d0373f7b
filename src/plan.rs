//! Plans every call that a decision takes, in order, with every name and number in it.
//!
//! The paired alarm is written before the capacity that it removes, and deleted only when the deployment is observed
//! settled at its floor. So a plan may stop after any call without leaving capacity that nothing removes. Sends nothing.

use crate::decide::{
    Check, Context, Decision, DecisionTrace, Evaluation, Hold, SizeChange, cheapest, records_changes,
};
use crate::deployment::{Infeasible, Lifecycle, ObservedAlarm};
use crate::pair::Pair;
use crate::platform::target::{
    self, FollowUp, PairRequest, RejectedUpdate, Resize, SettledDeployment, Target,
};
use crate::platform::{self, Call, Observation};
use crate::policy::{NativeAutoscaling, Policy};
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction, Size};

/// A decision, and the calls that carry it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The decision, and every check that led to it.
    pub trace: DecisionTrace,
    /// The calls, in the order in which they are sent.
    pub calls: Vec<Call>,
    /// Notes for the operator.
    pub notes: Vec<String>,
}

impl Plan {
    /// A plan without any call.
    pub fn without_calls(trace: DecisionTrace) -> Self {
        Self { trace, calls: Vec::new(), notes: Vec::new() }
    }
}

/// A change that was sent and that the platform rejected.
#[derive(Debug)]
pub struct RejectedChange<'a> {
    /// The deployment as it was observed before.
    pub observed: &'a Observation,
    /// The axis that would have changed; `None` where somebody else's change was in progress.
    pub axis: Option<Axis>,
    /// The shape that could not be provided; `None` where the shape is not the reason.
    pub shape: Option<RejectedShape<'a>>,
}

/// A shape that the platform could not provide.
#[derive(Debug)]
pub struct RejectedShape<'a> {
    /// The shape, as a ladder names it.
    pub shape: String,
    /// The platform's message.
    pub message: &'a str,
}

/// What happens to the paired alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PairAction {
    /// It must exist as the policy describes it, because there is capacity to remove.
    Ensure,
    /// It is deleted, because the deployment is settled at its floor.
    Delete,
    /// It stays as it is.
    Leave,
}

/// Turns a decision into calls: first the pair, then the change or what earlier changes left to do, last the deletion
/// of alarms that are no longer needed.
pub fn plan(evaluation: &Evaluation, observed: &Observation, trace: DecisionTrace, policy: &Policy) -> Plan {
    let context = Context::new(evaluation, observed, policy);
    let once = observed.alarm.as_ref().and_then(|alarm| fires_once_note(alarm, &trace.decision));
    let mut plan = match context.target {
        Some(target) if !evaluation.forbids_calls(&trace.decision) => {
            PlanContext { context, target, observed }.plan(trace)
        }
        Some(_) | None => Plan::without_calls(trace),
    };
    plan.notes.extend(once);
    plan
}

/// The note on an alarm that does not repeat: nothing comes after this notification while it goes on firing.
fn fires_once_note(alarm: &ObservedAlarm, decision: &Decision) -> Option<String> {
    let lost = match decision {
        Decision::Resize { .. } => "a further step",
        Decision::Hold(hold) if hold.passes() => "what it requests",
        Decision::Hold(_) => return None,
    };
    let name = &alarm.name;
    alarm.fires_once.then(|| {
        format!(
            "the alarm `{name}` does not repeat: it does not notify again while it fires, so {lost} is lost; set its \
             repetition, for instance to five minutes"
        )
    })
}

/// The calls after a rejected change. The record of the change is removed, and a shape that could not be provided is
/// recorded.
pub fn after_rejection(evaluation: &Evaluation, rejected: &RejectedChange, policy: &Policy) -> Vec<Call> {
    let Some(target) = target::of(evaluation.target.kind()) else { return Vec::new() };
    let rule = &evaluation.matched.rule;
    let of_shape = rejected.axis.map_or_else(|| rule.touches(Axis::Shape), |axis| axis == Axis::Shape);
    let until = evaluation.now.checked_add(rule.is.capacity_backoff).unwrap_or(evaluation.now);
    let infeasible = rejected.shape.as_ref().map(|RejectedShape { shape, message }| Infeasible {
        shape: shape.clone(),
        until,
        why: (*message).to_owned(),
    });
    (target.after_rejection)(&RejectedUpdate {
        observed: rejected.observed,
        of_shape,
        infeasible: infeasible.as_ref(),
        on_record: records_changes(evaluation, policy),
    })
}

/// The plan for a deployment that no longer exists: its paired alarm is deleted.
pub fn delete_orphan(evaluation: &Evaluation, pair: &ObservedAlarm, checks: Vec<Check>) -> Plan {
    let target = target::of(evaluation.target.kind());
    let calls = target.and_then(|target| target.pair.delete(pair, None)).into_iter().collect();
    let trace = DecisionTrace::held_by(Hold::TargetGone, evaluation.target.as_str(), checks);
    Plan { calls, ..Plan::without_calls(trace) }
}

/// Everything that a plan depends on.
struct PlanContext<'a> {
    context: Context<'a>,
    target: &'a Target,
    observed: &'a Observation,
}

impl PlanContext<'_> {
    /// Collects the calls of a decision, in order.
    fn plan(&self, trace: DecisionTrace) -> Plan {
        let pair_action = self.pair_action(&trace.decision);
        let change = trace.size_change();
        let mut plan = Plan::without_calls(trace);
        if pair_action == PairAction::Ensure {
            let size = change.as_ref().map_or(&self.observed.heading, |change| &change.to);
            let call = self.ensure_pair(size, &mut plan.notes);
            plan.calls.extend(call);
        }
        let follow_up = match change {
            Some(change) => {
                self.resize(&change, &mut plan);
                FollowUp::default()
            }
            None => self.follow_up(),
        };
        plan.calls.extend(follow_up.calls);
        plan.notes.extend(follow_up.notes);
        plan.calls.extend(self.delete_alarms(pair_action, follow_up.is_incomplete));
        plan
    }

    /// What happens to the paired alarm. It depends on where the deployment is and where it goes.
    fn pair_action(&self, decision: &Decision) -> PairAction {
        if !self.context.writes_pair() {
            return PairAction::Leave;
        }
        if self.target.deleted.contains(&self.observed.status.as_str()) {
            return PairAction::Delete;
        }
        if !self.is_ours_to_scale() {
            return PairAction::Leave;
        }
        match decision {
            Decision::Hold(Hold::PairTaken { .. } | Hold::NoPairAction) => PairAction::Leave,
            Decision::Hold(_) => self.pair_action_of_hold(),
            Decision::Resize { axis, to, .. } => self.pair_action_of_resize(*axis, to),
        }
    }

    fn pair_action_of_hold(&self) -> PairAction {
        let observed = self.observed;
        let may_delete = observed.lifecycle == Lifecycle::Settled && !self.may_be_needed_elsewhere();
        match self.is_above_floor(&[&observed.size, &observed.heading]) {
            Some(true) => PairAction::Ensure,
            Some(false) if may_delete => PairAction::Delete,
            Some(false) | None => PairAction::Leave,
        }
    }

    fn pair_action_of_resize(&self, axis: Axis, to: &Size) -> PairAction {
        // The scheduled reconcile finds what this change leaves to do through the pair.
        let needs_follow_up = self.target.follow_up_axes.contains(&axis);
        // A step down to the floor needs no new pair. An existing one is deleted when the floor is observed.
        let is_needed = self.is_above_floor(&[to]) == Some(true) || self.context.written_pair().is_some();
        if needs_follow_up || is_needed { PairAction::Ensure } else { PairAction::Leave }
    }

    /// Whether the deployment's capacity is this rule's to remove. Another owner's is not, unless a pair that stepladder
    /// wrote exists or the owner is only suspended.
    fn is_ours_to_scale(&self) -> bool {
        let (rule, observed) = (self.context.rule(), self.observed);
        // A rule with `cheapest` is judged by the count alone.
        let is_cheapest = rule.scaling_policy == ScalingPolicy::Cheapest;
        let axis = if is_cheapest { Axis::Instances } else { rule.axis };
        let can_change = observed.lifecycle != Lifecycle::Gone && !observed.fixed.contains_key(&axis);
        let resumes_owner = self.context.settings().native_autoscaling == NativeAutoscaling::Suspend
            && self.target.follow_up_axes.contains(&rule.axis);
        let is_owned = observed.owners.contains_key(&axis) && !resumes_owner;
        can_change && (!is_owned || self.context.written_pair().is_some())
    }

    /// Whether another invocation may need the pair, because it handles a scale-up alarm at the same time.
    fn may_be_needed_elsewhere(&self) -> bool {
        let evaluation = self.context.evaluation;
        let usual = || platform::of(evaluation.target.kind()).is_some_and(|platform| platform.one_at_a_time);
        let one_at_a_time = self.context.policy.one_at_a_time.unwrap_or_else(usual);
        !one_at_a_time && evaluation.may_scale_up()
    }

    /// Whether any of the sizes is above the floor; `None` where that is unknown.
    fn is_above_floor(&self, sizes: &[&Size]) -> Option<bool> {
        let context = &self.context;
        if context.rule().scaling_policy == ScalingPolicy::Cheapest {
            return cheapest::is_above_floor(context, sizes);
        }
        match context.rule().axis {
            Axis::Instances => {
                let floor = context.lowest_floor();
                Some(sizes.iter().any(|size| size.instances > floor))
            }
            Axis::Shape => {
                let mut is_above = false;
                for size in sizes {
                    let rung = size.rung();
                    let ladder = context.policy.ladders.holding(&rung)?;
                    is_above |= ladder.is_above(&rung, self.observed.floor.as_deref());
                }
                Some(is_above)
            }
            Axis::Bandwidth => {
                let floor = context.settings().bandwidth.min;
                let known: Vec<u32> = sizes.iter().filter_map(|size| size.bandwidth_mbps).collect();
                (!known.is_empty()).then(|| known.iter().any(|bandwidth| *bandwidth > floor))
            }
        }
    }

    /// The call that makes the paired alarm what the policy describes for a size; `None` where it is so already, or
    /// cannot be written.
    fn ensure_pair(&self, size: &Size, notes: &mut Vec<String>) -> Option<Call> {
        let rule = self.context.rule();
        let pair = rule.pair.as_ref()?;
        let notifies = self.context.pair_notifies();
        if self.context.foreign_pair().is_some() || notifies.is_empty() {
            return None;
        }
        if let Some(hold) = self.context.why_pair_is_silent(size) {
            notes.push(format!("the paired alarm `{}` is not written: {hold}", pair.alarm));
            return None;
        }
        let is_cheapest = rule.scaling_policy == ScalingPolicy::Cheapest;
        let of_size = if is_cheapest { cheapest::pair(&self.context, size) } else { None };
        let pair = of_size.as_ref().unwrap_or(pair);
        let within = self.context.pair_within_threshold(pair, size);
        let request = PairRequest {
            pair: within.as_ref().unwrap_or(pair),
            observed: self.observed,
            ladders: &self.context.policy.ladders,
            notifies,
            scale_up: self.context.scale_up_threshold(),
            fired: self.context.evaluation.alarm.at.or(Some(self.context.evaluation.now)),
        };
        let call = self.target.pair.ensure(request)?;
        notes.extend(within.map(|lowered| self.lowered_note(pair, &lowered)));
        Some(call)
    }

    /// The note on a pair whose threshold is lower than the policy's.
    fn lowered_note(&self, pair: &Pair, lowered: &Pair) -> String {
        let above = self.context.scale_up_threshold().map_or(0.0, |threshold| threshold.above);
        format!(
            "the paired alarm `{}` fires below {} instead of {}: the scale-up alarm fires above {above}, and would undo \
             the step down",
            pair.alarm, lowered.below, pair.below
        )
    }

    /// Adds the calls of a change of size.
    fn resize(&self, change: &SizeChange, plan: &mut Plan) {
        let context = &self.context;
        let request = Resize {
            observed: self.observed,
            axis: change.axis,
            to: &change.to,
            ladders: &context.policy.ladders,
            recent: context.recent_changes_with(change),
            now: context.evaluation.now,
        };
        (self.target.resize)(request, &mut plan.calls, &mut plan.notes);
        let rule = context.rule();
        if change.direction == Direction::Up && rule.pair.is_none() {
            plan.notes.push(format!("{} has no `pair`, so stepladder never undoes this change", rule.origin));
        }
    }

    /// What earlier changes left to do. Only a settled deployment shows that they are completed.
    fn follow_up(&self) -> FollowUp {
        let observed = self.observed;
        if observed.lifecycle != Lifecycle::Settled {
            return FollowUp::default();
        }
        let capacity_backoff = self.context.settings().capacity_backoff;
        let (suspends_native, now) = (self.may_have_suspended_native(), self.context.evaluation.now);
        (self.target.follow_up)(&SettledDeployment { observed, capacity_backoff, suspends_native, now })
    }

    /// Whether an earlier change may have suspended native autoscaling: the rule suspends it, or no rule matches any more
    /// and any rule of the policy does.
    fn may_have_suspended_native(&self) -> bool {
        if self.context.evaluation.has_no_rule() {
            return self.context.policy.suspends_native(&self.observed.target);
        }
        self.context.settings().native_autoscaling == NativeAutoscaling::Suspend
    }

    /// The calls that delete the pair, unless earlier changes still need it, and its duplicates.
    fn delete_alarms(&self, pair_action: PairAction, has_more_to_follow: bool) -> Vec<Call> {
        let observed = self.observed;
        let support = &self.target.pair;
        let deletes_pair = pair_action == PairAction::Delete && !has_more_to_follow;
        let pair = self.context.written_pair().filter(|_| deletes_pair);
        let pair = pair.and_then(|alarm| support.delete(alarm, Some(observed)));
        let deletes_duplicates = pair_action != PairAction::Leave;
        let duplicates = observed.duplicates.iter().filter(|_| deletes_duplicates);
        pair.into_iter().chain(duplicates.filter_map(|alarm| support.delete(alarm, None))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::alarm::{Alarm, AlarmName, Condition, EvidenceTime, Measurement, Side, Subject, Transition};
    use crate::decide::{decide, precheck};
    use crate::deployment::Deployment;
    use crate::platform::target::PairSupport;
    use crate::platform::{Facts, oci};

    const POLICY: &str = r#"
        [[rule]]
        alarm = "high"
        axis = "instances"
        pair = { alarm = "low", metric = "CpuUtilization", below = 10, window = "5m" }
    "#;

    /// A kind of target whose paired alarm stepladder writes, and the same kind with a pair that is only verified.
    const WRITTEN: Target = oci::model_deployment::TARGET;
    const VERIFIED: Target = Target { pair: PairSupport::Verified, ..WRITTEN };

    fn alarm() -> Alarm {
        Alarm {
            id: String::new(),
            name: AlarmName::new("high").unwrap(),
            source: "test",
            transition: Transition::Firing,
            muted: false,
            targets: vec![
                platform::target_id("ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueid").unwrap(),
            ],
            unknown_targets: Vec::new(),
            is_titled: false,
            subject: Subject::default(),
            measurement: Measurement { condition: Condition::Sided(Side::Above), ..Measurement::default() },
            at: Some(Timestamp::UNIX_EPOCH),
            evidence: EvidenceTime::OnReceipt,
            topic: None,
            account: None,
        }
    }

    fn observation(alarm: &Alarm, instances: u32) -> Observation {
        let size = Size::new(instances, "VM.Standard2.2");
        let deployment = Deployment {
            target: alarm.targets[0].clone(),
            heading: size.clone(),
            size,
            lifecycle: Lifecycle::Settled,
            status: "ACTIVE".to_owned(),
            last_change: None,
            bounds: None,
            fixed: BTreeMap::new(),
            owners: BTreeMap::new(),
            pauses: Vec::new(),
            tags: BTreeMap::new(),
            readings: BTreeMap::new(),
            unpublished: BTreeMap::new(),
            infeasible: Vec::new(),
            floor: None,
            alarm: None,
            pair: None,
            duplicates: Vec::new(),
        };
        let facts = Facts::Oci(oci::Facts {
            etag: "etag".to_owned(),
            compartment: String::new(),
            configuration: Arc::default(),
            tags: Arc::default(),
            alarm: None,
            pair: None,
        });
        Observation { deployment, facts }
    }

    fn paired_alarm(name: &str, ours: bool) -> ObservedAlarm {
        let (id, name) = (name.to_owned(), name.to_owned());
        let notifies = vec!["topic".to_owned()];
        ObservedAlarm {
            id,
            etag: None,
            ours,
            name,
            notifies,
            measurement: Measurement::default(),
            fires_once: false,
            scale_up: None,
            repeat: None,
        }
    }

    /// The operations of the plan for a firing alarm, on a kind of target. No other event is handled meanwhile.
    fn operations(observed: &Observation, alarm: &Alarm, target: &Target) -> Vec<&'static str> {
        let mut policy = Policy::parse(POLICY).unwrap();
        policy.alarm_action = Some("topic".to_owned());
        policy.one_at_a_time = Some(true);
        let evaluation = precheck(alarm, &alarm.targets[0], &policy, Timestamp::UNIX_EPOCH).unwrap();
        let trace = decide(&evaluation, observed, &policy);
        let mut context = Context::new(&evaluation, observed, &policy);
        context.target = Some(target);
        let plan = PlanContext { context, target, observed }.plan(trace);
        plan.calls.iter().map(Call::operation).collect()
    }

    #[test]
    fn a_written_pair_is_created_before_the_capacity_and_a_verified_pair_never() {
        let alarm = alarm();
        let observed = observation(&alarm, 2);
        let resize = "oci:UpdateModelDeployment";
        assert_eq!(operations(&observed, &alarm, &WRITTEN), ["oci:CreateAlarm", resize]);
        assert_eq!(operations(&observed, &alarm, &VERIFIED), [resize]);
    }

    #[test]
    fn a_written_pair_is_deleted_at_the_floor_and_a_verified_pair_never() {
        // Evidence of an unknown time holds as `stale`, so the plan has no resize.
        let alarm = Alarm { evidence: EvidenceTime::Unknown, ..alarm() };
        let mut observed = observation(&alarm, 1);
        observed.deployment.last_change = Some(Timestamp::UNIX_EPOCH);
        observed.deployment.pair = Some(paired_alarm("low", true));
        observed.deployment.duplicates = vec![paired_alarm("low again", true)];
        assert_eq!(operations(&observed, &alarm, &WRITTEN), ["oci:DeleteAlarm", "oci:DeleteAlarm"]);
        assert_eq!(operations(&observed, &alarm, &VERIFIED), Vec::<&str>::new());
    }

    #[test]
    fn only_a_written_pair_is_guarded() {
        let alarm = alarm();
        let observed = observation(&alarm, 2);
        let policy = Policy::parse(POLICY).unwrap();
        let evaluation = precheck(&alarm, &alarm.targets[0], &policy, Timestamp::UNIX_EPOCH).unwrap();
        let guarded = |target: &Target, direction| {
            let mut context = Context::new(&evaluation, &observed, &policy);
            context.target = Some(target);
            let to = observed.size.clone();
            context.needs_written_pair(&SizeChange { axis: Axis::Instances, direction, to })
        };
        assert!(guarded(&WRITTEN, Direction::Up), "added capacity needs an alarm that removes it");
        assert!(!guarded(&WRITTEN, Direction::Down), "removed capacity needs none");
        assert!(!guarded(&VERIFIED, Direction::Up), "nothing here writes the pair");
    }

    #[test]
    fn a_verified_pair_has_no_calls() {
        let alarm = alarm();
        let observed = observation(&alarm, 1);
        let pair = paired_alarm("low", true);
        assert!(WRITTEN.pair.delete(&pair, None).is_some());
        assert_eq!(VERIFIED.pair.delete(&pair, None), None);
        assert_eq!(VERIFIED.pair.delete(&pair, Some(&observed)), None);
    }
}
