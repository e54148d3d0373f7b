//! Keeps requests apart from each other, so that an event which answers many alarms stays inside the
//! account's limits. One request on its own never waits.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// CloudWatch lets an account describe alarms nine times a second; somebody else may want to, too.
pub(super) const DESCRIBE_ALARMS: Duration = Duration::from_millis(125);

/// CloudWatch lets an account write, or delete, alarms three times a second each.
/// See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>.
pub(super) const WRITE_ALARMS: Duration = Duration::from_millis(350);

/// The time before which no further request is sent.
#[derive(Debug)]
pub(super) struct Pace {
    apart: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(apart: Duration) -> Self {
        Self { apart, next: Mutex::new(None) }
    }

    /// Returns when it is this request's turn.
    pub(super) async fn turn(&self) {
        tokio::time::sleep_until(self.slot(Instant::now())).await;
    }

    fn slot(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = next.map_or(now, |next| next.max(now));
        *next = Some(mine + self.apart);
        mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_turns_and_one_alone_does_not_wait() {
        let apart = Duration::from_millis(100);
        let (pace, start) = (Pace::new(apart), Instant::now());
        assert_eq!(pace.slot(start), start);
        // two more at once
        assert_eq!(pace.slot(start), start + apart);
        assert_eq!(pace.slot(start), start + 2 * apart);
        // and one long after
        let later = start + Duration::from_secs(5);
        assert_eq!(pace.slot(later), later);
    }
}
