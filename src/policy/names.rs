//! Whether a scale-up rule matches the name of a paired alarm, which only ever scales down.
//!
//! A rule knows an alarm by its name. Under the name of a pair, an alarm that fires under load would remove capacity.

use super::globs::narrower;
use super::name_glob::NameGlob;
use super::rule::Rule;
use crate::document::Fault;
use crate::pair::Pair;
use crate::size::Direction;

/// Refuses a rule whose alarm is also the pair of this or another rule for the same targets.
pub(super) fn check(at: usize, rules: &[Rule]) -> Result<(), Fault> {
    let Some(rule) = rules.get(at) else { return Ok(()) };
    let first_matches = match rule.scaling_policy.direction() {
        Some(Direction::Down) => return Ok(()),
        Some(Direction::Up) => rules.len(),
        // Of a rule in both directions only the pairs up to its own come first.
        None => at + 1,
    };
    let matched = rules.iter().take(first_matches).find_map(|other| {
        let pair = other.pair.as_ref().filter(|_| narrower(&rule.target, &other.target).is_some())?;
        Some((rule.alarm.iter().find(|glob| is_name_of(glob, pair))?, other.name()))
    });
    let Some((glob, name)) = matched else { return Ok(()) };
    let consequence = "it would remove capacity under load; expected another name for one of them";
    Err(Fault::of("alarm", format!("`alarm = \"{glob}\"` is also the `pair.alarm` of {name}: {consequence}")))
}

/// A glob with a wildcard may match a pair without being meant for it, and the pair counts first.
fn is_name_of(glob: &NameGlob, pair: &Pair) -> bool {
    glob.is_one_name() && glob.matches(&pair.alarm)
}
