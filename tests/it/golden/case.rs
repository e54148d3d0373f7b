//! One row: a policy, a deployment as it was observed, an alarm, and what is decided.

use std::collections::BTreeMap;
use std::process::{ExitCode, Termination};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stepladder::alarm::{
    Alarm, AlarmName, Comparison, Condition, Coverage, EvidenceTime, Measurement, Side, Subject, Transition,
};
use stepladder::decide::{Decision, DecisionTrace, Evaluation, decide, precheck};
use stepladder::deployment::{Deployment, Infeasible, Lifecycle, ObservedAlarm, Owner};
use stepladder::pair::pair_name;
use stepladder::plan::{Plan, plan};
use stepladder::platform::{Facts, Observation, aws, oci};
use stepladder::policy::Policy;
use stepladder::size::{Axis, Bounds, Size};
use stepladder::target::TargetId;

use crate::oracle::record_faults;
use crate::support::{CHURN, at, policy};

/// Makes a test of each row, called by the row's name, and a list of the rows for what must hold of all of them together.
macro_rules! rows {
    ($row:ident, $($name:ident = $value:expr),* $(,)?) => {
        $(
            #[test]
            fn $name() -> $row {
                $value
            }
        )*

        pub(super) const ROWS: &[fn() -> $row] = &[$($name),*];
    };
}
pub(crate) use rows;

/// The alarm that fires in these rows, and the pair of their rules.
pub(crate) const BUSY: &str = "busy";
pub(crate) const QUIET: &str = "quiet";

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) why: &'static str,
    policy: String,
    observed: Observation,
    alarm: Alarm,
    now: Timestamp,
    expected: String,
}

/// A plain comparison.
pub(crate) fn compares(value: f64, threshold: f64, side: Side) -> Condition {
    Condition::Plain(Comparison { threshold, side, value: Some(value) })
}

/// A rule for the alarm that fires.
pub(crate) fn rule(keys: &str) -> String {
    format!("[[rule]]\nalarm = \"{BUSY}\"\n{keys}")
}

/// A pair of a rule, with something more in it.
pub(crate) fn pair(metric: &str, more: &str) -> String {
    format!("pair = {{ alarm = \"{QUIET}\", metric = \"{metric}\", below = 10, window = \"5m\"{more} }}")
}

/// Another model deployment than that of the rows.
pub(crate) fn other_deployment() -> TargetId {
    oci::id::model_deployment("ocid1.datasciencemodeldeployment.oc1.iad.other").unwrap()
}

impl Case {
    /// Two instances of `VM.Standard2.2` on OCI, whose CPU is at 91.4 with a threshold of 80, and a rule.
    pub(crate) fn new(why: &'static str, keys: &str) -> Self {
        let target = oci::id::model_deployment(CHURN).unwrap();
        let size = Size::new(2, "VM.Standard2.2");
        let facts = oci::Facts {
            etag: "etag".to_owned(),
            compartment: String::new(),
            configuration: Arc::new(json!({})),
            tags: Arc::default(),
            alarm: None,
            pair: None,
        };
        let facts = Facts::Oci(facts);
        Self {
            why,
            policy: rule(keys),
            observed: Observation {
                deployment: Deployment {
                    target: target.clone(),
                    heading: size.clone(),
                    size,
                    lifecycle: Lifecycle::Settled,
                    status: "ACTIVE".to_owned(),
                    last_change: None,
                    bounds: None,
                    fixed: BTreeMap::new(),
                    owners: BTreeMap::new(),
                    pauses: Vec::new(),
                    tags: BTreeMap::new(),
                    readings: BTreeMap::new(),
                    unpublished: BTreeMap::new(),
                    infeasible: Vec::new(),
                    floor: None,
                    alarm: None,
                    pair: None,
                    duplicates: Vec::new(),
                },
                facts,
            },
            alarm: Alarm {
                id: String::new(),
                name: AlarmName::new(BUSY).unwrap(),
                source: "oci",
                transition: Transition::Firing,
                muted: false,
                targets: vec![target],
                unknown_targets: Vec::new(),
                is_titled: false,
                subject: Subject::default(),
                measurement: Measurement {
                    metric: Some("CpuUtilization".to_owned()),
                    condition: compares(91.4, 80.0, Side::Above),
                    window: Some(SignedDuration::from_mins(5)),
                    ..Measurement::default()
                },
                at: Some(at(0)),
                evidence: EvidenceTime::At(at(0)),
                topic: None,
                account: None,
            },
            now: at(0),
            expected: String::new(),
        }
    }

    /// With this before the rule.
    pub(crate) fn policy(mut self, text: &str) -> Self {
        self.policy = format!("{text}\n{}", self.policy);
        self
    }

    /// With nothing but this.
    pub(crate) fn only(mut self, text: &str) -> Self {
        text.clone_into(&mut self.policy);
        self
    }

    /// So many instances.
    pub(crate) fn count(mut self, instances: u32) -> Self {
        self.observed.deployment.size.instances = instances;
        self.observed.deployment.heading = self.observed.size.clone();
        self
    }

