//! What becomes of the paired alarm, row by row: whether it is written, at which threshold, and when it goes.
//!
//! The ladder is that of [`super::cheapest`]: `a` has 2 vCPUs and 4 GiB for 0.10, `b` 4 and 8 for 0.18, `c` 8 and 16 for
//! 0.40, `d` 16 and 64 for 0.70. Of what there is 72 % may be used, where nothing else is said.

use stepladder::deployment::{Lifecycle, ObservedAlarm};
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::oci::alarm::OciAlarm;
use stepladder::platform::oci::call::Call as OciCall;
use stepladder::platform::{AlarmDefinition, Call, aws, oci};
use stepladder::size::Axis;

use super::case::{Case, pair};
use super::cheapest::LADDER;
use crate::support::{CHURN, at, standing};

/// An alarm of Monitoring as it is seen.
fn alarm(ours: bool) -> ObservedAlarm {
    let AlarmDefinition::Oci(definition) = standing("quiet", CHURN, Some(5)).definition else {
        panic!("not on OCI")
    };
    let observed =
        oci::model_deployment::observed("ocid1.alarm.oc1..seen", Some("1".to_owned()), &definition, ours);
    ObservedAlarm { window: None, ..observed }
}

/// A rule with a pair, and an alarm that notifies a topic.
fn paired(why: &'static str, keys: &str) -> Case {
    Case::new(why, keys).seen(|seen| seen.alarm = Some(alarm(false)))
}

/// So many of a rung, busy enough for a high alarm that holds: nothing is changed, and the pair is that of this size.
fn resting(why: &'static str, (count, rung): (u32, &str), keys: &str) -> Case {
    cheapest(why, (count, rung), &pair("CpuUtilization", ""), keys)
}

fn cheapest(why: &'static str, (count, rung): (u32, &str), pair: &str, keys: &str) -> Case {
    paired(why, &format!("axis = \"cheapest\"\n{keys}\n{pair}"))
        .policy(LADDER)
        .count(count)
        .shape(rung)
        .reads("MemoryUtilization", 50.0)
        .high("CpuUtilization", 90.0, 80.0)
        .seen(|seen| seen.last_change = Some(at(60)))
}

/// The pair of a deployment at rest stands, and calls.
fn pair_calls(case: Case) -> Case {
    case.pair_calls().seen(|seen| seen.pair = Some(alarm(true)))
}

