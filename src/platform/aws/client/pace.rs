//! Keeps requests inside the account's limits when one event answers many alarms. A few of them never wait.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// CloudWatch lets an account describe alarms nine times a second; somebody else may want to, too.
pub(super) const DESCRIBE_ALARMS: usize = 8;

/// CloudWatch lets an account write, or delete, alarms three times a second each.
/// See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>.
pub(super) const WRITE_ALARMS: usize = 3;

/// A second, and what requests may get closer to each other on their way.
const SECOND: Duration = Duration::from_millis(1100);

/// So many requests a second.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    /// The turns of the last so many, the oldest first.
    recent: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        Self { most, recent: Mutex::default() }
    }

    /// Returns when it is this request's turn.
    pub(super) async fn turn(&self) {
        let now = Instant::now();
        let mine = self.slot(now);
        // A timer that is due already still takes up to a millisecond.
        if mine > now {
            tokio::time::sleep_until(mine).await;
        }
    }

    fn slot(&self, now: Instant) -> Instant {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if recent.len() < self.most { None } else { recent.pop_front() };
        let mine = oldest.map_or(now, |oldest| now.max(oldest + SECOND));
        recent.push_back(mine);
        mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_do_not_wait_and_more_take_turns() {
        let (pace, start) = (Pace::new(2), Instant::now());
        let turns: Vec<Instant> = (0..5).map(|_| pace.slot(start)).collect();
        assert_eq!(turns, [start, start, start + SECOND, start + SECOND, start + 2 * SECOND]);
        // long after
        let later = start + 9 * SECOND;
        assert_eq!([pace.slot(later), pace.slot(later)], [later, later]);
    }
}
