//! Whether a policy must flap: a scale-down on the pair that the scale-up alarm undoes at once.
//!
//! With the load that just lets the pair fire, each step down must leave the load a tenth under the threshold of the
//! scale-up alarm. [`crate::decide`] checks the same before every step down, with the measured load.

use super::rule::Rule;
use super::warnings::meant_by_fraction;
use crate::document::Fault;
use crate::ladder::{Ladder, Resource};
use crate::pair::Pair;
use crate::platform::ScaleUpAlarm;
use crate::scaling::ScalingPolicy;
use crate::size::Axis;
use crate::text::number;

/// The part of the threshold that a step down may reach. Target tracking keeps a tenth free, too. See
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>.
pub const MARGIN: f64 = 0.9;

/// The key that sets the threshold of the scale-up alarm.
pub(super) const THRESHOLD: &str = ScaleUpAlarm::THRESHOLD;

/// All of a capacity, in percent.
const WHOLE: f64 = 100.0;

/// Nearly every step of the built-in ladders, and of flexible shapes, is by half.
pub const HALF: f64 = 2.0;

/// The threshold of the scale-up alarm on a metric; `None` for a metric that is no percentage.
pub fn high_threshold(above: Option<f64>, metric: Option<&str>) -> Option<f64> {
    above.or_else(|| Resource::of(metric?).is_some().then_some(ScaleUpAlarm::DEFAULT_THRESHOLD))
}

/// Refuses a rule whose scale-up alarm would undo the step down of its pair. `key` is the one that sets the threshold.
pub(super) fn check<'a>(
    rule: &Rule,
    ladders: impl IntoIterator<Item = &'a Ladder>,
    key: &'static str,
) -> Result<(), Fault> {
    let Some(pair) = &rule.pair else { return Ok(()) };
    check_percentages(rule, pair, key)?;
    let Some(above) = high_threshold(rule.is.scale_up_threshold, Some(&pair.metric)) else { return Ok(()) };
    let inequality = Inequality { pair, above, key };
    match rule.scaling_policy {
        ScalingPolicy::Track(target) if target >= above => return Err(never_reached(target, above, key)),
        // The head-room of the cheapest sizes keeps the scale-up alarm quiet.
        ScalingPolicy::Cheapest => return Ok(()),
        ScalingPolicy::Track(_) | ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) => {}
    }
    match rule.axis {
        Axis::Instances => {
            let floor = rule.is.instances.min;
            if floor == rule.is.instances.max {
                return Ok(());
            }
            let more = floor.saturating_add(1);
            inequality.check(f64::from(more) / f64::from(floor), &instances(more), &instances(floor))
        }
        Axis::Bandwidth => inequality.check(HALF, "a bandwidth", "half of it"),
        Axis::Shape => {
            inequality.check(HALF, "a shape", "one of half its size")?;
            ladders.into_iter().try_for_each(|ladder| inequality.check_rungs(ladder))
        }
    }
}

/// Refuses what is no percentage where the metric is one: fractions, and thresholds above all there is.
fn check_percentages(rule: &Rule, pair: &Pair, threshold: &'static str) -> Result<(), Fault> {
    if Resource::of(&pair.metric).is_none() {
        return Ok(());
    }
    let track = match rule.scaling_policy {
        ScalingPolicy::Track(target) => Some(target),
        ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Cheapest => None,
    };
    let above = rule.is.scale_up_threshold;
    if let Some(above) = above.filter(|above| *above > WHOLE) {
        let (metric, above) = (&pair.metric, number(above));
        let problem = format!(
            "`{threshold} = {above}`: `{metric}` is in percent of the capacity here, whatever the unit of the alarm's own \
             threshold; expected at most 100"
        );
        return Err(Fault::of(threshold, problem));
    }
    for (key, value) in [("track", track), (threshold, above)] {
        if let Some((value, meant)) = value.and_then(|value| Some((value, meant_by_fraction(value)?))) {
            let (metric, value, meant) = (&pair.metric, number(value), number(meant));
            let problem = format!("`{key} = {value}`: `{metric}` is a percentage; did you mean `{meant}`?");
            return Err(Fault::of(key, problem));
        }
    }
    Ok(())
}

/// What is wrong with a threshold that a check refuses.
pub(super) fn misfit(above: f64) -> &'static str {
    if above > WHOLE { "high" } else { "low" }
}

/// Target tracking whose target is not under the threshold of the scale-up alarm.
fn never_reached(target: f64, above: f64, key: &str) -> Fault {
    let target = number(target);
    let problem = format!(
        "`track = {target}` is not under {}, above which the scale-up alarm fires: nothing would be added before \
         {target}; expected less, or a higher `{key}`",
        number(above)
    );
    Fault::of("track", problem)
}

/// The two thresholds that a step down lies between.
struct Inequality<'a> {
    pair: &'a Pair,
    above: f64,
    key: &'a str,
}

impl Inequality<'_> {
    /// Every step down of a ladder.
    fn check_rungs(&self, ladder: &Ladder) -> Result<(), Fault> {
        let resource = Resource::of(&self.pair.metric).unwrap_or(Resource::Memory);
        ladder.rungs.windows(2).try_for_each(|rungs| {
            let [to, from] = rungs else { return Ok(()) };
            let (larger, smaller) = (format!("`{}`", from.shape), format!("`{}`", to.shape));
            self.check(resource.ratio(from, to), &larger, &smaller)
        })
    }

    /// The load that just lets the pair fire grows by the ratio.
    fn check(&self, ratio: f64, from: &str, to: &str) -> Result<(), Fault> {
        let Self { pair: Pair { below, .. }, above, key } = self;
        let (after, most) = (below * ratio, above * MARGIN);
        if after < most {
            return Ok(());
        }
        let (less, below, after) = (number(round(most / ratio)), number(*below), number(after));
        let (above, most) = (number(*above), number(most));
        Err(Fault::of(
            "pair.below",
            format!(
                "`pair.below = {below}` must flap: {below} on {from} would be {after} on {to}, and the scale-up alarm \
                 fires above {above}, less a tenth {most}; expected `pair.below` under {less}, or a higher `{key}`"
            ),
        ))
    }
}

fn instances(count: u32) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
