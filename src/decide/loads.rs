//! The loads that a smaller shape must still carry, besides that of the alarm's own metric.

use crate::ladder::{Resource, Rung};
use crate::platform::ScaleUpAlarm;
use crate::platform::target::Target;
use crate::policy::flap::MARGIN;
use crate::text::number;

use super::Context;
use super::desired_size::DesiredSize;
use super::metrics::Reading;

/// One resource of the observed shape, and how much of it is used.
pub(super) struct OtherLoad {
    /// The metric, as its platform spells it.
    metric: &'static str,
    resource: Resource,
    /// Percent of the capacity; `None` where it has no value.
    percent: Option<f64>,
    /// What the load must stay under on a smaller shape, in percent.
    most: f64,
}

impl Target {
    /// The metrics of all resources of an instance, as its platform spells them.
    pub(super) fn utilizations(&self) -> impl Iterator<Item = &'static str> {
        let all = self.utilization.iter().chain(self.gpu_utilization).copied();
        all.filter(|metric| !metric.is_empty())
    }
}

impl OtherLoad {
    /// Why a smaller shape does not carry it for certain; `None` where it does.
    fn objection(&self, from: &Rung, to: &Rung) -> Option<String> {
        let Self { metric, resource, percent, most } = self;
        let ratio = resource.ratio(from, to);
        if ratio <= 1.0 {
            return None;
        }
        let shape = &to.shape;
        let Some(percent) = percent else {
            return Some(format!(
                "nothing shows that `{shape}` carries the load, because `{metric}` has no value"
            ));
        };
        let (now, then) = (number(*percent), percent * ratio);
        let why =
            || format!("{metric} at {now} would be {} on `{shape}`, of {}", number(then), number(*most));
        (then >= *most).then(why)
    }
}

/// The loads on every resource, except the one that the alarm's own metric measures. Empty where the shape stays.
pub(super) fn other_loads(context: &Context, desired: &DesiredSize) -> Vec<OtherLoad> {
    let (DesiredSize::Rung { .. }, Some(target)) = (desired, context.target) else { return Vec::new() };
    let own = context.evaluation.metric().and_then(Resource::of);
    let rung = context.observed_rung();
    // The threshold of the rule's own alarm is one in percent only where its metric is a utilization.
    let above = context.settings().scale_up_threshold.filter(|_| own.is_some());
    let above = above.unwrap_or(ScaleUpAlarm::DEFAULT_THRESHOLD).min(ScaleUpAlarm::DEFAULT_THRESHOLD);
    let load = |metric: &'static str| {
        let resource = Resource::of(metric).filter(|resource| Some(*resource) != own)?;
        let value = context.value(metric);
        let percent =
            value.and_then(|value| context.percent_of_capacity(&Reading { metric, value }, rung.as_deref()));
        Some(OtherLoad { metric, resource, percent, most: above * MARGIN })
    };
    target.utilizations().filter_map(load).collect()
}

/// Why one of the loads is not carried for certain by the desired shape; `None` where all of them are.
pub(super) fn objection(loads: &[OtherLoad], desired: &DesiredSize) -> Option<String> {
    let (from, to) = desired.rungs()?;
    loads.iter().find_map(|load| load.objection(from, to))
}
