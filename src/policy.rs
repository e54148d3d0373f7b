//! The policy file: which alarm moves which deployment, how far, and what takes it back.
//!
//! Validated whole when it is loaded, so that nothing later has to doubt it. Reads no file and no
//! environment: text in, policy out.

use std::fmt;

use jiff::SignedDuration;
use serde::Deserialize;
use wildmatch::WildMatch;

use crate::alarm::{Alarm, TargetId};
use crate::deployment::{Axis, Bounds, Flex};
use crate::ladder::{FlexShape, GIB_PER_OCPU, Ladder, Ladders};

mod error;
mod lists;
mod notify;
mod oci;

pub use error::Error;
use lists::Lists;
use notify::NotifyText;
pub use notify::{Destination, Form, Notify, Occasion};
pub use oci::{HighAlarm, Severity, Statistic, Topic, Wanted};

/// The built-in rules, written as any policy is.
const BUILT_IN: &str = include_str!("policy/built_in.toml");

/// One to ten instances: what Oracle's guide allows a model deployment.
const DEFAULT_INSTANCES: Bounds = Bounds { min: 1, max: 10 };

/// What a load balancer of OCI can have, in Mbps. See
/// <https://docs.oracle.com/en-us/iaas/Content/Balance/Concepts/balanceoverview.htm>.
const DEFAULT_BANDWIDTH: Bounds = Bounds { min: 10, max: 8000 };

/// CloudWatch evaluates at most a day of one-minute periods; OCI queries know windows up to a day.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// No deployment here can have a thousand instances.
const LARGEST_STEP: u32 = 1000;

/// A quota is raised, or a capacity comes back, in hours rather than minutes; an hour keeps the attempts few.
const DEFAULT_INFEASIBLE_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A month of not trying is giving up, which is better said with another ladder.
const LONGEST_INFEASIBLE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// OCI repeats a notification at most every minute and at least every thirty days.
const LONGEST_REPEAT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Everything that may be configured, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether calls are sent at all.
    pub mode: Mode,
    /// Which targets are ever touched, and whose alarms may ask for it.
    lists: Lists,
    /// The policy's rules, then the built-in ones. The first that matches counts.
    rules: Vec<Rule>,
    own_rules: usize,
    /// For paired alarms whose rule has left the policy.
    caretaker: Rule,
    /// Every shape table in force.
    pub ladders: Ladders,
    /// Who hears of a resize.
    pub notify: Vec<Notify>,
    /// What paired alarms notify when it is fixed for the whole function; otherwise they notify what the
    /// firing alarm does.
    pub alarm_action: Option<String>,
    /// What `stepladder provision` sets up on OCI. The function itself has no use for it.
    pub oci: Option<Wanted>,
}

/// Whether calls are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Calls are sent.
    #[default]
    Act,
    /// Everything runs but the calls.
    Observe,
}

/// How fresh the evidence must be, measured from the completion of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fresh {
    /// All the data that the alarm was evaluated on is newer.
    #[default]
    Window,
    /// The moment it fired is newer.
    Fired,
}

/// What to do where the platform's own autoscaling is in the way of a change of shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Native {
    /// Leave it alone, and say so.
    #[default]
    Hold,
    /// Take it out for the time of the change, and put it back.
    Park,
}

/// What to do about the alarms of one name.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it stands, for the record: `rule 2 of the policy`.
    pub origin: String,
    alarm: Vec<WildMatch>,
    target: WildMatch,
    /// What it changes.
    pub axis: Axis,
    /// How many instances or rungs; negative goes down.
    pub step: i32,
    /// The count stays inside these.
    pub instances: Bounds,
    /// The bandwidth stays inside these, in Mbps.
    pub bandwidth: Bounds,
    /// How fresh the evidence must be.
    pub fresh: Fresh,
    /// What to do where the platform's own autoscaling is in the way.
    pub native: Native,
    /// Whether another rule may have parked it.
    pub heeds_parked: bool,
    /// How long a shape that could not be had is not asked for again.
    pub infeasible_for: SignedDuration,
    /// The alarm that takes back what this rule adds.
    pub pair: Option<Pair>,
}

