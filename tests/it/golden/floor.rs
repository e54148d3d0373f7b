//! Fewer instances than the floor, down to none: an alarm that requests more brings them to the floor at least.
//!
//! Without an instance nothing is measured, and so much of nothing is nothing: no rule may wait for a number then.

use stepladder::alarm::Coverage;

use super::case::{Case, rows};
use super::cheapest::LADDER;

const BOUNDS: &str = "instances = { min = 2, max = 9 }";

fn none(why: &'static str, keys: &str) -> Case {
    Case::new(why, &format!("axis = \"instances\"\n{BOUNDS}\n{keys}")).count(0)
}

fn cheapest(why: &'static str, count: u32) -> Case {
    Case::new(why, &format!("axis = \"cheapest\"\n{BOUNDS}")).policy(LADDER).count(count).shape("b")
}

pub(super) fn all() -> Vec<fn() -> Case> {
    [by_number::ROWS, by_cost::ROWS, limits::ROWS].concat()
}

mod by_number {
    use super::{Case, Coverage, none, rows};

    const STEPS: &str = "steps = [{ above = 0, below = 20, add = \"50%\" }, { above = 20, add = 4 }]";

    rows![
        Case,
        step_of_one = none("a step of one from none: the floor", "step = 1").gives("2"),
        step_of_five = none("a step of five from none: the whole step", "step = 5").gives("5"),
        half_of_none = none("half of none is none: the floor all the same", STEPS).gives("2"),
        four_of_none =
            none("four, because it is far beyond", STEPS).high("CpuUtilization", 95.0, 70.0).gives("4"),
        set_under_the_floor =
            none("a step to one, which is under the floor", "steps = [{ above = 0, set = 1 }]").gives("2"),
        no_step_holds_it = none("no step holds the distance", "steps = [{ above = 50, add = 1 }]").gives("2"),
        steps_without_a_value = none("steps, and nothing was measured", STEPS).without_value().gives("2"),
        track = none("so much of none is none: the floor all the same", "track = 60").gives("2"),
        track_on_target =
            none("less than the target, and the alarm fires all the same", "track = 95").gives("2"),
        track_without_a_value = none("nothing to track", "track = 60").without_value().gives("2"),
        track_of_one = none("one of two, as busy as four would be: more than the floor", "track = 20")
            .count(1)
            .gives("5"),
        track_without_a_side = none("an alarm that does not report its side requests nothing", "track = 60")
            .sideless()
            .gives("on_target"),
        missing_data = none("data is missing, and the alarm requests more", "track = 60")
            .covered(Coverage::Nothing)
            .gives("2"),
        low_alarm = none("an alarm that requests less adds nothing", "track = 60").below().gives("on_target"),
        step_down =
            none("a step down from none", "step = -1").low("CpuUtilization", 1.0, 10.0).gives("at_floor"),
    ];
}

mod by_cost {
    use super::{Case, cheapest, rows};

    rows![
        Case,
        none_of_b = cheapest("none, whatever its metrics read: the floor of what it is", 0)
            .reads("MemoryUtilization", 0.0)
            .gives("2"),
        none_and_nothing_measured = cheapest("none, and nothing is measured", 0).without_value().gives("2"),
        one_and_nothing_measured =
            cheapest("one of two, and nothing is measured", 1).without_value().gives("2"),
        one_on_no_ladder = cheapest("none of a shape that no ladder has", 0).shape("x").gives("2"),
        low_alarm = cheapest("an alarm that requests less adds nothing there either", 0)
            .without_value()
            .below()
            .gives("no_data"),
    ];
}

mod limits {
    use super::{Case, cheapest, none, rows};

    rows![
        Case,
        paused = none("a pause stops it", "track = 60").tag("pause", "up").gives("paused"),
        paused_cheapest = cheapest("a pause stops it there, too", 0).tag("pause", "all").gives("paused"),
        cooling_down = none("so does a cooldown", "track = 60\ncooldown = { up = \"10m\" }")
            .changed(400)
            .gives("cooling_down"),
        over_budget = cheapest("and a budget that does not reach to one", 0)
            .tag("max-hourly-cost", "0.1")
            .gives("over_budget"),
        part_of_the_floor =
            cheapest("a budget that reaches to one of two", 0).tag("max-hourly-cost", "0.2").gives("1"),
        no_common_count =
            none("no count lies within both bounds", "track = 60").platform(0, 1).gives("on_target"),
    ];
}
