//! `docs/decisions.md`: a section for every hold reason of the code, in the order of the guards, with the sentence that the
//! program writes.

use std::fs;

use jiff::Timestamp;
use stepladder::alarm::Transition;
use stepladder::decide::{Hold, UnmatchedName};
use stepladder::policy::Occasion;
use stepladder::size::{Axis, Direction};

use super::{is_blessed, page, root};

const PAGE: &str = "docs/decisions.md";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// The example of one reason, as a record has it.
fn example(reason: &str) -> Hold {
    let until = at("2026-03-02T09:25:00Z");
    match reason {
        "not_firing" => Hold::NotFiring(Transition::Cleared),
        "muted" => Hold::Muted,
        "unknown_target" => Hold::UnknownTarget,
        "not_allowed" => Hold::NotAllowed { list: "targets", value: text("endpoint/lab/variant/AllTraffic") },
        "no_rule" => Hold::NoRule(UnmatchedName {
            name: text("ranking-busy"),
            is_titled: false,
            globs: vec![text("*high_cpu*"), text("*high_mem*")],
        }),
        "not_observed" => Hold::NotObserved,
        "target_gone" => Hold::TargetGone,
        "busy" => Hold::Busy { status: text("Updating") },
        "stale" => {
            Hold::Stale { since: Some(at("2026-03-02T09:12:00Z")), changed: at("2026-03-02T09:14:30Z") }
        }
        "not_resizable" => {
            Hold::NotResizable { axis: Axis::Instances, why: text("the variant is serverless") }
        }
        "owned_elsewhere" => Hold::OwnedElsewhere {
            axis: Axis::Instances,
            who: text("the scaling policy `requests` of Application Auto Scaling"),
            can_be_suspended: false,
        },
        "unreadable_tag" => Hold::UnreadableTag {
            tag: text("stepladder:disabled"),
            problem: text("there is no such tag; did you mean `stepladder:pause`?"),
        },
        "no_data" => Hold::NoData {
            missing: text("`MemoryUtilization` has no value, neither in the alarm nor in its service"),
        },
        "on_target" => {
            Hold::OnTarget { why: text("CPUUtilization is at 58 of 60, and the alarm requests more") }
        }
        "superseded" => Hold::Superseded { by: text("ranking-high-cpu") },
        "cooling_down" => Hold::CoolingDown { direction: Direction::Down, until, credit: 0 },
        "too_many_changes" => Hold::TooManyChanges { most: 6, until },
        "would_flap" => Hold::WouldFlap {
            why: text(
                "CPUUtilization at 55 would be 82.5, and the scale-up alarm fires above 80, less a tenth 72",
            ),
        },
        "over_budget" => Hold::OverBudget { shape: text("ml.m5.xlarge"), cost: Some(1.38), most: 1.2 },
        "paused" => Hold::Paused { by: text("the tag `stepladder:pause = all` until 2026-03-02T09:25:00Z") },
        "infeasible" => Hold::Infeasible {
            shape: text("ml.g5.12xlarge"),
            until,
            why: text("the endpoint's update was rolled back"),
        },
        "at_ceiling" => {
            Hold::AtCeiling { axis: Axis::Instances, limit: text("it runs 10, and 10 is its ceiling") }
        }
        "at_floor" => Hold::AtFloor { axis: Axis::Instances, limit: text("it runs 1, and 1 is its floor") },
        "unlisted_shape" => {
            Hold::UnlistedShape { shape: text("VM.Standard9.2"), nearest: Some(text("VM.Standard2")) }
        }
        "pair_cannot_fire" => Hold::PairCannotFire {
            why: text(
                "`Invocations` is not published for this deployment: asynchronous endpoints do not publish it",
            ),
        },
        "pair_taken" => Hold::PairTaken { name: text("model_deployment_low_cpu") },
        "no_pair_action" => Hold::NoPairAction,
        other => panic!("`{other}` is no hold reason, or has no example here"),
    }
}

/// The example of every reason.
pub(super) fn examples() -> Vec<Hold> {
    reasons().into_iter().map(example).collect()
}

/// Every hold reason that the code can give.
pub(super) fn reasons() -> Vec<&'static str> {
    let words = Occasion::ALL.iter().map(|occasion| occasion.word());
    words.filter(|word| !["applied", "failed", "held"].contains(word)).collect()
}

/// The reasons that have a section, in the order of the page, which is that of the guards.
pub(crate) fn documented_reasons() -> Vec<String> {
    let text = page(PAGE).text;
    let headings = text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    headings.map(str::to_owned).collect()
}

#[test]
fn every_reason_has_a_section_and_no_section_is_about_another() {
    let page = page(PAGE);
    let mut documented = documented_reasons();
    let mut reasons = reasons();
    let rows: Vec<&str> = page.text.lines().filter(|line| line.starts_with("| [`")).collect();
    let linked =
        rows.iter().flat_map(|row| row.split("](#").skip(1)).filter_map(|rest| rest.split(')').next());
    let linked: Vec<&str> = linked.collect();
    assert_eq!(linked, documented, "the table has the order of the sections");
    documented.sort_unstable();
    reasons.sort_unstable();
    assert_eq!(documented, reasons, "one section for each reason");
    for reason in reasons {
        let anchor = format!("<a id=\"{reason}\"></a>\n\n### `{reason}`\n");
        assert!(page.text.contains(&anchor), "`{reason}` has its anchor above its heading");
        let (_, section) = page.text.split_once(&anchor).unwrap();
        let section = section.split("<a id=").next().unwrap();
        assert!(section.contains("**What to do:**"), "`{reason}`: what is there to do?");
    }
}

#[test]
fn every_example_is_what_the_program_writes() {
    let page = page(PAGE);
    let mut text = page.text.clone();
    for reason in reasons() {
        let hold = example(reason);
        assert_eq!(hold.reason(), reason);
        let (before, section) = text.split_once(&format!("### `{reason}`\n")).expect("a section");
        let (means, rest) = section.split_once("```text\n").expect("an example");
        let (_, after) = rest.split_once("```").expect("its end");
        text = format!("{before}### `{reason}`\n{means}```text\n{hold}\n```{after}");
    }
    if is_blessed() {
        fs::write(root().join(PAGE), &text).unwrap();
    } else {
        assert!(text == page.text, "an example in {PAGE} is not what the program writes: `make bless`");
    }
}
