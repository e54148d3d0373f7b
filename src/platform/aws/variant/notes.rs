//! What an endpoint's own tags remember of its changes of type: the step that was begun last, and the types
//! that could not be had.
//!
//! A step is written down before it is taken. When the endpoint is at rest again, the configuration in force
//! tells whether it was.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::field;
use crate::deployment::Infeasible;
use crate::tags::Tags;

/// The tag of the step that was begun last; a variant's name follows.
const STEP: &str = "stepladder:step/";
/// The tag of a type that could not be had; a variant's name and the type follow.
const INFEASIBLE: &str = "stepladder:infeasible/";

/// A change of type that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeChange {
    /// The configuration before it.
    pub(super) from: String,
    /// The configuration after it.
    pub(super) to: String,
    /// The type that it was to bring.
    pub(super) shape: String,
    /// How many instances ran.
    pub(super) instances: u32,
    /// When it was begun.
    pub(super) at: Timestamp,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeChangeResult {
    /// It is in force.
    Taken,
    /// The platform tried, and put the old configuration back.
    RolledBack,
    /// It never came to that, or somebody has changed something else since.
    Dropped,
}

impl TypeChange {
    fn read(tags: &Tags, variant: &str) -> Option<Self> {
        let text = tags.get(&step_key(variant))?;
        let field = |name: &str| field(text, name);
        Some(Self {
            from: field("from")?.to_owned(),
            to: field("to")?.to_owned(),
            shape: field("shape")?.to_owned(),
            instances: field("instances")?.parse().ok()?,
            at: field("at")?.parse().ok()?,
        })
    }

    /// What became of it, for an endpoint at rest.
    fn ending(&self, now: &SettledEndpoint) -> TypeChangeResult {
        let changed_since = now.last_change.is_some_and(|changed| changed > self.at);
        if now.configuration == self.to {
            TypeChangeResult::Taken
        } else if now.configuration == self.from && now.instances == self.instances && changed_since {
            // Nobody else's change leaves configuration and count as they were.
            TypeChangeResult::RolledBack
        } else {
            TypeChangeResult::Dropped
        }
    }
}

impl fmt::Display for TypeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, shape, instances, at } = self;
        write!(f, "from={from} to={to} shape={shape} instances={instances} at={at}")
    }
}

/// An endpoint at rest, as far as a step's ending is told by it.
#[derive(Debug, Clone, Copy)]
pub struct SettledEndpoint<'a> {
    /// The configuration in force.
    pub configuration: &'a str,
    /// How many instances run.
    pub instances: u32,
    /// When the last change was completed.
    pub last_change: Option<Timestamp>,
    /// How long a type is not asked for again after a change to it was rolled back.
    pub capacity_backoff: SignedDuration,
}

/// The types that could not be had: those that are written down, and the one of a step that the endpoint has
/// come back from, where it is at rest.
pub fn infeasible(tags: &Tags, variant: &str, rest: Option<SettledEndpoint>) -> Vec<Infeasible> {
    let prefix = infeasible_key(variant, "");
    let mut known: Vec<Infeasible> =
        tags.iter().filter_map(|(key, text)| read_infeasible(key.strip_prefix(&prefix)?, text)).collect();
    if let Some(rest) = rest {
        known.extend(rolled_back(tags, variant, &rest));
    }
    known
}

fn rolled_back(tags: &Tags, variant: &str, rest: &SettledEndpoint) -> Option<Infeasible> {
    let step =
        TypeChange::read(tags, variant).filter(|step| step.ending(rest) == TypeChangeResult::RolledBack)?;
    let until = rest.last_change?.checked_add(rest.capacity_backoff).ok()?;
    Some(Infeasible { shape: step.shape, until, why: "the endpoint's update was rolled back".to_owned() })
}

fn read_infeasible(shape: &str, text: &str) -> Option<Infeasible> {
    let (until, why) = text.split_once(' ')?;
    Some(Infeasible { shape: shape.to_owned(), until: until.parse().ok()?, why: why.to_owned() })
}

/// The tag that says that a type could not be had.
pub(super) fn note(variant: &str, infeasible: &Infeasible) -> (String, String) {
    let Infeasible { shape, until, why } = infeasible;
    (infeasible_key(variant, shape), format!("{until} {}", taggable(why)))
}

/// The tag that says that a step is begun.
pub(super) fn begun(variant: &str, step: &TypeChange) -> (String, String) {
    (step_key(variant), step.to_string())
}