    /// Of this shape; a flexible one with its size.
    pub(crate) fn shape(mut self, rung: &str) -> Self {
        self.observed.deployment.size = self.observed.size.on_rung(rung);
        self.observed.deployment.heading = self.observed.size.clone();
        self
    }

    /// Of this size.
    pub(crate) fn sized(mut self, size: &Size) -> Self {
        self.observed.deployment.size = size.clone();
        self.observed.deployment.heading = size.clone();
        self
    }

    /// The size that is observed.
    pub(crate) fn size(&self) -> &Size {
        &self.observed.size
    }

    /// With a load balancer of so many Mbps.
    pub(crate) fn bandwidth(mut self, mbps: u32) -> Self {
        self.observed.deployment.size.bandwidth_mbps = Some(mbps);
        self.observed.deployment.heading = self.observed.size.clone();
        self
    }

    /// A variant of a SageMaker endpoint.
    pub(crate) fn variant(self, instances: u32, shape: &str) -> Self {
        let mut case = self.count(instances).shape(shape);
        case.observed.deployment.target = aws::id::variant("churn", "AllTraffic").unwrap();
        case.alarm.targets = vec![case.observed.target.clone()];
        "InService".clone_into(&mut case.observed.deployment.status);
        let facts = aws::Facts {
            configuration: "config".to_owned(),
            arn: "arn".to_owned(),
            created: None,
            endpoint: None,
            pair: None,
        };
        case.observed.facts = Facts::Aws(facts);
        case.alarm.measurement.metric = Some("CPUUtilization".to_owned());
        case
    }

    /// The alarm fires above its threshold.
    pub(crate) fn high(self, metric: &str, value: f64, threshold: f64) -> Self {
        self.measures(metric, value, threshold, Side::Above)
    }

    /// The alarm fires below its threshold.
    pub(crate) fn low(self, metric: &str, value: f64, threshold: f64) -> Self {
        self.measures(metric, value, threshold, Side::Below)
    }

    fn measures(mut self, metric: &str, value: f64, threshold: f64, side: Side) -> Self {
        let measurement = &mut self.alarm.measurement;
        measurement.metric = Some(metric.to_owned());
        measurement.condition = compares(value, threshold, side);
        self
    }

    /// The alarm, changed.
    pub(crate) fn with_alarm(mut self, change: impl FnOnce(&mut Alarm)) -> Self {
        change(&mut self.alarm);
        self
    }

    /// The deployment as it is observed otherwise.
    pub(crate) fn observed(mut self, change: impl FnOnce(&mut Deployment)) -> Self {
        change(&mut self.observed.deployment);
        self
    }

    /// The alarm does not report its value.
    pub(crate) fn without_value(self) -> Self {
        self.with_alarm(|alarm| alarm.measurement = alarm.measurement.clone().with_value(None))
    }

    /// The alarm compares something else than the plain metric, so its value is read.
    pub(crate) fn otherwise(mut self, condition: Condition) -> Self {
        let measurement = &mut self.alarm.measurement;
        let read = measurement.metric.clone().zip(measurement.comparison().and_then(|plain| plain.value));
        measurement.condition = condition;
        self.observed.deployment.readings.extend(read);
        self
    }

    /// The alarm does not report its side, and so nothing that it compares.
    pub(crate) fn sideless(self) -> Self {
        self.otherwise(Condition::Unknown)
    }

    /// The alarm is defined to compare this, whatever it reports.
    pub(crate) fn defined(mut self, metric: &str, threshold: f64, side: Side) -> Self {
        self.observed.deployment.alarm = Some(ObservedAlarm {
            id: String::new(),
            etag: None,
            ours: false,
            name: BUSY.to_owned(),
            notifies: Vec::new(),
            fires_once: false,
            scale_up: None,
            repeat: None,
            measurement: Measurement {
                metric: Some(metric.to_owned()),
                condition: Condition::Plain(Comparison { threshold, side, value: None }),
                ..Measurement::default()
            },
        });
        self
    }

    /// So much of the data was there.
    pub(crate) fn covered(self, coverage: Coverage) -> Self {
        self.with_alarm(|alarm| alarm.measurement.coverage = coverage)
    }

    /// The rule's pair calls.
    pub(crate) fn pair_calls(mut self) -> Self {
        self.alarm.name = AlarmName::new(&pair_name(&self.observed.target, QUIET)).unwrap();
        self.below()
    }

    /// The alarm fires below its threshold, whatever the numbers are.
    pub(crate) fn below(mut self) -> Self {
        if let Condition::Plain(comparison) = &mut self.alarm.measurement.condition {
            comparison.side = Side::Below;
        }
        self
    }

    /// The observation reads this value of a metric.
    pub(crate) fn reads(mut self, metric: &str, value: f64) -> Self {
        self.observed.deployment.readings.insert(metric.to_owned(), value);
        self
    }

    /// The last change was completed so many seconds ago.
    pub(crate) fn changed(mut self, seconds_ago: i64) -> Self {
        self.observed.deployment.last_change = Some(at(-seconds_ago));
        self
    }

