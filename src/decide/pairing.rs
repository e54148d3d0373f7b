//! The paired alarm of a change: whether it could ever fire, and how low its threshold must be so that the scale-up alarm
//! does not undo its step down.

use crate::alarm::Side;
use crate::ladder::{Resource, Rung};
use crate::pair::{Pair, ScaleUpThreshold};
use crate::platform::metric::{Metric, Range, Sharing};
use crate::policy::Role;
use crate::policy::flap::{HALF, MARGIN};
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction, Size};
use crate::text::number;

use super::{Context, Hold, SizeChange};

/// The least threshold of a pair on a utilization, in percent: what runs without any load uses as much.
const LEAST_PERCENT: f64 = 0.5;

/// The pair fires a thousandth below what a step down allows: an alarm that reports no value was at most at its threshold.
const UNDER: f64 = 0.999;

impl<'a> Context<'a> {
    /// The metric of the rule's pair; `None` where there is no pair, or where its metric is not published for this kind of
    /// target.
    pub(super) fn pair_metric(&self) -> Option<&'static Metric> {
        self.target?.metric(&self.rule().pair.as_ref()?.metric)
    }

    /// Whether the alarm is the pair that stepladder wrote, on a metric that stops with the traffic: no data is low then.
    pub(super) fn silence_is_low(&self) -> bool {
        let alarm = self.evaluation.alarm;
        let fired = self.written_pair().filter(|pair| pair.id == alarm.id || pair.id == *alarm.name);
        let is_about = |metric: &&Metric| {
            let measured = alarm.measurement.metric.as_deref();
            measured.is_none_or(|measured| metric.name.eq_ignore_ascii_case(measured))
        };
        let metric = self.pair_metric().filter(is_about).filter(|metric| metric.stops_with_traffic());
        let is_published = |metric: &Metric| !self.observed.unpublished.contains_key(metric.name);
        self.evaluation.matched.role == Role::Pair && fired.is_some() && metric.is_some_and(is_published)
    }

    /// The threshold of the scale-up alarm on the pair's metric: that of the alarm which fired, or else the one that the pair
    /// records. `None` where neither is known.
    pub(crate) fn scale_up_threshold(&self) -> Option<ScaleUpThreshold> {
        self.fired_threshold().or_else(|| self.recorded_threshold().cloned())
    }

    fn fired_threshold(&self) -> Option<ScaleUpThreshold> {
        let evaluation = self.evaluation;
        let measurement = &evaluation.alarm.measurement;
        let pair = self.rule().pair.as_ref()?;
        let measured = measurement.metric.as_deref().filter(|measured| pair.is_on(measured))?;
        let comparison = self.comparison()?;
        let requests_more = evaluation.matched.role == Role::Rule && comparison.side == Side::Above;
        ScaleUpThreshold::new(measured, Some(comparison.threshold).filter(|_| requests_more)?)
    }

    /// The threshold that stepladder's pair records, if it is still on the metric of the policy's pair.
    pub(super) fn recorded_threshold(&self) -> Option<&'a ScaleUpThreshold> {
        let pair = self.rule().pair.as_ref()?;
        self.written_pair()?.scale_up.as_ref().filter(|recorded| pair.is_on(&recorded.metric))
    }

    /// The recorded threshold, in percent of the observed capacity, for a metric whose load the instances share.
    pub(super) fn recorded_percent(&self, metric: Option<&str>, rung: Option<&Rung>) -> Option<f64> {
        let recorded = self.recorded_threshold()?;
        let known = self.pair_metric().filter(|known| known.sharing == Sharing::Shared)?;
        metric.filter(|metric| known.name.eq_ignore_ascii_case(metric))?;
        known.percent(recorded.above, rung)
    }

    /// Why the pair could never fire for a deployment of this size; `None` where it could.
    pub(crate) fn why_pair_is_silent(&self, size: &Size) -> Option<Hold> {
        let pair = self.rule().pair.as_ref()?;
        let cannot_fire = |why: String| Some(Hold::PairCannotFire { why });
        let Some(metric) = self.pair_metric() else {
            let Pair { metric, .. } = pair;
            return cannot_fire(format!("`{metric}` is not published for deployments of this kind"));
        };
        let name = metric.name;
        if let Some(why) = self.observed.unpublished.get(name) {
            return cannot_fire(format!("`{name}` is not published for this deployment: {why}"));
        }
        let rung = self.observed_rung();
        let is_known = || self.evaluation.metric().is_some_and(|measured| pair.is_on(measured));
        if let Some(rung) = rung.as_deref().filter(|rung| is_of_accelerators(metric) && rung.gpus == 0)
            && !is_known()
        {
            let shape = &rung.shape;
            return cannot_fire(format!("`{name}` is not published on `{shape}`, which has no accelerators"));
        }
        if metric.full(rung.as_deref()).is_none() && metric.range != Range::Open {
            return Some(Hold::unlisted_shape(&self.observed.size.rung(), &self.policy.ladders));
        }
        let above = self.scale_up_threshold()?.above;
        let most = self.highest_pair_threshold(metric, size)?;
        let least = if metric.range == Range::Open { 0.0 } else { LEAST_PERCENT };
        (most <= least).then(|| Hold::PairCannotFire {
            why: format!(
                "the scale-up alarm fires above {} already, so the paired alarm would have to fire below {} % of \
                 the capacity; expected a higher threshold of that alarm",
                number(above),
                number(most)
            ),
        })
    }

    /// Why the scale-up alarm and the pair would both fire: at a load between their thresholds. `None` where no load lies
    /// between.
    fn why_thresholds_cross(&self) -> Option<Hold> {
        let (pair, metric) = (self.rule().pair.as_ref()?, self.pair_metric()?);
        let above = self.fired_threshold()?.above;
        let share = metric.percent(above, self.observed_rung().as_deref())?;
        (share <= pair.below).then(|| {
            let unit = if metric.range == Range::Open { "" } else { " % of the capacity" };
            let [above, share, below] = [above, share, pair.below].map(number);
            let why = format!(
                "the scale-up alarm fires above {above}, which is {share}{unit}, and the paired alarm below \
                 {below}{unit}: expected a higher threshold of that alarm, or a lower `pair.below`"
            );
            Hold::PairCannotFire { why }
        })
    }

    /// The pair for a deployment of this size: its threshold is lower than the policy's where the scale-up alarm, by
    /// its own threshold, would undo the step down.
    pub(crate) fn pair_within_threshold(&self, pair: &Pair, size: &Size) -> Option<Pair> {
        let metric = self.pair_metric()?;
        let most = floor(self.highest_pair_threshold(metric, size)?);
        (most < pair.below).then(|| Pair { below: most, ..pair.clone() })
    }

    /// The pair must fire below this, in percent of the capacity that is observed: one step down must leave the load a
    /// margin below the scale-up alarm's own threshold. `None` where that is not known.
    fn highest_pair_threshold(&self, metric: &Metric, size: &Size) -> Option<f64> {
        let above = self.scale_up_threshold()?.above;
        let above = metric.percent(above, self.observed_rung().as_deref())?;
        let growth =
            if metric.sharing == Sharing::Shared { self.growth_of_a_step(metric, size) } else { 1.0 };
        let under = if growth > 1.0 { UNDER } else { 1.0 };
        Some(above * MARGIN * under / growth)
    }

    /// The factor by which one step down from a size makes the load grow.
    fn growth_of_a_step(&self, metric: &Metric, size: &Size) -> f64 {
        let rule = self.rule();
        if rule.scaling_policy == ScalingPolicy::Cheapest {
            // It goes where the headroom keeps the scale-up alarm quiet.
            return 1.0;
        }
        match rule.axis {
            Axis::Instances => {
                let from = size.instances.max(self.lowest_floor().saturating_add(1));
                f64::from(from) / f64::from(from.saturating_sub(1).max(1))
            }
            Axis::Shape => self.growth_of_a_rung(metric, size).unwrap_or(HALF),
            Axis::Bandwidth => HALF,
        }
    }

    fn growth_of_a_rung(&self, metric: &Metric, size: &Size) -> Option<f64> {
        let shape = size.rung();
        let ladder = self.policy.ladders.holding(&shape)?;
        let (from, to) = (ladder.rung(&shape)?, ladder.down(&shape)?);
        let resource = Resource::of(metric.name).unwrap_or(Resource::Memory);
        Some(resource.ratio(from, to).max(1.0))
    }
}

