//! The records in an endpoint's own tags: the latest change of type, and the types that were infeasible.
//!
//! A change is recorded before its update is sent. Once the endpoint has settled, its active configuration shows how
//! the change ended.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::field;
use crate::deployment::Infeasible;
use crate::tags::Tags;

/// The tag that records the latest change of type; a variant's name follows.
const STEP: &str = "stepladder:step/";
/// The tag that records an infeasible type; a variant's name and the type follow.
const INFEASIBLE: &str = "stepladder:infeasible/";

/// The longest name of an instance type. The longest that SageMaker has are half as long.
const LONGEST_TYPE: usize = 40;

/// A recorded change of type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeChange {
    /// The configuration before it.
    pub(super) from: String,
    /// The configuration after it.
    pub(super) to: String,
    /// The requested type.
    pub(super) shape: String,
    /// How many instances ran before it.
    pub(super) instances: u32,
    /// When it was requested.
    pub(super) at: Timestamp,
}

/// How a change of type ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeChangeResult {
    /// Its configuration is active.
    Completed,
    /// SageMaker started the update, and rolled it back.
    RolledBack,
    /// The update was never started, or something else has changed since.
    Dropped,
}

impl TypeChange {
    fn read(tags: &Tags, variant: &str) -> Option<Self> {
        let text = tags.get(&step_key(variant))?;
        let field = |name: &str| field(text, name);
        Some(Self {
            from: field("from")?.to_owned(),
            to: field("to")?.to_owned(),
            shape: Some(field("shape")?).filter(|shape| is_instance_type(shape))?.to_owned(),
            instances: field("instances")?.parse().ok()?,
            at: field("at")?.parse().ok()?,
        })
    }

    /// How it ended, for a settled endpoint.
    fn result(&self, now: &SettledEndpoint) -> TypeChangeResult {
        let changed_since = now.last_change.is_some_and(|changed| changed > self.at);
        if now.configuration == self.to {
            TypeChangeResult::Completed
        } else if now.configuration == self.from && now.instances == self.instances && changed_since {
            // The endpoint has changed since, but kept its configuration and count: only a rollback does that.
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

/// The part of a settled endpoint that shows how a change of type ended.
#[derive(Debug, Clone, Copy)]
pub struct SettledEndpoint<'a> {
    /// The active configuration.
    pub configuration: &'a str,
    /// How many instances run.
    pub instances: u32,
    /// When the last change was completed.
    pub last_change: Option<Timestamp>,
    /// How long a type counts as infeasible after a change to it was rolled back.
    pub capacity_backoff: SignedDuration,
}

/// The infeasible types: the recorded ones, and for a settled endpoint the type of a change that was rolled back.
pub fn infeasible(tags: &Tags, variant: &str, settled: Option<SettledEndpoint>) -> Vec<Infeasible> {
    let prefix = infeasible_key(variant, "");
    let mut types: Vec<Infeasible> =
        tags.iter().filter_map(|(key, text)| read_infeasible(key.strip_prefix(&prefix)?, text)).collect();
    if let Some(settled) = settled {
        types.extend(rolled_back(tags, variant, &settled));
    }
    types
}

fn rolled_back(tags: &Tags, variant: &str, settled: &SettledEndpoint) -> Option<Infeasible> {
    let step = TypeChange::read(tags, variant)
        .filter(|step| step.result(settled) == TypeChangeResult::RolledBack)?;
    let until = settled.last_change?.checked_add(settled.capacity_backoff).ok()?;
    Some(Infeasible { shape: step.shape, until, why: "the endpoint's update was rolled back".to_owned() })
}

/// Whether a text is made like an instance type. Others would become keys of tags, which the service refuses.
fn is_instance_type(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    text.len() <= LONGEST_TYPE && text.starts_with("ml.") && text.chars().all(is_part)
}

fn read_infeasible(shape: &str, text: &str) -> Option<Infeasible> {
    let (until, why) = text.split_once(' ').filter(|_| is_instance_type(shape))?;
    Some(Infeasible { shape: shape.to_owned(), until: until.parse().ok()?, why: why.to_owned() })
}

/// The tag that records an infeasible type.
pub(super) fn infeasible_tag(variant: &str, infeasible: &Infeasible) -> (String, String) {
    let Infeasible { shape, until, why } = infeasible;
    (infeasible_key(variant, shape), format!("{until} {}", taggable(why)))
}

/// The tag that records a change of type.
pub(super) fn step_tag(variant: &str, step: &TypeChange) -> (String, String) {
    (step_key(variant), step.to_string())
}

/// The changes to the records of a settled endpoint.
#[derive(Debug, Default)]
pub(super) struct TagChanges {
    /// The tags to add.
    pub(super) add: Tags,
    /// The keys of the tags to remove.
    pub(super) remove: Vec<String>,
    /// What an operator should know.
    pub(super) note: Option<String>,
}

/// Records how a change of type ended, and removes expired records.
pub(super) fn tag_changes(
    tags: &Tags,
    variant: &str,
    configuration: &str,
    deployment: &super::SettledDeployment,
) -> TagChanges {
    let super::SettledDeployment { observed, capacity_backoff, now, .. } = *deployment;
    let (instances, last_change) = (observed.size.instances, observed.last_change);
    let settled = SettledEndpoint { configuration, instances, last_change, capacity_backoff };
    let expired = |found: &Infeasible| found.until <= now;
    let mut add = Tags::new();
    let mut note = None;
    let mut remove: Vec<String> = infeasible(tags, variant, None)
        .iter()
        .filter(|found| expired(found))
        .map(|found| infeasible_key(variant, &found.shape))
        .collect();
    if let Some(found) = rolled_back(tags, variant, &settled).filter(|found| !expired(found)) {
        let (key, value) = infeasible_tag(variant, &found);
        remove.retain(|expired| *expired != key);
        add.insert(key, value);
        note =
            Some(format!("`{}` is not requested again before {}: {}", found.shape, found.until, found.why));
    }
    if tags.contains_key(&step_key(variant)) {
        remove.push(step_key(variant));
    }
    TagChanges { add, remove, note }
}

pub(super) fn step_key(variant: &str) -> String {
    format!("{STEP}{variant}")
}

fn infeasible_key(variant: &str, shape: &str) -> String {
    format!("{INFEASIBLE}{variant}/{shape}")
}

/// The text as a tag's value may hold it. AWS allows letters, digits, spaces and a few signs, at most 256 in all; the
/// time needs some of them.
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

    fn settled(configuration: &str, instances: u32, changed: i64) -> SettledEndpoint<'_> {
        let capacity_backoff = SignedDuration::from_hours(1);
        SettledEndpoint { configuration, instances, last_change: Some(second(changed)), capacity_backoff }
    }

