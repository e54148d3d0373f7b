//! How far a deployment may go: bounds on the count and the bandwidth, and the ends of its ladder.

use std::borrow::Cow;
use std::sync::Arc;

use crate::deployment::Deployment;
use crate::ladder::{Ladder, Rung};
use crate::policy::Policy;
use crate::size::{Axis, Bounds, Direction, Size};

use super::aim::{Aim, Intent};
use super::{CheckInput, Evaluation, Guards, Hold};

/// Where a deployment would go, and what stands in between, from the nearest to there: what may be asked for in its
/// place when that is too far.
pub(super) enum Goal<'a> {
    /// A number of instances or of Mbps.
    Number { axis: Axis, now: u32, to: u32 },
    /// A rung of a ladder.
    Rung { ladder: Cow<'a, Ladder>, now: usize, to: usize },
}

impl Goal<'_> {
    /// The size to ask for.
    pub(super) fn size(&self, seen: &Deployment) -> Size {
        match self {
            Self::Number { axis: Axis::Bandwidth, to, .. } => {
                Size { bandwidth_mbps: Some(*to), ..seen.size.clone() }
            }
            Self::Number { to, .. } => Size { instances: *to, ..seen.size.clone() },
            Self::Rung { ladder, to, .. } => match ladder.rungs.get(*to) {
                Some(rung) => seen.size.on_rung(&rung.shape),
                None => seen.size.clone(),
            },
        }
    }

    /// The rungs before and after, where it is one.
    pub(super) fn rungs(&self) -> Option<(&Rung, &Rung)> {
        let Self::Rung { ladder, now, to } = self else { return None };
        ladder.rungs.get(*now).zip(ladder.rungs.get(*to))
    }

    /// Goes less far, until it is well; `None` where that would be nowhere.
    pub(super) fn shortened(mut self, is_well: impl Fn(&Self) -> bool) -> Option<Self> {
        while !is_well(&self) {
            match &mut self {
                Self::Number { now, to, .. } => *to = nearer(*now, *to),
                Self::Rung { now, to, .. } => *to = if *to > *now { *to - 1 } else { (*to + 1).min(*now) },
            }
            if !self.moves() {
                return None;
            }
        }
        Some(self)
    }

    fn moves(&self) -> bool {
        match self {
            Self::Number { now, to, .. } => now != to,
            Self::Rung { now, to, .. } => now != to,
        }
    }
}

fn nearer(now: u32, to: u32) -> u32 {
    if to > now { to - 1 } else { (to + 1).min(now) }
}

/// The bounds on the count: the policy's, intersected with the platform's own.
pub fn bounds(evaluation: &Evaluation, seen: &Deployment) -> Bounds {
    evaluation.matched.rule.is.instances.intersect(seen.bounds)
}

/// The count at which nothing is left to take back: the lowest floor that comes into force by itself. What a schedule has
/// brought about stays when it is over, and then its pair must be there.
pub fn floor(evaluation: &Evaluation, seen: &Deployment) -> u32 {
    let is = &evaluation.matched.rule.is;
    let own = is.lowest.unwrap_or(is.instances.min);
    seen.bounds.map_or(own, |bounds| own.max(bounds.min))
}

pub(super) fn goal<'a>(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &'a Policy,
    intent: &Intent,
) -> Result<Goal<'a>, Hold> {
    match intent.axis {
        Axis::Instances => within_bounds(guards, evaluation, seen, intent),
        Axis::Shape => on_ladder(guards, evaluation, seen, policy, intent),
        Axis::Bandwidth => within_bandwidth(guards, evaluation, seen, intent),
    }
}

fn within_bounds<'a>(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    intent: &Intent,
) -> Result<Goal<'a>, Hold> {
    let bounds = bounds(evaluation, seen);
    let now = seen.size.instances;
    let wanted = match intent.aim {
        Aim::Step(to) | Aim::To(to) => to,
        Aim::By(_) | Aim::Carry(..) => now,
    };
    within(guards, intent, now, wanted, bounds)
}

/// Something is left between a number and the end of its bounds. One outside of them is never moved further
/// out, nor against the alarm's direction; one under its floor that goes up goes there at once.
fn within<'a>(
    guards: &mut Guards,
    Intent { axis, direction, .. }: &Intent,
    now: u32,
    wanted: u32,
    bounds: Bounds,
) -> Result<Goal<'a>, Hold> {
    let axis = *axis;
    let saw = CheckInput::Within { now, bounds };
    let has = if axis == Axis::Instances { "runs" } else { "has" };
    let to = match direction {
        Direction::Up => {
            let limit = || format!("it {has} {now}, and {} is its ceiling", bounds.max);
            let hold = (now >= bounds.max).then(|| Hold::AtCeiling { axis, limit: limit() });
            guards.ask("at_ceiling", saw, hold)?;
            wanted.max(bounds.min).min(bounds.max)
        }
        Direction::Down => {
            let limit = || format!("it {has} {now}, and {} is its floor", bounds.min);
            let hold = (now <= bounds.min).then(|| Hold::AtFloor { axis, limit: limit() });
            guards.ask("at_floor", saw, hold)?;
            wanted.max(bounds.min)
        }
    };
    Ok(Goal::Number { axis, now, to })
}

