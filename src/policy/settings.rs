//! What may be said for all rules, for one rule, for the targets of a glob, for a time of day, and by a target itself.
//!
//! Written once: whoever is nearer to the target has the last word, and it is known who that was.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Evidence, Mode, NativeAutoscaling, minutes};
use crate::size::Bounds;

/// One to ten instances: what Oracle's guide allows a model deployment.
pub(super) const DEFAULT_INSTANCES: Bounds = Bounds { min: 1, max: 10 };

/// What a load balancer of OCI can have, in Mbps. See
/// <https://docs.oracle.com/en-us/iaas/Content/Balance/Concepts/balanceoverview.htm>.
const DEFAULT_BANDWIDTH: Bounds = Bounds { min: 10, max: 8000 };

/// A quota is raised, or a capacity comes back, in hours rather than minutes; an hour keeps the attempts few.
const DEFAULT_INFEASIBLE_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Load that rises is answered at once. What was added stays for five minutes: that long an instance takes to be worth
/// its start, and Application Auto Scaling waits as long.
const DEFAULT_COOLDOWN: Cooldown = Cooldown { up: SignedDuration::ZERO, down: SignedDuration::from_mins(5) };

/// One part in five is kept free: what a high alarm at 80 % asks for.
const DEFAULT_HEADROOM: f64 = 0.2;

/// A month of not trying is giving up, which is better said with another ladder.
const LONGEST_INFEASIBLE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Whoever waits for more than a day wants a schedule.
const LONGEST_COOLDOWN: SignedDuration = SignedDuration::from_hours(24);

/// An update takes minutes, so no deployment can be changed more often; and the record of more would not fit into a tag.
const MOST_CHANGES: u32 = 12;

/// How long after a change nothing else is changed, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Before more is added.
    pub up: SignedDuration,
    /// Before something is taken away.
    pub down: SignedDuration,
}

/// Every setting, as it is in force for one alarm on one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectiveSettings {
    /// The count stays inside these.
    pub instances: Bounds,
    /// The lowest floor of the count that hours of the day bring; `None` where that of `instances` counts at all hours.
    pub lowest: Option<u32>,
    /// The bandwidth stays inside these, in Mbps.
    pub bandwidth: Bounds,
    /// How evidence the evidence must be.
    pub evidence: Evidence,
    /// What to do where the platform's own autoscaling is in the way.
    pub native_autoscaling: NativeAutoscaling,
    /// How long a shape that could not be had is not asked for again.
    pub capacity_backoff: SignedDuration,
    /// How long after a change nothing else is changed.
    pub cooldown: Cooldown,
    /// The threshold of the alarm that adds, in percent of the capacity that there is: what is taken away must leave
    /// the load well under it. `None`: 80 for what is measured in percent, unknown for anything else.
    pub scale_up_threshold: Option<f64>,
    /// The part of cores and memory that is kept free where the cheapest size is looked for, from 0 to 1.
    pub headroom: f64,
    /// What another shape must save in an hour to be worth the change, in US dollars.
    pub min_savings: f64,
    /// What the deployment may cost in an hour, in US dollars of the ladder's prices.
    pub max_hourly_cost: Option<f64>,
    /// How often it may be changed within an hour.
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
            capacity_backoff: DEFAULT_INFEASIBLE_FOR,
            cooldown: DEFAULT_COOLDOWN,
            scale_up_threshold: None,
            headroom: DEFAULT_HEADROOM,
            min_savings: 0.0,
            max_hourly_cost: None,
            max_changes_per_hour: None,
            mode: None,
        }
    }
}

/// Who has said what is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `[defaults]`.
    Defaults,
    /// The rule itself.
    Rule,
    /// A `[[target]]`, by its place, and its glob.
    Target(usize, String),
    /// A `[[schedule]]`, by its place, and a moment at which it is in force.
    Schedule(usize, Timestamp),
    /// A tag of the deployment, as it stands.
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

