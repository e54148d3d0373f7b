//! Whether a rule asks for more by the name of a paired alarm, which only ever takes back.
//!
//! An alarm is known by its name: under that of a pair, the one that fires under load would take capacity away.

use crate::pair::Pair;
use wildmatch::WildMatch;

use super::globs::narrower;
use super::rule::Rule;
use crate::size::Direction;

/// Refuses a rule that is called for by a pair of its own or of another rule for the same targets.
pub(super) fn check(at: usize, rules: &[Rule]) -> Result<(), String> {
    let Some(rule) = rules.get(at) else { return Ok(()) };
    let counting_first = match rule.scaling_policy.direction() {
        Some(Direction::Down) => return Ok(()),
        Some(Direction::Up) => rules.len(),
        // What may go either way is answered as it is measured, but for the pairs up to its own.
        None => at + 1,
    };
    let taken = rules.iter().take(counting_first).find_map(|other| {
        let pair = other.pair.as_ref().filter(|_| narrower(&rule.target, &other.target).is_some())?;
        Some((rule.alarm.iter().find(|glob| is_name_of(glob, pair))?, other.name()))
    });
    match taken {
        None => Ok(()),
        Some((glob, name)) => Err(format!(
            "`alarm = \"{glob}\"` is also the `pair.alarm` of {name}: it would take capacity away under load; expected \
             another name for one of them"
        )),
    }
}

/// A glob with a wildcard may match a pair without being meant for it, and the pair counts first.
fn is_name_of(glob: &WildMatch, pair: &Pair) -> bool {
    !glob.to_string().contains(['*', '?']) && glob.matches(&pair.alarm)
}
