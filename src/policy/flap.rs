//! Whether a policy must flap: what goes down on a low alarm and is called back up by the high one.
//!
//! With the load that just lets the low alarm fire, each step down must leave the load a tenth under the threshold of the
//! high alarm. It is the inequality that is asked before every step down; here it is asked of the policy's own numbers.

use super::rule::Rule;
use crate::ladder::{Ladder, Resource};
use crate::scaling::ScalingPolicy;
use crate::size::Axis;

/// So much of the high alarm's threshold may be reached by a step down: the estimate of the load afterwards is no better
/// than that, and Application Auto Scaling keeps a tenth free, too.
pub const MARGIN: f64 = 0.9;

/// The threshold of an alarm that adds, in percent, where nobody says another: the guide's, and what
/// `stepladder provision` sets.
pub const DEFAULT_ABOVE: f64 = 80.0;

/// Nearly every step of the built-in ladders, and of flexible shapes, halves what there is.
const HALF: f64 = 2.0;

/// The threshold of the high alarm that a metric is measured against; `None` for a metric that is no percentage.
pub fn high_threshold(above: Option<f64>, metric: Option<&str>) -> Option<f64> {
    above.or_else(|| Resource::of(metric?).is_some().then_some(DEFAULT_ABOVE))
}

/// Refuses a rule whose pair would call for what its own step down takes away.
pub(crate) fn check<'a>(
    rule: &Rule,
    own_ladders: impl IntoIterator<Item = &'a Ladder>,
) -> Result<(), String> {
    let Some(pair) = &rule.pair else { return Ok(()) };
    let Some(above) = high_threshold(rule.is.scale_up_threshold, Some(&pair.metric)) else { return Ok(()) };
    if let ScalingPolicy::Track(target) = rule.scaling_policy
        && target >= above
    {
        return Err(format!(
            "`track = {target}` is not under {above}, above which the alarm that adds fires: nothing would be added before \
             {target}; expected less, or a higher `scale_up_threshold`"
        ));
    }
    let check = |ratio: f64, from: &str, to: &str| {
        let after = pair.below * ratio;
        let most = above * MARGIN;
        if after < most {
            return Ok(());
        }
        Err(format!(
            "`pair.below = {}` must flap: {} on {from} would be {after} on {to}, and the alarm that adds fires above \
             {above}, less a tenth {most}; expected `pair.below` under {}, or a higher `scale_up_threshold`",
            pair.below,
            pair.below,
            round(most / ratio)
        ))
    };
    if matches!(rule.scaling_policy, ScalingPolicy::Cheapest) {
        // Of the cheapest sizes that carry the load the head-room keeps the high alarm quiet.
        return Ok(());
    }
    match rule.axis {
        Axis::Instances => {
            let floor = rule.is.instances.min;
            if floor == rule.is.instances.max {
                return Ok(());
            }
            let more = floor.saturating_add(1);
            check(f64::from(more) / f64::from(floor), &instances(more), &instances(floor))
        }
        Axis::Bandwidth => check(HALF, "a bandwidth", "half of it"),
        Axis::Shape => {
            let resource = Resource::of(&pair.metric).unwrap_or(Resource::Memory);
            check(HALF, "a shape", "one of half its size")?;
            own_ladders.into_iter().try_for_each(|ladder| {
                ladder.rungs.windows(2).try_for_each(|rungs| {
                    let [to, from] = rungs else { return Ok(()) };
                    check(resource.ratio(from, to), &format!("`{}`", from.shape), &format!("`{}`", to.shape))
                })
            })
        }
    }
}

fn instances(count: u32) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
