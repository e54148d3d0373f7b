//! Rules: what the alarms of a name do, and how far they go.

use crate::scaling::ScalingPolicy;
use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use wildmatch::WildMatch;

use super::pair::PairText;
use super::settings::{EffectiveSettings, Origin, Origins, Settings, with_settings};
use super::steps::StepText;
use super::{Error, NativeAutoscaling};
use crate::pair::Pair;
use crate::scaling::StepAdjustments;
use crate::size::{Axis, Direction};
use crate::target::TargetId;

/// No deployment here can have a thousand instances.
pub(super) const LARGEST_STEP: u32 = 1000;

/// Where a rule stands that is not in the policy.
pub(super) const BUILT_IN: &str = "built-in rule";

/// What to do about the alarms of one name.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it stands, for the record: `rule 2 of the policy`.
    pub origin: String,
    pub(super) alarm: Vec<WildMatch>,
    pub(super) target: WildMatch,
    /// What it changes; where the cheapest size is looked for, the shape, with whose look all else is seen.
    pub axis: Axis,
    /// How far it goes.
    pub scaling_policy: ScalingPolicy,
    /// The alarm that takes back what this rule adds.
    pub pair: Option<Pair>,
    /// Everything else that it goes by.
    pub is: EffectiveSettings,
    /// By whom each of that was said.
    pub origins: Origins,
}

/// In which part a rule answers an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As it says.
    Rule,
    /// The alarm is its pair: what was added is taken back.
    Pair,
    /// No rule knows the alarm: what was begun is finished, and nothing else is changed.
    ReconcileOnly,
}

/// A rule that matches, and what it means for this alarm.
#[derive(Debug, Clone)]
pub struct MatchedRule<'a> {
    /// The rule, with all that is said of this target.
    pub rule: Cow<'a, Rule>,
    /// In which part.
    pub role: Role,
    /// The glob or the name in it that matches the alarm's.
    pub by: String,
}

impl MatchedRule<'_> {
    /// How far it goes for this alarm.
    pub fn scaling_policy(&self) -> &ScalingPolicy {
        let pair = self.rule.pair.as_ref().filter(|_| self.role == Role::Pair);
        pair.map_or(&self.rule.scaling_policy, |pair| &pair.scaling_policy)
    }

    /// Which way it goes, where that is sure before anything is measured.
    pub fn direction(&self) -> Option<Direction> {
        match self.role {
            Role::Rule => self.rule.scaling_policy.direction(),
            Role::Pair => Some(Direction::Down),
            Role::ReconcileOnly => None,
        }
    }

    /// The same, with what somebody says of its settings.
    pub(crate) fn take(&mut self, said: &Settings, by: &dyn Fn(&'static str) -> Origin) {
        if *said != Settings::default() {
            let rule = self.rule.to_mut();
            rule.is.take(said, &mut rule.origins, by);
        }
    }
}

impl fmt::Display for MatchedRule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, by, .. } = self;
        if *self.scaling_policy() == ScalingPolicy::Cheapest {
            return write!(f, "{} for `{by}`: the cheapest size", rule.origin);
        }
        write!(f, "{} for `{by}`: {} {}", rule.origin, rule.axis, self.scaling_policy())
    }
}

impl Rule {
    /// A rule that no alarm matches.
    pub(super) fn caretaker() -> Self {
        Self {
            origin: "no rule".to_owned(),
            alarm: Vec::new(),
            target: WildMatch::new("*"),
            // Only changes of shape leave something to finish.
            axis: Axis::Shape,
            scaling_policy: ScalingPolicy::Step(1),
            pair: None,
            // What was parked under another policy is put back all the same.
            is: EffectiveSettings {
                native_autoscaling: NativeAutoscaling::Suspend,
                ..EffectiveSettings::default()
            },
            origins: Origins::new(),
        }
    }

    /// Its name in the middle of a sentence.
    pub(crate) fn name(&self) -> &str {
        if self.origin == BUILT_IN { "a built-in rule" } else { &self.origin }
    }

    /// The globs on an alarm's name that it answers.
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

    /// Whether the alarm has the name of this rule's paired alarm.
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

    /// Whether what it changed has to be remembered: to count the changes of an hour, and to know during a cooldown
    /// how much was added.
    pub fn records_changes(&self) -> bool {
        self.is.max_changes_per_hour.is_some() || self.is.cooldown.up.is_positive()
    }
}