/// A step doubles or halves the bandwidth: what it takes is not told by an alarm on a percentage.
fn within_bandwidth<'a>(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    intent: &Intent,
) -> Result<Goal<'a>, Hold> {
    let unknown = || Hold::NotResizable { axis: Axis::Bandwidth, why: "it tells none".to_owned() };
    let now = seen.size.bandwidth_mbps.ok_or_else(unknown)?;
    let wanted = match (intent.aim, intent.direction) {
        (Aim::By(doublings), Direction::Up) => now.saturating_mul(2_u32.saturating_pow(doublings)),
        (Aim::By(halvings), Direction::Down) => now.div_ceil(2_u32.saturating_pow(halvings)),
        (Aim::Step(to) | Aim::To(to), _) => to,
        (Aim::Carry(..), _) => now,
    };
    within(guards, intent, now, wanted, evaluation.matched.rule.is.bandwidth)
}

fn on_ladder<'a>(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &'a Policy,
    intent: &Intent,
) -> Result<Goal<'a>, Hold> {
    let shape = seen.size.rung();
    let shape = shape.as_ref();
    let ladder = listed(guards, shape, policy)?;
    let axis = Axis::Shape;
    let floor = seen.floor.as_deref().filter(|_| evaluation.is_taking_back());
    if evaluation.is_taking_back() && !ladder.is_above(shape, seen.floor.as_deref()) {
        let limit = format!("`{shape}` is what it was deployed with, or less");
        return guards.ask_for("at_floor", shape.to_owned(), Err(Hold::AtFloor { axis, limit }));
    }
    let now = ladder.position(shape).unwrap_or_default();
    let last = ladder.rungs.len().saturating_sub(1);
    let lowest = floor.and_then(|floor| ladder.position(floor)).unwrap_or_default().min(now);
    let far = |by: u32| usize::try_from(by).unwrap_or(usize::MAX);
    let to = match (intent.aim, intent.direction) {
        (Aim::By(by), Direction::Up) => now.saturating_add(far(by)).min(last),
        (Aim::By(by), Direction::Down) => now.saturating_sub(far(by)).max(lowest),
        // The first that offers enough; where none does, the last.
        (Aim::Carry(resource, needed), Direction::Up) => {
            let enough =
                |at: &usize| ladder.rungs.get(*at).is_some_and(|rung| resource.offered(rung) >= needed);
            (now + 1..=last).find(enough).unwrap_or(last)
        }
        // Down only past rungs that all offer enough: order is data, and need not be that of what is drawn on.
        (Aim::Carry(resource, needed), Direction::Down) => {
            let enough =
                |at: &usize| ladder.rungs.get(*at).is_some_and(|rung| resource.offered(rung) >= needed);
            (lowest..now).rev().take_while(enough).last().unwrap_or(now)
        }
        (Aim::Step(_) | Aim::To(_), _) => now,
    };
    let (guard, end) = if intent.direction == Direction::Up { ("at_ceiling", last) } else { ("at_floor", 0) };
    let saw = CheckInput::Rung { at: now + 1, of: ladder.rungs.len() };
    if to == now && matches!(intent.aim, Aim::Carry(..)) && now != end {
        let why = format!("the next rung of ladder `{}` would not carry the load", ladder.name);
        return guards.ask_for("on_target", saw, Err(Hold::OnTarget { why }));
    }
    let limit = || format!("`{shape}` is the last rung of ladder `{}`", ladder.name);
    let at_end = (to == now).then(|| match intent.direction {
        Direction::Up => Hold::AtCeiling { axis, limit: limit() },
        Direction::Down => Hold::AtFloor { axis, limit: limit() },
    });
    guards.ask(guard, saw, at_end)?;
    Ok(Goal::Rung { ladder, now, to })
}

/// The ladder that holds a shape.
pub(super) fn listed<'a>(
    guards: &mut Guards,
    shape: &str,
    policy: &'a Policy,
) -> Result<Cow<'a, Ladder>, Hold> {
    let found = policy.ladders.holding(shape);
    let saw = match &found {
        Some(ladder) => CheckInput::Ladder(Arc::clone(&ladder.name)),
        None => shape.to_owned().into(),
    };
    let unlisted = || {
        let nearest = policy.ladders.nearest(shape).map(str::to_owned);
        Hold::UnlistedShape { shape: shape.to_owned(), nearest }
    };
    guards.ask_for("unlisted_shape", saw, found.ok_or_else(unlisted))
}
