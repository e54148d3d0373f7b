//! The low alarm that takes back what a rule adds.

use crate::pair::Pair;
use crate::scaling::ScalingPolicy;
use serde::Deserialize;

use super::rule::LARGEST_STEP;
use super::steps::StepText;
use super::{LONGEST_REPEAT, LONGEST_WINDOW, minutes};
use crate::scaling::StepAdjustments;
use crate::size::Axis;

/// The low alarm that takes back what a rule adds.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ alarm = \"low_cpu\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }`"
)]
pub(super) struct PairText {
    /// Its name on OCI, and the last part of its name on CloudWatch.
    alarm: String,
    /// The metric, in either cloud's spelling.
    metric: String,
    /// It fires below this: percent of the capacity that there is.
    below: f64,
    /// How long it must stay below: whole minutes, as in `5m`.
    window: String,
    /// How often it says so again, where the service can repeat (default: `window`).
    repeat: Option<String>,
    /// How many instances, rungs or halvings it takes back at once (default: what the rule adds, and 1 for a rule with
    /// `steps`).
    step: Option<u32>,
    /// How much it takes back, by how far the metric is under the threshold.
    steps: Option<Vec<StepText>>,
    /// The least that a step in percent takes back.
    min_step: Option<u32>,
}

/// The utilizations of both clouds. Of other metrics there are too many to know a slip.
const UTILIZATIONS: [&str; 5] =
    ["CpuUtilization", "MemoryUtilization", "GpuUtilization", "GpuMemoryUtilization", "PredictBandwidth"];

/// So many letters wrong, missing or too many are a slip; more of them make another word.
const SLIP: usize = 2;

/// A pair on a metric that is none never fires, and what was added stays for ever.
fn check_spelled(metric: &str) -> Result<(), String> {
    let lower = metric.to_lowercase();
    let distance = |known: &str| strsim::levenshtein(&known.to_lowercase(), &lower);
    let nearest = UTILIZATIONS.into_iter().min_by_key(|known| distance(known));
    match nearest.filter(|known| (1..=SLIP).contains(&distance(known))) {
        Some(known) => Err(format!("`pair.metric = \"{metric}\"`: there is none; did you mean `{known}`?")),
        None => Ok(()),
    }
}

impl PairText {
    /// Checks what is written beside a rule that goes so far.
    pub(super) fn checked(self, rule: &ScalingPolicy, axis: Axis) -> Result<Pair, String> {
        // CloudWatch allows 255 characters for `stepladder/endpoint/<63>/variant/<63>/` and this.
        if self.alarm.is_empty() || self.alarm.len() > 80 || self.alarm.contains(['/', '\n', ' ']) {
            let shown = &self.alarm;
            return Err(format!(
                "`pair.alarm = \"{shown}\"`: expected 1 to 80 characters without `/` and spaces"
            ));
        }
        if self.metric.is_empty() || !self.metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`pair.metric = \"{}\"`: expected a metric's plain name", self.metric));
        }
        check_spelled(&self.metric)?;
        if !self.below.is_finite() || self.below <= 0.0 {
            return Err(format!("`pair.below = {}`: expected a number above 0", self.below));
        }
        let window = minutes("pair.window", &self.window, LONGEST_WINDOW)?;
        // An interval of an OCI query is written in minutes up to an hour, and in hours after that.
        if window.as_mins() > 60 && window.as_mins() % 60 != 0 {
            return Err(format!("`pair.window = \"{}\"`: expected whole hours above `60m`", self.window));
        }
        let repeat = match &self.repeat {
            Some(text) => minutes("pair.repeat", text, LONGEST_REPEAT)?,
            None => window,
        };
        let scaling_policy = self.scaling_policy(rule, axis)?;
        Ok(Pair { alarm: self.alarm, metric: self.metric, below: self.below, window, repeat, scaling_policy })
    }

    fn scaling_policy(&self, rule: &ScalingPolicy, axis: Axis) -> Result<ScalingPolicy, String> {
        if (self.step.is_some() || self.steps.is_some())
            && matches!(rule, ScalingPolicy::Track(_) | ScalingPolicy::Cheapest)
        {
            return Err(
                "`pair.step`: the rule's `track` or `axis = \"cheapest\"` says how far it goes".to_owned()
            );
        }
        match (self.step, &self.steps) {
            (Some(_), Some(_)) => Err("`pair.step` and `pair.steps`: expected one of them".to_owned()),
            (Some(step), None) => {
                let sensible = (1..=LARGEST_STEP).contains(&step);
                let back =
                    i32::try_from(step).ok().filter(|_| sensible).map(|step| ScalingPolicy::Step(-step));
                back.ok_or_else(|| format!("`pair.step = {step}`: expected 1 to {LARGEST_STEP}"))
            }
            (None, Some(written)) => {
                let steps = StepAdjustments::checked(written, self.min_step)
                    .map_err(|problem| problem.replacen('`', "`pair.", 1))?;
                if steps.adds() != Some(false) {
                    return Err("`pair.steps`: expected `remove` in each, a pair takes back".to_owned());
                }
                if axis != Axis::Instances && !steps.are_plain() {
                    return Err("`pair.steps`: expected plain numbers in `remove`, because only instances can be counted \
                                in percent"
                        .to_owned());
                }
                if steps.steps.iter().any(|step| step.above.is_some_and(|above| above >= 0.0)) {
                    return Err(
                        "`pair.steps`: one begins at the threshold or above it, where the pair never fires: \
                                expected `below = 0` or less"
                            .to_owned(),
                    );
                }
                Ok(ScalingPolicy::Steps(steps))
            }
            (None, None) if self.min_step.is_some() => {
                Err("`pair.min_step` does nothing: expected `pair.steps` beside it".to_owned())
            }
            (None, None) => Ok(match rule {
                ScalingPolicy::Step(step) => ScalingPolicy::Step(-step.abs()),
                // How much was added at once says nothing of how much may go at once.
                ScalingPolicy::Steps(_) => ScalingPolicy::Step(-1),
                ScalingPolicy::Track(target) => ScalingPolicy::Track(*target),
                ScalingPolicy::Cheapest => ScalingPolicy::Cheapest,
            }),
        }
    }
}
