//! The settings of a rule: what each may be, and which of several tables sets it.
//!
//! `[defaults]`, a rule, a `[[target]]` and a `[[schedule]]` may set the same one. The last of them wins. A tag of the
//! deployment only narrows what they set: see `narrowing`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Evidence, Mode, NativeAutoscaling};
use crate::document::{Fault, Faults, keyed};
use crate::duration::minutes;
use crate::size::{Bounds, Direction};
use crate::text::number;

/// One to ten instances: the bounds of the guide that the built-in rules follow.
pub(super) const DEFAULT_INSTANCES: Bounds = Bounds { min: 1, max: 10 };

/// The bandwidth that a load balancer can have, in Mbps. See
/// <https://docs.oracle.com/en-us/iaas/Content/Balance/Concepts/balanceoverview.htm>.
const DEFAULT_BANDWIDTH: Bounds = Bounds { min: 10, max: 8000 };

/// Quotas and capacity change in hours rather than minutes. One hour keeps the attempts few.
const DEFAULT_CAPACITY_BACKOFF: SignedDuration = SignedDuration::from_hours(1);

/// A scale-up happens at once. A scale-down waits for five minutes, as target tracking does. See
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>.
const DEFAULT_COOLDOWN: Cooldown = Cooldown { up: SignedDuration::ZERO, down: SignedDuration::from_mins(5) };

/// One fifth stays free, as with a scale-up alarm at 80 %.
const DEFAULT_HEADROOM: f64 = 0.2;

/// A month without an attempt is a shape that does not exist: another ladder leaves it out.
pub const LONGEST_CAPACITY_BACKOFF: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A schedule expresses more than a day.
const LONGEST_COOLDOWN: SignedDuration = SignedDuration::from_hours(24);

/// An update takes minutes, so no deployment can change more often. The record of more would not fit into a tag.
const MOST_CHANGES: u32 = 12;

/// How long no other change follows a change, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Before a scale-up.
    pub up: SignedDuration,
    /// Before a scale-down.
    pub down: SignedDuration,
}

impl Cooldown {
    /// The cooldown before a change in a direction.
    pub fn before(&self, direction: Direction) -> SignedDuration {
        match direction {
            Direction::Up => self.up,
            Direction::Down => self.down,
        }
    }
}

/// Every setting as it is effective for one alarm on one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectiveSettings {
    /// The count stays inside these.
    pub instances: Bounds,
    /// The lowest floor of the count that any schedule sets; `None` where no schedule sets one.
    pub lowest: Option<u32>,
    /// The bandwidth stays inside these, in Mbps.
    pub bandwidth: Bounds,
    /// Which part of the evidence must be newer than the last change.
    pub evidence: Evidence,
    /// What happens to native autoscaling that is in the way of a change of shape.
    pub native_autoscaling: NativeAutoscaling,
    /// How long a shape without capacity is not requested again.
    pub capacity_backoff: SignedDuration,
    /// How long no other change follows a change.
    pub cooldown: Cooldown,
    /// The threshold of the scale-up alarm, in percent of the capacity. After a scale-down the load must stay well under
    /// it. `None`: 80 for a metric in percent, unknown for any other.
    pub scale_up_threshold: Option<f64>,
    /// The part of cores and memory that the cheapest size keeps free, from 0 to 1.
    pub headroom: f64,
    /// What another shape must save in an hour to be worth the change, in US dollars.
    pub min_savings: f64,
    /// Whether a size on the way to the cheapest one may cost more than both of them.
    pub allow_cost_surge: bool,
    /// What the deployment may cost in an hour, in US dollars of the ladder's prices.
    pub max_hourly_cost: Option<f64>,
    /// How many changes one hour may have.
    pub max_changes_per_hour: Option<u32>,
    /// Whether calls are sent; `None` where the policy's own mode counts.
    pub mode: Option<Mode>,
}