    /// The deployment has a tag.
    pub(crate) fn tag(mut self, key: &str, value: &str) -> Self {
        self.observed.deployment.tags.insert(format!("stepladder:{key}"), value.to_owned());
        self
    }

    /// Its changes so many seconds ago, as they are remembered.
    pub(crate) fn remembers(self, changes: &[(i64, &str)]) -> Self {
        let words = changes.iter().map(|(ago, what)| format!("{}{what}", at(-ago).as_second()));
        self.tag("recent", &words.collect::<Vec<_>>().join(" "))
    }

    /// The platform's own bounds.
    pub(crate) fn platform(mut self, min: u32, max: u32) -> Self {
        self.observed.deployment.bounds = Some(Bounds { min, max });
        self
    }

    /// An axis that cannot be changed.
    pub(crate) fn fixed(mut self, axis: Axis) -> Self {
        self.observed.deployment.fixed.insert(axis, "it is so".to_owned());
        self
    }

    /// An axis that somebody else changes.
    pub(crate) fn owned(mut self, axis: Axis) -> Self {
        self.observed
            .deployment
            .owners
            .insert(axis, Owner { who: "somebody".to_owned(), can_be_suspended: false });
        self
    }

    /// A shape that could not be had, for so many seconds more.
    pub(crate) fn refused(mut self, shape: &str, seconds: i64) -> Self {
        let until = at(seconds);
        self.observed.deployment.infeasible.push(Infeasible {
            shape: shape.to_owned(),
            until,
            why: "no".to_owned(),
        });
        self
    }

    /// It is another time.
    pub(crate) fn now(mut self, now: &str) -> Self {
        self.now = now.parse().unwrap();
        self.alarm.at = Some(self.now);
        self
    }

    /// What is decided: a count, a shape, Mbps, or the reason to hold.
    pub(crate) fn gives(mut self, expected: &str) -> Self {
        expected.clone_into(&mut self.expected);
        self
    }

    pub(crate) fn decided(&self) -> DecisionTrace {
        self.planned().trace
    }

    /// What is decided, and the calls that follow from it.
    pub(crate) fn planned(&self) -> Plan {
        let policy = read(&self.policy);
        let policy = policy.as_ref();
        let evaluation = match precheck(&self.alarm, &self.observed.target, policy, self.now) {
            Ok(evaluation) => evaluation,
            Err(trace) => return Plan::without_calls(*trace),
        };
        let evaluation = evaluation.with_tags(&self.observed.tags);
        let trace = decide(&evaluation, &self.observed, policy);
        plan(&evaluation, &self.observed, trace, policy)
    }

    /// The metrics that have to be read before anything can be decided.
    pub(crate) fn readings(&self) -> Vec<String> {
        let policy = read(&self.policy);
        let evaluation = precheck(&self.alarm, &self.observed.target, &policy, self.now);
        let evaluation = evaluation.unwrap_or_else(|held| panic!("{held:?}"));
        evaluation.metrics_to_read().into_iter().map(str::to_owned).collect()
    }

    /// What is decided where the alarm's pair is only reconciled.
    pub(crate) fn looked_after(&self) -> DecisionTrace {
        let policy = read(&self.policy);
        let evaluation = Evaluation::for_repair(&self.alarm, &self.observed.target, &policy, self.now);
        let evaluation = evaluation.unwrap_or_else(|| panic!("{} is out of reach", self.observed.target));
        decide(&evaluation, &self.observed, &policy)
    }
}

/// A test that returns its row passes where the row's decision is made, and made again.
impl Termination for Case {
    fn report(self) -> ExitCode {
        let decided = self.decided();
        assert_eq!(decided, self.decided(), "{}", self.why);
        let found = shown(&decided.decision);
        let is_right = found == self.expected;
        assert!(
            is_right,
            "{}: expected {}, decided {found}; {:?}",
            self.why, self.expected, decided.decision
        );
        assert_eq!(record_faults(&decided.decision, &decided.checks), Vec::<String>::new(), "{}", self.why);
        ExitCode::SUCCESS
    }
}

/// Reading a policy takes longer than all else, and few of them are new.
fn read(text: &str) -> Arc<Policy> {
    static READ: Mutex<BTreeMap<String, Arc<Policy>>> = Mutex::new(BTreeMap::new());
    let mut known = READ.lock().unwrap();
    Arc::clone(known.entry(text.to_owned()).or_insert_with(|| Arc::new(policy(text))))
}

fn shown(decision: &Decision) -> String {
    match decision {
        Decision::Resize { axis: Axis::Instances, to, .. } => to.instances.to_string(),
        Decision::Resize { axis: Axis::Shape, to, .. } => to.rung().into_owned(),
        Decision::Resize { axis: Axis::Bandwidth, to, .. } => {
            format!("{} Mbps", to.bandwidth_mbps.unwrap_or_default())
        }
        Decision::Hold(hold) => hold.reason().to_owned(),
    }
}