/// The low alarm that takes back what a rule adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its name on OCI, and the last part of its name on CloudWatch.
    pub alarm: String,
    /// The metric, in either cloud's spelling.
    pub metric: String,
    /// It fires below this: percent of the capacity that there is.
    pub below: f64,
    /// How long it must stay below.
    pub window: SignedDuration,
    /// How often it says so again, where the service can repeat.
    pub repeat: SignedDuration,
}

impl Pair {
    /// The name under which the alarm of one target is kept where names are unique per region.
    pub fn name_for(&self, target: &TargetId) -> String {
        pair_name(target, &self.alarm)
    }
}

/// The name of a paired alarm of a target where names are unique per region.
pub fn pair_name(target: &TargetId, pair: &str) -> String {
    format!("stepladder/{target}/{pair}")
}

/// Whether an alarm has a name that only paired alarms of a target have.
pub fn is_pair_name(alarm: &str, target: &TargetId) -> bool {
    alarm.starts_with(&pair_name(target, ""))
}

/// A rule that matches, and which way it goes for this alarm.
#[derive(Debug, Clone)]
pub struct Matched<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its step for this alarm: positive goes up, negative goes down.
    pub step: i32,
    /// The glob or the name in it that matches the alarm's.
    pub by: String,
}

impl Policy {
    /// The built-in rules and ladders alone.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse("")
    }

    /// Reads and checks a policy file. The built-in rules and ladders follow its own.
    ///
    /// ```
    /// use stepladder::policy::Policy;
    /// let error = Policy::parse("[defaults]\ninstanses = { min = 1, max = 3 }").unwrap_err();
    /// assert!(error.to_string().contains("`instances`"), "{error}");
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        let own = File::read(text)?;
        let built_in = File::read(BUILT_IN)?;
        let defaults = own.defaults;
        let in_defaults = |problem| Error::Invalid { place: "defaults".to_owned(), problem };
        defaults.instances.map_or(Ok(()), check_bounds).map_err(in_defaults)?;
        defaults.bandwidth.map_or(Ok(()), check_bandwidth).map_err(in_defaults)?;
        let infeasible_for = defaults.infeasible_for.as_deref();
        infeasible_for.map(checked_infeasible_for).transpose().map_err(in_defaults)?;
        let ladders = Ladders::built_in()?;
        let flex = checked_flex(own.flex, &ladders)?;
        let ladders = ladders.after(checked_ladders(own.ladder)?, flex);
        sizes_of_flexible_rungs(&ladders)?;
        let mut rules = Vec::new();
        for (i, rule) in own.rule.into_iter().enumerate() {
            let origin = format!("rule {} of the policy", i + 1);
            rules.push(rule.checked(origin, &defaults)?);
        }
        let own_rules = rules.len();
        for rule in built_in.rule {
            rules.push(rule.checked("built-in rule".to_owned(), &defaults)?);
        }
        // What one rule has parked another must not take for gone.
        let parks = rules.iter().any(|rule| rule.native == Native::Park);
        for rule in &mut rules {
            rule.heeds_parked = parks;
        }
        let lists = Lists::checked(own.targets, own.topics, own.accounts)?;
        let mut policy = Self {
            mode: own.mode,
            lists,
            rules,
            own_rules,
            caretaker: Rule::caretaker(),
            ladders,
            notify: notify::checked(own.notify)?,
            alarm_action: None,
            oci: None,
        };
        policy.oci = own.oci.map(|written| written.checked(&policy)).transpose()?;
        Ok(policy)
    }

    /// Whether the policy lets this target be touched at all.
    pub fn allows(&self, target: &TargetId) -> bool {
        self.lists.hold_target(target)
    }

    /// The first of its lists that leaves out an alarm about a target, and what is not on it.
    pub fn leaves_out<'a>(&self, alarm: &'a Alarm, target: &'a TargetId) -> Option<(&'static str, &'a str)> {
        self.lists.leaving_out(alarm, target)
    }

    /// What is left to do about a deployment whose paired alarm no rule knows any more: to finish what was begun,
    /// and to change nothing else. Its step is none.
    pub fn caretaker(&self) -> Matched<'_> {
        Matched { rule: &self.caretaker, step: 0, by: String::new() }
    }

    /// How many rules are the policy's own, and how many are built in.
    pub fn rule_counts(&self) -> (usize, usize) {
        (self.own_rules, self.rules.len() - self.own_rules)
    }

    /// The first rule for an alarm on a target.
    ///
    /// What is called like a paired alarm never adds anything, however wide a glob is: an endpoint may well
    /// be called `high-cpu-model`, and its low alarm must not be taken for a high one. One that stepladder has
    /// made is known to the rule that it was made for, and to no other.
    pub fn rule_for(&self, alarm: &str, target: &TargetId) -> Option<Matched<'_>> {
        let here = || self.rules.iter().filter(|rule| rule.target.matches(&target.id));
        let ours = is_pair_name(alarm, target);
        let takes_back = here().any(|rule| rule.is_taken_back_by(alarm, target));
        here().find_map(|rule| {
            if rule.is_taken_back_by(alarm, target) {
                return Some(Matched { rule, step: -rule.step.abs(), by: alarm.to_owned() });
            }
            let glob = rule.alarm.iter().find(|glob| !ours && glob.matches(alarm))?;
            let adds = rule.step > 0;
            (!(adds && takes_back)).then(|| Matched { rule, step: rule.step, by: glob.to_string() })
        })
    }
}