impl Default for EffectiveSettings {
    fn default() -> Self {
        Self {
            instances: DEFAULT_INSTANCES,
            lowest: None,
            bandwidth: DEFAULT_BANDWIDTH,
            evidence: Evidence::default(),
            native_autoscaling: NativeAutoscaling::default(),
            capacity_backoff: DEFAULT_CAPACITY_BACKOFF,
            cooldown: DEFAULT_COOLDOWN,
            scale_up_threshold: None,
            headroom: DEFAULT_HEADROOM,
            min_savings: 0.0,
            allow_cost_surge: false,
            max_hourly_cost: None,
            max_changes_per_hour: None,
            mode: None,
        }
    }
}

/// Where an effective setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `[defaults]`.
    Defaults,
    /// The rule itself.
    Rule,
    /// A `[[target]]`, by its place, and its glob.
    Target(usize, String),
    /// A `[[schedule]]`, by its place, and a moment at which it is active.
    Schedule(usize, Timestamp),
    /// A tag of the deployment, by its name.
    Tag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("`[defaults]`"),
            Self::Rule => f.write_str("the rule"),
            Self::Target(place, glob) => write!(f, "`[[target]]` {place}, `{glob}`"),
            Self::Schedule(place, _) => write!(f, "`[[schedule]]` {place}"),
            Self::Tag(tag) => write!(f, "the deployment's tag `{tag}`"),
        }
    }
}

/// The origin of each setting by its key. A built-in default has none.
pub type Origins = BTreeMap<&'static str, Origin>;

/// Some of the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Settings {
    /// The bounds of the count.
    pub instances: Option<Bounds>,
    /// Its floor alone.
    pub min: Option<u32>,
    /// Its ceiling alone.
    pub max: Option<u32>,
    /// The bounds of the bandwidth, in Mbps.
    pub bandwidth: Option<Bounds>,
    /// See [`EffectiveSettings::evidence`].
    pub evidence: Option<Evidence>,
    /// See [`EffectiveSettings::native_autoscaling`].
    pub native_autoscaling: Option<NativeAutoscaling>,
    /// See [`EffectiveSettings::capacity_backoff`].
    pub capacity_backoff: Option<SignedDuration>,
    /// See [`Cooldown::up`].
    pub cooldown_up: Option<SignedDuration>,
    /// See [`Cooldown::down`].
    pub cooldown_down: Option<SignedDuration>,
    /// See [`EffectiveSettings::scale_up_threshold`].
    pub scale_up_threshold: Option<f64>,
    /// See [`EffectiveSettings::headroom`].
    pub headroom: Option<f64>,
    /// See [`EffectiveSettings::min_savings`].
    pub min_savings: Option<f64>,
    /// See [`EffectiveSettings::allow_cost_surge`].
    pub allow_cost_surge: Option<bool>,
    /// See [`EffectiveSettings::max_hourly_cost`].
    pub max_hourly_cost: Option<f64>,
    /// See [`EffectiveSettings::max_changes_per_hour`].
    pub max_changes_per_hour: Option<u32>,
    /// See [`EffectiveSettings::mode`].
    pub mode: Option<Mode>,
}

impl Settings {
    /// Whether any of them decides if a policy must flap.
    pub(super) fn may_flap(&self) -> bool {
        self.instances.is_some() || self.scale_up_threshold.is_some()
    }
}

