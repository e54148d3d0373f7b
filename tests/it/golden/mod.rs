//! What is decided, row by row: pure decisions of one deployment as it was seen, each with the reason why it is right.

mod axes;
pub(crate) mod case;
mod cheapest;
mod cooldown;
mod flapping;
mod guards;
mod pairs;
mod steps;
mod track;

use std::collections::BTreeSet;

use case::Case;
use stepladder::alarm::{AlarmName, Transition};
use stepladder::decide::{Decision, Evaluated};

fn every() -> Vec<Case> {
    [
        steps::cases(),
        cooldown::cases(),
        track::cases(),
        axes::cases(),
        flapping::cases(),
        guards::cases(),
        cheapest::cases(),
    ]
    .concat()
}

#[test]
fn every_row_is_decided_as_it_says() {
    let wrong: Vec<String> = every().iter().filter_map(Case::wrong).collect();
    assert!(wrong.is_empty(), "{} rows are decided otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_row_has_a_reason_of_its_own_and_there_are_many() {
    let cases = every();
    let reasons: BTreeSet<&str> = cases.iter().map(|case| case.why).collect();
    assert_eq!(reasons.len(), cases.len(), "two rows say the same");
    assert!(cases.len() >= 200, "{} rows", cases.len());
}

#[test]
fn a_hold_tells_its_numbers() {
    let track = "axis = \"instances\"\ntrack = 60";
    let rows = [
        // rounded to four places
        (
            Case::new("", "axis = \"instances\"\nstep = -1").count(3).low("CpuUtilization", 60.123_456, 70.0),
            "CpuUtilization at 60.123456 would be 90.1852, and the alarm that adds fires above 80, less a tenth 72",
        ),
        (
            Case::new("", track).high("CpuUtilization", 20.0, 10.0),
            "CpuUtilization is at 20 of 60, and the alarm asks for more",
        ),
        (
            Case::new("", track).low("CpuUtilization", 90.0, 95.0),
            "CpuUtilization is at 90 of 60, and the alarm asks for less",
        ),
        (
            Case::new("", track)
                .high("CpuUtilization", 60.0, 50.0)
                .told(|alarm| alarm.measurement.side = None),
            "CpuUtilization is at 60 of 60, and the alarm asks for neither more nor less",
        ),
    ];
    for (case, expected) in rows {
        let Decision::Hold(hold) = case.decided().decision else { panic!("{expected}: it is resized") };
        assert!(hold.to_string().contains(expected), "{hold}");
    }
}

#[test]
fn a_guard_tells_what_it_saw() {
    let cheapest = Case::new("", "axis = \"cheapest\"\nmax_hourly_cost = 0.5")
        .policy(cheapest::LADDER)
        .shape("a")
        .reads("MemoryUtilization", 50.123_456)
        .high("CpuUtilization", 90.0, 80.0);
    let steps = "axis = \"instances\"\nsteps = [{ above = 0, add = 1 }]";
    let rows = [
        (cheapest.clone(), "no_data", "CpuUtilization at 90, MemoryUtilization at 50.1235"),
        (cheapest.clone(), "on_target", "2 × a at 0.2 USD an hour, the cheapest is 3 × a at 0.3"),
        (cheapest, "over_budget", "0.3 USD an hour of 0.5"),
        (Case::new("", steps), "on_target", "+11.400000000000006 from the threshold"),
        (Case::new("", steps), "no_data", "91.4, +11.400000000000006 from the threshold of 80"),
        (Case::new("", "axis = \"instances\"\ntrack = 60"), "on_target", "91.4 of 60"),
        (Case::new("", "axis = \"shape\""), "unlisted_shape", "on ladder VM.Standard2"),
        (Case::new("", "axis = \"shape\""), "at_ceiling", "rung 2 of 6"),
    ];
    for (case, guard, expected) in rows {
        let guards = case.decided().guards;
        let saw = guards.iter().find(|check| check.guard == guard).map(|check| check.saw.to_string());
        assert_eq!(saw.as_deref(), Some(expected), "{guard}");
    }
}

#[test]
fn what_no_rule_knows_is_looked_after_and_never_resized() {
    let rows = [(Transition::Firing, false, "no_rule"), (Transition::Cleared, true, "not_firing")];
    for (transition, held, expected) in rows {
        let case = Case::new("", "axis = \"instances\"").told(|alarm| {
            alarm.name = AlarmName::new("forgotten").unwrap();
            alarm.transition = transition;
        });
        let Evaluated { decision, guards, .. } = case.looked_after();
        assert_eq!((guards[0].guard, guards[0].held), ("not_firing", held), "{transition}");
        let Decision::Hold(hold) = decision else { panic!("it is resized") };
        assert_eq!(hold.reason(), expected);
    }
}

#[test]
fn what_the_alarm_does_not_tell_is_read() {
    let cheapest = || Case::new("", "axis = \"cheapest\"");
    let track = || Case::new("", "axis = \"instances\"\ntrack = 60");
    let rows: [(Case, &[&str]); 7] = [
        // of cores and memory the one that the alarm does not tell
        (cheapest(), &["MemoryUtilization"]),
        (cheapest().high("MemoryUtilization", 90.0, 80.0), &["CpuUtilization"]),
        (cheapest().high("PredictLatency", 9.0, 5.0), &["CpuUtilization", "MemoryUtilization"]),
        (cheapest().untold(), &["CpuUtilization", "MemoryUtilization"]),
        (track(), &[]),
        (track().untold(), &["CpuUtilization"]),
        // a plain step asks for no number
        (Case::new("", "axis = \"instances\"").untold(), &[]),
    ];
    for (case, expected) in rows {
        assert_eq!(case.readings(), expected);
    }
}

#[test]
fn what_is_decided_is_decided_again() {
    for case in every() {
        assert_eq!(case.decided(), case.decided(), "{}", case.why);
    }
}
