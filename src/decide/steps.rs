//! The step adjustments of Application Auto Scaling, exactly.
//!
//! See <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>.

use crate::alarm::Side;
use crate::scaling::{Adjustment, StepAdjustment, StepAdjustments};

/// The step that contains a distance from the threshold. An alarm that fires above its threshold includes a step's
/// lower bound and excludes its upper one; an alarm that fires below includes the upper and excludes the lower one.
pub(super) fn step(steps: &StepAdjustments, side: Side, distance: f64) -> Option<&StepAdjustment> {
    steps.steps.iter().find(|step| {
        let (above, below) = (step.above.unwrap_or(f64::NEG_INFINITY), step.below.unwrap_or(f64::INFINITY));
        match side {
            Side::Above => above <= distance && distance < below,
            Side::Below => above < distance && distance <= below,
        }
    })
}

/// The count after an adjustment, at least 0 and before any bounds.
pub(super) fn adjusted(current: u32, adjustment: Adjustment, min_step: u32) -> u32 {
    let wide = i64::from(current);
    let to = match adjustment {
        Adjustment::Change(by) => wide + i64::from(by),
        Adjustment::Percent(percent) => wide + percent_of(wide, i64::from(percent), i64::from(min_step)),
        Adjustment::Exact(count) => i64::from(count),
    };
    u32::try_from(to.max(0)).unwrap_or(u32::MAX)
}

/// A percentage, rounded toward zero but never to zero, and at least the minimum magnitude.
fn percent_of(current: i64, percent: i64, min_step: i64) -> i64 {
    let exact = current.saturating_mul(percent);
    if exact == 0 {
        return 0;
    }
    let rounded = (exact / 100).abs().max(1).max(min_step);
    rounded * exact.signum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_as_the_service_does() {
        let rows = [
            // 3.3 is 3, and 1.4 is 1: toward nothing
            (11, 30, 1, 14),
            (14, -10, 1, 13),
            // 0.5 is 1, and so is -0.5
            (5, 10, 1, 6),
            (5, -10, 1, 4),
            // 25 % of 4 is 1, and the least is 2
            (4, 25, 2, 6),
            (4, -25, 2, 2),
            // nothing stays nothing, whatever the least is
            (4, 0, 2, 4),
            (0, 50, 2, 0),
        ];
        for (now, percent, min_step, to) in rows {
            assert_eq!(adjusted(now, Adjustment::Percent(percent), min_step), to, "{percent} % of {now}");
        }
    }

    #[test]
    fn a_count_never_falls_below_nothing() {
        assert_eq!(adjusted(2, Adjustment::Change(-5), 1), 0);
        assert_eq!(adjusted(2, Adjustment::Exact(7), 1), 7);
        assert_eq!(adjusted(u32::MAX, Adjustment::Change(1), 1), u32::MAX);
    }
}