/// Whether only shapes with accelerators publish it.
fn is_of_accelerators(metric: &Metric) -> bool {
    matches!(Resource::of(metric.name), Some(Resource::Gpu | Resource::GpuMemory))
}

/// Rounded down to a hundredth, where that leaves anything of it.
fn floor(number: f64) -> f64 {
    let floor = (number * 100.0).floor() / 100.0;
    if floor > 0.0 { floor } else { number }
}

/// The capacity must be known of which the paired alarm's threshold is a part. Recorded only where it blocks: other guards
/// of this name are about the ladder.
pub(super) fn unlisted_shape(context: &mut Context, change: &SizeChange) -> Result<(), Hold> {
    match silent(context, change) {
        Some(hold @ Hold::UnlistedShape { .. }) => {
            let shape = context.observed.size.rung().into_owned();
            context.check("unlisted_shape", shape, Some(hold))
        }
        Some(_) | None => Ok(()),
    }
}

/// The paired alarm must be able to fire, or the added capacity is never removed. Nor may it fire where the alarm that
/// adds does: such a threshold was set for another shape. Capacity that exists gets a pair with a lower threshold.
pub(super) fn pair_cannot_fire(context: &mut Context, change: &SizeChange) -> Result<(), Hold> {
    let crosses = || context.why_thresholds_cross().filter(|_| change.direction == Direction::Up);
    let hold = silent(context, change).or_else(crosses);
    let metric = context.pair_metric().map_or("no metric", |metric| metric.name);
    context.check("pair_cannot_fire", metric, hold)
}

fn silent(context: &Context, change: &SizeChange) -> Option<Hold> {
    if change.direction == Direction::Down { None } else { context.why_pair_is_silent(&change.to) }
}
