//! Flexible shapes: their ladder is the current size, doubled and halved.

use serde::Deserialize;

use super::{Ladder, Rung};
use crate::size::{Bounds, Flex};

/// The memory in GB that a flexible shape may have for each core. See
/// <https://docs.oracle.com/en-us/iaas/data-science/using/supported-shapes.htm>.
pub const GIB_PER_OCPU: Bounds = Bounds { min: 6, max: 64 };

/// A flexible shape, and the limits of its size.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlexShape {
    /// The shape's name as the API spells it.
    pub shape: String,
    /// The bounds of its OCPUs.
    pub ocpus: Bounds,
    /// The bounds of its memory, in GB.
    pub memory_gib: Bounds,
    /// Virtual CPUs of each OCPU: 2, or 1 for Arm shapes.
    #[serde(default = "two")]
    pub vcpus_per_ocpu: u32,
    /// US dollars per hour and core.
    #[serde(default)]
    pub price_per_ocpu: Option<f64>,
    /// US dollars per hour and GB of memory.
    #[serde(default)]
    pub price_per_gib: Option<f64>,
}

fn two() -> u32 {
    2
}

impl Flex {
    /// Whether a deployment may have this size.
    pub(crate) fn is_allowed(self) -> bool {
        let least = self.ocpus.saturating_mul(GIB_PER_OCPU.min);
        let most = self.ocpus.saturating_mul(GIB_PER_OCPU.max);
        self.ocpus > 0 && (least..=most).contains(&self.memory_gib)
    }
}

impl FlexShape {
    /// The ladder of a size of this shape.
    pub(super) fn ladder(&self, from: Flex) -> Ladder {
        let below = std::iter::successors(self.halved(from), |flex| self.halved(*flex));
        let above = std::iter::successors(self.doubled(from), |flex| self.doubled(*flex));
        let mut rungs: Vec<Rung> = below.map(|flex| self.rung(flex)).collect();
        rungs.reverse();
        rungs.push(self.rung(from));
        rungs.extend(above.map(|flex| self.rung(flex)));
        Ladder { name: self.shape.as_str().into(), rungs }
    }

    /// Twice as much of both, within the limits. Cores follow memory.
    fn doubled(&self, Flex { ocpus, memory_gib }: Flex) -> Option<Flex> {
        let cores = ocpus.saturating_mul(2).min(self.ocpus.max).max(ocpus);
        let most = self.memory_gib.max.min(cores.saturating_mul(GIB_PER_OCPU.max));
        let memory = memory_gib.saturating_mul(2).min(most).max(memory_gib);
        let cores = cores.min(memory / GIB_PER_OCPU.min).max(ocpus);
        // Cores alone are no answer to a lack of memory.
        (memory > memory_gib).then_some(Flex { ocpus: cores, memory_gib: memory })
    }

    /// Half as much of both, within the limits.
    fn halved(&self, Flex { ocpus, memory_gib }: Flex) -> Option<Flex> {
        let cores = ocpus.div_ceil(2).max(self.ocpus.min).min(ocpus);
        let least = self.memory_gib.min.max(cores.saturating_mul(GIB_PER_OCPU.min));
        let memory = memory_gib.div_ceil(2).max(least).min(memory_gib);
        let cores = cores.max(memory.div_ceil(GIB_PER_OCPU.max)).min(ocpus);
        (memory < memory_gib).then_some(Flex { ocpus: cores, memory_gib: memory })
    }

    fn rung(&self, flex: Flex) -> Rung {
        let Flex { ocpus, memory_gib } = flex;
        let prices = self.price_per_ocpu.zip(self.price_per_gib);
        Rung {
            shape: flex.rung(&self.shape),
            vcpus: ocpus.saturating_mul(self.vcpus_per_ocpu),
            memory_gib: f64::from(memory_gib),
            gpus: 0,
            accelerator: None,
            gpu_memory_gib: None,
            price: prices.map(|(core, gib)| core * f64::from(ocpus) + gib * f64::from(memory_gib)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e4() -> FlexShape {
        FlexShape {
            shape: "E4".to_owned(),
            ocpus: Bounds { min: 1, max: 64 },
            memory_gib: Bounds { min: 6, max: 1024 },
            vcpus_per_ocpu: 2,
            price_per_ocpu: Some(0.5),
            price_per_gib: Some(0.25),
        }
    }

    fn flex((ocpus, memory_gib): (u32, u32)) -> Flex {
        Flex { ocpus, memory_gib }
    }

    #[test]
    fn sizes_double_and_halve_within_the_limits() {
        let rows = [
            // the usual: both double, both halve
            ((2, 32), Some((1, 16)), Some((4, 64))),
            // one core cannot be halved, its memory can
            ((1, 16), Some((1, 8)), Some((2, 32))),
            // 6 GB for each core is the least
            ((1, 8), Some((1, 6)), Some((2, 16))),
            ((1, 6), None, Some((2, 12))),
            // 64 GB for each core is the most: memory cannot double without its cores
            ((1, 64), Some((1, 32)), Some((2, 128))),
            // an odd number is halved to the larger half
            ((3, 48), Some((2, 24)), Some((6, 96))),
            // the largest is the end, wherever the steps began
            ((48, 768), Some((24, 384)), Some((64, 1024))),
            ((64, 1024), Some((32, 512)), None),
            // cores at their end, memory not
            ((64, 512), Some((32, 256)), Some((64, 1024))),
            // memory at its end: more cores would not help
            ((32, 1024), Some((16, 512)), None),
            // larger than the limits: never made smaller by a step up
            ((80, 1100), Some((40, 550)), None),
        ];
        for (from, down, up) in rows {
            assert_eq!(e4().halved(flex(from)), down.map(flex), "{from:?} down");
            assert_eq!(e4().doubled(flex(from)), up.map(flex), "{from:?} up");
        }
    }

    #[test]
    fn cores_stay_behind_where_memory_ends_first() {
        let shape = FlexShape { memory_gib: Bounds { min: 6, max: 48 }, ..e4() };
        // 48 GB are enough for 8 cores
        assert_eq!(shape.doubled(flex((6, 40))), Some(flex((8, 48))));
        // and never for fewer than there are
        assert_eq!(shape.doubled(flex((10, 40))), Some(flex((10, 48))));
    }

    #[test]
    fn every_size_of_every_ladder_keeps_the_limits() {
        for ocpus in 1..=64 {
            for memory_gib in (6 * ocpus..=(64 * ocpus).min(1024)).step_by(7) {
                let ladder = e4().ladder(Flex { ocpus, memory_gib });
                for pair in ladder.rungs.windows(2) {
                    assert!(pair[0].vcpus <= pair[1].vcpus && pair[0].memory_gib < pair[1].memory_gib);
                }
                for rung in &ladder.rungs {
                    let per_core = 2.0 * rung.memory_gib / f64::from(rung.vcpus);
                    assert!((6.0..=64.0).contains(&per_core), "{ocpus}:{memory_gib} has {}", rung.shape);
                    assert!((2..=128).contains(&rung.vcpus) && (6.0..=1024.0).contains(&rung.memory_gib));
                }
            }
        }
    }

    #[test]
    fn a_price_is_that_of_the_cores_and_the_memory() {
        assert_eq!(e4().rung(flex((2, 32))).price, Some(9.0));
        assert_eq!(FlexShape { price_per_gib: None, ..e4() }.rung(flex((2, 32))).price, None);
    }
}
