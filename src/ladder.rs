//! Ordered tables of shapes. Vertical scaling is one step along one of them.
//!
//! Order is data, never computed: GPU sizes are not monotone. Families never mix. Only flexible shapes have a
//! ladder that follows from their size.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::size::{Flex, Size};

mod flex;
mod resource;

pub use flex::{FlexShape, GIB_PER_OCPU};
pub use resource::Resource;

/// One shape, and what it offers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The shape's name as the API spells it; a flexible shape has its size after it, as in `VM.Standard.E4.Flex:2:32`.
    pub shape: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Accelerators (default: 0).
    #[serde(default)]
    pub gpus: u32,
    /// The model of the accelerators, such as `A10G`.
    #[serde(default)]
    pub accelerator: Option<String>,
    /// The memory of each accelerator in GiB.
    #[serde(default)]
    pub gpu_memory_gib: Option<f64>,
    /// US dollars per hour of one instance, for costs and budgets.
    #[serde(default)]
    pub price: Option<f64>,
}

/// Shapes of one family from small to large.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// Its name, such as that of the family.
    pub name: Arc<str>,
    /// Its shapes, from small to large: a step leads to the next one.
    pub rungs: Vec<Rung>,
}

impl Ladder {
    /// The place of a shape, counted from 0.
    pub fn position(&self, shape: &str) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.shape == shape)
    }

    /// The rung of a shape.
    pub fn rung(&self, shape: &str) -> Option<&Rung> {
        self.rungs.get(self.position(shape)?)
    }

    /// The rung `steps` further up (or down, when negative), stopping at the ends. `None` when the shape is
    /// not on this ladder or already at that end.
    pub fn climb(&self, shape: &str, steps: i32) -> Option<&Rung> {
        let from = self.position(shape)?;
        let last = self.rungs.len().saturating_sub(1);
        let wanted = i64::try_from(from).ok()? + i64::from(steps);
        let to = usize::try_from(wanted.max(0)).ok()?.min(last);
        (to != from).then(|| self.rungs.get(to)).flatten()
    }

    /// The next rung up.
    ///
    /// ```
    /// use stepladder::policy::Policy;
    /// let ladders = Policy::built_in()?.ladders;
    /// let ladder = ladders.holding("VM.Standard2.2").unwrap();
    /// assert_eq!(ladder.up("VM.Standard2.2").unwrap().shape, "VM.Standard2.4");
    /// assert_eq!(ladder.up("VM.Standard2.24"), None);
    /// # Ok::<(), stepladder::policy::Errors>(())
    /// ```
    pub fn up(&self, shape: &str) -> Option<&Rung> {
        self.climb(shape, 1)
    }

    /// The next rung down.
    pub fn down(&self, shape: &str) -> Option<&Rung> {
        self.climb(shape, -1)
    }

    /// Whether a shape is above the floor, or above the lowest rung where this ladder does not hold the floor.
    pub fn is_above(&self, shape: &str, floor: Option<&str>) -> bool {
        let floor = floor.and_then(|floor| self.position(floor)).unwrap_or_default();
        self.position(shape).is_some_and(|position| position > floor)
    }
}

/// Jaro-Winkler likeness from 0 to 1. Unrelated names of one platform, which share a prefix, stay below it. A missing
/// letter or another size of the same family is above.
const ALIKE: f64 = 0.75;

/// A word of so many letters may have a wrong one. A shorter one is another word then.
const LONG_WORD: usize = 5;

/// The active ladders: a policy's own first, then the built-in ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ladders {
    tables: Vec<Ladder>,
    flex: Vec<FlexShape>,
    /// The place of each shape: that of its table, and its own in the table.
    places: FxHashMap<String, (usize, usize)>,
}

/// A text of ladders and flexible shapes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LadderFile {
    ladder: Vec<Ladder>,
    #[serde(default)]
    flex: Vec<FlexShape>,
}

