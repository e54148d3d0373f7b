//! Step adjustments as the policy writes them, checked.
//!
//! How far a metric is beyond the alarm's threshold selects the step. [`crate::decide`] applies it. See
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>.

use std::fmt;

use serde::Deserialize;

use crate::document::{Fault, Faults};
use crate::scaling::{Adjustment, StepAdjustment, StepAdjustments};
use crate::text::number;

/// The most steps of one policy. See
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html>.
const MOST_STEPS: usize = 20;

/// One step: its bounds, and one of `add`, `remove` and `set`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct StepText {
    /// The lower bound, as a distance from the threshold in the metric's own unit (default: where the step below ends).
    above: Option<f64>,
    /// The upper bound, as a distance from the threshold in the metric's own unit (default: where the step above begins).
    below: Option<f64>,
    /// How many are added, as a number or a percentage: `2`, `"30%"`.
    add: Option<Amount>,
    /// How many are removed, as a number or a percentage: `1`, `"10%"`.
    remove: Option<Amount>,
    /// The count after the step.
    set: Option<u32>,
}

/// A number, or a percentage.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a number such as `1`, or a percentage such as `\"30%\"`")]
pub(super) enum Amount {
    Number(#[cfg_attr(test, schemars(with = "u32"))] i64),
    Percent(String),
}

/// The largest change and the largest percentage: no deployment here can have more.
const LARGEST: i32 = 1000;

impl StepAdjustments {
    /// Checks the steps that a table has. Keys have a prefix in messages: that of the table inside its rule.
    pub(super) fn checked(
        written: &[StepText],
        min_step: Option<u32>,
        prefix: &'static str,
    ) -> Result<Self, Faults> {
        if written.is_empty() || written.len() > MOST_STEPS {
            let message = format!("`{prefix}steps` has {}: expected 1 to {MOST_STEPS}", written.len());
            return Err(Fault::of("steps", message).into());
        }
        let mut faults = Faults::default();
        let mut steps = Vec::with_capacity(written.len());
        for (i, text) in written.iter().enumerate() {
            let in_list = |fault: Fault| fault.about(&format!("step {}", i + 1)).nth(i).within("steps");
            steps.extend(faults.note(text.checked(prefix).map_err(in_list)));
        }
        faults.into_result()?;
        join(&mut steps);
        steps.sort_by(|a, b| beginning(a).total_cmp(&beginning(b)));
        check_row(&steps).map_err(|problem| Fault::of("steps", format!("`{prefix}steps` {problem}")))?;
        let percent = steps.iter().any(|step| matches!(step.adjustment, Adjustment::Percent(_)));
        check_min_step(min_step, percent)
            .map_err(|problem| Fault::of("min_step", format!("`{prefix}min_step = {problem}")))?;
        Ok(Self { steps, min_step: min_step.unwrap_or(1) })
    }
}

/// The least change of a step in percent, where a step has one.
fn check_min_step(min_step: Option<u32>, percent: bool) -> Result<(), String> {
    match min_step {
        Some(0) => Err("0`: expected at least 1".to_owned()),
        Some(min) if !percent => Err(format!("{min}` does nothing: expected a step in percent beside it")),
        Some(_) | None => Ok(()),
    }
}

impl StepText {
    fn checked(&self, prefix: &str) -> Result<StepAdjustment, Fault> {
        let adjustment = self.adjustment(prefix)?;
        self.check_edges(prefix)?;
        Ok(StepAdjustment { above: self.above, below: self.below, adjustment })
    }

    fn adjustment(&self, prefix: &str) -> Result<Adjustment, Fault> {
        let Self { add, remove, set, .. } = self;
        let of = |key: &'static str, amount: &Amount, sign: i32| {
            let wrong = |problem| Fault::of(key, format!("`{prefix}steps.{key} = {problem}"));
            amount.adjustment(sign).map_err(wrong)
        };
        match (add, remove, set) {
            (Some(add), None, None) => of("add", add, 1),
            (None, Some(remove), None) => of("remove", remove, -1),
            (None, None, Some(count)) if (1..=LARGEST.unsigned_abs()).contains(count) => {
                Ok(Adjustment::Exact(*count))
            }
            (None, None, Some(count)) => {
                let message = format!("`{prefix}steps.set = {count}`: expected 1 to {LARGEST}");
                Err(Fault::of("set", message))
            }
            _ => {
                let expected = "expected one of `add`, `remove` and `set` in each";
                Err(Fault::whole(format!("`{prefix}steps`: {expected}")))
            }
        }
    }