/// The calls about the pair in a word or two each.
fn told(calls: &[Call]) -> String {
    let threshold = |alarm: &OciAlarm| alarm.query.rsplit("mean() ").next().unwrap_or_default().to_owned();
    let words = calls.iter().filter_map(|call| {
        if let Call::Oci(OciCall::CreateAlarm { alarm, .. }) = call {
            Some(format!("creates {}", threshold(alarm)))
        } else if let Call::Oci(OciCall::UpdateAlarm { alarm, .. }) = call {
            Some(format!("rewrites {}", threshold(alarm)))
        } else if let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = call {
            Some(format!("puts < {}", alarm.threshold))
        } else {
            matches!(call, Call::Oci(OciCall::DeleteAlarm { .. })).then(|| "deletes".to_owned())
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn thresholds() -> Vec<(Case, &'static str)> {
    vec![
        (
            resting("0.80: 7 a for 0.70 have 14 vCPUs, 4 b or one d have 16 of 16", (2, "c"), ""),
            "creates < 72",
        ),
        (
            resting(
                "another shape must save 0.11: 6 a or 3 b have 12, one c has 8",
                (2, "c"),
                "min_savings = 0.11",
            ),
            "creates < 54",
        ),
        (
            resting("another shape must save 0.09: one d for 0.70 does", (2, "c"), "min_savings = 0.09"),
            "creates < 72",
        ),
        (resting("0.30: 2 a or one b have 4 of 6", (3, "a"), ""), "creates < 48"),
        (resting("cut off: 6 a or 3 b have 12 of 14, which is 61.71", (7, "a"), ""), "creates < 61.7"),
        (
            resting(
                "no more than five: 5 c have 40 of 48, and 11 b would have 44",
                (3, "d"),
                "instances = { min = 1, max = 5 }",
            ),
            "creates < 60",
        ),
        (
            resting(
                "no fewer than four: 4 b have 16 of 20, and 2 c are too few",
                (5, "b"),
                "instances = { min = 4, max = 5 }",
            ),
            "creates < 57.6",
        ),
    ]
}

/// What may be used, and of what.
fn choices() -> Vec<(Case, &'static str)> {
    vec![
        (
            resting("what could not be had is no place to go: 7 a have 14", (2, "c"), "")
                .refused("b", 60)
                .refused("d", 60),
            "creates < 63",
        ),
        (
            resting("what could not be had until now may be had again", (2, "c"), "")
                .refused("b", 0)
                .refused("d", 0),
            "creates < 72",
        ),
        (
            resting("the shape cannot be changed: one c has half", (2, "c"), "").fixed(Axis::Shape),
            "creates < 36",
        ),
        (resting("less of it may be used: 60 %", (2, "c"), "headroom = \"40%\""), "creates < 60"),
        (resting("a lower high alarm: 54 %", (2, "c"), "scale_up_threshold = 60"), "creates < 54"),
        (
            resting("nothing cheaper can be had: the policy's own threshold", (1, "d"), "")
                .refused("a", 60)
                .refused("b", 60)
                .refused("c", 60),
            "creates < 10",
        ),
        (
            cheapest(
                "the policy's own threshold is higher than 61.7",
                (7, "a"),
                "pair = { alarm = \"quiet\", metric = \"CpuUtilization\", below = 65, window = \"5m\" }",
                "",
            ),
            "creates < 65",
        ),
        (
            cheapest(
                "memory of each: 4 b have 8 of 16 GiB, one c has all",
                (2, "c"),
                &pair("MemoryUtilization", ""),
                "",
            )
            .refused("d", 60),
            "creates < 72",
        ),
        (
            cheapest(
                "memory of each: of one c it is b that is cheaper",
                (1, "c"),
                &pair("MemoryUtilization", ""),
                "",
            ),
            "creates < 36",
        ),
        (
            cheapest(
                "one d has more memory than each of two c: never while the high alarm may call",
                (2, "c"),
                &pair("MemoryUtilization", ""),
                "",
            ),
            "creates < 72",
        ),
        (
            cheapest("no utilization: the policy's own threshold", (2, "c"), &pair("PredictLatency", ""), ""),
            "creates < 10",
        ),
        (resting("on no ladder: it cannot be told what to take back", (2, "x"), ""), ""),
        (
            resting("after a step it is that of the size to be: of 3 a for 0.30", (2, "a"), "")
                .seen(|seen| seen.last_change = None),
            "creates < 48",
        ),
    ]
}

fn floors() -> Vec<(Case, &'static str)> {
    let calm = |case: Case| {
        case.low("CpuUtilization", 5.0, 10.0)
            .reads("MemoryUtilization", 5.0)
            .seen(|seen| seen.last_change = None)
    };
    vec![
        (pair_calls(calm(resting("the cheapest there is: nothing is left", (1, "a"), ""))), "deletes"),
        (
            pair_calls(calm(resting(
                "the fewest that there may be, of the cheapest",
                (2, "a"),
                "instances = { min = 2, max = 9 }",
            ))),
            "deletes",
        ),
        (
            pair_calls(
                calm(resting("a cheaper shape is left, but could not be had", (1, "b"), "")).refused("a", 60),
            ),
            "rewrites < 10",
        ),
        (
            pair_calls(
                calm(resting("a cheaper shape is left, but the shape cannot be changed", (1, "b"), ""))
                    .fixed(Axis::Shape),
            ),
            "deletes",
        ),
        (
            pair_calls(
                calm(resting("more than the fewest, of a shape that cannot be changed", (3, "b"), ""))
                    .fixed(Axis::Shape),
            ),
            "rewrites < 10",
        ),
        (
            pair_calls(calm(resting("at the floor, but not at rest", (1, "a"), "")))
                .seen(|seen| seen.lifecycle = Lifecycle::Busy),
            "",
        ),
        (
            calm(resting(
                "at the floor, and it is the high alarm that calls: others may be about to need the pair",
                (1, "a"),
                "",
            ))
            .high("CpuUtilization", 5.0, 1.0)
            .seen(|seen| seen.pair = Some(alarm(true))),
            "",
        ),
        (
            calm(resting("at the floor, and the alarm that calls asks for less", (1, "a"), ""))
                .seen(|seen| seen.pair = Some(alarm(true))),
            "deletes",
        ),
    ]
}

/// A floor that a schedule brings passes with it, and what it has brought about is taken back then.
fn passing_floors() -> Vec<(Case, &'static str)> {
    // It is noon.
    let hours = |from: &str, min: u32| {
        format!("[[schedule]]\ncron = \"0 {from} * * *\"\nfor = \"2h\"\nmin = {min}\n")
    };
    let (noon, night) = (hours("11", 4), hours("1", 1));
    let resting = |why, keys: &str, count| {
        let keys = format!("axis = \"instances\"\n{keys}\n{}", pair("CpuUtilization", ""));
        pair_calls(paired(why, &keys)).count(count)
    };
    let four = "instances = { min = 4, max = 9 }";
    vec![
        (resting("four, which is the floor until one", "", 4).policy(&noon), "rewrites < 10"),
        (
            resting("one, under the floor until one, and there it goes afterwards", "", 1).policy(&noon),
            "deletes",
        ),
        (resting("four, which is the floor but at night", four, 4).policy(&night), "rewrites < 10"),
        (resting("four, which is the floor at all hours", four, 4), "deletes"),
        (resting("four, which its own tag says", "", 4).policy(&night).tag("min", "4"), "deletes"),
        (resting("four, which the platform says", "", 4).policy(&night).platform(4, 9), "deletes"),
        (
            pair_calls(cheapest(
                "four a: 2 b have as many cores for less, and may be had after one",
                (4, "a"),
                &pair("CpuUtilization", ""),
                "",
            ))
            .policy(&noon)
            .low("CpuUtilization", 5.0, 10.0)
            .reads("MemoryUtilization", 5.0)
            .seen(|seen| seen.last_change = None),
            "rewrites < 72",
        ),
    ]
}

/// An alarm of CloudWatch that notifies a topic.
fn high_alarm() -> ObservedAlarm {
    let actions = vec!["arn:aws:sns:us-east-1:111122223333:stepladder-alarms".to_owned()];
    aws::variant::observed(&CloudwatchAlarm { actions, ..CloudwatchAlarm::default() }, false)
}

/// What somebody else changes, or nobody can.
fn owned() -> Vec<(Case, &'static str)> {
    let size = |why| resting(why, (2, "c"), "");
    let variant = |why, keys: &str| {
        Case::new(why, &format!("{keys}\n{}", pair("CPUUtilization", "")))
            .variant(2, "ml.m5.xlarge")
            .high("CPUUtilization", 150.0, 80.0)
            .reads("MemoryUtilization", 50.0)
            .seen(|seen| seen.alarm = Some(high_alarm()))
    };
    let parked = "axis = \"cheapest\"\nnative_autoscaling = \"suspend\"";
    vec![
        (size("the count is somebody else's: so is what was added").owned(Axis::Instances), ""),
        (
            size("the count is somebody else's, and the pair is ours")
                .owned(Axis::Instances)
                .seen(|seen| seen.pair = Some(alarm(true))),
            "rewrites < 72",
        ),
        (size("the count cannot be changed, so nothing is").fixed(Axis::Instances), ""),
        (size("the shape is somebody else's: the count is not").owned(Axis::Shape), "creates < 36"),
        (
            variant(
                "a variant: 3 ml.m5.large have 6 of 8 vCPUs, and 54 % of 4 vCPUs are 216",
                "axis = \"cheapest\"",
            ),
            "puts < 216",
        ),
        (
            variant("a variant whose count is somebody else's", "axis = \"cheapest\"").owned(Axis::Instances),
            "",
        ),
        (
            variant("a variant whose owner may be parked, and must be put back", parked)
                .owned(Axis::Instances),
            "puts < 216",
        ),
    ]
}

/// The same where only the count is changed.
fn counts() -> Vec<(Case, &'static str)> {
    let steps = |adds: &str| format!("axis = \"instances\"\n{adds}\n{}", pair("CpuUtilization", ""));
    let step = steps("");
    let one = |why, keys: &str| paired(why, keys).count(1).seen(|seen| seen.pair = Some(alarm(true)));
    vec![
        (paired("a step up", &step), "creates < 10"),
        (pair_calls(paired("one instance is the floor", &step).count(1)), "deletes"),
        (
            pair_calls(paired("one instance is the floor, but not at rest", &step).count(1))
                .seen(|seen| seen.lifecycle = Lifecycle::Busy),
            "",
        ),
        (one("a high alarm that holds at the floor", &step).seen(|seen| seen.last_change = Some(at(60))), ""),
        (
            one("a rule that may go either way, and an alarm that asks for more", &steps("track = 70"))
                .high("CpuUtilization", 91.0, 80.0)
                .seen(|seen| seen.last_change = Some(at(60))),
            "",
        ),
        (
            one("a rule that may go either way, and an alarm that asks for less", &steps("track = 70")).low(
                "CpuUtilization",
                60.0,
                65.0,
            ),
            "deletes",
        ),
        (
            one("a rule that may go either way, and an alarm that does not tell", &steps("track = 70"))
                .low("CpuUtilization", 69.0, 65.0)
                .told(|alarm| alarm.measurement.side = None),
            "",
        ),
        (
            one("a rule that takes away, whatever the alarm asks for", &steps("step = -1")).high(
                "CpuUtilization",
                91.0,
                80.0,
            ),
            "deletes",
        ),
    ]
}

#[test]
fn the_pair_stands_where_and_as_it_must() {
    let rows = [thresholds(), choices(), floors(), passing_floors(), owned(), counts()].concat();
    let wrong = rows.iter().filter_map(|(case, expected)| {
        let plan = case.planned();
        let told = told(&plan.calls);
        (told != *expected).then(|| {
            format!("{}: expected `{expected}`, found `{told}`; {:?}", case.why, plan.decided.decision)
        })
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} rows are planned otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
