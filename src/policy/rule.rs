//! Rules: what the alarms of a name change, and how far.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use wildmatch::WildMatch;

use super::NativeAutoscaling;
use super::globs::of_targets;
use super::name_glob::NameGlob;
use super::pair::PairText;
use super::settings::{EffectiveSettings, Origin, Origins, Settings, above_nothing, with_settings};
use super::steps::StepText;
use crate::document::{Fault, Faults, keyed};
use crate::pair::Pair;
use crate::scaling::{ScalingPolicy, StepAdjustments};
use crate::size::{Axis, Direction};
use crate::target::TargetId;

/// No deployment here can have a thousand instances.
pub(super) const LARGEST_STEP: u32 = 1000;

/// The origin of a rule that is not in the policy.
pub(super) const BUILT_IN: &str = "built-in rule";

/// What the alarms of one name change.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its place, for the record: `rule 2 of the policy`.
    pub origin: String,
    pub(super) alarm: Vec<NameGlob>,
    pub(super) target: WildMatch,
    /// What it changes. For the cheapest size it is the shape, whose observation includes the count.
    pub axis: Axis,
    /// By how much it changes it.
    pub scaling_policy: ScalingPolicy,
    /// The scale-down alarm that removes what this rule adds.
    pub pair: Option<Pair>,
    /// Its settings.
    pub is: EffectiveSettings,
    /// The origin of each setting.
    pub origins: Origins,
}

/// Why a rule matches an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The alarm has a name that the rule is for.
    Rule,
    /// The alarm is the rule's pair: it scales down.
    Pair,
    /// The alarm requests the floor of a schedule.
    Schedule,
    /// No rule matches the alarm: an unfinished change is completed, and nothing else changes.
    ReconcileOnly,
}

/// A rule that matches an alarm.
#[derive(Debug, Clone)]
pub struct MatchedRule<'a> {
    /// The rule, with the settings of this target.
    pub rule: Cow<'a, Rule>,
    /// Why it matches.
    pub role: Role,
    /// The glob or the pair's name that matches.
    pub by: String,
}

impl MatchedRule<'_> {
    /// The scaling policy for this alarm: the pair has its own.
    pub fn scaling_policy(&self) -> &ScalingPolicy {
        let pair = self.rule.pair.as_ref().filter(|_| self.role == Role::Pair);
        pair.map_or(&self.rule.scaling_policy, |pair| &pair.scaling_policy)
    }

    /// The direction of the change; `None` where it depends on a measurement.
    pub fn direction(&self) -> Option<Direction> {
        match self.role {
            Role::Rule => self.rule.scaling_policy.direction(),
            Role::Pair => Some(Direction::Down),
            Role::Schedule => Some(Direction::Up),
            Role::ReconcileOnly => None,
        }
    }

    /// Applies settings to the rule, and notes their origin.
    pub(crate) fn apply(&mut self, settings: &Settings, origin: &dyn Fn(&'static str) -> Origin) {
        if *settings != Settings::default() {
            self.rule.to_mut().apply(settings, origin);
        }
    }
}

impl fmt::Display for MatchedRule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, by, .. } = self;
        if *self.scaling_policy() == ScalingPolicy::Cheapest {
            return write!(f, "{} for `{by}`: the cheapest size", rule.origin);
        }
        if self.role == Role::Schedule {
            return write!(f, "{} for `{by}`: {} up to their floor", rule.origin, rule.axis);
        }
        write!(f, "{} for `{by}`: {} {}", rule.origin, rule.axis, self.scaling_policy())
    }
}

impl Rule {
    /// The rule for an alarm that no rule matches.
    pub(super) fn reconcile_only() -> Self {
        Self {
            origin: "no rule".to_owned(),
            alarm: Vec::new(),
            target: WildMatch::new("*"),
            // Only a change of shape can be unfinished.
            axis: Axis::Shape,
            scaling_policy: ScalingPolicy::Step(1),
            pair: None,
            // Native autoscaling that another policy suspended is resumed anyway.
            is: EffectiveSettings {
                native_autoscaling: NativeAutoscaling::Suspend,
                ..EffectiveSettings::default()
            },
            origins: Origins::new(),
        }
    }

