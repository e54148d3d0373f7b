//! `[[target]]`: what the targets of a glob have for themselves, whatever rule answers.

use wildmatch::WildMatch;

use super::rule::Rule;
use super::settings::{Settings, with_settings};
use super::{Error, Mode, effective, flap};
use crate::target::TargetId;

/// What the targets of a glob have for themselves.
#[derive(Debug, Clone)]
pub(crate) struct TargetSettings {
    pub(super) glob: WildMatch,
    pub(super) settings: Settings,
}

with_settings! {
    /// What the targets of a glob have for themselves, whatever rule answers.
    pub(super) struct TargetText {
        /// A glob on the target.
        target: String,
        /// Whether calls are sent for these targets.
        mode: Option<Mode>,
    }
}

/// Checks every entry.
pub(super) fn checked(written: Vec<TargetText>) -> Result<Vec<TargetSettings>, Error> {
    let check = |(i, text): (usize, TargetText)| {
        text.checked().map_err(|problem| Error::invalid(format!("target {}", i + 1), problem))
    };
    written.into_iter().enumerate().map(check).collect()
}

impl TargetText {
    fn checked(self) -> Result<TargetSettings, String> {
        if self.target.trim().is_empty() {
            return Err("`target` is empty: expected a glob on the target".to_owned());
        }
        let settings = Settings { mode: self.mode, ..self.settings()? };
        if settings == Settings::default() {
            return Err(
                "it changes nothing: expected a setting such as `instances` beside `target`".to_owned()
            );
        }
        Ok(TargetSettings { glob: WildMatch::new(&self.target), settings })
    }
}

impl TargetSettings {
    pub(super) fn is_for(&self, target: &TargetId) -> bool {
        self.glob.matches(target.as_str())
    }
}

/// Refuses what would make the pair of a rule call for what its own step down takes away.
pub(super) fn check_beside(tables: &[TargetSettings], rules: &[Rule]) -> Result<(), Error> {
    for (i, own) in tables.iter().enumerate().filter(|(_, own)| own.settings.may_flap()) {
        let above = own.settings.scale_up_threshold.map(|above| format!("`scale_up_threshold = {above}`"));
        let said = above.unwrap_or_else(|| "`instances`".to_owned());
        for rule in effective::on(&own.glob, rules, tables) {
            let does_not_go = |problem| {
                Error::invalid(
                    format!("target {}", i + 1),
                    format!("{said} does not go with {}: {problem}", rule.name()),
                )
            };
            flap::check(&rule, []).map_err(does_not_go)?;
        }
    }
    Ok(())
}