impl EffectiveSettings {
    /// Replaces the settings that a table sets, and notes their origin.
    pub(super) fn apply(
        &mut self,
        settings: &Settings,
        origins: &mut Origins,
        origin: &dyn Fn(&'static str) -> Origin,
    ) {
        if settings.instances.is_some() || settings.min.is_some() {
            self.lowest = None;
        }
        let mut note = |key| origins.insert(key, origin(key));
        macro_rules! replace {
            ($($key:literal: $set:ident => $($place:ident).+ = $value:expr;)*) => {
                $(if let Some($set) = settings.$set {
                    self.$($place).+ = $value;
                    note($key);
                })*
            };
        }
        replace! {
            "instances.min": instances => instances.min = instances.min;
            "instances.max": instances => instances.max = instances.max;
            "instances.min": min => instances.min = min;
            "instances.max": max => instances.max = max;
            "bandwidth": bandwidth => bandwidth = bandwidth;
            "evidence": evidence => evidence = evidence;
            "native_autoscaling": native_autoscaling => native_autoscaling = native_autoscaling;
            "capacity_backoff": capacity_backoff => capacity_backoff = capacity_backoff;
            "cooldown.up": cooldown_up => cooldown.up = cooldown_up;
            "cooldown.down": cooldown_down => cooldown.down = cooldown_down;
            "scale_up_threshold": scale_up_threshold => scale_up_threshold = Some(scale_up_threshold);
            "headroom": headroom => headroom = headroom;
            "min_savings": min_savings => min_savings = min_savings;
            "allow_cost_surge": allow_cost_surge => allow_cost_surge = allow_cost_surge;
            "max_hourly_cost": max_hourly_cost => max_hourly_cost = Some(max_hourly_cost);
            "max_changes_per_hour": max_changes_per_hour => max_changes_per_hour = Some(max_changes_per_hour);
            "mode": mode => mode = Some(mode);
        }
    }

    /// Every setting by its key, in words.
    pub fn described(&self) -> Vec<(&'static str, String)> {
        let maybe = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_owned());
        let dollars = |amount: f64| format!("{} USD", number(amount));
        vec![
            ("instances.min", self.instances.min.to_string()),
            ("instances.max", self.instances.max.to_string()),
            ("bandwidth", format!("{} Mbps", self.bandwidth)),
            ("evidence", self.evidence.to_string()),
            ("native_autoscaling", self.native_autoscaling.to_string()),
            ("capacity_backoff", format!("{:#}", self.capacity_backoff)),
            ("cooldown.up", format!("{:#}", self.cooldown.up)),
            ("cooldown.down", format!("{:#}", self.cooldown.down)),
            (
                "scale_up_threshold",
                maybe(
                    self.scale_up_threshold.map(|threshold| number(threshold).to_string()),
                    "80 where it is a percentage",
                ),
            ),
            ("headroom", percent(self.headroom)),
            ("min_savings", dollars(self.min_savings)),
            ("allow_cost_surge", self.allow_cost_surge.to_string()),
            ("max_hourly_cost", maybe(self.max_hourly_cost.map(dollars), "none")),
            ("max_changes_per_hour", maybe(self.max_changes_per_hour.map(|most| most.to_string()), "none")),
            ("mode", maybe(self.mode.map(|mode| mode.to_string()), "that of the policy")),
        ]
    }
}

/// A percentage as the policy writes it, without the last digits that a division by a hundred leaves.
fn percent(part: f64) -> String {
    format!("{}%", (part * 1e8).round() / 1e6)
}

