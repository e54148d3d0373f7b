//! Whether a hold is news: it is reported when it begins, and not again with every repeat of its alarm.
//!
//! Nothing is stored, so the beginning is derived from the alarm and from the last change of the deployment. A hold begins
//! with an alarm that has just fired. While the alarm goes on firing, it begins with the first repeat whose evidence is newer
//! than the last change, or with the first repeat after the cooldown of that change.

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{Alarm, TICK_SOURCE, Transition};
use crate::deployment::Deployment;
use crate::policy::Policy;
use crate::size::Direction;

use super::{Context, Evaluation, guards};

/// How often the scheduled reconcile reads the alarms that fire.
const TICK: SignedDuration = SignedDuration::from_mins(1);

/// How often an alarm repeats whose service does not report it: as those of Oracle's guide do.
const USUAL_REPEAT: SignedDuration = SignedDuration::from_mins(5);

/// How much later than expected a repeat may come. Better twice than never: both have the same id.
const LATENESS: SignedDuration = SignedDuration::from_secs(30);

/// Whether an alarm has just changed its state.
pub fn is_new_event(alarm: &Alarm) -> bool {
    alarm.transition != Transition::Repeat && alarm.source != TICK_SOURCE
}

/// Whether a hold of this evaluation begins now.
pub fn is_news(evaluation: &Evaluation, observed: &Deployment, policy: &Policy) -> bool {
    if is_new_event(evaluation.alarm) {
        return true;
    }
    let context = Context::new(evaluation, observed, policy);
    let Some(changed) = observed.last_change.filter(|_| evaluation.alarm.transition.is_firing()) else {
        return false;
    };
    let interval = repeats_every(evaluation, observed);
    let begins = |at: Timestamp, since: Timestamp| {
        let age = at.duration_since(since);
        !age.is_negative() && age < interval
    };
    let is_first_fresh = guards::evidence_start(&context).is_some_and(|start| begins(start, changed));
    let direction = evaluation.matched.direction().unwrap_or(Direction::Up);
    let cooldown = evaluation.matched.rule.is.cooldown.before(direction);
    let cooled_down = changed.checked_add(cooldown).ok().filter(|_| cooldown.is_positive());
    is_first_fresh || cooled_down.is_some_and(|end| begins(evaluation.now, end))
}

/// How long after one event of an alarm that fires the next one comes, at most.
fn repeats_every(evaluation: &Evaluation, observed: &Deployment) -> SignedDuration {
    let is_of_tick = evaluation.alarm.source == TICK_SOURCE;
    let reported = observed.alarm.as_ref().and_then(|alarm| alarm.repeat);
    let interval = if is_of_tick { TICK } else { reported.unwrap_or(USUAL_REPEAT) };
    interval.saturating_add(LATENESS)
}
