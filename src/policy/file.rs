//! The policy file: read into types, checked table by table, and then together.
//!
//! Every problem is found in one pass, except that tables are only compared with each other once each of them is right.

use serde::Deserialize;

use super::lists::Lists;
use super::notify::NotifyText;
use super::provisioned;
use super::rule::{self, Rule, RuleText};
use super::schedule::ScheduleText;
use super::settings::{Defaults, Settings};
use super::target::{self, TargetText};
use super::{BUILT_IN, Mode, Policy, flap, names, shapes};
use crate::document::{Document, Errors, Fault, Faults, Node, PartialRead, Problems, Skipped};
use crate::ladder::{FlexShape, Ladder, Ladders};
use crate::platform::{self, PLATFORMS, ProvisionTable, WrittenTable};
use crate::text::number;

/// The policy file. Each platform may have a further table for what `stepladder provision` sets up there.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Whether calls are sent (default: `act`).
    mode: Option<Mode>,
    /// Globs on the targets that may change (default: every target).
    targets: Option<Vec<String>>,
    /// Globs on the ids of the topics whose alarms count (default: every topic).
    topics: Option<Vec<String>>,
    /// The accounts whose alarms count (default: every account).
    accounts: Option<Vec<String>>,
    /// Settings that apply where no other table sets them.
    #[serde(default)]
    defaults: Defaults,
    /// What the alarms of a name change. The first rule that matches counts, then the built-in ones.
    #[serde(default)]
    rule: Vec<RuleText>,
    /// Settings for the targets of a glob, whichever rule matches. The first table that sets something counts.
    #[serde(default)]
    target: Vec<TargetText>,
    /// Times at which the count has other bounds. The first schedule that sets something counts.
    #[serde(default)]
    schedule: Vec<ScheduleText>,
    /// Ordered tables of shapes, searched before the built-in ones.
    #[serde(default)]
    ladder: Vec<Ladder>,
    /// Flexible shapes, and how large each may be.
    #[serde(default)]
    flex: Vec<FlexShape>,
    /// Destinations that are notified of resizes and holds.
    #[serde(default)]
    notify: Vec<NotifyText>,
}

/// Reads and checks a file.
pub(super) fn read(text: &str) -> Result<Policy, Errors> {
    let document = Document::parse(text)?;
    let tables: Vec<&str> = platform::provision_tables().map(|table| table.key).collect();
    let mut problems = Problems::new(&document);
    let read = document.read::<File>(&tables, &mut problems);
    let Some(PartialRead { value, skipped }) = read else {
        problems.into_result()?;
        return Err(Errors::elsewhere("it cannot be read"));
    };
    let mut checker = Checker { document: &document, root: document.root(), skipped, problems };
    let policy = checker.policy(value)?;
    checker.problems.into_result()?;
    policy.ok_or_else(|| Errors::elsewhere("it cannot be checked"))
}

/// The built-in ladders and flexible shapes of every platform.
pub(super) fn built_in_ladders() -> Result<Ladders, Errors> {
    let mut ladders = Ladders::default();
    for platform in PLATFORMS {
        let read = Ladders::read(platform.ladders);
        let broken = |error| Errors::elsewhere(&format!("built-in ladders of `{}`: {error}", platform.name));
        ladders = ladders.and(read.map_err(broken)?);
    }
    Ok(ladders)
}

/// The built-in rules, with the settings of `[defaults]`.
fn built_in_rules(defaults: &Settings) -> Result<Vec<Rule>, Errors> {
    let document = Document::parse(BUILT_IN)?;
    let mut problems = Problems::new(&document);
    let file = document.read::<File>(&[], &mut problems).map(|reading| reading.value).unwrap_or_default();
    let mut rules = Vec::new();
    for rule in file.rule {
        match rule.checked(rule::BUILT_IN, defaults) {
            Ok(rule) => rules.push(rule),
            Err(faults) => faults.into_iter().for_each(|fault| problems.add(&document.root(), &fault)),
        }
    }
    problems.into_result().map(|()| rules)
}

/// Checks one file.
struct Checker<'d> {
    document: &'d Document<'d>,
    root: Node<'d>,
    skipped: Skipped,
    problems: Problems<'d>,
}

