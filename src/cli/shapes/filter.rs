//! The filters of `stepladder shapes`: which shapes offer what is wanted.

use std::str::FromStr;

use clap::Args;
use stepladder::ladder::{FlexShape, Ladder, Rung};

/// What a shape must offer.
#[derive(Debug, Args)]
pub(super) struct ShapeFilter {
    /// Only shapes with so many vCPUs: `8`, `8..`, `..16` or `8..16`
    #[arg(long, value_name = "RANGE")]
    vcpus: Option<NumberRange>,
    /// Only shapes with so much memory, in GiB
    #[arg(long, value_name = "RANGE")]
    memory: Option<NumberRange>,
    /// Only shapes with so many GPUs or other accelerators
    #[arg(long, value_name = "RANGE")]
    gpus: Option<NumberRange>,
    /// Only shapes that cost no more than this, in USD an hour; shapes without a known price are left out
    #[arg(long, value_name = "USD")]
    max_price: Option<f64>,
}

/// Numbers from one to another, with both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
struct NumberRange {
    least: f64,
    most: f64,
}

impl FromStr for NumberRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str, open: f64| match text {
            "" => Some(open),
            number => number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0),
        };
        let range = number(least, 0.0).zip(number(most, f64::INFINITY));
        let range = range.filter(|(least, most)| least <= most && text != "..");
        let (least, most) = range.ok_or("expected a range such as `8`, `8..`, `..16` or `8..16`")?;
        Ok(Self { least, most })
    }
}

impl NumberRange {
    fn holds(self, value: f64) -> bool {
        self.meets(value, value)
    }

    /// Whether it has a number in common with another range.
    fn meets(self, least: f64, most: f64) -> bool {
        least <= self.most && most >= self.least
    }
}

impl ShapeFilter {
    fn keeps(&self, rung: &Rung) -> bool {
        let Self { vcpus, memory, gpus, max_price } = self;
        vcpus.is_none_or(|range| range.holds(f64::from(rung.vcpus)))
            && memory.is_none_or(|range| range.holds(rung.memory_gib))
            && gpus.is_none_or(|range| range.holds(f64::from(rung.gpus)))
            && max_price.is_none_or(|most| rung.price.is_some_and(|price| price <= most))
    }

    /// Whether any size of a flexible shape may pass. They have no accelerators.
    pub(super) fn keeps_flexible(&self, flex: &FlexShape) -> bool {
        let Self { vcpus, memory, gpus, max_price } = self;
        let per_ocpu = f64::from(flex.vcpus_per_ocpu);
        let cores = |ocpus: u32| f64::from(ocpus) * per_ocpu;
        let price = flex.price_per_ocpu.zip(flex.price_per_gib);
        let cheapest = price.map(|(per_ocpu, per_gib)| {
            f64::from(flex.ocpus.min) * per_ocpu + f64::from(flex.memory_gib.min) * per_gib
        });
        vcpus.is_none_or(|range| range.meets(cores(flex.ocpus.min), cores(flex.ocpus.max)))
            && memory.is_none_or(|range| {
                range.meets(f64::from(flex.memory_gib.min), f64::from(flex.memory_gib.max))
            })
            && gpus.is_none_or(|range| range.holds(0.0))
            && max_price.is_none_or(|most| cheapest.is_some_and(|price| price <= most))
    }

    /// The rungs of a ladder that pass.
    pub(super) fn rungs<'l>(&self, ladder: &'l Ladder) -> Vec<&'l Rung> {
        ladder.rungs.iter().filter(|rung| self.keeps(rung)).collect()
    }
}
