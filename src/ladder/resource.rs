//! The resources that metrics measure, and how much of them a rung offers.

use super::Rung;

/// The resource that a metric measures: with more of it, the metric falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Cores.
    Cpu,
    /// Memory.
    Memory,
    /// Accelerators.
    Gpu,
    /// The memory of all accelerators together.
    GpuMemory,
    /// The bandwidth of the load balancer.
    Bandwidth,
}

/// The metrics that are a share of a resource, in any platform's spelling.
const UTILIZATIONS: [(&str, Resource); 6] = [
    ("CpuUtilization", Resource::Cpu),
    ("MemoryUtilization", Resource::Memory),
    ("GpuUtilization", Resource::Gpu),
    ("GPUCoreUtilization", Resource::Gpu),
    ("GpuMemoryUtilization", Resource::GpuMemory),
    ("PredictBandwidth", Resource::Bandwidth),
];

impl Resource {
    /// The resource of a metric, in any platform's spelling; `None` for a metric that is no utilization.
    ///
    /// ```
    /// use stepladder::ladder::Resource;
    /// assert_eq!(Resource::of("CPUUtilization"), Some(Resource::Cpu));
    /// assert_eq!(Resource::of("GPUMemoryUtilization"), Some(Resource::GpuMemory));
    /// assert_eq!(Resource::of("Invocations"), None);
    /// ```
    pub fn of(metric: &str) -> Option<Self> {
        let known = UTILIZATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(metric));
        known.map(|(_, resource)| *resource)
    }

    /// The metrics that are a share of a resource, in one spelling each.
    pub fn utilizations() -> impl Iterator<Item = &'static str> {
        UTILIZATIONS.iter().map(|(name, _)| *name)
    }

    /// How much of it a rung offers. A load balancer does not depend on the rung. Where a ladder does not list how much
    /// memory its accelerators have, their number is used instead.
    pub fn offered(self, rung: &Rung) -> f64 {
        let gpus = f64::from(rung.gpus.max(1));
        match self {
            Self::Cpu => f64::from(rung.vcpus),
            Self::Memory => rung.memory_gib,
            Self::Gpu => gpus,
            Self::GpuMemory => gpus * rung.gpu_memory_gib.unwrap_or(1.0),
            Self::Bandwidth => 1.0,
        }
    }

    /// By how much the metric grows from one rung to another.
    pub fn ratio(self, from: &Rung, to: &Rung) -> f64 {
        self.offered(from) / self.offered(to)
    }

    /// Whether one rung has more of it than another that is below it. As many accelerators of another model count as
    /// more: by the order of the ladder, the model is the stronger one.
    pub fn is_more_on(self, rung: &Rung, than: &Rung) -> bool {
        let has_another_model = || {
            let models = rung.accelerator.as_ref().zip(than.accelerator.as_ref());
            rung.gpus == than.gpus && models.is_some_and(|(model, other)| model != other)
        };
        self.offered(rung) > self.offered(than) || (self == Self::Gpu && has_another_model())
    }

    /// Its name in a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "vCPUs",
            Self::Memory => "memory",
            Self::Gpu => "accelerators",
            Self::GpuMemory => "accelerator memory",
            Self::Bandwidth => "bandwidth",
        }
    }
}
