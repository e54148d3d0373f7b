//! What is decided, row by row: pure decisions of one deployment as it was observed, each with the reason why it is right.

mod axes;
pub(crate) mod case;
mod cheapest;
mod cooldown;
mod flapping;
mod floor;
mod guards;
mod pairs;
mod resources;
mod steps;
mod track;

use std::collections::BTreeSet;

use case::Case;
use rstest::rstest;
use stepladder::alarm::{AlarmName, Transition};
use stepladder::decide::{Decision, DecisionTrace};

#[test]
fn every_row_has_a_reason_of_its_own_and_there_are_many() {
    let decided = [
        steps::all(),
        cooldown::all(),
        track::all(),
        axes::all(),
        flapping::all(),
        floor::all(),
        guards::all(),
        resources::all(),
        cheapest::all(),
    ]
    .concat();
    let decided = decided.iter().map(|row| row().why).collect::<Vec<_>>();
    assert!(decided.len() >= 200, "{} rows", decided.len());
    let planned = pairs::all().iter().map(|row| row().case.why).collect::<Vec<_>>();
    for reasons in [decided, planned] {
        let unique: BTreeSet<_> = reasons.iter().collect();
        assert_eq!(unique.len(), reasons.len(), "two rows have the same reason");
    }
}

fn tracking() -> Case {
    Case::new("", "axis = \"instances\"\ntrack = 60")
}

#[rstest]
#[case::rounded_to_four_places(
    Case::new("", "axis = \"instances\"\nstep = -1").count(3).low("CpuUtilization", 60.123_456, 70.0),
    "CpuUtilization at 60.1235 would be 90.1852, and the scale-up alarm fires above 80, less a tenth 72"
)]
#[case::requests_more(
    tracking().high("CpuUtilization", 20.0, 10.0),
    "CpuUtilization is at 20 of 60, and the alarm requests more"
)]
#[case::requests_less(
    tracking().low("CpuUtilization", 90.0, 95.0),
    "CpuUtilization is at 90 of 60, and the alarm requests less"
)]
#[case::requests_neither(
    tracking().high("CpuUtilization", 60.0, 50.0).sideless(),
    "CpuUtilization is at 60 of 60, and the alarm requests neither more nor less"
)]
fn a_hold_shows_its_numbers(#[case] case: Case, #[case] expected: &str) {
    let Decision::Hold(hold) = case.decided().decision else { panic!("it is resized") };
    assert!(hold.to_string().contains(expected), "{hold}");
}

/// Two of the cheapest, whose cores need one more.
fn priced_cheapest() -> Case {
    Case::new("", "axis = \"cheapest\"\nmax_hourly_cost = 0.5")
        .policy(cheapest::LADDER)
        .shape("a")
        .reads("MemoryUtilization", 50.123_456)
        .high("CpuUtilization", 90.0, 80.0)
}

fn stepping() -> Case {
    Case::new("", "axis = \"instances\"\nsteps = [{ above = 0, add = 1 }]")
}

fn shape() -> Case {
    Case::new("", "axis = \"shape\"")
}

#[rstest]
#[case::readings(priced_cheapest(), "no_data", "CpuUtilization at 90, MemoryUtilization at 50.1235")]
#[case::sizes(priced_cheapest(), "on_target", "2 × a at 0.2 USD an hour, the cheapest is 3 × a at 0.3")]
#[case::cost(priced_cheapest(), "over_budget", "0.3 USD an hour of 0.5")]
#[case::distance(stepping(), "on_target", "+11.4 from the threshold")]
#[case::value(stepping(), "no_data", "91.4, +11.4 from the threshold of 80")]
#[case::target(tracking(), "on_target", "91.4 of 60")]
#[case::ladder(shape(), "unlisted_shape", "on ladder VM.Standard2")]
#[case::rung(shape(), "at_ceiling", "rung 2 of 6")]
fn a_guard_reports_its_input(#[case] case: Case, #[case] guard: &str, #[case] expected: &str) {
    let checks = case.decided().checks;
    let input = checks.iter().find(|check| check.guard == guard).map(|check| check.input.clone());
    assert_eq!(input.as_deref(), Some(expected), "{guard}");
}

#[rstest]
#[case::firing(Transition::Firing, false, "no_rule")]
#[case::cleared(Transition::Cleared, true, "not_firing")]
fn what_no_rule_knows_is_reconciled_and_never_resized(
    #[case] transition: Transition,
    #[case] held: bool,
    #[case] expected: &str,
) {
    let case = Case::new("", "axis = \"instances\"").with_alarm(|alarm| {
        alarm.name = AlarmName::new("forgotten").unwrap();
        alarm.transition = transition;
    });
    let DecisionTrace { decision, checks, .. } = case.looked_after();
    assert_eq!((checks[0].guard, checks[0].blocked), ("not_firing", held));
    let Decision::Hold(hold) = decision else { panic!("it is resized") };
    assert_eq!(hold.reason(), expected);
}

fn plain_cheapest() -> Case {
    Case::new("", "axis = \"cheapest\"")
}

#[rstest]
// of cores and memory the one that the alarm does not report
#[case::memory_beside_cores(plain_cheapest(), &["MemoryUtilization"])]
#[case::cores_beside_memory(plain_cheapest().high("MemoryUtilization", 90.0, 80.0), &["CpuUtilization"])]
#[case::both_beside_latency(
    plain_cheapest().high("PredictLatency", 9.0, 5.0),
    &["CpuUtilization", "MemoryUtilization"]
)]
#[case::both_where_unreported(plain_cheapest().without_value(), &["CpuUtilization", "MemoryUtilization"])]
#[case::nothing_to_track(tracking(), &[])]
#[case::tracked_and_unreported(tracking().without_value(), &["CpuUtilization"])]
// a plain step needs no number
#[case::plain_step(Case::new("", "axis = \"instances\"").without_value(), &[])]
fn what_the_alarm_does_not_report_is_read(#[case] case: Case, #[case] expected: &[&str]) {
    assert_eq!(case.readings(), expected);
}
