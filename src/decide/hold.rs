//! Every reason to hold: its stable name, and the sentence that an operator reads.

use std::fmt;

use jiff::Timestamp;

use crate::alarm::Transition;
use crate::ladder::Ladders;
use crate::platform::{self, PLATFORMS};
use crate::size::{Axis, Direction};
use crate::text::number;

/// The stable name of every reason.
pub const REASONS: [&str; 27] = [
    "not_firing",
    "muted",
    "unknown_target",
    "not_allowed",
    "no_rule",
    "not_observed",
    "target_gone",
    "busy",
    "stale",
    "not_resizable",
    "owned_elsewhere",
    "unreadable_tag",
    "no_data",
    "on_target",
    "superseded",
    "cooling_down",
    "too_many_changes",
    "would_flap",
    "over_budget",
    "paused",
    "infeasible",
    "at_ceiling",
    "at_floor",
    "unlisted_shape",
    "pair_cannot_fire",
    "pair_taken",
    "no_pair_action",
];

/// Why a deployment stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Hold {
    /// The alarm does not report a threshold that is crossed now.
    NotFiring(Transition),
    /// The alarm's actions are muted or suppressed.
    Muted,
    /// The alarm names no target that can be resized.
    UnknownTarget,
    /// A list of the policy excludes the target, or the alarm's topic or account.
    NotAllowed {
        /// The policy key of the list.
        list: &'static str,
        /// The value that the list excludes; empty where the alarm does not report one.
        value: String,
    },
    /// A metric of the target belongs to another account than the alarm, and so to another deployment of that name.
    ForeignMetric {
        /// The account of the metric.
        account: String,
    },
    /// No rule matches the alarm's name and the target.
    NoRule(UnmatchedName),
    /// The observation failed.
    NotObserved,
    /// The deployment no longer exists.
    TargetGone,
    /// A change is in progress, or the platform accepts none now.
    Busy {
        /// The platform's own word for the state.
        status: String,
    },
    /// The evidence is older than the last change.
    Stale {
        /// When the evidence begins; `None` where the alarm does not report when it fired.
        since: Option<Timestamp>,
        /// When the last change was completed.
        changed: Timestamp,
    },
    /// The deployment cannot be changed on this axis.
    NotResizable {
        /// The axis.
        axis: Axis,
        /// The reason.
        why: String,
    },
    /// Another autoscaler changes the deployment on this axis.
    OwnedElsewhere {
        /// The axis.
        axis: Axis,
        /// The other autoscaler's name and kind.
        who: String,
        /// Whether the policy can suspend it.
        can_be_suspended: bool,
    },
    /// One of the deployment's own tags cannot be read.
    UnreadableTag {
        /// The tag's name.
        tag: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// A measurement that the rule needs is missing.
    NoData {
        /// What is missing.
        missing: String,
    },
    /// The measurement requires no other size.
    OnTarget {
        /// The measured value, and the required one.
        why: String,
    },
    /// Another alarm of the same event already changes the deployment.
    Superseded {
        /// The other alarm's name.
        by: String,
    },
    /// The cooldown after the last change still runs.
    CoolingDown {
        /// The direction that cools down.
        direction: Direction,
        /// When the cooldown ends.
        until: Timestamp,
        /// How many instances were added since it began; they count toward the next step.
        credit: i32,
    },
    /// The deployment changed as often within an hour as the policy allows.
    TooManyChanges {
        /// The most changes per hour.
        most: u32,
        /// When the next change is allowed.
        until: Timestamp,
    },
    /// The scale-up alarm would fire after the step down.
    WouldFlap {
        /// The load after the step, and the scale-up alarm's threshold.
        why: String,
    },
    /// The new size would cost more than the policy allows.
    OverBudget {
        /// Its shape.
        shape: String,
        /// Its cost in US dollars per hour; `None` where no price is known.
        cost: Option<f64>,
        /// The policy's limit in US dollars per hour.
        most: f64,
    },
    /// An operator or the platform has paused scaling in this direction.
    Paused {
        /// What pauses it: a tag, or a setting of the platform.
        by: String,
    },
    /// The platform could not provide the shape lately.
    Infeasible {
        /// The shape.
        shape: String,
        /// When the shape may be requested again.
        until: Timestamp,
        /// The platform's message.
        why: String,
    },
    /// The deployment has its largest size.
    AtCeiling {
        /// The axis.
        axis: Axis,
        /// The bound that it has reached.
        limit: String,
    },
    /// The deployment has its smallest size.
    AtFloor {
        /// The axis.
        axis: Axis,
        /// The bound that it has reached.
        limit: String,
    },
    /// The shape is on no ladder.
    UnlistedShape {
        /// The shape.
        shape: String,
        /// The ladder with the most similarly spelled shape, if there is one.
        nearest: Option<String>,
    },
    /// The paired alarm could never fire, so added capacity would never be removed.
    PairCannotFire {
        /// The reason.
        why: String,
    },
    /// The paired alarm's name belongs to an alarm that stepladder did not make.
    PairTaken {
        /// The name.
        name: String,
    },
    /// The paired alarm would notify nothing, so added capacity would never be removed.
    NoPairAction,
}

