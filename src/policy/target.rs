//! `[[target]]`: settings for the targets of a glob, whichever rule matches.

use wildmatch::WildMatch;

use super::rule::Rule;
use super::settings::{Settings, with_settings};
use super::{Mode, effective, flap, globs};
use crate::document::{Fault, Faults};
use crate::target::TargetId;
use crate::text::number;

/// The settings of the targets of a glob.
#[derive(Debug, Clone)]
pub(super) struct TargetSettings {
    pub(super) glob: WildMatch,
    pub(super) settings: Settings,
}

with_settings! {
    /// Settings for the targets of a glob, whichever rule matches.
    pub(super) struct TargetText {
        /// A glob on the target.
        target: String,
        /// Whether calls are sent for these targets.
        mode: Option<Mode>,
    }
}

impl TargetText {
    /// Checks one entry.
    pub(super) fn checked(self) -> Result<TargetSettings, Faults> {
        let mut faults = Faults::default();
        let glob = faults.note(globs::of_targets(Some(&self.target)));
        let settings = faults.note_all(self.settings()).unwrap_or_default();
        let Some(glob) = glob else { return Err(faults) };
        faults.into_result()?;
        let settings = Settings { mode: self.mode, ..settings };
        if settings == Settings::default() {
            let message = "it changes nothing: expected a setting such as `instances` beside `target`";
            return Err(Fault::whole(message).into());
        }
        Ok(TargetSettings { glob, settings })
    }
}

impl TargetSettings {
    pub(super) fn is_for(&self, target: &TargetId) -> bool {
        self.glob.matches(target.as_str())
    }
}

/// Refuses a table whose settings make the pair of a rule undo its own step. The number of the table comes first.
pub(super) fn check_beside(tables: &[TargetSettings], rules: &[Rule]) -> Vec<(usize, Fault)> {
    let with_number = |(i, table)| check_one(table, tables, rules).err().map(|fault| (i, fault));
    tables.iter().enumerate().filter_map(with_number).collect()
}

fn check_one(table: &TargetSettings, tables: &[TargetSettings], rules: &[Rule]) -> Result<(), Fault> {
    if !table.settings.may_flap() {
        return Ok(());
    }
    let (key, written) = match table.settings.scale_up_threshold {
        Some(above) => (flap::THRESHOLD, format!("`scale_up_threshold = {}`", number(above))),
        None => ("instances", "`instances`".to_owned()),
    };
    effective::on(&table.glob, rules, tables).try_for_each(|rule| {
        flap::check(&rule, [], flap::THRESHOLD).map_err(|fault| {
            Fault::of(key, format!("{written} does not go with {}: {}", rule.name(), fault.message()))
        })
    })
}