impl<'d> Checker<'d> {
    /// The policy; `None` where problems prevent it.
    fn policy(&mut self, file: File) -> Result<Option<Policy>, Errors> {
        let defaults = self.defaults(&file.defaults);
        let built_in = built_in_ladders()?;
        let flex = self.flex(file.flex, &built_in);
        let own_ladders = self.ladders(file.ladder);
        let written = self.each("rule", file.rule, |i, rule: RuleText| {
            rule.checked(&format!("rule {} of the policy", i + 1), &defaults)
        });
        let targets = self.each("target", file.target, |i, text: TargetText| {
            text.checked().map_err(|faults| faults.about(&format!("target {}", i + 1)))
        });
        let schedules = self.each("schedule", file.schedule, |i, text: ScheduleText| {
            text.checked().map_err(|faults| faults.about(&format!("schedule {}", i + 1)))
        });
        let notify = self.each("notify", file.notify, |i, text: NotifyText| {
            text.checked().map_err(|faults| faults.about(&format!("notify {}", i + 1)))
        });
        let lists = Lists::checked(file.targets, file.topics, file.accounts);
        let lists = lists.map_err(|faults| self.add(&self.root.clone(), faults)).ok();
        let provision = self.provision_tables();
        let own_ladder_count = own_ladders.len();
        let own_rules = written.len();
        let rules: Vec<Rule> = written.into_iter().chain(built_in_rules(&defaults)?).collect();
        let ladders = built_in.after(own_ladders, flex);
        self.sizes(&ladders, own_ladder_count);
        let Some(lists) = lists.filter(|_| self.problems.is_empty()) else { return Ok(None) };
        let mut policy = Policy {
            mode: file.mode.unwrap_or_default(),
            mode_set_by: file.mode.map(|_| "the policy's `mode`".to_owned()).into_iter().collect(),
            lists,
            rules,
            own_rules,
            own_ladders: own_ladder_count,
            reconcile_only: Rule::reconcile_only(),
            targets,
            schedules,
            ladders,
            notify,
            alarm_action: None,
            one_at_a_time: None,
            provision: Vec::new(),
        };
        self.check_rules(&policy);
        if self.problems.is_empty() {
            self.check_targets_and_schedules(&policy);
        }
        if self.problems.is_empty() {
            policy.provision = self.provisioned(provision, &policy);
        }
        Ok(Some(policy))
    }

    fn add(&mut self, table: &Node<'_>, faults: Faults) {
        for fault in faults {
            self.problems.add(table, &fault);
        }
    }

    /// Adds a fault of one element of a list.
    fn add_of(&mut self, list: &str, index: usize, fault: &Fault) {
        let element = self.root.key(list).and_then(|list| list.nth(index));
        self.problems.add(&element.unwrap_or_else(|| self.root.clone()), fault);
    }

    /// Checks each element of a list that could be read whole.
    fn each<T, C>(
        &mut self,
        list: &str,
        read: Vec<T>,
        check: impl Fn(usize, T) -> Result<C, Faults>,
    ) -> Vec<C> {
        let elements = self.skipped.beside(self.root.key(list).as_ref(), read);
        let mut checked = Vec::with_capacity(elements.len());
        for (i, (node, element)) in elements.into_iter().enumerate() {
            match element.map(|element| check(i, element)) {
                Some(Ok(element)) => checked.push(element),
                Some(Err(faults)) => self.add(&node, faults),
                None => {}
            }
        }
        checked
    }

    fn defaults(&mut self, defaults: &Defaults) -> Settings {
        let node = self.root.key("defaults");
        let Some(node) = node.filter(|node| self.skipped.is_whole(node)) else { return Settings::default() };
        match defaults.checked() {
            Ok(settings) => settings,
            Err(faults) => {
                self.add(&node, faults.about("defaults"));
                Settings::default()
            }
        }
    }