    fn check_edges(&self, prefix: &str) -> Result<(), Fault> {
        let (above, below) = (self.above, self.below);
        match (above, below) {
            (None, None) => {
                Err(Fault::whole(format!("`{prefix}steps`: expected `above`, `below` or both in each")))
            }
            (Some(a), Some(b)) if a >= b => {
                let (a, b) = (number(a), number(b));
                let message = format!("`{prefix}steps.above = {a}` is not under `{prefix}steps.below = {b}`");
                Err(Fault::of("above", message))
            }
            (Some(edge), _) | (_, Some(edge)) if !edge.is_finite() => {
                let key = if above.is_some() { "above" } else { "below" };
                let found = format!("expected a number, found `{edge}`; leave it out for no end");
                Err(Fault::of(key, format!("`{prefix}steps`: {found}")))
            }
            _ => Ok(()),
        }
    }
}

impl Amount {
    /// The change, or the amount and what was expected.
    fn adjustment(&self, sign: i32) -> Result<Adjustment, String> {
        let within = |number: i64| {
            let number = i32::try_from(number).ok().filter(|number| (0..=LARGEST).contains(number))?;
            Some(number * sign)
        };
        let adjustment = match self {
            Self::Number(number) => within(*number).map(Adjustment::Change),
            Self::Percent(text) => percentage(text).and_then(within).map(Adjustment::Percent),
        };
        adjustment.ok_or_else(|| format!("{self}`: expected {}", self.expected(sign)))
    }

    /// What was expected. An amount below nothing is what the key of the other direction is for.
    fn expected(&self, sign: i32) -> String {
        let opposite = match self {
            Self::Number(number) if *number < 0 => Some(Self::Number(number.saturating_neg())),
            Self::Percent(text) => percentage(text)
                .filter(|number| *number < 0)
                .map(|number| Self::Percent(format!("{}%", number.saturating_neg()))),
            Self::Number(_) => None,
        };
        let other_key = if sign > 0 { "remove" } else { "add" };
        match opposite {
            Some(opposite) => format!("`{other_key} = {opposite}`"),
            None => format!("0 to {LARGEST}, or a whole percentage such as `\"30%\"`"),
        }
    }
}

/// The number before the percent sign.
fn percentage(text: &str) -> Option<i64> {
    text.trim().strip_suffix('%')?.trim().parse().ok()
}

/// As the policy writes it.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(text) => write!(f, "\"{text}\""),
        }
    }
}

fn beginning(step: &StepAdjustment) -> f64 {
    step.above.unwrap_or(f64::NEG_INFINITY)
}

/// Fills in an edge that is left out: the neighbour's, or none.
fn join(steps: &mut [StepAdjustment]) {
    let begins: Vec<f64> = steps.iter().filter_map(|step| step.above).collect();
    let ends: Vec<f64> = steps.iter().filter_map(|step| step.below).collect();
    for step in steps.iter_mut() {
        let (above, below) = (step.above, step.below);
        if let (Some(above), None) = (above, below) {
            step.below = begins.iter().copied().filter(|begin| *begin > above).min_by(f64::total_cmp);
        }
        if let (None, Some(below)) = (above, below) {
            step.above = ends.iter().copied().filter(|end| *end < below).max_by(f64::total_cmp);
        }
    }
}

/// The rules for several steps: no overlap, no gap, and no end on either side of the threshold. See
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>.
fn check_row(steps: &[StepAdjustment]) -> Result<(), String> {
    for pair in steps.windows(2) {
        let [lower, upper] = pair else { continue };
        let (end, begin) = (lower.below.unwrap_or(f64::INFINITY), beginning(upper));
        if end > begin {
            let shown = |verb: &str, edge: Option<f64>, none: &str| {
                edge.map_or_else(|| none.to_owned(), |edge| format!("{verb} at {}", number(edge)))
            };
            let ends = shown("ends", lower.below, "has no end");
            let begins = shown("begins", upper.above, "has no beginning");
            return Err(format!("overlap: one {ends} and the next {begins}"));
        }
        if end < begin {
            return Err(format!("leave a gap from {} to {}", number(end), number(begin)));
        }
    }
    let (first, last) = (steps.first().and_then(|step| step.above), steps.last().and_then(|step| step.below));
    if let Some(begin) = first.filter(|begin| *begin < 0.0) {
        return Err(format!(
            "begin at {}, below the threshold, and no step covers what lies further below: expected a step \
             without `above`; both are distances from the threshold",
            number(begin)
        ));
    }
    if let Some(end) = last.filter(|end| *end > 0.0) {
        return Err(format!(
            "end at {}, above the threshold, and no step covers what lies further above: expected a step \
             without `below`; both are distances from the threshold",
            number(end)
        ));
    }
    Ok(())
}