/// What becomes of the notes about an endpoint at rest.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// To be written down.
    pub(super) write: Tags,
    /// To be forgotten.
    pub(super) forget: Vec<String>,
    /// What an operator should know.
    pub(super) told: Option<String>,
}

/// Sorts out the notes about an endpoint at rest.
pub(super) fn settle(
    tags: &Tags,
    variant: &str,
    configuration: &str,
    at: &super::SettledDeployment,
) -> Settled {
    let super::SettledDeployment { observed, capacity_backoff, now } = *at;
    let (instances, last_change) = (observed.size.instances, observed.last_change);
    let rest = SettledEndpoint { configuration, instances, last_change, capacity_backoff };
    let over = |found: &Infeasible| found.until <= now;
    let mut write = Tags::new();
    let mut told = None;
    let mut forget: Vec<String> = infeasible(tags, variant, None)
        .iter()
        .filter(|found| over(found))
        .map(|found| infeasible_key(variant, &found.shape))
        .collect();
    if let Some(found) = rolled_back(tags, variant, &rest).filter(|found| !over(found)) {
        let (key, value) = note(variant, &found);
        forget.retain(|known| *known != key);
        write.insert(key, value);
        told =
            Some(format!("`{}` is not asked for again before {}: {}", found.shape, found.until, found.why));
    }
    if tags.contains_key(&step_key(variant)) {
        forget.push(step_key(variant));
    }
    Settled { write, forget, told }
}

pub(super) fn step_key(variant: &str) -> String {
    format!("{STEP}{variant}")
}

fn infeasible_key(variant: &str, shape: &str) -> String {
    format!("{INFEASIBLE}{variant}/{shape}")
}

/// Tags take letters, digits, spaces and a few signs, at most 256 of them; the time takes some.
fn taggable(text: &str) -> String {
    let fits = |c: char| if c.is_alphanumeric() || " _.:/=+-@".contains(c) { c } else { ' ' };
    text.chars().map(fits).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn step() -> TypeChange {
        let (from, to) = ("a".to_owned(), "b".to_owned());
        TypeChange { from, to, shape: "ml.m5.xlarge".to_owned(), instances: 2, at: second(1000) }
    }

    fn rest(configuration: &str, instances: u32, changed: i64) -> SettledEndpoint<'_> {
        let capacity_backoff = SignedDuration::from_hours(1);
        SettledEndpoint { configuration, instances, last_change: Some(second(changed)), capacity_backoff }
    }

    #[test]
    fn a_step_survives_being_written_down() {
        let (key, value) = begun("v", &step());
        assert_eq!(TypeChange::read(&[(key, value)].into(), "v"), Some(step()));
        assert_eq!(TypeChange::read(&Tags::new(), "v"), None);
    }

    #[test]
    fn the_configuration_in_force_tells_what_became_of_a_step() {
        let rows = [
            // in force
            ("b", 2, 1300, TypeChangeResult::Taken),
            // changed since, and yet as before
            ("a", 2, 1300, TypeChangeResult::RolledBack),
            // the update was never sent
            ("a", 2, 900, TypeChangeResult::Dropped),
            // somebody has changed the count instead
            ("a", 3, 1300, TypeChangeResult::Dropped),
            // somebody has put a configuration of their own in force
            ("c", 2, 1300, TypeChangeResult::Dropped),
        ];
        for (configuration, instances, changed, ending) in rows {
            let rest = rest(configuration, instances, changed);
            assert_eq!(step().ending(&rest), ending, "{configuration} {instances} {changed}");
        }
    }

    #[test]
    fn what_could_not_be_had_is_known_from_tags_and_from_the_step() {
        let quota = Infeasible {
            shape: "ml.m5.2xlarge".to_owned(),
            until: second(500),
            why: "over quota: `x`, \"y\"".to_owned(),
        };
        let tags: Tags = [note("v", &quota), begun("v", &step())].into();
        let rest = rest("a", 2, 1300);
        let known = infeasible(&tags, "v", Some(rest));
        let told: Vec<_> = known.iter().map(|one| (one.shape.as_str(), one.until.as_second())).collect();
        assert_eq!(told, [("ml.m5.2xlarge", 500), ("ml.m5.xlarge", 1300 + 3600)]);
        assert_eq!(known[0].why, "over quota:  x    y ");
        // of another variant, and while it is changing
        assert_eq!(infeasible(&tags, "w", Some(rest)), []);
        assert_eq!(infeasible(&tags, "v", None).len(), 1);
    }
}