impl Rule {
    /// A rule that no alarm matches.
    fn caretaker() -> Self {
        Self {
            origin: "no rule".to_owned(),
            alarm: Vec::new(),
            target: WildMatch::new("*"),
            // Only changes of shape leave something to finish.
            axis: Axis::Shape,
            step: 0,
            instances: DEFAULT_INSTANCES,
            bandwidth: DEFAULT_BANDWIDTH,
            fresh: Fresh::default(),
            // What was parked under another policy is put back all the same.
            native: Native::Park,
            heeds_parked: true,
            infeasible_for: DEFAULT_INFEASIBLE_FOR,
            pair: None,
        }
    }

    /// Whether the alarm has the name of this rule's paired alarm.
    fn is_taken_back_by(&self, alarm: &str, target: &TargetId) -> bool {
        self.pair.as_ref().is_some_and(|pair| alarm == pair.alarm || alarm == pair.name_for(target))
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    mode: Mode,
    targets: Option<Vec<String>>,
    topics: Option<Vec<String>>,
    accounts: Option<Vec<String>>,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    rule: Vec<RuleText>,
    #[serde(default)]
    ladder: Vec<Ladder>,
    #[serde(default)]
    flex: Vec<FlexShape>,
    #[serde(default)]
    notify: Vec<NotifyText>,
    oci: Option<oci::OciText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    instances: Option<Bounds>,
    bandwidth: Option<Bounds>,
    #[serde(default)]
    fresh: Fresh,
    #[serde(default)]
    native: Native,
    infeasible_for: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    alarm: Globs,
    target: Option<String>,
    axis: Axis,
    step: Option<i32>,
    instances: Option<Bounds>,
    bandwidth: Option<Bounds>,
    fresh: Option<Fresh>,
    native: Option<Native>,
    infeasible_for: Option<String>,
    pair: Option<PairText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairText {
    alarm: String,
    metric: String,
    below: f64,
    window: String,
    repeat: Option<String>,
}

/// One glob or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a glob on the alarm's name, or a list of them")]
enum Globs {
    One(String),
    Several(Vec<String>),
}

impl Globs {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(glob) => std::slice::from_ref(glob),
            Self::Several(globs) => globs,
        }
    }
}

impl File {
    fn read(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::unreadable(text, &error))
    }
}