/// By whom each setting was said, by its key; what nobody has said is not here.
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
    /// See [`EffectiveSettings::max_hourly_cost`].
    pub max_hourly_cost: Option<f64>,
    /// See [`EffectiveSettings::max_changes_per_hour`].
    pub max_changes_per_hour: Option<u32>,
    /// See [`EffectiveSettings::mode`].
    pub mode: Option<Mode>,
}

impl Settings {
    /// Whether any of them counts when a policy is asked if it must flap.
    pub(super) fn may_flap(&self) -> bool {
        self.instances.is_some() || self.scale_up_threshold.is_some()
    }
}

impl EffectiveSettings {
    /// Puts what is said in the place of what was in force, and notes who has said it.
    pub(super) fn take(
        &mut self,
        said: &Settings,
        origins: &mut Origins,
        by: &dyn Fn(&'static str) -> Origin,
    ) {
        if said.instances.is_some() || said.min.is_some() {
            self.lowest = None;
        }
        let mut note = |key| origins.insert(key, by(key));
        macro_rules! take {
            ($($key:literal: $said:ident => $($place:ident).+ = $value:expr;)*) => {
                $(if let Some($said) = said.$said {
                    self.$($place).+ = $value;
                    note($key);
                })*
            };
        }
        take! {
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
            "max_hourly_cost": max_hourly_cost => max_hourly_cost = Some(max_hourly_cost);
            "max_changes_per_hour": max_changes_per_hour => max_changes_per_hour = Some(max_changes_per_hour);
            "mode": mode => mode = Some(mode);
        }
    }

    /// Every setting by its key, in words.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        let maybe = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_owned());
        let dollars = |amount: f64| format!("{amount} USD");
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
                    self.scale_up_threshold.map(|threshold| threshold.to_string()),
                    "80 where it is a percentage",
                ),
            ),
            ("headroom", percent(self.headroom)),
            ("min_savings", dollars(self.min_savings)),
            ("max_hourly_cost", maybe(self.max_hourly_cost.map(dollars), "none")),
            ("max_changes_per_hour", maybe(self.max_changes_per_hour.map(|most| most.to_string()), "none")),
            ("mode", maybe(self.mode.map(|mode| mode.to_string()), "that of the policy")),
        ]
    }
}

/// As it is written: what a division by a hundred and its undoing leave in the last digits is nobody's.
fn percent(part: f64) -> String {
    format!("{}%", (part * 1e8).round() / 1e6)
}

