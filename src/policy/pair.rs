//! The pair of a rule: its scale-down alarm as the policy writes it, checked.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::rule::LARGEST_STEP;
use super::steps::StepText;
use crate::document::{Fault, Faults, keyed};
use crate::duration::{self, LONGEST_REPEAT, minutes};
use crate::pair::Pair;
use crate::platform::target;
use crate::scaling::{ScalingPolicy, StepAdjustments};
use crate::size::Axis;
use crate::text::number;

/// The scale-down alarm that removes what a rule adds.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ alarm = \"low_cpu\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }`"
)]
pub(super) struct PairText {
    /// Its name, or the last part of it where names are unique per region.
    alarm: String,
    /// The metric, in any platform's spelling.
    metric: String,
    /// It fires below this: percent of the capacity, or so much a minute of what is counted.
    below: f64,
    /// How long it must stay below: whole minutes, as in `5m`.
    window: String,
    /// How often it notifies again, where the service can repeat (default: `window`).
    repeat: Option<String>,
    /// How many instances, rungs or halvings it removes at once (default: what the rule adds, and 1 for a rule with
    /// `steps`).
    step: Option<u32>,
    /// How much it removes, by how far the metric is under the threshold.
    steps: Option<Vec<StepText>>,
    /// The least that a step in percent removes.
    min_step: Option<u32>,
}

/// So many wrong, missing or additional letters are a typing error. More of them make another word.
const SLIP: usize = 2;

/// The longest name. A full name of 255 characters also holds the target's two names of 63.
const LONGEST_NAME: usize = 80;

/// A pair on a metric that no platform publishes never fires, and its capacity is never removed.
fn check_published(metric: &str) -> Result<(), String> {
    let published: BTreeSet<&str> =
        target::all().flat_map(|target| target.metrics).map(|known| known.name).collect();
    if published.iter().any(|known| known.eq_ignore_ascii_case(metric)) {
        return Ok(());
    }
    let lower = metric.to_lowercase();
    let distance = |known: &str| strsim::levenshtein(&known.to_lowercase(), &lower);
    // Of two that differ in case only, the one in the case that is written.
    let nearest = published.iter().min_by_key(|known| (distance(known), strsim::levenshtein(known, metric)));
    let nearest = nearest.filter(|known| distance(known) <= SLIP);
    let expected = if let Some(known) = nearest {
        format!("there is none; did you mean `{known}`?")
    } else {
        let known: Vec<String> = published.iter().map(|known| format!("`{known}`")).collect();
        format!(
            "it is not published for anything that is scaled, so the pair would never fire; expected one of {}",
            known.join(", ")
        )
    };
    Err(format!("`pair.metric = \"{metric}\"`: {expected}"))
}

impl PairText {
    /// Checks the pair of a rule with this scaling policy.
    pub(super) fn checked(self, rule: &ScalingPolicy, axis: Axis) -> Result<Pair, Faults> {
        let mut faults = Faults::default();
        faults.note(keyed("alarm", self.check_name()));
        faults.note(keyed("metric", check_metric(&self.metric)));
        if !self.below.is_finite() || self.below <= 0.0 {
            let message = format!("`pair.below = {}`: expected a number above 0", number(self.below));
            faults.push(Fault::of("below", message));
        }
        let window = faults.note(keyed("window", duration::window("pair.window", &self.window)));
        let repeat = self.repeat.as_deref().map(|text| minutes("pair.repeat", text, LONGEST_REPEAT));
        let repeat = faults.note(keyed("repeat", repeat.transpose())).flatten();
        let scaling_policy = faults.note_all(self.scaling_policy(rule, axis));
        let (Some(window), Some(scaling_policy)) = (window, scaling_policy) else { return Err(faults) };
        faults.into_result()?;
        let Self { alarm, metric, below, .. } = self;
        Ok(Pair { alarm, metric, below, window, repeat: repeat.unwrap_or(window), scaling_policy })
    }

    fn check_name(&self) -> Result<(), String> {
        let name = &self.alarm;
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(['/', '\n', ' ']) {
            let expected = format!("expected 1 to {LONGEST_NAME} characters without `/` and spaces");
            return Err(format!("`pair.alarm = \"{name}\"`: {expected}"));
        }
        Ok(())
    }

    fn scaling_policy(&self, rule: &ScalingPolicy, axis: Axis) -> Result<ScalingPolicy, Faults> {
        if (self.step.is_some() || self.steps.is_some())
            && matches!(rule, ScalingPolicy::Track(_) | ScalingPolicy::Cheapest)
        {
            let message = "`pair.step`: the rule's `track` or `axis = \"cheapest\"` computes the size";
            return Err(Fault::of(if self.step.is_some() { "step" } else { "steps" }, message).into());
        }
        match (self.step, &self.steps) {
            (Some(_), Some(_)) => {
                Err(Fault::of("steps", "`pair.step` and `pair.steps`: expected one of them").into())
            }
            (Some(step), None) => back(step).map_err(Faults::from),
            (None, Some(written)) => self.steps_back(written, axis).map(ScalingPolicy::Steps),
            (None, None) if self.min_step.is_some() => {
                let message = "`pair.min_step` does nothing: expected `pair.steps` beside it";
                Err(Fault::of("min_step", message).into())
            }
            (None, None) => Ok(match rule {
                ScalingPolicy::Step(step) => ScalingPolicy::Step(-step.abs()),
                // The size of a scale-down does not follow from that of a scale-up.
                ScalingPolicy::Steps(_) => ScalingPolicy::Step(-1),
                ScalingPolicy::Track(target) => ScalingPolicy::Track(*target),
                ScalingPolicy::Cheapest => ScalingPolicy::Cheapest,
            }),
        }
    }

    fn steps_back(&self, written: &[StepText], axis: Axis) -> Result<StepAdjustments, Faults> {
        let steps = StepAdjustments::checked(written, self.min_step, "pair.")?;
        let problem = if steps.adds() != Some(false) {
            "expected `remove` in each, because a pair removes capacity"
        } else if axis != Axis::Instances && !steps.are_plain() {
            "expected plain numbers in `remove`, because only instances can be counted in percent"
        } else if steps.steps.iter().any(|step| step.above.is_some_and(|above| above >= 0.0)) {
            "one begins at the threshold or above it, where the pair never fires: expected `below = 0` or less"
        } else {
            return Ok(steps);
        };
        Err(Fault::of("steps", format!("`pair.steps`: {problem}")).into())
    }
}

/// A scale-down by a number of instances, rungs or halvings.
fn back(step: u32) -> Result<ScalingPolicy, Fault> {
    let number = i32::try_from(step).ok().filter(|_| (1..=LARGEST_STEP).contains(&step));
    let fault = || Fault::of("step", format!("`pair.step = {step}`: expected 1 to {LARGEST_STEP}"));
    number.map(|number| ScalingPolicy::Step(-number)).ok_or_else(fault)
}

fn check_metric(metric: &str) -> Result<(), String> {
    if metric.is_empty() || !metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`pair.metric = \"{metric}\"`: expected a metric's plain name"));
    }
    check_published(metric)
}
