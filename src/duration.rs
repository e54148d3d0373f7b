//! Durations as the policy writes them, and how long they may be.

use jiff::SignedDuration;

/// The longest window of an alarm. See
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>.
pub const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The longest time between two notifications of one alarm. See
/// <https://docs.oracle.com/en-us/iaas/api/#/en/monitoring/20180401/Alarm/>.
pub const LONGEST_REPEAT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A duration in whole minutes: what alarm services count in.
pub fn minutes(key: &str, text: &str, longest: SignedDuration) -> Result<SignedDuration, String> {
    let expected = format!("expected whole minutes from `1m` to `{}h`", longest.as_hours());
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| format!("`{key} = \"{text}\"` is no duration in hours and minutes: {expected}"))?;
    let whole = duration.as_secs() % 60 == 0 && duration.subsec_nanos() == 0;
    if !whole || duration < SignedDuration::from_mins(1) || duration > longest {
        return Err(format!("`{key} = \"{text}\"`: {expected}"));
    }
    Ok(duration)
}

/// The window of an alarm: minutes up to an hour, and whole hours above. A query writes it so.
pub fn window(key: &str, text: &str) -> Result<SignedDuration, String> {
    let window = minutes(key, text, LONGEST_WINDOW)?;
    if window.as_mins() > 60 && window.as_mins() % 60 != 0 {
        return Err(format!("`{key} = \"{text}\"`: expected whole hours above `60m`"));
    }
    Ok(window)
}