/// Adds the settings to the other keys of a table of the policy file.
macro_rules! with_settings {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$doc:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            $($(#[$doc])* $key: $type,)*
            /// The bounds of the count (default: 1 to 10).
            instances: Option<crate::size::Bounds>,
            /// The bounds of the load balancer's bandwidth, in Mbps (default: 10 to 8000).
            bandwidth: Option<crate::size::Bounds>,
            /// Which part of the alarm's data must be newer than the last change (default: `window`).
            evidence: Option<crate::policy::Evidence>,
            /// What happens to native autoscaling that prevents a change of shape (default: `respect`).
            native_autoscaling: Option<crate::policy::NativeAutoscaling>,
            /// How long a shape without capacity is not requested again, in whole minutes (default: `1h`).
            capacity_backoff: Option<String>,
            /// How long no other change follows a change, by direction.
            cooldown: Option<crate::policy::settings::CooldownText>,
            /// The threshold of the scale-up alarm, in percent of the capacity, or in the unit of a metric without a
            /// maximum (default: 80 percent). After a scale-down the load must stay a tenth below it.
            scale_up_threshold: Option<f64>,
            /// With `axis = "cheapest"`, the part of cores and memory that stays free (default: `"20%"`).
            headroom: Option<crate::policy::settings::Percent>,
            /// With `axis = "cheapest"`, what another shape must save in an hour, in US dollars (default: 0).
            min_savings: Option<f64>,
            /// With `axis = "cheapest"`, whether a size between two updates may cost more than both ends (default: false).
            /// `max_hourly_cost` still limits it.
            allow_cost_surge: Option<bool>,
            /// The most that the deployment may cost in an hour, in US dollars of the ladder's prices (default: no limit).
            /// A shape without a price then never grows; `stepladder shapes NAME` shows its price.
            max_hourly_cost: Option<f64>,
            /// The most changes of the deployment within an hour, from 1 to 12 (default: no limit).
            max_changes_per_hour: Option<u32>,
        }

        impl $name {
            /// The settings of the table, checked.
            fn settings(&self) -> Result<crate::policy::settings::Settings, crate::document::Faults> {
                crate::policy::settings::RawSettings {
                    instances: self.instances,
                    bandwidth: self.bandwidth,
                    evidence: self.evidence,
                    native_autoscaling: self.native_autoscaling,
                    capacity_backoff: self.capacity_backoff.as_deref(),
                    cooldown: self.cooldown.as_ref(),
                    scale_up_threshold: self.scale_up_threshold,
                    headroom: self.headroom.as_ref(),
                    min_savings: self.min_savings,
                    allow_cost_surge: self.allow_cost_surge,
                    max_hourly_cost: self.max_hourly_cost,
                    max_changes_per_hour: self.max_changes_per_hour,
                }
                .checked()
            }
        }
    };
}
pub(super) use with_settings;

with_settings! {
    /// Settings that apply where no other table sets them.
    pub(super) struct Defaults {}
}

impl Defaults {
    /// The settings of the table, checked.
    pub(super) fn checked(&self) -> Result<Settings, Faults> {
        self.settings()
    }
}

/// How long no other change follows a change, by direction.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as `{ up = \"0s\", down = \"5m\" }`")]
pub(super) struct CooldownText {
    /// Before a scale-up: `0s`, or whole seconds up to a day (default: `0s`).
    up: Option<String>,
    /// Before a scale-down: `0s`, or whole seconds up to a day (default: `5m`).
    down: Option<String>,
}

/// A percentage such as `20%`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(super) struct Percent(String);

/// The settings as they are written.
pub(super) struct RawSettings<'a> {
    pub(super) instances: Option<Bounds>,
    pub(super) bandwidth: Option<Bounds>,
    pub(super) evidence: Option<Evidence>,
    pub(super) native_autoscaling: Option<NativeAutoscaling>,
    pub(super) capacity_backoff: Option<&'a str>,
    pub(super) cooldown: Option<&'a CooldownText>,
    pub(super) scale_up_threshold: Option<f64>,
    pub(super) headroom: Option<&'a Percent>,
    pub(super) min_savings: Option<f64>,
    pub(super) allow_cost_surge: Option<bool>,
    pub(super) max_hourly_cost: Option<f64>,
    pub(super) max_changes_per_hour: Option<u32>,
}

impl RawSettings<'_> {
    pub(super) fn checked(self) -> Result<Settings, Faults> {
        let mut faults = Faults::default();
        let CooldownText { up, down } = self.cooldown.unwrap_or(&CooldownText { up: None, down: None });
        let positive =
            |key, value: Option<f64>| value.map(|value| keyed(key, above_nothing(key, value))).transpose();
        let wait = |key, text: Option<&str>| text.map(|text| keyed(key, cooldown(key, text))).transpose();
        let backoff =
            |text| keyed("capacity_backoff", minutes("capacity_backoff", text, LONGEST_CAPACITY_BACKOFF));
        let most = |most| keyed("max_changes_per_hour", max_changes("max_changes_per_hour", most));
        let settings = Settings {
            instances: self.instances,
            bandwidth: self.bandwidth,
            evidence: self.evidence,
            native_autoscaling: self.native_autoscaling,
            capacity_backoff: faults.note(self.capacity_backoff.map(backoff).transpose()).flatten(),
            cooldown_up: faults.note(wait("cooldown.up", up.as_deref())).flatten(),
            cooldown_down: faults.note(wait("cooldown.down", down.as_deref())).flatten(),
            scale_up_threshold: faults
                .note(positive("scale_up_threshold", self.scale_up_threshold))
                .flatten(),
            headroom: faults.note(self.headroom.map(headroom).transpose()).flatten(),
            allow_cost_surge: self.allow_cost_surge,
            min_savings: faults.note(self.min_savings.map(min_savings).transpose()).flatten(),
            max_hourly_cost: faults.note(positive("max_hourly_cost", self.max_hourly_cost)).flatten(),
            max_changes_per_hour: faults.note(self.max_changes_per_hour.map(most).transpose()).flatten(),
            ..Settings::default()
        };
        faults.note(self.instances.map_or(Ok(()), check_bounds));
        faults.note(self.bandwidth.map_or(Ok(()), check_bandwidth));
        faults.into_result().map(|()| settings)
    }
}

