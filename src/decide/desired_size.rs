//! The size that a proposal leads to, within the bounds of the count and the bandwidth and the ends of the ladder.

use std::borrow::Cow;
use std::ops::Range;

use crate::ladder::{Ladder, Resource, Rung};
use crate::size::{Axis, Bounds, Direction, Size};

use super::proposal::{Magnitude, Proposal};
use super::{Context, Hold};

/// The current and the desired place on one axis. A guard may shorten the change to a place between them.
pub(super) enum DesiredSize<'a> {
    /// A number of instances, or of Mbps.
    Number { axis: Axis, current: u32, desired: u32 },
    /// A rung of a ladder, by its position.
    Rung {
        ladder: Cow<'a, Ladder>,
        current: usize,
        desired: usize,
        /// What a step up must bring more of; `None` where the alarm's metric does not say.
        measured: Option<Resource>,
    },
}

impl DesiredSize<'_> {
    /// The observed size with this one change.
    pub(super) fn applied_to(&self, observed: &Size) -> Size {
        match self {
            Self::Number { axis: Axis::Bandwidth, desired, .. } => {
                Size { bandwidth_mbps: Some(*desired), ..observed.clone() }
            }
            Self::Number { desired, .. } => Size { instances: *desired, ..observed.clone() },
            Self::Rung { ladder, desired, .. } => match ladder.rungs.get(*desired) {
                Some(rung) => observed.on_rung(&rung.shape),
                None => observed.clone(),
            },
        }
    }

    /// The current and the desired rung; `None` for a number.
    pub(super) fn rungs(&self) -> Option<(&Rung, &Rung)> {
        let Self::Rung { ladder, current, desired, .. } = self else { return None };
        ladder.rungs.get(*current).zip(ladder.rungs.get(*desired))
    }

    /// The largest part of this change that is acceptable; `None` where no part is. On a number, every part that is shorter
    /// than an acceptable one must be acceptable as well: a number may be larger than could be tried one by one.
    pub(super) fn shortened(mut self, is_acceptable: impl Fn(&Self) -> bool) -> Option<Self> {
        if let Self::Number { axis, current, desired } = self {
            let by = |distance: u32| {
                let up = desired > current;
                let to = if up { current.saturating_add(distance) } else { current.saturating_sub(distance) };
                Self::Number { axis, current, desired: to }
            };
            let distance = longest(current.abs_diff(desired), |distance| is_acceptable(&by(distance)))?;
            return Some(by(distance));
        }
        while !is_acceptable(&self) {
            self = self.one_shorter()?;
        }
        Some(self)
    }

    /// The change to the rung before; `None` where nothing would change. A step up leaves out every rung that has no more
    /// of what is measured than a rung below it: it would cost more and bring nothing.
    fn one_shorter(self) -> Option<Self> {
        let Self::Rung { ladder, current, desired, measured } = self else { return None };
        let desired = if desired > current {
            (current + 1..desired).rev().find(|at| has_most(&ladder, current..*at, *at, measured))?
        } else {
            desired.saturating_add(1).min(current)
        };
        (desired != current).then_some(Self::Rung { ladder, current, desired, measured })
    }
}

/// Whether a rung has more of what is measured than every one of the rungs below it.
fn has_most(ladder: &Ladder, below: Range<usize>, at: usize, measured: Option<Resource>) -> bool {
    let (Some(resource), Some(rung)) = (measured, ladder.rungs.get(at)) else { return measured.is_none() };
    let below = ladder.rungs.get(below).unwrap_or_default();
    below.iter().all(|than| resource.is_more_on(rung, than))
}

/// The longest acceptable distance from 1 to this one, by halving; the whole one even if it is 0. `None` where none is.
fn longest(whole: u32, is_acceptable: impl Fn(u32) -> bool) -> Option<u32> {
    if is_acceptable(whole) {
        return Some(whole);
    }
    let (mut accepted, mut refused) = (0, whole);
    while refused - accepted > 1 {
        let middle = accepted + (refused - accepted) / 2;
        if is_acceptable(middle) { accepted = middle } else { refused = middle }
    }
    (accepted > 0).then_some(accepted)
}

/// The size that a proposal leads to. Holds as `at_ceiling` or `at_floor` where nothing is left, on a ladder also as
/// `unlisted_shape` or `on_target`.
pub(super) fn within_limits<'a>(
    context: &mut Context<'a>,
    proposal: &Proposal,
) -> Result<DesiredSize<'a>, Hold> {
    match proposal.axis {
        Axis::Instances => instances(context, proposal),
        Axis::Shape => rung(context, proposal),
        Axis::Bandwidth => bandwidth(context, proposal),
    }
}

