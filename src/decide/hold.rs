//! Why nothing happens: every reason there is, its stable name, and the sentence an operator reads.

use std::fmt;

use jiff::Timestamp;

use crate::alarm::Transition;
use crate::platform::PLATFORMS;
use crate::size::{Axis, Direction};

/// Why nothing happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Hold {
    /// The alarm says something else than that a threshold is crossed now.
    NotFiring(Transition),
    /// Somebody has muted it.
    Muted,
    /// The alarm names nothing that can be resized.
    UnknownTarget,
    /// The policy keeps this target out of reach, or does not listen to this alarm.
    NotAllowed {
        /// Which of its lists leaves it out.
        list: &'static str,
        /// What is not on that list; empty when the alarm does not say.
        value: String,
    },
    /// No rule matches the alarm's name.
    NoRule,
    /// The deployment could not be looked at.
    NotObserved,
    /// There is no such deployment any more.
    TargetGone,
    /// A change is under way, or the platform takes none now.
    Busy {
        /// The platform's word for it.
        status: String,
    },
    /// The evidence is older than the last change.
    Stale {
        /// When the evidence begins; `None` when the alarm does not say when it fired.
        since: Option<Timestamp>,
        /// When the last change was completed.
        changed: Timestamp,
    },
    /// This deployment cannot be changed along this axis.
    NotResizable {
        /// Which one.
        axis: Axis,
        /// Why.
        why: String,
    },
    /// Somebody else changes it along this axis.
    OwnedElsewhere {
        /// Which one.
        axis: Axis,
        /// Who does.
        who: String,
        /// Whether the policy could have it parked.
        can_be_suspended: bool,
    },
    /// One of the deployment's own tags cannot be read.
    UnreadableTag {
        /// Its name.
        tag: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing was measured, or not what the rule needs.
    NoData {
        /// What is missing.
        missing: String,
    },
    /// What was measured asks for no other size.
    OnTarget {
        /// What it is, and what it should be.
        why: String,
    },
    /// Another alarm of the same event changes the same deployment.
    Superseded {
        /// Which one.
        by: String,
    },
    /// The last change is too fresh for another.
    CoolingDown {
        /// Which way.
        direction: Direction,
        /// Until when.
        until: Timestamp,
        /// How many instances were added since it began, which are not added again.
        credit: i32,
    },
    /// It was changed as often within an hour as the policy lets it be.
    TooManyChanges {
        /// How often that is.
        most: u32,
        /// When the next may come.
        until: Timestamp,
    },
    /// What is taken away would be called back.
    WouldFlap {
        /// What would be measured afterwards, and the threshold of the alarm that adds.
        why: String,
    },
    /// It would cost more than the policy lets it.
    OverBudget {
        /// What it would cost in an hour; `None` where no price is known.
        cost: Option<f64>,
        /// What it may cost.
        most: f64,
    },
    /// Somebody has paused scaling in this direction.
    Paused {
        /// Where it says so.
        by: String,
    },
    /// The shape could not be had a short while ago.
    Infeasible {
        /// The shape.
        shape: String,
        /// When it may be asked for again.
        until: Timestamp,
        /// What happened.
        why: String,
    },
    /// It is as large as it may get.
    AtCeiling {
        /// Along which axis.
        axis: Axis,
        /// What bounds it.
        limit: String,
    },
    /// It is as small as it may get.
    AtFloor {
        /// Along which axis.
        axis: Axis,
        /// What bounds it.
        limit: String,
    },
    /// Its shape is on no ladder.
    UnlistedShape {
        /// The shape.
        shape: String,
        /// The ladder whose shapes are spelled most like it, if any is.
        nearest: Option<String>,
    },
    /// The name of the paired alarm belongs to an alarm that is not ours.
    PairTaken {
        /// The name.
        name: String,
    },
    /// The paired alarm would notify nobody, and what goes up would never come down.
    NoPairAction,
}

impl Hold {
    /// Whether the alarm asks for something that is needed, and that it does not get.
    pub fn is_in_vain(&self) -> bool {
        matches!(
            self,
            Self::Paused { .. }
                | Self::NotResizable { .. }
                | Self::OwnedElsewhere { .. }
                | Self::UnlistedShape { .. }
                | Self::AtCeiling { .. }
                | Self::CoolingDown { .. }
                | Self::TooManyChanges { .. }
                | Self::OverBudget { .. }
                | Self::Infeasible { .. }
                | Self::PairTaken { .. }
                | Self::NoPairAction
        )
    }

    /// The stable name in decision records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFiring(_) => "not_firing",
            Self::Muted => "muted",
            Self::UnknownTarget => "unknown_target",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NoRule => "no_rule",
            Self::NotObserved => "not_observed",
            Self::TargetGone => "target_gone",
            Self::Busy { .. } => "busy",
            Self::Stale { .. } => "stale",
            Self::NotResizable { .. } => "not_resizable",
            Self::OwnedElsewhere { .. } => "owned_elsewhere",
            Self::UnreadableTag { .. } => "unreadable_tag",
            Self::NoData { .. } => "no_data",
            Self::OnTarget { .. } => "on_target",
            Self::Superseded { .. } => "superseded",
            Self::CoolingDown { .. } => "cooling_down",
            Self::TooManyChanges { .. } => "too_many_changes",
            Self::WouldFlap { .. } => "would_flap",
            Self::OverBudget { .. } => "over_budget",
            Self::Paused { .. } => "paused",
            Self::Infeasible { .. } => "infeasible",
            Self::AtCeiling { .. } => "at_ceiling",
            Self::AtFloor { .. } => "at_floor",
            Self::UnlistedShape { .. } => "unlisted_shape",
            Self::PairTaken { .. } => "pair_taken",
            Self::NoPairAction => "no_pair_action",
        }
    }
}