with_settings! {
    /// One rule: what the alarms of a name do.
    pub(super) struct RuleText {
        /// A glob on the alarm's name, or several; case does not matter.
        alarm: Globs,
        /// A glob on the target (default: every target).
        target: Option<String>,
        /// What it changes.
        axis: AxisText,
        /// How many instances, rungs or doublings; negative goes down (default: 1).
        step: Option<i64>,
        /// How much it changes, by how far the metric is beyond the alarm's threshold: AWS's step adjustments.
        steps: Option<Vec<StepText>>,
        /// The least that a step in percent changes.
        min_step: Option<u32>,
        /// As far as it takes to bring the metric to this, in percent of the capacity that there is.
        track: Option<f64>,
        /// The alarm that takes back what this rule adds.
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
    /// The bandwidth of an OCI deployment's load balancer.
    Bandwidth,
    /// The count and the shape, to whatever costs least.
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

/// A step that goes somewhere, and not too far.
fn checked_step(step: i64) -> Result<i32, String> {
    let sensible = step != 0 && step.unsigned_abs() <= u64::from(LARGEST_STEP);
    let near = i32::try_from(step).ok().filter(|_| sensible);
    near.ok_or_else(|| format!("`step = {step}`: expected -{LARGEST_STEP} to {LARGEST_STEP}, but not 0"))
}

impl RuleText {
    /// Checks what is written, over what the defaults say.
    pub(super) fn checked(self, origin: String, defaults: &Settings) -> Result<Rule, Error> {
        let place = origin.clone();
        self.read(origin, defaults).map_err(|problem| Error::invalid(place, problem))
    }

    fn read(self, origin: String, defaults: &Settings) -> Result<Rule, String> {
        let globs = self.alarm.as_slice();
        if globs.is_empty() || globs.iter().any(|glob| glob.trim().is_empty()) {
            return Err("`alarm` is empty: expected a glob on the alarm's name".to_owned());
        }
        if self.target.as_ref().is_some_and(|glob| glob.trim().is_empty()) {
            return Err("`target` is empty: expected a glob on the target".to_owned());
        }
        let scaling_policy = self.scaling_policy()?;
        let settings = self.settings()?;
        let (mut is, mut origins) = (EffectiveSettings::default(), Origins::new());
        is.take(defaults, &mut origins, &|_| Origin::Defaults);
        is.take(&settings, &mut origins, &|_| Origin::Rule);
        let (axis, changes_shape) = match self.axis {
            AxisText::Instances => (Axis::Instances, false),
            AxisText::Shape | AxisText::Cheapest => (Axis::Shape, true),
            AxisText::Bandwidth => (Axis::Bandwidth, false),
        };
        if self.axis != AxisText::Cheapest {
            let idle =
                [("headroom", settings.headroom.is_some()), ("min_savings", settings.min_savings.is_some())];
            if let Some((key, _)) = idle.into_iter().find(|(_, said)| *said) {
                return Err(format!("`{key}` does nothing: expected `axis = \"cheapest\"` beside it"));
            }
        }
        let pair = self.pair.map(|pair| pair.checked(&scaling_policy, axis)).transpose()?;
        if is.native_autoscaling == NativeAutoscaling::Suspend && changes_shape && pair.is_none() {
            return Err("`native_autoscaling = \"suspend\"` without a `pair`: expected one, because the looks at it bring back what \
                        was parked"
                .to_owned());
        }
        Ok(Rule {
            alarm: globs.iter().map(|glob| WildMatch::new_case_insensitive(glob)).collect(),
            target: WildMatch::new(self.target.as_deref().unwrap_or("*")),
            axis,
            scaling_policy,
            pair,
            is,
            origins,
            origin,
        })
    }

    fn scaling_policy(&self) -> Result<ScalingPolicy, String> {
        let Self { axis, step, steps, min_step, track, .. } = self;
        let said = [("step", step.is_some()), ("steps", steps.is_some()), ("track", track.is_some())];
        let mut said = said.into_iter().filter_map(|(key, said)| said.then_some(key));
        let first = said.next();
        if let (Some(first), Some(second)) = (first, said.next()) {
            return Err(format!("`{second}` and `{first}` both say how far it goes: expected one of them"));
        }
        if let (Some(key), AxisText::Cheapest) = (first, axis) {
            return Err(format!(
                "`{key}` does nothing with `axis = \"cheapest\"`, which goes as far as it takes"
            ));
        }
        if let (Some(_), None) = (min_step, steps) {
            return Err("`min_step` does nothing: expected `steps` beside it".to_owned());
        }
        if let Some(written) = steps {
            let steps = StepAdjustments::checked(written, *min_step)?;
            if *axis != AxisText::Instances && !steps.are_plain() {
                return Err("`steps`: expected plain numbers in `add` and `remove`, because only instances can be counted \
                            in percent or set"
                    .to_owned());
            }
            return Ok(ScalingPolicy::Steps(steps));
        }
        match (axis, track) {
            (AxisText::Cheapest, _) => Ok(ScalingPolicy::Cheapest),
            (_, Some(target)) => super::settings::above_nothing("track", *target).map(ScalingPolicy::Track),
            (_, None) => checked_step(step.unwrap_or(1)).map(ScalingPolicy::Step),
        }
    }
}