    #[test]
    fn a_change_is_read_as_it_was_recorded() {
        let (key, value) = step_tag("v", &step());
        assert_eq!(TypeChange::read(&[(key, value)].into(), "v"), Some(step()));
        assert_eq!(TypeChange::read(&Tags::new(), "v"), None);
    }

    #[test]
    fn a_record_that_stepladder_did_not_write_counts_for_nothing() {
        let until = "2026-03-02T12:00:00Z why";
        for shape in ["", "ml.", "x", &format!("ml.{}", "m".repeat(40)), "ml.m5/large", "ml.é"] {
            let step = TypeChange { shape: shape.to_owned(), ..step() };
            let tags: Tags = [step_tag("v", &step), (infeasible_key("v", shape), until.to_owned())].into();
            let known = infeasible(&tags, "v", Some(settled("a", 2, 1300)));
            let expected = if shape == "ml." { 2 } else { 0 };
            assert_eq!(known.len(), expected, "{shape}: {known:?}");
        }
    }

    #[test]
    fn the_active_configuration_shows_how_a_change_ended() {
        let rows = [
            // active
            ("b", 2, 1300, TypeChangeResult::Completed),
            // changed since, and yet as before
            ("a", 2, 1300, TypeChangeResult::RolledBack),
            // the update was never sent
            ("a", 2, 900, TypeChangeResult::Dropped),
            // the count has changed instead
            ("a", 3, 1300, TypeChangeResult::Dropped),
            // another configuration has become active
            ("c", 2, 1300, TypeChangeResult::Dropped),
        ];
        for (configuration, instances, changed, result) in rows {
            let settled = settled(configuration, instances, changed);
            assert_eq!(step().result(&settled), result, "{configuration} {instances} {changed}");
        }
    }

    #[test]
    fn infeasible_types_are_read_from_records_and_from_the_change() {
        let quota = Infeasible {
            shape: "ml.m5.2xlarge".to_owned(),
            until: second(500),
            why: "over quota: `x`, \"y\"".to_owned(),
        };
        let tags: Tags = [infeasible_tag("v", &quota), step_tag("v", &step())].into();
        let settled = settled("a", 2, 1300);
        let types = infeasible(&tags, "v", Some(settled));
        let until: Vec<_> = types.iter().map(|one| (one.shape.as_str(), one.until.as_second())).collect();
        assert_eq!(until, [("ml.m5.2xlarge", 500), ("ml.m5.xlarge", 1300 + 3600)]);
        assert_eq!(types[0].why, "over quota:  x    y ");
        // of another variant, and while it is changing
        assert_eq!(infeasible(&tags, "w", Some(settled)), []);
        assert_eq!(infeasible(&tags, "v", None).len(), 1);
    }
}