impl Ladders {
    /// Reads a text whose keys are `ladder` and `flex`.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        let LadderFile { ladder, flex } = toml::from_str(text)?;
        Ok(Self { tables: ladder, flex, places: FxHashMap::default() }.indexed())
    }

    /// These, and others after them.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        others.after(self.tables, self.flex)
    }

    /// Puts a policy's own ladders and flexible shapes before these.
    #[must_use]
    pub fn after(self, ladders: Vec<Ladder>, flex: Vec<FlexShape>) -> Self {
        let replaced = |known: &FlexShape| flex.iter().any(|own| own.shape == known.shape);
        let built_in: Vec<FlexShape> = self.flex.into_iter().filter(|known| !replaced(known)).collect();
        let tables = ladders.into_iter().chain(self.tables).collect();
        let flex = flex.into_iter().chain(built_in).collect();
        Self { tables, flex, places: FxHashMap::default() }.indexed()
    }

    /// Where several tables hold a shape, the first counts.
    fn indexed(mut self) -> Self {
        for (table, ladder) in self.tables.iter().enumerate() {
            for (at, rung) in ladder.rungs.iter().enumerate() {
                self.places.entry(rung.shape.clone()).or_insert((table, at));
            }
        }
        self
    }

    /// Every table, in the order in which they are searched.
    pub fn iter(&self) -> impl Iterator<Item = &Ladder> {
        self.tables.iter()
    }

    /// Every flexible shape, in the order in which they are searched, which is after the tables.
    pub fn flex(&self) -> impl Iterator<Item = &FlexShape> {
        self.flex.iter()
    }

    /// The first ladder that holds the shape; that of a flexible shape is made of its size.
    pub fn holding(&self, shape: &str) -> Option<Cow<'_, Ladder>> {
        let table = self.places.get(shape).and_then(|(table, _)| self.tables.get(*table));
        table.map(Cow::Borrowed).or_else(|| self.made_for(shape).map(Cow::Owned))
    }

    fn made_for(&self, rung: &str) -> Option<Ladder> {
        let (shape, flex) = Flex::read(rung)?;
        self.flex.iter().find(|known| known.shape == shape).map(|known| known.ladder(flex))
    }

    /// The rung of a shape, whichever ladder it is on.
    pub fn rung(&self, shape: &str) -> Option<Cow<'_, Rung>> {
        if let Some((table, at)) = self.places.get(shape) {
            return self.tables.get(*table)?.rungs.get(*at).map(Cow::Borrowed);
        }
        self.made_for(shape)?.rung(shape).cloned().map(Cow::Owned)
    }

    /// What a size costs in an hour, in US dollars; `None` where its shape has no price.
    pub fn cost(&self, size: &Size) -> Option<f64> {
        Some(self.rung(&size.rung())?.price? * f64::from(size.instances))
    }

    /// The ladder whose shapes are spelled most like this one, for messages; `None` when none is like it. Never one of
    /// another series or, for a flexible shape, of fixed ones: that would be another kind of machine.
    pub fn nearest(&self, shape: &str, is_flexible: bool) -> Option<&str> {
        let likeness = |name: &str| {
            if is_of_series(name, shape) { strsim::jaro_winkler(name, shape) } else { 0.0 }
        };
        let of = |ladder: &Ladder| ladder.rungs.iter().map(|rung| likeness(&rung.shape)).fold(0.0, f64::max);
        let tables = self.iter().filter(|_| !is_flexible).map(|ladder| (of(ladder), &*ladder.name));
        let flexible = self.flex.iter().filter(|_| is_flexible);
        let flexible = flexible.map(|known| (likeness(&known.shape), known.shape.as_str()));
        let rated = tables.chain(flexible).filter(|(rate, _)| *rate > ALIKE);
        rated.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
    }
}

/// Whether two shapes are of one series: their names begin with the same part, and the letters of the next part are the
/// same, except for a slip in a long word.
fn is_of_series(one: &str, other: &str) -> bool {
    let series = |name: &str| {
        let mut parts = name.split(['.', ':']);
        let (cloud, family) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let letters: String = family.chars().take_while(|c| c.is_alphabetic()).collect();
        (cloud.to_lowercase(), letters.to_lowercase())
    };
    let ((cloud, letters), (other_cloud, other_letters)) = (series(one), series(other));
    let is_slip = letters.len().min(other_letters.len()) >= LONG_WORD
        && strsim::jaro_winkler(&letters, &other_letters) > ALIKE;
    cloud == other_cloud && (letters == other_letters || is_slip)
}
