//! Step adjustments, to the letter of Application Auto Scaling.
//!
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>

use stepladder::alarm::{Condition, Side};

use super::case::{Case, rows};

/// The steps of AWS's walk-through, out and in.
const OUT: &str = "steps = [{ above = 0, below = 10, add = 0 }, { above = 10, below = 20, add = \"10%\" }, \
                   { above = 20, add = \"30%\" }]";
const IN: &str = "steps = [{ above = -10, below = 0, remove = 0 }, { above = -20, below = -10, remove = \"10%\" }, \
                  { below = -20, remove = \"30%\" }]";

/// The seed sample's one policy over the whole range, with a threshold of 0: absolute values.
const WHOLE: &str =
    "steps = [{ below = 20, remove = 1 }, { above = 20, below = 50, add = 0 }, { above = 50, add = 1 }]";

pub(super) fn all() -> Vec<fn() -> Case> {
    [walk_through::ROWS, edges::ROWS, adjustments::ROWS].concat()
}

fn with(why: &'static str, steps: &str, side: Side, (value, threshold): (f64, f64), now: u32) -> Case {
    // Thresholds of these rows are apart from what steps remove: nothing flaps.
    let keys = format!(
        "axis = \"instances\"\nscale_up_threshold = 1000\ninstances = {{ min = 1, max = 100 }}\n{steps}"
    );
    let case = Case::new(why, &keys).count(now);
    match side {
        Side::Above => case.high("CpuUtilization", value, threshold),
        Side::Below => case.low("CpuUtilization", value, threshold),
    }
}

/// The documentation's own example, threshold 50: 10 → 11 → 14 → 13 → 10.
mod walk_through {
    use super::{Case, IN, OUT, Side, rows, with};

    rows![
        Case,
        ten_percent_of_ten = with(
            "60 is 10 beyond: the step that begins there, 10 % of 10",
            OUT,
            Side::Above,
            (60.0, 50.0),
            10
        )
        .gives("11"),
        thirty_percent_of_eleven =
            with("70 is 20 beyond: 30 % of 11 are 3.3, and that is 3", OUT, Side::Above, (70.0, 50.0), 11)
                .gives("14"),
        ten_percent_less_of_fourteen = with(
            "40 is 10 under: the step that ends there, 10 % of 14 are 1.4, and that is 1",
            IN,
            Side::Below,
            (40.0, 50.0),
            14,
        )
        .gives("13"),
        thirty_percent_less_of_thirteen =
            with("30 is 20 under: 30 % of 13 are 3.9, and that is 3", IN, Side::Below, (30.0, 50.0), 13)
                .gives("10"),
        first_step_adds_nothing =
            with("55 is in the first step, which adds nothing", OUT, Side::Above, (55.0, 50.0), 10)
                .gives("on_target"),
        first_step_down_takes_nothing =
            with("45 is in the first step down, which removes nothing", IN, Side::Below, (45.0, 50.0), 10)
                .gives("on_target"),
    ];
}

mod edges {
    use super::{Case, Condition, Side, WHOLE, rows, with};

    const ONES: &str = "steps = [{ above = 0, below = 10, add = 1 }, { above = 10, add = 2 }]";
    const DOWNS: &str = "steps = [{ above = -10, below = 0, remove = 1 }, { below = -10, remove = 2 }]";
    const LATE: &str = "steps = [{ above = 5, add = 1 }]";

