//! What becomes of the paired alarm, row by row: whether it is written, at which threshold, and when it goes.
//!
//! The ladder is that of [`super::cheapest`]: `a` has 2 vCPUs and 4 GiB for 0.10, `b` 4 and 8 for 0.18, `c` 8 and 16
//! for 0.40, `d` 16 and 64 for 0.70. By default, 72 % of the capacity may be used.

use std::process::{ExitCode, Termination};
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::oci::call::Call as OciCall;

use stepladder::alarm::Measurement;
use stepladder::deployment::ObservedAlarm;
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::oci::alarm::OciAlarm;
use stepladder::platform::{AlarmDefinition, Call, aws, oci};

use super::case::{Case, pair, rows};
use super::cheapest::{LADDER, SURGE};
use crate::support::{CHURN, at, existing};

/// An alarm of Monitoring as it is observed.
fn alarm(ours: bool) -> ObservedAlarm {
    let AlarmDefinition::Oci(definition) = existing("quiet", CHURN, Some(5)).definition else {
        panic!("not on OCI")
    };
    let observed =
        oci::model_deployment::observed("ocid1.alarm.oc1..seen", Some("1".to_owned()), &definition, ours);
    ObservedAlarm { measurement: Measurement::default(), ..observed }
}

/// A rule with a pair, and an alarm that notifies a topic.
fn paired(why: &'static str, keys: &str) -> Case {
    Case::new(why, keys).observed(|observed| observed.alarm = Some(alarm(false)))
}

/// So many of a rung, busy enough for a scale-up alarm that holds: nothing is changed, and the pair is that of this size.
fn settled(why: &'static str, (count, rung): (u32, &str), keys: &str) -> Case {
    cheapest(why, (count, rung), &pair("CpuUtilization", ""), keys)
}

fn cheapest(why: &'static str, (count, rung): (u32, &str), pair: &str, keys: &str) -> Case {
    rested(paired(why, &format!("axis = \"cheapest\"\n{SURGE}\n{keys}\n{pair}")), count, rung)
}

/// A rule that avoids every size in between that costs more.
fn direct(why: &'static str, count: u32, rung: &str) -> Case {
    rested(paired(why, &format!("axis = \"cheapest\"\n{}", pair("CpuUtilization", ""))), count, rung)
}

fn rested(case: Case, count: u32, rung: &str) -> Case {
    case.policy(LADDER)
        .count(count)
        .shape(rung)
        .reads("MemoryUtilization", 50.0)
        .high("CpuUtilization", 90.0, 80.0)
        .observed(|observed| observed.last_change = Some(at(60)))
}

/// The pair of a settled deployment exists, and fires.
fn pair_calls(case: Case) -> Case {
    case.pair_calls().observed(|observed| observed.pair = Some(alarm(true)))
}

/// A case, and what becomes of the pair in it.
pub(super) struct Planned {
    pub(super) case: Case,
    expected: &'static str,
}

impl Case {
    fn plans(self, expected: &'static str) -> Planned {
        Planned { case: self, expected }
    }
}

/// A test that returns its row passes where the plan is the row's.
impl Termination for Planned {
    fn report(self) -> ExitCode {
        let Self { case, expected } = self;
        let plan = case.planned();
        let planned = summary(&plan.calls);
        assert!(
            planned == expected,
            "{}: expected `{expected}`, found `{planned}`; {:?}",
            case.why,
            plan.trace.decision
        );
        ExitCode::SUCCESS
    }
}

pub(super) fn all() -> Vec<fn() -> Planned> {
    [thresholds::ROWS, choices::ROWS, floors::ROWS, passing_floors::ROWS, owned::ROWS, counts::ROWS].concat()
}

