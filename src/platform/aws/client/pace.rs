//! A rate limiter: keeps requests inside the account's limits when one event evaluates many alarms.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The limit for `DescribeAlarms`, per second. CloudWatch allows an account nine, so one is left for other clients.
pub(super) const DESCRIBE_ALARMS: usize = 8;

/// The limits for `PutMetricAlarm` and for `DeleteAlarms`, per second each. CloudWatch allows an account three.
/// See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>.
pub(super) const WRITE_ALARMS: usize = 3;

/// One second, and a margin for requests that get closer to each other on the network.
const SECOND: Duration = Duration::from_millis(1100);

/// Allows at most `most` requests per second. A few requests never wait.
#[derive(Debug)]
pub(super) struct RateLimiter {
    most: usize,
    /// The slots of the last `most` requests, the oldest first.
    recent: Mutex<VecDeque<Instant>>,
}

impl RateLimiter {
    pub(super) fn new(most: usize) -> Self {
        Self { most, recent: Mutex::default() }
    }

    /// Waits for the next free slot.
    pub(super) async fn wait(&self) {
        let now = Instant::now();
        let slot = self.next_slot(now);
        // A timer that is already due still takes up to a millisecond.
        if slot > now {
            tokio::time::sleep_until(slot).await;
        }
    }

    fn next_slot(&self, now: Instant) -> Instant {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if recent.len() < self.most { None } else { recent.pop_front() };
        let slot = oldest.map_or(now, |oldest| now.max(oldest + SECOND));
        recent.push_back(slot);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_do_not_wait_and_more_take_slots() {
        let (limiter, start) = (RateLimiter::new(2), Instant::now());
        let slots: Vec<Instant> = (0..5).map(|_| limiter.next_slot(start)).collect();
        assert_eq!(slots, [start, start, start + SECOND, start + SECOND, start + 2 * SECOND]);
        // long after
        let later = start + 9 * SECOND;
        assert_eq!([limiter.next_slot(later), limiter.next_slot(later)], [later, later]);
    }
}
