//! Step adjustments as Application Auto Scaling has them: how far a metric is beyond the alarm's threshold decides how
//! much is changed.
//!
//! Here they are written and checked; [`crate::decide`] takes them.

use crate::scaling::Adjustment;
use crate::scaling::StepAdjustment;
use crate::scaling::StepAdjustments;

use serde::Deserialize;

/// Application Auto Scaling's own limit. See
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html>.
const MOST_STEPS: usize = 20;

/// One step: where it lies, and one of `add`, `remove` and `set`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct StepText {
    /// Where it begins, measured from the threshold in the metric's own unit. Left out: where the step below ends.
    above: Option<f64>,
    /// Where it ends, measured from the threshold in the metric's own unit. Left out: where the step above begins.
    below: Option<f64>,
    /// So many more, or so many percent more of what there is: `2`, `"30%"`.
    add: Option<Amount>,
    /// So many fewer, or so many percent of what there is: `1`, `"10%"`.
    remove: Option<Amount>,
    /// To so many.
    set: Option<u32>,
}

/// A number, or a percentage.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a number such as `1`, or a percentage such as `\"30%\"`")]
pub(super) enum Amount {
    Number(u32),
    Percent(String),
}

/// The largest change and the largest percentage: no deployment here can have more.
const LARGEST: u32 = 1000;

impl StepAdjustments {
    /// Checks what is written.
    pub(super) fn checked(written: &[StepText], min_step: Option<u32>) -> Result<Self, String> {
        if written.is_empty() || written.len() > MOST_STEPS {
            return Err(format!("`steps` has {}: expected 1 to {MOST_STEPS}", written.len()));
        }
        let checked = |(i, text): (usize, &StepText)| {
            text.checked().map_err(|problem| format!("step {}: {problem}", i + 1))
        };
        let mut steps =
            written.iter().enumerate().map(checked).collect::<Result<Vec<StepAdjustment>, String>>()?;
        join(&mut steps);
        steps.sort_by(|a, b| beginning(a).total_cmp(&beginning(b)));
        check_row(&steps)?;
        let percent = steps.iter().any(|step| matches!(step.adjustment, Adjustment::Percent(_)));
        match min_step {
            Some(0) => return Err("`min_step = 0`: expected at least 1".to_owned()),
            Some(min) if !percent => {
                return Err(format!("`min_step = {min}` does nothing: expected a step in percent beside it"));
            }
            _ => {}
        }
        Ok(Self { steps, min_step: min_step.unwrap_or(1) })
    }
}

impl StepText {
    fn checked(&self) -> Result<StepAdjustment, String> {
        let Self { above, below, add, remove, set } = self;
        let adjustment = match (add, remove, set) {
            (Some(add), None, None) => add.adjustment("steps.add", 1)?,
            (None, Some(remove), None) => remove.adjustment("steps.remove", -1)?,
            (None, None, Some(count)) if (1..=LARGEST).contains(count) => Adjustment::Exact(*count),
            (None, None, Some(count)) => {
                return Err(format!("`steps.set = {count}`: expected 1 to {LARGEST}"));
            }
            _ => return Err("`steps`: expected one of `add`, `remove` and `set` in each".to_owned()),
        };
        match (above, below) {
            (None, None) => Err("`steps`: expected `above`, `below` or both in each".to_owned()),
            (Some(a), Some(b)) if a >= b => {
                Err(format!("`steps.above = {a}` is not under `steps.below = {b}`"))
            }
            (Some(edge), _) | (_, Some(edge)) if !edge.is_finite() => {
                Err(format!("`steps`: expected a number, found `{edge}`; leave it out for no end"))
            }
            _ => Ok(StepAdjustment { above: *above, below: *below, adjustment }),
        }
    }
}

impl Amount {
    fn adjustment(&self, key: &str, sign: i32) -> Result<Adjustment, String> {
        let within = |number: u32| {
            let number = Some(number).filter(|number| *number <= LARGEST)?;
            i32::try_from(number).ok().map(|number| number * sign)
        };
        match self {
            Self::Number(number) => within(*number).map(Adjustment::Change),
            Self::Percent(text) => {
                let number = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
                number.and_then(within).map(Adjustment::Percent)
            }
        }
        .ok_or_else(|| {
            let shown = match self {
                Self::Number(number) => number.to_string(),
                Self::Percent(text) => format!("\"{text}\""),
            };
            format!("`{key} = {shown}`: expected 0 to {LARGEST}, or a whole percentage such as `\"30%\"`")
        })
    }
}

fn beginning(step: &StepAdjustment) -> f64 {
    step.above.unwrap_or(f64::NEG_INFINITY)
}

/// An edge that is left out is where the neighbour's is, or nowhere.
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

/// Application Auto Scaling's own rules: no overlap and no gap, at most one step without a beginning and one without
/// an end, and what begins below the threshold or ends above it goes on for ever on that side.
fn check_row(steps: &[StepAdjustment]) -> Result<(), String> {
    for pair in steps.windows(2) {
        let [lower, upper] = pair else { continue };
        let (end, begin) = (lower.below.unwrap_or(f64::INFINITY), beginning(upper));
        if end > begin {
            let shown = |verb: &str, edge: Option<f64>, none: &str| {
                edge.map_or_else(|| none.to_owned(), |edge| format!("{verb} at {edge}"))
            };
            let ends = shown("ends", lower.below, "has no end");
            let begins = shown("begins", upper.above, "has no beginning");
            return Err(format!("`steps` overlap: one {ends} and the next {begins}"));
        }
        if end < begin {
            return Err(format!("`steps` leave a gap from {end} to {begin}"));
        }
    }
    let (first, last) = (steps.first().and_then(|step| step.above), steps.last().and_then(|step| step.below));
    if let Some(begin) = first.filter(|begin| *begin < 0.0) {
        return Err(format!(
            "`steps` begin at {begin}, below the threshold, and nothing is said of what lies further below: expected a \
             step without `above`"
        ));
    }
    if let Some(end) = last.filter(|end| *end > 0.0) {
        return Err(format!(
            "`steps` end at {end}, above the threshold, and nothing is said of what lies further above: expected a step \
             without `below`"
        ));
    }
    Ok(())
}