impl RuleText {
    fn checked(self, origin: String, defaults: &Defaults) -> Result<Rule, Error> {
        let invalid = |problem: String| Error::Invalid { place: origin.clone(), problem };
        let step = self.step.unwrap_or(1);
        if step == 0 || step.unsigned_abs() > LARGEST_STEP {
            let expected = format!("expected -{LARGEST_STEP} to {LARGEST_STEP}, but not 0");
            return Err(invalid(format!("`step = {step}`: {expected}")));
        }
        let globs = self.alarm.as_slice();
        if globs.is_empty() || globs.iter().any(|glob| glob.trim().is_empty()) {
            return Err(invalid("`alarm` is empty: expected a glob on the alarm's name".to_owned()));
        }
        if self.target.as_ref().is_some_and(|glob| glob.trim().is_empty()) {
            return Err(invalid("`target` is empty: expected a glob on the target".to_owned()));
        }
        let instances = self.instances.or(defaults.instances).unwrap_or(DEFAULT_INSTANCES);
        check_bounds(instances).map_err(invalid)?;
        let bandwidth = self.bandwidth.or(defaults.bandwidth).unwrap_or(DEFAULT_BANDWIDTH);
        check_bandwidth(bandwidth).map_err(invalid)?;
        let pair = self.pair.map(PairText::checked).transpose().map_err(invalid)?;
        let native = self.native.unwrap_or(defaults.native);
        if native == Native::Park && self.axis == Axis::Shape && pair.is_none() {
            return Err(invalid(
                "`native = \"park\"` without a `pair`: expected one, because the looks at it \
                                bring back what was parked"
                    .to_owned(),
            ));
        }
        let infeasible_for = self.infeasible_for.as_deref().or(defaults.infeasible_for.as_deref());
        let infeasible_for = infeasible_for.map(checked_infeasible_for).transpose().map_err(invalid)?;
        Ok(Rule {
            alarm: self.alarm.as_slice().iter().map(|g| WildMatch::new_case_insensitive(g)).collect(),
            target: WildMatch::new(self.target.as_deref().unwrap_or("*")),
            axis: self.axis,
            step,
            instances,
            bandwidth,
            fresh: self.fresh.unwrap_or(defaults.fresh),
            native,
            heeds_parked: native == Native::Park,
            infeasible_for: infeasible_for.unwrap_or(DEFAULT_INFEASIBLE_FOR),
            pair,
            origin,
        })
    }
}

fn checked_infeasible_for(text: &str) -> Result<SignedDuration, String> {
    minutes("infeasible_for", text, LONGEST_INFEASIBLE)
}

fn check_bounds(Bounds { min, max }: Bounds) -> Result<(), String> {
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

impl PairText {
    fn checked(self) -> Result<Pair, String> {
        // CloudWatch allows 255 characters for `stepladder/endpoint/<63>/variant/<63>/` and this.
        if self.alarm.is_empty() || self.alarm.len() > 80 || self.alarm.contains(['/', '\n', ' ']) {
            let shown = &self.alarm;
            return Err(format!(
                "`pair.alarm = \"{shown}\"`: expected 1 to 80 characters without `/` and spaces"
            ));
        }
        if self.metric.is_empty() || !self.metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`pair.metric = \"{}\"`: expected a metric's plain name", self.metric));
        }
        if !self.below.is_finite() || self.below <= 0.0 {
            return Err(format!("`pair.below = {}`: expected a number above 0", self.below));
        }
        let window = minutes("pair.window", &self.window, LONGEST_WINDOW)?;
        // An interval of an OCI query is written in minutes up to an hour, and in hours after that.
        if window.as_mins() > 60 && window.as_mins() % 60 != 0 {
            return Err(format!("`pair.window = \"{}\"`: expected whole hours above `60m`", self.window));
        }
        let repeat = match &self.repeat {
            Some(text) => minutes("pair.repeat", text, LONGEST_REPEAT)?,
            None => window,
        };
        Ok(Pair { alarm: self.alarm, metric: self.metric, below: self.below, window, repeat })
    }
}

/// A duration in whole minutes: what both alarm services can count in.
fn minutes(key: &str, text: &str, longest: SignedDuration) -> Result<SignedDuration, String> {
    let expected = format!("expected whole minutes from `1m` to `{}h`", longest.as_hours());
    let duration: SignedDuration =
        text.parse().map_err(|_| format!("`{key} = \"{text}\"` is no duration: {expected}"))?;
    let whole = duration.as_secs() % 60 == 0 && duration.subsec_nanos() == 0;
    if !whole || duration < SignedDuration::from_mins(1) || duration > longest {
        return Err(format!("`{key} = \"{text}\"`: {expected}"));
    }
    Ok(duration)
}