/// Bounds on the count that can be kept.
fn check_bounds(Bounds { min, max }: Bounds) -> Result<(), Fault> {
    if min == 0 {
        let message = "`instances.min = 0`: expected at least 1, no platform here starts a target from 0";
        return Err(Fault::of("instances.min", message));
    }
    if min > max {
        let message = format!("`instances.min = {min}` is above `instances.max = {max}`");
        return Err(Fault::of("instances.min", message));
    }
    Ok(())
}

fn check_bandwidth(Bounds { min, max }: Bounds) -> Result<(), Fault> {
    let within = DEFAULT_BANDWIDTH.min..=DEFAULT_BANDWIDTH.max;
    if !within.contains(&min) || !within.contains(&max) {
        let written = format!("`bandwidth = {{ min = {min}, max = {max} }}`");
        return Err(Fault::of("bandwidth", format!("{written}: expected {DEFAULT_BANDWIDTH} Mbps")));
    }
    if min > max {
        let message = format!("`bandwidth.min = {min}` is above `bandwidth.max = {max}`");
        return Err(Fault::of("bandwidth.min", message));
    }
    Ok(())
}

/// A duration in whole seconds, or none at all.
pub(crate) fn cooldown(key: &str, text: &str) -> Result<SignedDuration, String> {
    let expected = format!("expected whole seconds from `0s` to `{}h`", LONGEST_COOLDOWN.as_hours());
    let duration: SignedDuration = text.parse().map_err(|_| {
        format!("`{key} = \"{text}\"` is no duration in hours, minutes and seconds: {expected}")
    })?;
    let sensible = !duration.is_negative() && duration <= LONGEST_COOLDOWN && duration.subsec_nanos() == 0;
    sensible.then_some(duration).ok_or_else(|| format!("`{key} = \"{text}\"`: {expected}"))
}

/// An amount or a threshold.
pub(crate) fn above_nothing(key: &str, value: f64) -> Result<f64, String> {
    let sensible = value.is_finite() && value > 0.0;
    sensible.then_some(value).ok_or_else(|| format!("`{key} = {}`: expected a number above 0", number(value)))
}

fn min_savings(value: f64) -> Result<f64, Fault> {
    let sensible = value.is_finite() && value >= 0.0;
    let fault = || Fault::of("min_savings", format!("`min_savings = {}`: expected 0 or more", number(value)));
    sensible.then_some(value).ok_or_else(fault)
}

fn headroom(Percent(text): &Percent) -> Result<f64, Fault> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let part = number.filter(|number| (0.0..100.0).contains(number)).map(|number| number / 100.0);
    part.ok_or_else(|| {
        let expected = "expected a percentage such as `20%`, under 100";
        Fault::of("headroom", format!("`headroom = \"{text}\"`: {expected}"))
    })
}

/// How many changes one hour may have.
pub(crate) fn max_changes(key: &str, most: u32) -> Result<u32, String> {
    let sensible = (1..=MOST_CHANGES).contains(&most);
    sensible.then_some(most).ok_or_else(|| format!("`{key} = {most}`: expected 1 to {MOST_CHANGES}"))
}