/// The hold as one sentence for an operator.
impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFiring(transition) => {
                write!(f, "the alarm is `{transition}`: only `firing` and `repeat` act")
            }
            Self::Muted => f.write_str("the alarm's actions are muted or suppressed"),
            Self::UnknownTarget => {
                let named_by: Vec<&str> =
                    PLATFORMS.iter().map(|platform| platform.targets_are_named_by).collect();
                let expected = named_by.join(", or ");
                write!(f, "the alarm names nothing that stepladder resizes: expected {expected}")
            }
            Self::NotAllowed { list, value } if value.is_empty() => {
                write!(f, "the policy's `{list}` do not include an alarm that names none")
            }
            Self::NotAllowed { list, value } => write!(f, "the policy's `{list}` do not include `{value}`"),
            Self::NoRule => f.write_str("no rule matches the alarm's name"),
            Self::NotObserved => f.write_str("the deployment could not be looked at"),
            Self::TargetGone => f.write_str("the deployment is gone, and its paired alarm goes with it"),
            Self::Busy { status } => write!(f, "the deployment is `{status}`: only a settled one is changed"),
            Self::Stale { since: Some(since), changed } => write!(
                f,
                "the alarm speaks of a deployment that has changed: its data begins at {since}, the last change was \
                 completed at {changed}"
            ),
            Self::Stale { since: None, changed } => {
                write!(f, "the alarm does not say when it fired, and the deployment was changed at {changed}")
            }
            Self::NotResizable { axis, why } => write!(f, "its {axis} cannot be changed: {why}"),
            Self::OwnedElsewhere { axis, who, can_be_suspended } => {
                let way_out = ": take it out there, or let it be parked with `native_autoscaling = \"suspend\"` and \
                               `STEPLADDER_ALARM_ACTION`";
                let way_out = if *can_be_suspended { way_out } else { "" };
                write!(f, "its {axis} belongs to {who}{way_out}")
            }
            Self::UnreadableTag { tag, problem } => {
                write!(f, "the deployment's tag `{tag}` cannot be read, so it is left alone: {problem}")
            }
            Self::NoData { missing } => write!(f, "{missing}: what is not known changes nothing"),
            Self::OnTarget { why } => write!(f, "it needs no other size: {why}"),
            Self::Superseded { by } => {
                write!(
                    f,
                    "`{by}` of the same event changes it already, one thing at a time; a repeat brings this back"
                )
            }
            Self::CoolingDown { direction, until, credit: 0 } => {
                write!(f, "nothing goes {direction} before {until}, after the last change")
            }
            Self::CoolingDown { direction, until, credit } => write!(
                f,
                "nothing more goes {direction} before {until}: the {credit} that this asks for were added since the cooldown began"
            ),
            Self::TooManyChanges { most, until } => {
                write!(f, "it was changed {most} times within an hour, and may be again at {until}")
            }
            Self::WouldFlap { why } => write!(f, "what is taken away would be called back: {why}"),
            Self::OverBudget { cost: Some(cost), most } => {
                write!(f, "it would cost {cost:.4} USD an hour, and the policy's `max_hourly_cost` is {most}")
            }
            Self::OverBudget { cost: None, most } => write!(
                f,
                "its shape has no price, so nobody knows whether more of it stays under the policy's `max_hourly_cost` of \
                 {most}: add a `[[ladder]]` with a `price`"
            ),
            Self::Paused { by } => write!(f, "scaling this way is paused by {by}"),
            Self::Infeasible { shape, until, why } => {
                write!(f, "`{shape}` could not be had and is not asked for again before {until}: {why}")
            }
            Self::AtCeiling { axis, limit } => write!(f, "its {axis} cannot go up: {limit}"),
            Self::AtFloor { axis, limit } => write!(f, "its {axis} cannot go down: {limit}"),
            Self::UnlistedShape { shape, nearest } => {
                let near = nearest.as_ref().map(|name| format!(" (the nearest is `{name}`)"));
                let near = near.unwrap_or_default();
                write!(f, "shape `{shape}` is on no ladder{near}: add a `[[ladder]]` that holds it")
            }
            Self::PairTaken { name } => write!(
                f,
                "the paired alarm's name `{name}` belongs to an alarm that stepladder did not make: rename that \
                 alarm, or the rule's `pair.alarm`"
            ),
            Self::NoPairAction => f.write_str(
                "the paired alarm would notify nobody, so nothing would take the new capacity back: give the \
                 firing alarm an action, or set `STEPLADDER_ALARM_ACTION`",
            ),
        }
    }
}