/// A name that no rule matches, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedName {
    /// The name.
    pub name: String,
    /// Whether it is the title of a message, which may not be the alarm's name.
    pub is_titled: bool,
    /// Globs that rules for the target match names by.
    pub globs: Vec<String>,
}

impl fmt::Display for UnmatchedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, is_titled, globs } = self;
        if *is_titled {
            write!(
                f,
                "no rule matches `{name}`, the title of the message: an alarm with a notification title does not report \
                 its name, so remove that title"
            )?;
        } else {
            write!(f, "no rule matches the alarm's name `{name}`: rename it")?;
        }
        let globs: Vec<String> = globs.iter().map(|glob| format!("`{glob}`")).collect();
        write!(f, " (rules match {}), or add a `[[rule]]` with `alarm = \"{name}\"`", globs.join(", "))
    }
}

impl Hold {
    /// The hold of a shape that none of the ladders has.
    pub(super) fn unlisted_shape(shape: &str, ladders: &Ladders) -> Self {
        let nearest = ladders.nearest(shape, platform::is_flexible(shape)).map(str::to_owned);
        Self::UnlistedShape { shape: shape.to_owned(), nearest }
    }

    /// Whether the deployment needs the change that this hold prevents.
    pub fn leaves_demand_unmet(&self) -> bool {
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
                | Self::PairCannotFire { .. }
                | Self::PairTaken { .. }
                | Self::NoPairAction
        )
    }

    /// Whether it passes by itself, so that the alarm may lead to a change when it notifies again.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Stale { .. }
                | Self::NoData { .. }
                | Self::OnTarget { .. }
                | Self::Paused { .. }
                | Self::CoolingDown { .. }
                | Self::TooManyChanges { .. }
                | Self::WouldFlap { .. }
                | Self::Infeasible { .. }
        )
    }

    /// Where the documentation explains this reason and what to do.
    pub fn docs(&self) -> String {
        format!("docs/decisions.md#{}", self.reason())
    }

    /// The stable name in decision records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFiring(_) => "not_firing",
            Self::Muted => "muted",
            Self::UnknownTarget => "unknown_target",
            Self::NotAllowed { .. } | Self::ForeignMetric { .. } => "not_allowed",
            Self::NoRule(_) => "no_rule",
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
            Self::PairCannotFire { .. } => "pair_cannot_fire",
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
                write!(
                    f,
                    "the alarm names nothing that stepladder resizes: expected {expected}, or a line `stepladder: \
                     target=<id>` in its description or body"
                )
            }
            Self::NotAllowed { list, value } if value.is_empty() => {
                write!(f, "the policy's `{list}` do not include an alarm that names none")
            }
            Self::NotAllowed { list, value } => write!(f, "the policy's `{list}` do not include `{value}`"),
            Self::ForeignMetric { account } => write!(
                f,
                "the alarm measures a metric of account `{account}`, not of its own: a deployment of that name here is \
                 another one; send the alarm to a function in that account"
            ),
            Self::NoRule(unmatched) => unmatched.fmt(f),
            Self::NotObserved => f.write_str("the deployment could not be observed"),
            Self::TargetGone => f.write_str("the deployment is gone, and its paired alarm goes with it"),
            Self::Busy { status } => write!(f, "the deployment is `{status}`: only a settled one is changed"),
            Self::Stale { since: Some(since), changed } => write!(
                f,
                "the alarm's data is older than the last change: it begins at {since:.0}, the last change was \
                 completed at {changed:.0}"
            ),
            Self::Stale { since: None, changed } => write!(
                f,
                "the alarm does not report when it fired, and the deployment was changed at {changed:.0}"
            ),
            Self::NotResizable { axis, why } => write!(f, "its {axis} cannot be changed: {why}"),
            Self::OwnedElsewhere { axis, who, can_be_suspended } => {
                let way_out = ": remove it there, or let stepladder suspend it with `native_autoscaling = \"suspend\"` \
                               and `STEPLADDER_ALARM_ACTION`";
                let way_out = if *can_be_suspended { way_out } else { "" };
                let belongs = if *axis == Axis::Instances { "belong" } else { "belongs" };
                write!(f, "its {axis} {belongs} to {who}{way_out}")
            }
            Self::UnreadableTag { tag, problem } => {
                write!(f, "the deployment's tag `{tag}` cannot be read, so nothing is changed: {problem}")
            }
            Self::NoData { missing } => write!(f, "{missing}, so nothing is changed"),
            Self::OnTarget { why } => write!(f, "it needs no other size: {why}"),
            Self::Superseded { by } => write!(
                f,
                "`{by}` of the same event already changes the deployment, and only one change is made at a time; a repeat \
                 evaluates this alarm again"
            ),
            Self::CoolingDown { direction, until, credit } => cooling_down(f, *direction, *until, *credit),
            Self::TooManyChanges { most, until } => {
                write!(
                    f,
                    "it was changed {most} times within an hour, and may be changed again at {until:.0}"
                )
            }
            Self::WouldFlap { why } => write!(f, "the step down would be undone: {why}"),
            Self::OverBudget { cost: Some(cost), most, .. } => {
                let most = number(*most);
                write!(f, "it would cost {cost:.4} USD an hour, and the policy's `max_hourly_cost` is {most}")
            }
            Self::OverBudget { shape, cost: None, most } => write!(
                f,
                "shape `{shape}` has no price, so its cost cannot be compared with the policy's \
                 `max_hourly_cost` of {}: {}",
                number(*most),
                how_to_price(shape)
            ),
            Self::Paused { by } => write!(f, "scaling this way is paused by {by}"),
            Self::Infeasible { shape, until, why } => {
                write!(f, "`{shape}` was not available, and is not requested again before {until:.0}: {why}")
            }
            Self::AtCeiling { axis, limit } => write!(f, "its {axis} cannot scale up: {limit}"),
            Self::AtFloor { axis, limit } => write!(f, "its {axis} cannot scale down: {limit}"),
            Self::UnlistedShape { shape, nearest } => {
                let near = nearest.as_ref().map(|name| format!(" (the nearest is `{name}`)"));
                let near = near.unwrap_or_default();
                write!(f, "shape `{shape}` is on no ladder{near}: {}", how_to_list(shape))
            }
            Self::PairCannotFire { why } => write!(f, "no paired alarm could remove the new capacity: {why}"),
            Self::PairTaken { name } => write!(
                f,
                "the paired alarm's name `{name}` belongs to an alarm that stepladder did not make: rename that \
                 alarm, or the rule's `pair.alarm`"
            ),
            Self::NoPairAction => f.write_str(
                "the paired alarm would notify nobody, so nothing would remove the new capacity: give the \
                 firing alarm an action, or set `STEPLADDER_ALARM_ACTION`",
            ),
        }
    }
}