fn instances<'a>(context: &mut Context<'a>, proposal: &Proposal) -> Result<DesiredSize<'a>, Hold> {
    let current = context.observed.size.instances;
    let wanted = match proposal.magnitude {
        Magnitude::StepTo(to) | Magnitude::Exactly(to) => to,
        Magnitude::By(_) | Magnitude::Offering(..) => current,
    };
    let bounds = context.instance_bounds();
    number(context, proposal, NumberWithin { current, wanted, bounds })
}

/// A step doubles or halves the bandwidth: an alarm on a percentage does not report what the load needs.
fn bandwidth<'a>(context: &mut Context<'a>, proposal: &Proposal) -> Result<DesiredSize<'a>, Hold> {
    // A deployment that reports none is not resizable, which was checked before.
    let current = context.observed.size.bandwidth_mbps.unwrap_or_default();
    let wanted = match (proposal.magnitude, proposal.direction) {
        (Magnitude::By(doublings), Direction::Up) => current.saturating_mul(2_u32.saturating_pow(doublings)),
        (Magnitude::By(halvings), Direction::Down) => current.div_ceil(2_u32.saturating_pow(halvings)),
        (Magnitude::StepTo(to) | Magnitude::Exactly(to), _) => to,
        (Magnitude::Offering(..), _) => current,
    };
    let bounds = context.settings().bandwidth;
    number(context, proposal, NumberWithin { current, wanted, bounds })
}

/// A count or a bandwidth, and the bounds that it must stay within.
struct NumberWithin {
    current: u32,
    wanted: u32,
    bounds: Bounds,
}

/// The wanted number within its bounds. A number outside its bounds never moves further out, nor against the alarm's
/// direction. A number below its floor that is raised is raised to the floor at least.
fn number<'a>(
    context: &mut Context<'a>,
    proposal: &Proposal,
    NumberWithin { current, wanted, bounds }: NumberWithin,
) -> Result<DesiredSize<'a>, Hold> {
    let axis = proposal.axis;
    let input = format!("{current} of {bounds}");
    let verb = if axis == Axis::Instances { "runs" } else { "has" };
    let desired = match proposal.direction {
        Direction::Up => {
            let limit = format!("it {verb} {current}, and {} is its ceiling", bounds.max);
            let hold = (current >= bounds.max).then_some(Hold::AtCeiling { axis, limit });
            context.check("at_ceiling", input, hold)?;
            wanted.max(bounds.min).min(bounds.max)
        }
        Direction::Down => {
            let limit = format!("it {verb} {current}, and {} is its floor", bounds.min);
            let hold = (current <= bounds.min).then_some(Hold::AtFloor { axis, limit });
            context.check("at_floor", input, hold)?;
            wanted.max(bounds.min)
        }
    };
    Ok(DesiredSize::Number { axis, current, desired })
}

/// The part of a ladder that a change may use, by position.
struct RungRange<'l> {
    ladder: &'l Ladder,
    current: usize,
    /// The lowest rung that a step down may reach.
    lowest: usize,
    /// The ladder's last rung.
    last: usize,
    /// What a step up must bring more of; `None` where the alarm's metric measures none.
    measured: Option<Resource>,
}

fn rung<'a>(context: &mut Context<'a>, proposal: &Proposal) -> Result<DesiredSize<'a>, Hold> {
    let shape = context.observed.size.rung();
    let ladder = unlisted_shape(context, &shape)?;
    let floor = context.observed.floor.as_deref();
    let removes_only_added = context.evaluation.is_from_written_pair();
    if removes_only_added && !ladder.is_above(&shape, floor) {
        let limit = format!("`{shape}` is what it was deployed with, or less");
        return context.check_result("at_floor", shape, Err(Hold::AtFloor { axis: Axis::Shape, limit }));
    }
    let current = ladder.position(&shape).unwrap_or_default();
    let floor = floor.filter(|_| removes_only_added).and_then(|floor| ladder.position(floor));
    let range = RungRange {
        ladder: &ladder,
        current,
        lowest: floor.unwrap_or_default().min(current),
        last: ladder.rungs.len().saturating_sub(1),
        measured: measured(context, proposal),
    };
    let desired = range.desired(proposal);
    end_of_ladder(context, proposal, &range, desired)?;
    let measured = range.measured;
    Ok(DesiredSize::Rung { current, desired, measured, ladder })
}

/// The resource that a step up must bring more of.
fn measured(context: &Context, proposal: &Proposal) -> Option<Resource> {
    match proposal.magnitude {
        Magnitude::Offering(resource, _) => Some(resource),
        Magnitude::By(_) | Magnitude::StepTo(_) | Magnitude::Exactly(_) => {
            context.evaluation.metric().and_then(Resource::of)
        }
    }
}