    rows![
        Case,
        at_the_threshold_above = with(
            "at the threshold itself an alarm above counts the beginning in",
            ONES,
            Side::Above,
            (50.0, 50.0),
            4,
        )
        .gives("5"),
        at_the_threshold_below = with(
            "at the threshold itself an alarm below counts the end in",
            DOWNS,
            Side::Below,
            (50.0, 50.0),
            4
        )
        .gives("3"),
        just_under_the_next_step =
            with("just under the next step it is still the first", ONES, Side::Above, (59.999, 50.0), 4)
                .gives("5"),
        at_the_end_of_a_step_above =
            with("at the end of a step above, the next begins", ONES, Side::Above, (60.0, 50.0), 4)
                .gives("6"),
        at_the_beginning_of_a_step_below = with(
            "at the beginning of a step below, it is the next one's end",
            DOWNS,
            Side::Below,
            (40.0, 50.0),
            4,
        )
        .gives("2"),
        just_above_the_next_step_down =
            with("just above that it is still the first", DOWNS, Side::Below, (40.001, 50.0), 4).gives("3"),
        no_end = with("no end: however far beyond", ONES, Side::Above, (1e9, 50.0), 4).gives("6"),
        no_beginning = with("no beginning: however far under", DOWNS, Side::Below, (0.0, 50.0), 4).gives("2"),
        fallen_back_under_the_threshold = with(
            "a value that has fallen back under the threshold is in no step above",
            ONES,
            Side::Above,
            (49.0, 50.0),
            4,
        )
        .gives("on_target"),
        risen_over_the_threshold = with(
            "a value that has risen over the threshold is in no step below",
            DOWNS,
            Side::Below,
            (51.0, 50.0),
            4,
        )
        .gives("on_target"),
        before_steps_that_begin_late =
            with("steps may begin later than the threshold", LATE, Side::Above, (54.0, 50.0), 4)
                .gives("on_target"),
        where_late_steps_begin = with("and there they begin", LATE, Side::Above, (55.0, 50.0), 4).gives("5"),
        seed_at_10 = with("the seed's policy: 10 is under 20, one less", WHOLE, Side::Above, (10.0, 0.0), 4)
            .gives("3"),
        seed_at_20 = with("the seed's policy: 20 belongs to the middle", WHOLE, Side::Above, (20.0, 0.0), 4)
            .gives("on_target"),
        seed_at_49_9 =
            with("the seed's policy: 49.9 belongs to the middle", WHOLE, Side::Above, (49.9, 0.0), 4)
                .gives("on_target"),
        seed_at_50 =
            with("the seed's policy: 50 is the beginning of the last", WHOLE, Side::Above, (50.0, 0.0), 4)
                .gives("5"),
        side_unreported_and_above = with(
            "an alarm that does not report its side has no known threshold of the metric, above",
            ONES,
            Side::Above,
            (60.0, 50.0),
            4,
        )
        .sideless()
        .gives("no_data"),
        definition_tells_the_threshold = with(
            "an alarm that does not report what it compares: its definition does",
            ONES,
            Side::Above,
            (60.0, 50.0),
            4,
        )
        .sideless()
        .defined("CpuUtilization", 50.0, Side::Above)
        .gives("6"),
        definition_is_of_another_metric =
            with("the definition is of another metric", ONES, Side::Above, (60.0, 50.0), 4)
                .sideless()
                .defined("MemoryUtilization", 50.0, Side::Above)
                .gives("no_data"),
        report_goes_before_the_definition =
            with("what the alarm reports goes before its definition", ONES, Side::Above, (51.0, 50.0), 4)
                .defined("CpuUtilization", 40.0, Side::Above)
                .gives("5"),
        side_unreported_and_under = with(
            "an alarm that does not report its side has no known threshold of the metric, under",
            DOWNS,
            Side::Below,
            (40.0, 50.0),
            4,
        )
        .sideless()
        .gives("no_data"),
        no_threshold =
            with("without a threshold nobody knows how far beyond it is", ONES, Side::Above, (60.0, 50.0), 4)
                .otherwise(Condition::Sided(Side::Above))
                .gives("no_data"),
        no_value = with("without a value neither", ONES, Side::Above, (60.0, 50.0), 4)
            .without_value()
            .gives("no_data"),
        value_by_the_look = with(
            "the value that the alarm does not report may be observed",
            ONES,
            Side::Above,
            (60.0, 50.0),
            4
        )
        .without_value()
        .reads("CpuUtilization", 60.0)
        .gives("6"),
        value_of_the_alarm_goes_first =
            with("what the alarm reports goes before what is observed", ONES, Side::Above, (51.0, 50.0), 4)
                .reads("CpuUtilization", 90.0)
                .gives("5"),
        worst_of_two_deployments = with(
            "of two deployments the alarm reports the worst value, which may not be this one's",
            ONES,
            Side::Above,
            (60.0, 50.0),
            4,
        )
        .with_alarm(|alarm| alarm.targets.push(crate::golden::case::other_deployment()))
        .gives("no_data"),
        of_two_deployments_the_look_tells =
            with("of two deployments this one's value is observed", ONES, Side::Above, (99.0, 50.0), 4)
                .with_alarm(|alarm| alarm.targets.push(crate::golden::case::other_deployment()))
                .reads("CpuUtilization", 52.0)
                .gives("5"),
        not_a_number = with("a value that is no number is none", ONES, Side::Above, (f64::NAN, 50.0), 4)
            .gives("no_data"),
    ];
}

