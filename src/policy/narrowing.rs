//! A deployment's own tags narrow the policy's settings, and never widen them.
//!
//! Somebody who may tag a deployment need not be trusted with the policy. So bounds are intersected; of ceilings and
//! rates the smaller counts, and of cooldowns the longer.

use super::rule::{MatchedRule, Rule};
use super::settings::{EffectiveSettings, Origin, Origins, Settings};
use super::{Evidence, Mode};
use crate::size::Bounds;

impl MatchedRule<'_> {
    /// Narrows the rule's settings by those of the deployment's own tags, and notes the tags that have an effect.
    pub(crate) fn narrow(&mut self, tags: &Settings, origin: &dyn Fn(&'static str) -> Origin) {
        if *tags != Settings::default() {
            self.rule.to_mut().narrow(tags, origin);
        }
    }
}

impl Rule {
    fn narrow(&mut self, tags: &Settings, origin: &dyn Fn(&'static str) -> Origin) {
        let narrower = self.is.narrowed(tags);
        note_origins(&self.is, &narrower, &mut self.origins, origin);
        self.is = narrower;
    }
}

impl EffectiveSettings {
    /// The settings, narrowed by those of tags. Settings that no tag can set stay.
    ///
    /// Bounds that do not overlap leave a floor above the ceiling: then the count may rise to the ceiling, and is never
    /// lowered.
    pub(super) fn narrowed(&self, tags: &Settings) -> Self {
        let of_tags = Bounds { min: tags.min.unwrap_or(0), max: tags.max.unwrap_or(u32::MAX) };
        let mut narrower = *self;
        narrower.instances = self.instances.intersect(Some(of_tags));
        narrower.lowest = self.lowest.map(|lowest| lowest.max(of_tags.min));
        narrower.evidence = match tags.evidence {
            // The window is the stricter of the two.
            Some(Evidence::Window) => Evidence::Window,
            Some(Evidence::Fired) | None => self.evidence,
        };
        narrower.cooldown.up = self.cooldown.up.max(tags.cooldown_up.unwrap_or_default());
        narrower.cooldown.down = self.cooldown.down.max(tags.cooldown_down.unwrap_or_default());
        let costs = self.max_hourly_cost.into_iter().chain(tags.max_hourly_cost);
        narrower.max_hourly_cost = costs.min_by(f64::total_cmp);
        let rates = self.max_changes_per_hour.into_iter().chain(tags.max_changes_per_hour);
        narrower.max_changes_per_hour = rates.min();
        narrower.mode = match tags.mode {
            Some(Mode::Observe) => Some(Mode::Observe),
            Some(Mode::Act) | None => self.mode,
        };
        narrower
    }
}

/// Notes the origin of each setting that a tag has changed.
fn note_origins(
    before: &EffectiveSettings,
    after: &EffectiveSettings,
    origins: &mut Origins,
    origin: &dyn Fn(&'static str) -> Origin,
) {
    let changed = [
        ("instances.min", before.instances.min != after.instances.min),
        ("instances.max", before.instances.max != after.instances.max),
        ("evidence", before.evidence != after.evidence),
        ("cooldown.up", before.cooldown.up != after.cooldown.up),
        ("cooldown.down", before.cooldown.down != after.cooldown.down),
        ("max_hourly_cost", before.max_hourly_cost != after.max_hourly_cost),
        ("max_changes_per_hour", before.max_changes_per_hour != after.max_changes_per_hour),
        ("mode", before.mode != after.mode),
    ];
    for (key, _) in changed.into_iter().filter(|(_, is_changed)| *is_changed) {
        origins.insert(key, origin(key));
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::policy::settings::Cooldown;
    use crate::policy::tags::{TagSettings, read};
    use crate::tags::Tags;

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    prop_compose! {
        fn any_settings()(
            bounds in (1_u32..20, 1_u32..20),
            lowest in proptest::option::of(1_u32..20),
            fired in any::<bool>(),
            cooldown in (0_i64..900, 0_i64..900),
            cost in proptest::option::of(0.01..9.0),
            changes in proptest::option::of(1_u32..13),
            observes in proptest::option::of(any::<bool>()),
        ) -> EffectiveSettings {
            EffectiveSettings {
                instances: Bounds { min: bounds.0.min(bounds.1), max: bounds.0.max(bounds.1) },
                lowest,
                evidence: if fired { Evidence::Fired } else { Evidence::Window },
                cooldown: Cooldown { up: seconds(cooldown.0), down: seconds(cooldown.1) },
                max_hourly_cost: cost,
                max_changes_per_hour: changes,
                mode: observes.map(|observes| if observes { Mode::Observe } else { Mode::Act }),
                ..EffectiveSettings::default()
            }
        }
    }

    fn any_tags() -> impl Strategy<Value = Tags> {
        let number = prop_oneof![1_u32..20, Just(900), Just(u32::MAX)];
        let tag = prop_oneof![
            number.clone().prop_map(|number| ("min", number.to_string())),
            number.prop_map(|number| ("max", number.to_string())),
            prop_oneof![Just("fired"), Just("window")].prop_map(|text| ("evidence", text.to_owned())),
            (0_i64..900).prop_map(|wait| ("cooldown-up", format!("{wait}s"))),
            (0_i64..900).prop_map(|wait| ("cooldown-down", format!("{wait}s"))),
            (0.01..1e9).prop_map(|cost: f64| ("max-hourly-cost", cost.to_string())),
            (1_u32..13).prop_map(|changes| ("max-changes-per-hour", changes.to_string())),
            Just(("mode", "observe".to_owned())),
        ];
        let tags = proptest::collection::vec(tag, 0..9);
        tags.prop_map(|tags| {
            tags.into_iter().map(|(name, value)| (format!("stepladder:{name}"), value)).collect()
        })
    }

    /// Whether the second allows nothing that the first does not allow.
    fn is_no_wider(before: &EffectiveSettings, after: &EffectiveSettings) -> bool {
        let ceiling = |cost: Option<f64>| cost.unwrap_or(f64::INFINITY);
        let rate = |changes: Option<u32>| changes.unwrap_or(u32::MAX);
        after.instances.min >= before.instances.min
            && after.instances.max <= before.instances.max
            && after.lowest.is_some() == before.lowest.is_some()
            && after.lowest >= before.lowest
            && (after.evidence == before.evidence || after.evidence == Evidence::Window)
            && after.cooldown.up >= before.cooldown.up
            && after.cooldown.down >= before.cooldown.down
            && ceiling(after.max_hourly_cost) <= ceiling(before.max_hourly_cost)
            && rate(after.max_changes_per_hour) <= rate(before.max_changes_per_hour)
            && (after.mode == before.mode || after.mode == Some(Mode::Observe))
    }

    proptest! {
        #[test]
        fn no_set_of_tags_widens_anything(settings in any_settings(), tags in any_tags()) {
            let TagSettings { settings: of_tags, .. } = read(&tags).unwrap_or_default();
            let narrower = settings.narrowed(&of_tags);
            prop_assert!(is_no_wider(&settings, &narrower), "{settings:?} {tags:?} {narrower:?}");
            prop_assert_eq!(narrower.narrowed(&of_tags), narrower);
            // What no tag can set is as before.
            let as_before = EffectiveSettings {
                instances: settings.instances,
                lowest: settings.lowest,
                evidence: settings.evidence,
                cooldown: settings.cooldown,
                max_hourly_cost: settings.max_hourly_cost,
                max_changes_per_hour: settings.max_changes_per_hour,
                mode: settings.mode,
                ..narrower
            };
            prop_assert_eq!(as_before, settings);
        }
    }
}