fn checked_ladders(ladders: Vec<Ladder>) -> Result<Vec<Ladder>, Error> {
    for ladder in &ladders {
        let place = format!("ladder `{}`", ladder.name);
        let invalid = |problem: String| Err(Error::Invalid { place: place.clone(), problem });
        if ladder.rungs.is_empty() {
            return invalid("it has no rungs: expected at least one".to_owned());
        }
        for (i, rung) in ladder.rungs.iter().enumerate() {
            if ladder.rungs.iter().take(i).any(|below| below.shape == rung.shape) {
                return invalid(format!("shape `{}` is on it twice", rung.shape));
            }
            if rung.vcpus == 0 || !rung.memory_gib.is_finite() || rung.memory_gib <= 0.0 {
                return invalid(format!("shape `{}` needs `vcpus` and `memory_gib` above 0", rung.shape));
            }
            if rung.price.is_some_and(|price| !price.is_finite() || price < 0.0) {
                return invalid(format!("shape `{}` has a `price` that is no amount", rung.shape));
            }
        }
    }
    Ok(ladders)
}

/// A rung of a flexible shape is nothing without its size, and no other shape has one.
fn sizes_of_flexible_rungs(ladders: &Ladders) -> Result<(), Error> {
    for ladder in ladders.iter() {
        let invalid = |problem| Err(Error::Invalid { place: format!("ladder `{}`", ladder.name), problem });
        for rung in &ladder.rungs {
            let written = rung.shape.as_str();
            let shape = written.split_once(':').map_or(written, |(shape, _)| shape);
            let flexible = ladders.flex().any(|flex| flex.shape == shape);
            if !flexible && shape != written {
                return invalid(format!(
                    "`{shape}` is no flexible shape: expected it without a size, or a `[[flex]]` of it"
                ));
            }
            let sized = Flex::read(written)
                .is_some_and(|(shape, flex)| flex.rung(shape) == written && flex.is_allowed());
            if flexible && !sized {
                return invalid(format!(
                    "`{written}` is flexible: expected its OCPUs and GB, too, as in `{shape}:2:32`, with \
                     {GIB_PER_OCPU} GB for each"
                ));
            }
        }
    }
    Ok(())
}

fn checked_flex(shapes: Vec<FlexShape>, built_in: &Ladders) -> Result<Vec<FlexShape>, Error> {
    for flex in &shapes {
        let place = format!("flexible shape `{}`", flex.shape);
        let invalid = |problem: String| Err(Error::Invalid { place: place.clone(), problem });
        for (key, Bounds { min, max }) in [("ocpus", flex.ocpus), ("memory_gib", flex.memory_gib)] {
            if min == 0 || min > max {
                return invalid(format!(
                    "`{key} = {{ min = {min}, max = {max} }}`: expected 1 or more, in order"
                ));
            }
        }
        let misspelled =
            |known: &&FlexShape| known.shape != flex.shape && known.shape.eq_ignore_ascii_case(&flex.shape);
        if let Some(known) = built_in.flex().find(misspelled) {
            return invalid(format!("did you mean `{}`?", known.shape));
        }
        let (least, most) =
            (flex.ocpus.min * GIB_PER_OCPU.min, flex.ocpus.max.saturating_mul(GIB_PER_OCPU.max));
        if flex.memory_gib.max < least || flex.memory_gib.min > most {
            return invalid(format!(
                "`memory_gib` leaves no core its {GIB_PER_OCPU} GB: expected {least} to {most} in it"
            ));
        }
        if flex.vcpus_per_ocpu == 0 {
            return invalid("`vcpus_per_ocpu = 0`: expected 1 or more".to_owned());
        }
        let prices = [flex.price_per_ocpu, flex.price_per_gib].into_iter().flatten();
        if prices.into_iter().any(|price| !price.is_finite() || price < 0.0) {
            return invalid("its price is no amount".to_owned());
        }
    }
    Ok(shapes)
}

impl fmt::Display for Matched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, step, by } = self;
        write!(f, "{} for `{by}`: {} {step:+}", rule.origin, rule.axis)
    }
}
