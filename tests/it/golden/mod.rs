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
fn what_is_decided_is_decided_again() {
    for case in every() {
        assert_eq!(case.decided(), case.decided(), "{}", case.why);
    }
}
