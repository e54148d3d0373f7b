//! What a case expects of a decision, and how that differs from what was decided.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepladder::decide::{Decision, REASONS};
use stepladder::document::{Fault, Faults, did_you_mean};
use stepladder::outcome::Outcome;
use stepladder::platform::operations;
use stepladder::size::{Axis, Size};
use stepladder::target::TargetId;

/// The `then` of a case. What is not written is not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    /// Which decision, by its target.
    target: Option<String>,
    /// Which decision, by the name of its alarm.
    alarm: Option<String>,
    decision: Option<DecisionWord>,
    reason: Option<String>,
    axis: Option<Axis>,
    instances: Option<u32>,
    shape: Option<String>,
    bandwidth_mbps: Option<u32>,
    calls: Option<Vec<String>>,
    result: Option<EndingWord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum DecisionWord {
    Resize,
    Hold,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum EndingWord {
    Applied,
    Held,
    DryRun,
    Failed,
}

/// One key whose value is not the expected one. Both are shown as they are written in a file.
pub(super) struct Difference {
    pub(super) key: &'static str,
    pub(super) expected: Value,
    pub(super) found: Value,
}

impl Difference {
    /// Another number of decisions than one: what the event leads to.
    pub(super) fn of_count(all: &[String]) -> Self {
        Self { key: "decisions", expected: json!(1), found: json!(all) }
    }

    pub(super) fn value(&self) -> Value {
        json!({ "key": self.key, "expected": self.expected, "found": self.found })
    }
}

/// The likeness from which a name may be another one with a typing error.
const ALIKE: f64 = 0.7;

impl Expectation {
    /// What is wrong with it: words that no decision has, and keys that no decision has together.
    pub(super) fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        if self.expects_nothing() {
            let expected = "expected at least one of `decision`, `reason`, `axis`, `instances`, `shape`, \
                            `bandwidth_mbps`, `calls` and `result`";
            faults.push(Fault::whole(format!("`then` compares nothing: {expected}")));
        }
        if let Some(reason) = self.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
            let hint = did_you_mean(reason, &REASONS, ALIKE);
            faults.push(Fault::of("reason", format!("`{reason}` is the reason of no hold{hint}")));
        }
        if self.reason.is_some() && self.decision == Some(DecisionWord::Resize) {
            faults.push(Fault::of("reason", "only a hold has a `reason`: expected `decision = \"hold\"`"));
        }
        let known: Vec<&str> = operations().map(|operation| operation.name).collect();
        for (i, call) in self.calls.iter().flatten().enumerate() {
            if !known.contains(&call.as_str()) {
                let hint = did_you_mean(call, &known, ALIKE);
                faults.push(Fault::whole(format!("`{call}` is no operation{hint}")).nth(i).within("calls"));
            }
        }
        faults.into_result()
    }

    fn expects_nothing(&self) -> bool {
        let Self {
            target: _,
            alarm: _,
            decision,
            reason,
            axis,
            instances,
            shape,
            bandwidth_mbps,
            calls,
            result,
        } = self;
        let sizes = axis.is_none() && instances.is_none() && shape.is_none() && bandwidth_mbps.is_none();
        sizes && decision.is_none() && reason.is_none() && calls.is_none() && result.is_none()
    }

    /// Whether it is about this decision.
    pub(super) fn is_about(&self, outcome: &Outcome) -> bool {
        let target = outcome.target.as_ref().map(TargetId::as_str);
        let is_target = self.target.as_deref().is_none_or(|expected| target == Some(expected));
        let is_alarm = self.alarm.as_deref().is_none_or(|expected| outcome.alarm.name.as_str() == expected);
        is_target && is_alarm
    }

    /// Every key whose value is not the expected one.
    pub(super) fn differences(&self, outcome: &Outcome) -> Vec<Difference> {
        let (word, reason, axis, size) = match &outcome.decision {
            Decision::Resize { axis, to, .. } => (DecisionWord::Resize, None, Some(*axis), Some(to)),
            Decision::Hold(hold) => {
                let size = outcome.observed.as_ref().map(|observed| &observed.size);
                (DecisionWord::Hold, Some(hold.reason()), None, size)
            }
        };
        let shape = self.shape.as_ref().map(|expected| shape_as_expected(expected, size));
        let calls: Vec<&str> = outcome.calls.iter().map(|record| record.call.operation()).collect();
        let compared = [
            ("decision", json!(self.decision), json!(word)),
            ("reason", json!(self.reason), json!(reason)),
            ("axis", json!(self.axis), json!(axis)),
            ("instances", json!(self.instances), json!(size.map(|size| size.instances))),
            ("shape", json!(self.shape), json!(shape)),
            ("bandwidth_mbps", json!(self.bandwidth_mbps), json!(size.and_then(|size| size.bandwidth_mbps))),
            ("calls", json!(self.calls), json!(calls)),
            ("result", json!(self.result), json!(outcome.result)),
        ];
        let differs = |(key, expected, found): (&'static str, Value, Value)| {
            let is_different = !expected.is_null() && expected != found;
            is_different.then_some(Difference { key, expected, found })
        };
        compared.into_iter().filter_map(differs).collect()
    }
}

/// The shape of a size; with the size of a flexible shape, unless only its name is expected.
fn shape_as_expected(expected: &str, size: Option<&Size>) -> Option<String> {
    size.map(|size| if size.shape == expected { size.shape.clone() } else { size.rung().into_owned() })
}