/// The calls about the pair in a word or two each.
fn summary(calls: &[Call]) -> String {
    let threshold = |alarm: &OciAlarm| {
        // A metric of requests is low when it is absent, too.
        let low = alarm.query.split(" || ").next().unwrap_or_default();
        low.rsplit("mean() ").next().unwrap_or_default().to_owned()
    };
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

mod thresholds {
    use super::{Planned, rows, settled};

    rows![
        Planned,
        four_b_or_one_d =
            settled("0.80: 7 a for 0.70 have 14 vCPUs, 4 b or one d have 16 of 16", (2, "c"), "")
                .plans("creates < 72"),
        savings_of_0_11 = settled(
            "another shape must save 0.11: 6 a or 3 b have 12, one c has 8",
            (2, "c"),
            "min_savings = 0.11",
        )
        .plans("creates < 54"),
        savings_of_0_09 =
            settled("another shape must save 0.09: one d for 0.70 does", (2, "c"), "min_savings = 0.09")
                .plans("creates < 72"),
        two_a_or_one_b = settled("0.30: 2 a or one b have 4 of 6", (3, "a"), "").plans("creates < 48"),
        cut_off = settled("cut off: 6 a or 3 b have 12 of 14, which is 61.71", (7, "a"), "")
            .plans("creates < 61.7"),
        no_more_than_five = settled(
            "no more than five: 5 c have 40 of 48, and 11 b would have 44",
            (3, "d"),
            "instances = { min = 1, max = 5 }",
        )
        .plans("creates < 60"),
        no_fewer_than_four = settled(
            "no fewer than four: 4 b have 16 of 20, and 2 c are too few",
            (5, "b"),
            "instances = { min = 4, max = 5 }",
        )
        .plans("creates < 57.6"),
    ];
}

/// What may be used, and of what.
mod choices {
    use stepladder::size::Axis;

    use super::{Planned, cheapest, direct, pair, rows, settled};

    rows![
        Planned,
        refused_shapes = settled("what could not be had is no place to go: 7 a have 14", (2, "c"), "")
            .refused("b", 60)
            .refused("d", 60)
            .plans("creates < 63"),
        refused_until_now = settled("what could not be had until now may be had again", (2, "c"), "")
            .refused("b", 0)
            .refused("d", 0)
            .plans("creates < 72"),
        fixed_shape = settled("the shape cannot be changed: one c has half", (2, "c"), "")
            .fixed(Axis::Shape)
            .plans("creates < 36"),
        no_size_in_between_that_costs_more =
            direct("4 b and one d have as much for less, and lead over more: one c", 2, "c")
                .plans("creates < 36"),
        as_many_of_a_cheaper_one = direct("2 b have half of 2 c, and are there after one update", 2, "c")
            .refused("a", 60)
            .plans("creates < 36"),
        headroom_of_40 =
            settled("less of it may be used: 60 %", (2, "c"), "headroom = \"40%\"").plans("creates < 60"),
        lower_high_alarm = settled("a lower scale-up alarm: 54 %", (2, "c"), "scale_up_threshold = 60")
            .plans("creates < 54"),
        nothing_cheaper_to_be_had =
            settled("nothing cheaper can be had: the policy's own threshold", (1, "d"), "")
                .refused("a", 60)
                .refused("b", 60)
                .refused("c", 60)
                .plans("creates < 10"),
        own_threshold_is_higher = cheapest(
            "the policy's own threshold is higher than 61.7",
            (7, "a"),
            "pair = { alarm = \"quiet\", metric = \"CpuUtilization\", below = 65, window = \"5m\" }",
            "",
        )
        .plans("creates < 65"),
        memory_of_each = cheapest(
            "memory of each: 4 b have 8 of 16 GiB, one c has all",
            (2, "c"),
            &pair("MemoryUtilization", ""),
            "",
        )
        .refused("d", 60)
        .plans("creates < 72"),
        memory_of_one_c = cheapest(
            "memory of each: of one c it is b that is cheaper",
            (1, "c"),
            &pair("MemoryUtilization", ""),
            "",
        )
        .plans("creates < 36"),
        one_d_has_more_memory = cheapest(
            "one d has more memory than each of two c: never while the scale-up alarm may fire",
            (2, "c"),
            &pair("MemoryUtilization", ""),
            "",
        )
        .plans("creates < 72"),
        no_utilization =
            cheapest("no utilization: the policy's own threshold", (2, "c"), &pair("PredictLatency", ""), "")
                .plans("creates < 10"),
        on_no_ladder = settled("on no ladder: what to remove is unknown", (2, "x"), "").plans(""),
        after_a_step = settled("after a step it is that of the size to be: of 3 a for 0.30", (2, "a"), "")
            .observed(|observed| observed.last_change = None)
            .plans("creates < 48"),
    ];
}

mod floors {
    use stepladder::deployment::Lifecycle;
    use stepladder::size::Axis;

    use super::{Case, Planned, alarm, pair_calls, rows, settled};

    fn calm(case: Case) -> Case {
        case.low("CpuUtilization", 5.0, 10.0)
            .reads("MemoryUtilization", 5.0)
            .observed(|observed| observed.last_change = None)
    }

    rows![
        Planned,
        cheapest_there_is = pair_calls(calm(settled("the cheapest there is: nothing is left", (1, "a"), "")))
            .plans("deletes"),
        fewest_of_the_cheapest = pair_calls(calm(settled(
            "the fewest that there may be, of the cheapest",
            (2, "a"),
            "instances = { min = 2, max = 9 }",
        )))
        .plans("deletes"),
        cheaper_shape_was_refused = pair_calls(
            calm(settled("a cheaper shape is left, but could not be had", (1, "b"), "")).refused("a", 60),
        )
        .plans("rewrites < 10"),
        cheaper_shape_and_fixed = pair_calls(
            calm(settled("a cheaper shape is left, but the shape cannot be changed", (1, "b"), ""))
                .fixed(Axis::Shape),
        )
        .plans("deletes"),
        more_than_the_fewest = pair_calls(
            calm(settled("more than the fewest, of a shape that cannot be changed", (3, "b"), ""))
                .fixed(Axis::Shape),
        )
        .plans("rewrites < 10"),
        not_settled = pair_calls(calm(settled("at the floor, but not settled", (1, "a"), "")))
            .observed(|observed| observed.lifecycle = Lifecycle::Busy)
            .plans(""),
        high_alarm_calls = calm(settled(
            "at the floor, and it is the scale-up alarm that fires: others may be about to need the pair",
            (1, "a"),
            "",
        ))
        .high("CpuUtilization", 5.0, 1.0)
        .observed(|observed| observed.pair = Some(alarm(true)))
        .plans(""),
        low_alarm_calls = calm(settled("at the floor, and the alarm that fires requests less", (1, "a"), ""))
            .observed(|observed| observed.pair = Some(alarm(true)))
            .plans("deletes"),
    ];
}

/// A floor that a schedule sets ends with it, and what it has added is removed then.
mod passing_floors {
    use super::{Case, Planned, cheapest, pair, pair_calls, paired, rows};

    /// It is noon.
    const NOON: &str = "[[schedule]]\ncron = \"0 11 * * *\"\nfor = \"2h\"\nmin = 4\n";
    const NIGHT: &str = "[[schedule]]\ncron = \"0 1 * * *\"\nfor = \"2h\"\nmin = 1\n";
    const FOUR: &str = "instances = { min = 4, max = 9 }";

    fn settled(why: &'static str, keys: &str, count: u32) -> Case {
        let keys = format!("axis = \"instances\"\n{keys}\n{}", pair("CpuUtilization", ""));
        pair_calls(paired(why, &keys)).count(count)
    }

    rows![
        Planned,
        four_until_one =
            settled("four, which is the floor until one", "", 4).policy(NOON).plans("rewrites < 10"),
        one_until_one = settled("one, under the floor until one, and there it goes afterwards", "", 1)
            .policy(NOON)
            .plans("deletes"),
        four_but_at_night =
            settled("four, which is the floor but at night", FOUR, 4).policy(NIGHT).plans("rewrites < 10"),
        four_at_all_hours = settled("four, which is the floor at all hours", FOUR, 4).plans("deletes"),
        four_by_tag =
            settled("four, which its own tag sets", "", 4).policy(NIGHT).tag("min", "4").plans("deletes"),
        four_by_the_platform =
            settled("four, which the platform sets", "", 4).policy(NIGHT).platform(4, 9).plans("deletes"),
        cheaper_after_one = pair_calls(cheapest(
            "four a: 2 b have as many cores for less, and may be had after one",
            (4, "a"),
            &pair("CpuUtilization", ""),
            "",
        ))
        .policy(NOON)
        .low("CpuUtilization", 5.0, 10.0)
        .reads("MemoryUtilization", 5.0)
        .observed(|observed| observed.last_change = None)
        .plans("rewrites < 72"),
    ];
}

/// An alarm of CloudWatch that notifies a topic.
fn high_alarm() -> ObservedAlarm {
    let actions = vec!["arn:aws:sns:us-east-1:111122223333:stepladder-alarms".to_owned()];
    aws::variant::observed(&CloudwatchAlarm { actions, ..CloudwatchAlarm::default() }, false)
}

/// What somebody else changes, or what cannot be changed.
mod owned {
    use stepladder::size::Axis;

    use super::{Case, Planned, alarm, high_alarm, pair, rows, settled};

    const CHEAPEST: &str = "axis = \"cheapest\"\nallow_cost_surge = true";
    const SUSPENDED: &str = "axis = \"cheapest\"\nallow_cost_surge = true\nnative_autoscaling = \"suspend\"";

    fn size(why: &'static str) -> Case {
        settled(why, (2, "c"), "")
    }

    fn variant(why: &'static str, keys: &str) -> Case {
        Case::new(why, &format!("{keys}\n{}", pair("CPUUtilization", "")))
            .variant(2, "ml.m5.xlarge")
            .high("CPUUtilization", 150.0, 320.0)
            .reads("MemoryUtilization", 50.0)
            .observed(|observed| observed.alarm = Some(high_alarm()))
    }

    rows![
        Planned,
        owned_count =
            size("the count is somebody else's: so is what was added").owned(Axis::Instances).plans(""),
        owned_count_with_our_pair = size("the count is somebody else's, and the pair is ours")
            .owned(Axis::Instances)
            .observed(|observed| observed.pair = Some(alarm(true)))
            .plans("rewrites < 72"),
        fixed_count = size("the count cannot be changed, so nothing is").fixed(Axis::Instances).plans(""),
        owned_shape =
            size("the shape is somebody else's: the count is not").owned(Axis::Shape).plans("creates < 36"),
        on_sagemaker =
            variant("a variant: 3 ml.m5.large have 6 of 8 vCPUs, and 54 % of 4 vCPUs are 216", CHEAPEST,)
                .plans("puts < 216"),
        on_sagemaker_with_owned_count =
            variant("a variant whose count is somebody else's", "axis = \"cheapest\"")
                .owned(Axis::Instances)
                .plans(""),
        on_sagemaker_with_an_owner_to_park =
            variant("a variant whose owner may be suspended, and must be restored", SUSPENDED)
                .owned(Axis::Instances)
                .plans("puts < 216"),
    ];
}

/// The same where only the count is changed.
mod counts {
    use stepladder::deployment::Lifecycle;

    use super::{Case, Planned, alarm, at, pair, pair_calls, paired, rows};

    fn steps(adds: &str) -> String {
        format!("axis = \"instances\"\n{adds}\n{}", pair("CpuUtilization", ""))
    }

    fn one(why: &'static str, keys: &str) -> Case {
        paired(why, keys).count(1).observed(|observed| observed.pair = Some(alarm(true)))
    }

    rows![
        Planned,
        step_up = paired("a step up", &steps("")).plans("creates < 10"),
        one_is_the_floor =
            pair_calls(paired("one instance is the floor", &steps("")).count(1)).plans("deletes"),
        one_is_the_floor_not_settled =
            pair_calls(paired("one instance is the floor, but not settled", &steps("")).count(1))
                .observed(|observed| observed.lifecycle = Lifecycle::Busy)
                .plans(""),
        high_alarm_holds_at_the_floor = one("a scale-up alarm that holds at the floor", &steps(""))
            .observed(|observed| observed.last_change = Some(at(60)))
            .plans(""),
        either_direction_requests_more =
            one("a rule in either direction, and an alarm that requests more", &steps("track = 70"))
                .high("CpuUtilization", 91.0, 80.0)
                .observed(|observed| observed.last_change = Some(at(60)))
                .plans(""),
        either_direction_requests_less =
            one("a rule in either direction, and an alarm that requests less", &steps("track = 70"))
                .low("CpuUtilization", 60.0, 65.0,)
                .plans("deletes"),
        either_direction_unreported =
            one("a rule in either direction, and an alarm without a side", &steps("track = 70"))
                .low("CpuUtilization", 69.0, 65.0)
                .sideless()
                .plans(""),
        rule_removes = one("a rule that removes, whatever the alarm requests", &steps("step = -1"))
            .high("CpuUtilization", 91.0, 80.0,)
            .plans("deletes"),
    ];
}