    /// The name of each element of a list; empty for one that has none.
    fn names(&self, list: &str, key: &str) -> Vec<&'d str> {
        let list = self.root.key(list);
        let elements = list.iter().flat_map(Node::elements);
        elements.map(|element| element.key(key).and_then(|name| name.as_str()).unwrap_or_default()).collect()
    }

    fn flex(&mut self, read: Vec<FlexShape>, built_in: &Ladders) -> Vec<FlexShape> {
        let names = self.names("flex", "shape");
        self.each("flex", read, |i, flex: FlexShape| {
            let before = names.iter().take(i).copied();
            let checked = shapes::check_name("flex", "shape", &flex.shape, before);
            checked.map_err(|fault| fault.about(&format!("flex {}", i + 1)))?;
            shapes::check_flex(&flex, built_in).map(|()| flex)
        })
    }

    fn ladders(&mut self, read: Vec<Ladder>) -> Vec<Ladder> {
        let names = self.names("ladder", "name");
        self.each("ladder", read, |i, ladder: Ladder| {
            let before = names.iter().take(i).copied();
            let checked = shapes::check_name("ladder", "name", &ladder.name, before);
            checked.map_err(|fault| fault.about(&format!("ladder {}", i + 1)))?;
            shapes::check_ladder(&ladder).map(|()| ladder)
        })
    }

    /// Checks the sizes of flexible rungs, once all ladders and flexible shapes are right.
    fn sizes(&mut self, ladders: &Ladders, own_count: usize) {
        if !self.problems.is_empty() {
            return;
        }
        for (i, ladder) in ladders.iter().enumerate() {
            let faults = shapes::check_sizes(ladder, ladders).err().into_iter().flatten();
            for fault in faults {
                if i < own_count {
                    self.add_of("ladder", i, &fault);
                } else {
                    self.problems.add(&self.root, &fault);
                }
            }
        }
    }

    fn check_rules(&mut self, policy: &Policy) {
        let own_ladders = || policy.ladders.iter().take(policy.own_ladders);
        for (i, rule) in policy.rules.iter().enumerate() {
            if i < policy.own_rules {
                let flaps = flap::check(rule, own_ladders(), flap::THRESHOLD);
                let named = names::check(i, &policy.rules);
                for fault in [flaps.err(), named.err()].into_iter().flatten() {
                    self.add_of("rule", i, &fault.about(&rule.origin));
                }
            } else if let Err(fault) = flap::check(rule, [], flap::THRESHOLD) {
                // All built-in rules have the same defaults.
                self.problems.add(&self.root, &of_defaults(rule, &fault));
                break;
            }
        }
    }

    fn check_targets_and_schedules(&mut self, policy: &Policy) {
        for (i, fault) in target::check_beside(&policy.targets, &policy.rules) {
            self.add_of("target", i, &fault.about(&format!("target {}", i + 1)));
        }
        for (i, schedule) in policy.schedules.iter().enumerate() {
            if let Err(fault) = schedule.check_beside(&policy.targets, &policy.rules) {
                self.add_of("schedule", i, &fault.about(&format!("schedule {}", i + 1)));
            }
        }
    }

    /// The platforms' own tables.
    fn provision_tables(&mut self) -> Vec<WrittenTable> {
        let mut tables = Vec::new();
        for row in platform::provision_tables() {
            let Some(node) = self.root.key(row.key) else { continue };
            match (row.read)(self.document, &node, &mut self.problems) {
                Some(Ok(table)) => tables.push(table),
                Some(Err(faults)) => self.add(&node, faults),
                None => {}
            }
        }
        tables
    }

    /// The platforms' own tables, once the rules match every alarm of them.
    fn provisioned(&mut self, tables: Vec<WrittenTable>, policy: &Policy) -> Vec<ProvisionTable> {
        let mut checked = Vec::with_capacity(tables.len());
        for table in tables {
            let key = table.key;
            match provisioned::checked(table, policy) {
                Ok(table) => checked.push(table),
                Err(faults) => {
                    let node = self.root.key(key).unwrap_or_else(|| self.root.clone());
                    self.add(&node, faults);
                }
            }
        }
        checked
    }
}

/// The numbers of a built-in rule come from `[defaults]`, so these are wrong where it flaps.
fn of_defaults(rule: &Rule, fault: &Fault) -> Fault {
    match rule.is.scale_up_threshold {
        Some(above) => Fault::of(
            "defaults.scale_up_threshold",
            format!(
                "`scale_up_threshold = {}` is too {} for a built-in rule: {}",
                number(above),
                flap::misfit(above),
                fault.message()
            ),
        )
        .about("defaults"),
        None => Fault::whole(fault.message()).about(&rule.origin),
    }
}