impl RungRange<'_> {
    /// The position that a proposal leads to.
    fn desired(&self, proposal: &Proposal) -> usize {
        let Self { current, lowest, .. } = *self;
        let count = |by: u32| usize::try_from(by).unwrap_or(usize::MAX);
        match (proposal.magnitude, proposal.direction) {
            (Magnitude::By(by), Direction::Up) => {
                let up = std::iter::successors(Some(current), |at| self.next_with_more(*at));
                up.take(count(by).saturating_add(1)).last().unwrap_or(current)
            }
            (Magnitude::By(by), Direction::Down) => current.saturating_sub(count(by)).max(lowest),
            (Magnitude::Offering(resource, needed), Direction::Up) => self.up_to(resource, needed),
            // Every rung on the way down must offer enough: a ladder's order need not be that of one resource.
            (Magnitude::Offering(resource, needed), Direction::Down) => {
                let enough = |at: &usize| self.offers(*at, resource, needed);
                (lowest..current).rev().take_while(enough).last().unwrap_or(current)
            }
            (Magnitude::StepTo(_) | Magnitude::Exactly(_), _) => current,
        }
    }

    /// The next rung up that has more of what is measured.
    fn next_with_more(&self, from: usize) -> Option<usize> {
        let than = self.ladder.rungs.get(from)?;
        let has_more = |rung: &Rung| self.measured.is_none_or(|resource| resource.is_more_on(rung, than));
        (from + 1..=self.last).find(|at| self.ladder.rungs.get(*at).is_some_and(has_more))
    }

    /// The first rung up that offers enough; where none does, the first of those that offer most. The current one where
    /// no rung offers more.
    fn up_to(&self, resource: Resource, needed: f64) -> usize {
        let offered = |at: usize| self.ladder.rungs.get(at).map_or(0.0, |rung| resource.offered(rung));
        let most = |best: usize, at: usize| if offered(at) > offered(best) { at } else { best };
        let up = self.current + 1..=self.last;
        up.clone().find(|at| offered(*at) >= needed).unwrap_or_else(|| up.fold(self.current, most))
    }

    fn offers(&self, position: usize, resource: Resource, needed: f64) -> bool {
        self.ladder.rungs.get(position).is_some_and(|rung| resource.offered(rung) >= needed)
    }
}

/// A shape at the end of its ladder stays; so does one whose next rung would not carry the load (`on_target`).
fn end_of_ladder(
    context: &mut Context,
    proposal: &Proposal,
    range: &RungRange,
    desired: usize,
) -> Result<(), Hold> {
    let RungRange { ladder, current, last, .. } = *range;
    let is_up = proposal.direction == Direction::Up;
    let (guard, end) = if is_up { ("at_ceiling", last) } else { ("at_floor", 0) };
    let input = format!("rung {} of {}", current + 1, ladder.rungs.len());
    if desired != current {
        return context.check(guard, input, None);
    }
    if !is_up && matches!(proposal.magnitude, Magnitude::Offering(..)) && current != end {
        let why = format!("the next rung of ladder `{}` would not carry the load", ladder.name);
        return context.check("on_target", input, Some(Hold::OnTarget { why }));
    }
    let axis = Axis::Shape;
    let shape = context.observed.size.rung();
    let limit = match range.measured.filter(|_| is_up && current != last) {
        Some(resource) => {
            let name = resource.as_str();
            format!("no rung above `{shape}` on ladder `{}` has more {name}", ladder.name)
        }
        None => format!("`{shape}` is the last rung of ladder `{}`", ladder.name),
    };
    let hold = if is_up { Hold::AtCeiling { axis, limit } } else { Hold::AtFloor { axis, limit } };
    context.check(guard, input, Some(hold))
}

/// The observed shape must be on a ladder.
pub(super) fn unlisted_shape<'a>(context: &mut Context<'a>, shape: &str) -> Result<Cow<'a, Ladder>, Hold> {
    let ladders = &context.policy.ladders;
    let ladder = ladders.holding(shape);
    let input =
        ladder.as_ref().map_or_else(|| shape.to_owned(), |ladder| format!("on ladder {}", ladder.name));
    let unlisted = || Hold::unlisted_shape(shape, ladders);
    context.check_result("unlisted_shape", input, ladder.ok_or_else(unlisted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_acceptable_part_is_found_in_few_tries() {
        for (whole, most, expected) in [
            (10, 10, Some(10)),
            (10, 7, Some(7)),
            (10, 1, Some(1)),
            (10, 0, None),
            (0, 0, Some(0)),
            (u32::MAX, 3_000_000_001, Some(3_000_000_001)),
            (u32::MAX, 0, None),
        ] {
            let tries = std::cell::Cell::new(0);
            let is_acceptable = |distance: u32| {
                tries.set(tries.get() + 1);
                distance <= most
            };
            assert_eq!(longest(whole, is_acceptable), expected, "{whole} {most}");
            assert!(tries.get() <= 33, "{whole} {most}: {}", tries.get());
        }
    }
}