fn cooling_down(
    f: &mut fmt::Formatter<'_>,
    direction: Direction,
    until: Timestamp,
    credit: i32,
) -> fmt::Result {
    if credit == 0 {
        let why = "the cooldown after the last change is not over";
        return write!(f, "no scaling {direction} before {until:.0}: {why}");
    }
    write!(
        f,
        "no more scaling {direction} before {until:.0}: the {credit} that this step adds were added since the cooldown \
         began"
    )
}

/// How to make an unknown shape known: no `[[ladder]]` lists the sizes of a flexible one.
fn how_to_list(shape: &str) -> String {
    match flexible_name(shape) {
        Some(name) => format!("add a `[[flex]]` with `shape = \"{name}\"` and its limits"),
        None => "add a `[[ladder]]` that holds it".to_owned(),
    }
}

/// How to give a shape a price.
pub(super) fn how_to_price(shape: &str) -> String {
    match flexible_name(shape) {
        Some(name) => {
            format!("add a `[[flex]]` with `shape = \"{name}\"`, `price_per_ocpu` and `price_per_gib`")
        }
        None => "add a `[[ladder]]` that holds it with a `price`".to_owned(),
    }
}

/// The name of a flexible shape, without the size that follows it on a ladder; `None` for every other shape.
fn flexible_name(shape: &str) -> Option<&str> {
    shape.split(':').next().filter(|_| platform::is_flexible(shape))
}