    /// Applies settings, and notes their origin.
    pub(super) fn apply(&mut self, settings: &Settings, origin: &dyn Fn(&'static str) -> Origin) {
        self.is.apply(settings, &mut self.origins, origin);
    }

    /// Whether it adds, and does not remove as well by what it is written as.
    pub(super) fn adds(&self) -> bool {
        let by_measurement = matches!(self.scaling_policy, ScalingPolicy::Track(_) | ScalingPolicy::Cheapest);
        by_measurement || self.scaling_policy.direction() == Some(Direction::Up)
    }

    /// Its name in the middle of a sentence.
    pub(crate) fn name(&self) -> &str {
        if self.origin == BUILT_IN { "a built-in rule" } else { &self.origin }
    }

    /// The globs on the names of its alarms.
    pub fn alarms(&self) -> Vec<String> {
        self.alarm.iter().map(ToString::to_string).collect()
    }

    /// The glob on the targets that it is for.
    pub fn targets(&self) -> String {
        self.target.to_string()
    }

    /// Whether it is for this target.
    pub fn is_for(&self, target: &TargetId) -> bool {
        self.target.matches(target.as_str())
    }

    /// Whether the alarm is this rule's pair, by its name.
    pub(super) fn is_paired_with(&self, alarm: &str, target: &TargetId) -> bool {
        self.pair.as_ref().is_some_and(|pair| alarm == pair.alarm || alarm == pair.name_for(target))
    }

    /// Whether it can change a deployment along this axis.
    pub fn touches(&self, axis: Axis) -> bool {
        match self.scaling_policy {
            ScalingPolicy::Cheapest => axis != Axis::Bandwidth,
            ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Track(_) => axis == self.axis,
        }
    }

    /// Whether the target's tags must record the changes: to count those of an hour, and to know during a cooldown how
    /// much was added.
    pub fn records_changes(&self) -> bool {
        self.is.max_changes_per_hour.is_some() || self.is.cooldown.up.is_positive()
    }
}

with_settings! {
    /// One rule: what the alarms of a name change.
    pub(super) struct RuleText {
        /// A glob on the alarm's name, or several; case does not matter.
        alarm: Globs,
        /// A glob on the target (default: every target).
        target: Option<String>,
        /// What it changes.
        axis: AxisText,
        /// How many instances, rungs or doublings; a negative number scales down (default: 1).
        step: Option<i64>,
        /// How much it changes, by how far the metric is beyond the alarm's threshold: step adjustments.
        steps: Option<Vec<StepText>>,
        /// The least that a step in percent changes.
        min_step: Option<u32>,
        /// The value to bring the metric to, in percent of the capacity: target tracking.
        track: Option<f64>,
        /// The scale-down alarm that removes what this rule adds.
        pair: Option<PairText>,
    }
}

/// What a rule changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum AxisText {
    /// The number of instances.
    #[default]
    Instances,
    /// The next shape of a ladder.
    Shape,
    /// The bandwidth of the deployment's load balancer.
    Bandwidth,
    /// The count and the shape, to the size that costs least.
    Cheapest,
}

/// One glob or several.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a glob on the alarm's name, or a list of them")]
pub(super) enum Globs {
    One(String),
    Several(Vec<String>),
}

impl Default for Globs {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Globs {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(glob) => std::slice::from_ref(glob),
            Self::Several(globs) => globs,
        }
    }
}

/// A step of at least one, and not too many.
fn checked_step(step: i64) -> Result<i32, String> {
    let sensible = step != 0 && step.unsigned_abs() <= u64::from(LARGEST_STEP);
    let number = i32::try_from(step).ok().filter(|_| sensible);
    number.ok_or_else(|| format!("`step = {step}`: expected -{LARGEST_STEP} to {LARGEST_STEP}, but not 0"))
}