mod adjustments {
    use super::{Case, Side, rows, with};

    fn percent(number: i32) -> String {
        format!("steps = [{{ above = 0, add = \"{number}%\" }}]")
    }

    fn down(number: i32) -> String {
        format!("steps = [{{ below = 0, remove = \"{number}%\" }}]")
    }

    fn up(why: &'static str, steps: &str, now: u32) -> Case {
        with(why, steps, Side::Above, (60.0, 50.0), now)
    }

    fn less(why: &'static str, steps: &str, now: u32) -> Case {
        with(why, steps, Side::Below, (1.0, 50.0), now)
    }

    rows![
        Case,
        between_nothing_and_one =
            up("10 % of 1 are 0.1: something between nothing and one is one", &percent(10), 1).gives("2"),
        ten_percent_of_nine = up("10 % of 9 are 0.9: one", &percent(10), 9).gives("10"),
        ten_percent_of_nineteen = up("10 % of 19 are 1.9: cut off to one", &percent(10), 19).gives("20"),
        all_of_seven = up("100 % of 7 are 7", &percent(100), 7).gives("14"),
        more_than_all_of_two = up("250 % of 2 are 5", &percent(250), 2).gives("7"),
        zero_percent = up("0 % is nothing", &percent(0), 7).gives("on_target"),
        ten_percent_less_of_four = less("10 % of 4 are 0.4: one less", &down(10), 4).gives("3"),
        ten_percent_less_of_nineteen =
            less("10 % of 19 are 1.9: cut off to one less", &down(10), 19).gives("18"),
        hundred_percent_less = less("100 % would leave none: the floor is one", &down(100), 6).gives("1"),
        at_least_two = up(
            "25 % of 4 are 1, and at least 2 it shall be: AWS's own example",
            &format!("{}\nmin_step = 2", percent(25)),
            4,
        )
        .gives("6"),
        more_than_the_least =
            up("50 % of 10 are 5, more than the least", &format!("{}\nmin_step = 2", percent(50)), 10)
                .gives("15"),
        at_least_two_less = less(
            "25 % of 4 are 1, and at least 2 less it shall be",
            &format!("{}\nmin_step = 2", down(25)),
            4
        )
        .gives("2"),
        least_is_for_percentages = up(
            "the least is for percentages: a plain number stays",
            "steps = [{ above = 0, below = 5, add = \"10%\" }, { above = 5, add = 1 }]\nmin_step = 3",
            4,
        )
        .gives("5"),
        exactly_five_from_two =
            up("exactly five, from two", "steps = [{ above = 0, set = 5 }]", 2).gives("5"),
        exactly_five_from_eight = up(
            "exactly five, from eight: a step may scale down on a scale-up alarm",
            "steps = [{ above = 0, set = 5 }]",
            8,
        )
        .gives("5"),
        exactly_five_from_five =
            up("exactly five, and there are five", "steps = [{ above = 0, set = 5 }]", 5).gives("on_target"),
        at_the_threshold_side_unreported = up(
            "at the threshold, of an alarm whose definition has its side",
            "steps = [{ above = 0, add = 1 }]",
            2,
        )
        .high("CpuUtilization", 80.0, 80.0)
        .sideless()
        .defined("CpuUtilization", 80.0, Side::Above)
        .gives("3"),
        plus_three = up("plus three", "steps = [{ above = 0, add = 3 }]", 2).gives("5"),
        minus_three = less("minus three", "steps = [{ below = 0, remove = 3 }]", 8).gives("5"),
        minus_thirty_ends_at_the_floor =
            less("minus thirty from eight ends at the floor", "steps = [{ below = 0, remove = 30 }]", 8)
                .gives("1"),
        plus_a_thousand_ends_at_the_ceiling =
            up("plus a thousand ends at the ceiling", "steps = [{ above = 0, add = 1000 }]", 8).gives("100"),
        at_the_ceiling = up("at the ceiling nothing is added", "steps = [{ above = 0, add = 1 }]", 100)
            .gives("at_ceiling"),
        at_the_floor =
            less("at the floor nothing is taken", "steps = [{ below = 0, remove = 1 }]", 1).gives("at_floor"),
    ];
}
