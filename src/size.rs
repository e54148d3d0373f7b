//! How large a deployment is, and the axes along which that changes.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The shape of a deployment whose instances have none of their own.
pub const NO_SHAPE: &str = "none";

/// How much of a deployment there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// How many instances.
    pub instances: u32,
    /// What each of them is: an instance shape or type.
    pub shape: String,
    /// How large a flexible shape is made.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Flex>,
    /// The bandwidth of its load balancer in Mbps; only where the rule changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbps: Option<u32>,
}

/// The size of an instance of a flexible shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flex {
    /// Cores.
    pub ocpus: u32,
    /// Memory in GB.
    pub memory_gib: u32,
}

impl Size {
    /// So many instances of a shape that has one size.
    pub fn new(instances: u32, shape: impl Into<String>) -> Self {
        Self { instances, shape: shape.into(), flex: None, bandwidth_mbps: None }
    }

    /// Whether its instances have one shape. Those of a serverless deployment, or of several shapes, have none.
    pub fn has_shape(&self) -> bool {
        self.shape != NO_SHAPE
    }

    /// Its place on a ladder: the shape, and for a flexible one how large it is made.
    ///
    /// ```
    /// use stepladder::size::{Flex, Size};
    /// let flex = Some(Flex { ocpus: 2, memory_gib: 32 });
    /// let size = Size { flex, ..Size::new(1, "VM.Standard.E4.Flex") };
    /// assert_eq!(size.rung(), "VM.Standard.E4.Flex:2:32");
    /// assert_eq!(Size::new(1, "VM.Standard2.1").on_rung("VM.Standard.E4.Flex:2:32"), size);
    /// ```
    pub fn rung(&self) -> Cow<'_, str> {
        let Self { shape, flex, .. } = self;
        flex.map_or(Cow::Borrowed(shape), |flex| Cow::Owned(flex.rung(shape)))
    }

    /// The same, on another place of a ladder.
    #[must_use]
    pub fn on_rung(&self, rung: &str) -> Self {
        let (shape, flex) = Flex::read(rung).map_or((rung, None), |(shape, flex)| (shape, Some(flex)));
        Self { instances: self.instances, shape: shape.to_owned(), flex, bandwidth_mbps: self.bandwidth_mbps }
    }
}

impl Flex {
    /// The place on a ladder of a shape that is made this large.
    pub fn rung(self, shape: &str) -> String {
        format!("{shape}:{}:{}", self.ocpus, self.memory_gib)
    }

    /// The shape of such a place, and how large it is made; `None` for every other shape.
    pub fn read(rung: &str) -> Option<(&str, Self)> {
        let (rest, memory) = rung.rsplit_once(':')?;
        let (shape, ocpus) = rest.rsplit_once(':')?;
        Some((shape, Self { ocpus: ocpus.parse().ok()?, memory_gib: memory.parse().ok()? }))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.instances, self.has_shape()) {
            (0, false) => return f.write_str("serverless"),
            (instances, false) => write!(f, "{instances} instances")?,
            (instances, true) => write!(f, "{instances} × {}", self.shape)?,
        }
        if let Some(Flex { ocpus, memory_gib }) = self.flex {
            write!(f, " ({ocpus} OCPU, {memory_gib} GB)")?;
        }
        self.bandwidth_mbps.map_or(Ok(()), |bandwidth| write!(f, " at {bandwidth} Mbps"))
    }
}

/// The ways to give a deployment more. One of them per update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Horizontal: more of the same.
    Instances,
    /// Vertical: the next rung of the shape's ladder.
    Shape,
    /// The bandwidth of the load balancer in front of it.
    Bandwidth,
}

impl Axis {
    /// Its word in policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Shape => "shape",
            Self::Bandwidth => "bandwidth",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The direction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To more.
    Up,
    /// To less.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// Inclusive bounds on the number of instances, or on a bandwidth in Mbps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as `{ min = 1, max = 10 }`")]
pub struct Bounds {
    /// The lower bound.
    pub min: u32,
    /// The upper bound.
    pub max: u32,
}

impl Bounds {
    /// The bounds that satisfy both. Where the two do not overlap, the floor is above the ceiling: then no number may
    /// be raised or lowered.
    #[must_use]
    pub fn intersect(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    /// The bounds that a search from a current number may use. Bounds that contradict each other leave one number: the
    /// ceiling, and where there is more than that the current number, because no number may be lowered.
    ///
    /// ```
    /// use stepladder::size::Bounds;
    /// let contradicting = Bounds { min: 900, max: 4 };
    /// assert_eq!(contradicting.reachable_from(2), Bounds { min: 4, max: 4 });
    /// assert_eq!(contradicting.reachable_from(6), Bounds { min: 6, max: 6 });
    /// ```
    #[must_use]
    pub fn reachable_from(self, current: u32) -> Self {
        if self.min <= self.max {
            return self;
        }
        let only = self.max.max(current);
        Self { min: only, max: only }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}