impl RuleText {
    /// Checks the rule, with the settings of `[defaults]` below its own.
    pub(super) fn checked(self, origin: &str, defaults: &Settings) -> Result<Rule, Faults> {
        let mut faults = Faults::default();
        let target = faults.note(self.check_globs());
        let scaling_policy = faults.note_all(self.scaling_policy());
        let settings = faults.note_all(self.settings()).unwrap_or_default();
        faults.note(self.check_used(&settings));
        let axis = match self.axis {
            AxisText::Instances => Axis::Instances,
            AxisText::Shape | AxisText::Cheapest => Axis::Shape,
            AxisText::Bandwidth => Axis::Bandwidth,
        };
        let (mut is, mut origins) = (EffectiveSettings::default(), Origins::new());
        is.apply(defaults, &mut origins, &|_| Origin::Defaults);
        is.apply(&settings, &mut origins, &|_| Origin::Rule);
        if is.native_autoscaling == NativeAutoscaling::Suspend && axis == Axis::Shape && self.pair.is_none() {
            let message = "`native_autoscaling = \"suspend\"` without a `pair`: expected one, because the tick finds the \
                           deployment by it and restores what was suspended";
            faults.push(Fault::of("native_autoscaling", message));
        }
        // The pair is checked even if the step is wrong.
        let beside = scaling_policy.clone().unwrap_or(ScalingPolicy::Step(1));
        let pair = self.pair.map(|pair| pair.checked(&beside, axis)).transpose();
        let pair = faults.note_all(pair.map_err(|faults| faults.map(|fault| fault.within("pair")))).flatten();
        let glob_of = if origin == BUILT_IN { NameGlob::of_whole_words } else { NameGlob::new };
        let (Some(scaling_policy), Some(target)) = (scaling_policy, target) else {
            return Err(faults.about(origin));
        };
        faults.into_result().map_err(|faults| faults.about(origin))?;
        Ok(Rule {
            alarm: self.alarm.as_slice().iter().map(|glob| glob_of(glob)).collect(),
            target,
            axis,
            scaling_policy,
            pair,
            is,
            origins,
            origin: origin.to_owned(),
        })
    }

    /// Checks its globs; the one on targets.
    fn check_globs(&self) -> Result<WildMatch, Fault> {
        let globs = self.alarm.as_slice();
        if globs.is_empty() || globs.iter().any(|glob| glob.trim().is_empty()) {
            return Err(Fault::of("alarm", "`alarm` is empty: expected a glob on the alarm's name"));
        }
        of_targets(self.target.as_deref())
    }

    /// Refuses a setting that only the cheapest size uses.
    fn check_used(&self, settings: &Settings) -> Result<(), Fault> {
        let of_cheapest = [
            ("headroom", settings.headroom.is_some()),
            ("min_savings", settings.min_savings.is_some()),
            ("allow_cost_surge", settings.allow_cost_surge.is_some()),
        ];
        let unused = of_cheapest.into_iter().find(|(_, is_set)| *is_set && self.axis != AxisText::Cheapest);
        let Some((key, _)) = unused else { return Ok(()) };
        Err(Fault::of(key, format!("`{key}` does nothing: expected `axis = \"cheapest\"` beside it")))
    }

    fn scaling_policy(&self) -> Result<ScalingPolicy, Faults> {
        let Self { axis, step, steps, min_step, track, .. } = self;
        let keys = [("step", step.is_some()), ("steps", steps.is_some()), ("track", track.is_some())];
        let mut keys = keys.into_iter().filter_map(|(key, is_written)| is_written.then_some(key));
        let first = keys.next();
        if let (Some(first), Some(second)) = (first, keys.next()) {
            let message =
                format!("`{second}` and `{first}` both set the size of a step: expected one of them");
            return Err(Fault::of(second, message).into());
        }
        if let (Some(key), AxisText::Cheapest) = (first, axis) {
            let cheapest = "`axis = \"cheapest\"`, which computes the size";
            return Err(Fault::of(key, format!("`{key}` does nothing with {cheapest}")).into());
        }
        if let (Some(_), None) = (min_step, steps) {
            let message = "`min_step` does nothing: expected `steps` beside it";
            return Err(Fault::of("min_step", message).into());
        }
        match (steps, axis, track) {
            (Some(written), _, _) => self.steps(written).map(ScalingPolicy::Steps),
            (None, AxisText::Cheapest, _) => Ok(ScalingPolicy::Cheapest),
            (None, _, Some(target)) => {
                Ok(keyed("track", above_nothing("track", *target)).map(ScalingPolicy::Track)?)
            }
            (None, _, None) => Ok(keyed("step", checked_step(step.unwrap_or(1))).map(ScalingPolicy::Step)?),
        }
    }

    fn steps(&self, written: &[StepText]) -> Result<StepAdjustments, Faults> {
        let steps = StepAdjustments::checked(written, self.min_step, "")?;
        if self.axis != AxisText::Instances && !steps.are_plain() {
            let message = "`steps`: expected plain numbers in `add` and `remove`, because only instances can be counted \
                           in percent or set";
            return Err(Fault::of("steps", message).into());
        }
        Ok(steps)
    }
}