/// Adds the settings to what a table of the policy file may say besides.
macro_rules! with_settings {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$doc:meta])* $own:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            $($(#[$doc])* $own: $type,)*
            /// The count stays inside these.
            instances: Option<crate::size::Bounds>,
            /// The bandwidth of an OCI deployment's load balancer stays inside these, in Mbps.
            bandwidth: Option<crate::size::Bounds>,
            /// How evidence the alarm's data must be, measured from the completion of the last change.
            evidence: Option<crate::policy::Evidence>,
            /// What to do where the platform's own autoscaling is in the way of a change of shape.
            native_autoscaling: Option<crate::policy::NativeAutoscaling>,
            /// How long a shape that could not be had is not asked for again: whole minutes, as in `1h`.
            capacity_backoff: Option<String>,
            /// How long after a change nothing else is changed, by direction.
            cooldown: Option<crate::policy::settings::CooldownText>,
            /// The threshold of the alarm that adds, in percent of the capacity that there is: whatever is taken away
            /// must leave the load a tenth under it.
            scale_up_threshold: Option<f64>,
            /// With `axis = "cheapest"`, the part of cores and memory that is kept free: `"20%"`.
            headroom: Option<crate::policy::settings::Percent>,
            /// With `axis = "cheapest"`, what another shape must save in an hour to be worth the change, in US dollars.
            min_savings: Option<f64>,
            /// What the deployment may cost in an hour, in US dollars of the ladder's prices.
            max_hourly_cost: Option<f64>,
            /// How often the deployment may be changed within an hour.
            max_changes_per_hour: Option<u32>,
        }

        impl $name {
            /// The settings among it, checked.
            fn settings(&self) -> Result<crate::policy::settings::Settings, String> {
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
    /// What holds where no rule says otherwise.
    pub(super) struct Defaults {}
}

impl Defaults {
    /// What the defaults say, checked.
    pub(super) fn checked(&self) -> Result<Settings, String> {
        self.settings()
    }
}

/// How long after a change nothing else is changed, by direction.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as `{ up = \"0s\", down = \"5m\" }`")]
pub(super) struct CooldownText {
    /// Before more is added: `0s`, or whole seconds up to a day.
    up: Option<String>,
    /// Before something is taken away: `0s`, or whole seconds up to a day.
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
    pub(super) max_hourly_cost: Option<f64>,
    pub(super) max_changes_per_hour: Option<u32>,
}

impl RawSettings<'_> {
    pub(super) fn checked(self) -> Result<Settings, String> {
        self.instances.map_or(Ok(()), check_bounds)?;
        self.bandwidth.map_or(Ok(()), check_bandwidth)?;
        let CooldownText { up, down } = self.cooldown.unwrap_or(&CooldownText { up: None, down: None });
        let positive =
            |key: &str, value: Option<f64>| value.map(|value| above_nothing(key, value)).transpose();
        Ok(Settings {
            instances: self.instances,
            bandwidth: self.bandwidth,
            evidence: self.evidence,
            native_autoscaling: self.native_autoscaling,
            capacity_backoff: self
                .capacity_backoff
                .map(|text| minutes("capacity_backoff", text, LONGEST_INFEASIBLE))
                .transpose()?,
            cooldown_up: up.as_deref().map(|text| cooldown("cooldown.up", text)).transpose()?,
            cooldown_down: down.as_deref().map(|text| cooldown("cooldown.down", text)).transpose()?,
            scale_up_threshold: positive("scale_up_threshold", self.scale_up_threshold)?,
            headroom: self.headroom.map(headroom).transpose()?,
            min_savings: self.min_savings.map(min_savings).transpose()?,
            max_hourly_cost: positive("max_hourly_cost", self.max_hourly_cost)?,
            max_changes_per_hour: self
                .max_changes_per_hour
                .map(|most| max_changes("max_changes_per_hour", most))
                .transpose()?,
            ..Settings::default()
        })
    }
}

/// Bounds on the count that can be kept.
pub(super) fn check_bounds(Bounds { min, max }: Bounds) -> Result<(), String> {
    if min == 0 {
        return Err(
            "`instances.min = 0`: expected at least 1, no target here can be woken from nothing".into()
        );
    }
    if min > max {
        return Err(format!("`instances.min = {min}` is above `instances.max = {max}`"));
    }
    Ok(())
}

fn check_bandwidth(Bounds { min, max }: Bounds) -> Result<(), String> {
    let within = DEFAULT_BANDWIDTH.min..=DEFAULT_BANDWIDTH.max;
    if !within.contains(&min) || !within.contains(&max) {
        return Err(format!(
            "`bandwidth = {{ min = {min}, max = {max} }}`: expected {DEFAULT_BANDWIDTH} Mbps"
        ));
    }
    if min > max {
        return Err(format!("`bandwidth.min = {min}` is above `bandwidth.max = {max}`"));
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
    sensible.then_some(value).ok_or_else(|| format!("`{key} = {value}`: expected a number above 0"))
}

fn min_savings(value: f64) -> Result<f64, String> {
    let sensible = value.is_finite() && value >= 0.0;
    sensible.then_some(value).ok_or_else(|| format!("`min_savings = {value}`: expected 0 or more"))
}

fn headroom(Percent(text): &Percent) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let part = number.filter(|number| (0.0..100.0).contains(number)).map(|number| number / 100.0);
    part.ok_or_else(|| format!("`headroom = \"{text}\"`: expected a percentage such as `20%`, under 100"))
}

/// How often something may be changed.
pub(crate) fn max_changes(key: &str, most: u32) -> Result<u32, String> {
    let sensible = (1..=MOST_CHANGES).contains(&most);
    sensible.then_some(most).ok_or_else(|| format!("`{key} = {most}`: expected 1 to {MOST_CHANGES}"))
}
