//! Step adjustments, to the letter of Application Auto Scaling.
//!
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>

use stepladder::alarm::Side;

use super::case::Case;

/// The steps of AWS's walk-through, out and in.
const OUT: &str = "steps = [{ above = 0, below = 10, add = 0 }, { above = 10, below = 20, add = \"10%\" }, \
                   { above = 20, add = \"30%\" }]";
const IN: &str = "steps = [{ above = -10, below = 0, remove = 0 }, { above = -20, below = -10, remove = \"10%\" }, \
                  { below = -20, remove = \"30%\" }]";

/// The seed sample's one policy over the whole range, with a threshold of 0: absolute values.
const WHOLE: &str =
    "steps = [{ below = 20, remove = 1 }, { above = 20, below = 50, add = 0 }, { above = 50, add = 1 }]";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = walk_through();
    cases.extend(edges());
    cases.extend(adjustments());
    cases
}

fn with(why: &'static str, steps: &str, side: Side, (value, threshold): (f64, f64), now: u32) -> Case {
    // Thresholds of these rows are apart from what steps take away: nothing flaps.
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
fn walk_through() -> Vec<Case> {
    vec![
        with("60 is 10 beyond: the step that begins there, 10 % of 10", OUT, Side::Above, (60.0, 50.0), 10)
            .gives("11"),
        with("70 is 20 beyond: 30 % of 11 are 3.3, and that is 3", OUT, Side::Above, (70.0, 50.0), 11)
            .gives("14"),
        with(
            "40 is 10 under: the step that ends there, 10 % of 14 are 1.4, and that is 1",
            IN,
            Side::Below,
            (40.0, 50.0),
            14,
        )
        .gives("13"),
        with("30 is 20 under: 30 % of 13 are 3.9, and that is 3", IN, Side::Below, (30.0, 50.0), 13)
            .gives("10"),
        with("55 is in the first step, which adds nothing", OUT, Side::Above, (55.0, 50.0), 10)
            .gives("on_target"),
        with("45 is in the first step down, which takes nothing", IN, Side::Below, (45.0, 50.0), 10)
            .gives("on_target"),
    ]
}

fn edges() -> Vec<Case> {
    let ones = "steps = [{ above = 0, below = 10, add = 1 }, { above = 10, add = 2 }]";
    let downs = "steps = [{ above = -10, below = 0, remove = 1 }, { below = -10, remove = 2 }]";
    let late = "steps = [{ above = 5, add = 1 }]";
    vec![
        with(
            "at the threshold itself an alarm above counts the beginning in",
            ones,
            Side::Above,
            (50.0, 50.0),
            4,
        )
        .gives("5"),
        with("at the threshold itself an alarm below counts the end in", downs, Side::Below, (50.0, 50.0), 4)
            .gives("3"),
        with("just under the next step it is still the first", ones, Side::Above, (59.999, 50.0), 4)
            .gives("5"),
        with("at the end of a step above, the next begins", ones, Side::Above, (60.0, 50.0), 4).gives("6"),
        with(
            "at the beginning of a step below, it is the next one's end",
            downs,
            Side::Below,
            (40.0, 50.0),
            4,
        )
        .gives("2"),
        with("just above that it is still the first", downs, Side::Below, (40.001, 50.0), 4).gives("3"),
        with("no end: however far beyond", ones, Side::Above, (1e9, 50.0), 4).gives("6"),
        with("no beginning: however far under", downs, Side::Below, (0.0, 50.0), 4).gives("2"),
        with(
            "a value that has fallen back under the threshold is in no step above",
            ones,
            Side::Above,
            (49.0, 50.0),
            4,
        )
        .gives("on_target"),
        with(
            "a value that has risen over the threshold is in no step below",
            downs,
            Side::Below,
            (51.0, 50.0),
            4,
        )
        .gives("on_target"),
        with("steps may begin later than the threshold", late, Side::Above, (54.0, 50.0), 4)
            .gives("on_target"),
        with("and there they begin", late, Side::Above, (55.0, 50.0), 4).gives("5"),
        with("the seed's policy: 10 is under 20, one less", WHOLE, Side::Above, (10.0, 0.0), 4).gives("3"),
        with("the seed's policy: 20 belongs to the middle", WHOLE, Side::Above, (20.0, 0.0), 4)
            .gives("on_target"),
        with("the seed's policy: 49.9 belongs to the middle", WHOLE, Side::Above, (49.9, 0.0), 4)
            .gives("on_target"),
        with("the seed's policy: 50 is the beginning of the last", WHOLE, Side::Above, (50.0, 0.0), 4)
            .gives("5"),
        with(
            "an alarm that does not tell its side: the value is above, the beginning counts in",
            ones,
            Side::Above,
            (60.0, 50.0),
            4,
        )
        .told(|alarm| alarm.measurement.side = None)
        .gives("6"),
        with(
            "an alarm that does not tell its side: the value is under, the end counts in",
            downs,
            Side::Below,
            (40.0, 50.0),
            4,
        )
        .told(|alarm| alarm.measurement.side = None)
        .gives("2"),
        with("without a threshold nobody knows how far beyond it is", ones, Side::Above, (60.0, 50.0), 4)
            .told(|alarm| alarm.measurement.threshold = None)
            .gives("no_data"),
        with("without a value neither", ones, Side::Above, (60.0, 50.0), 4).untold().gives("no_data"),
        with("the look may tell the value that the alarm does not", ones, Side::Above, (60.0, 50.0), 4)
            .untold()
            .reads("CpuUtilization", 60.0)
            .gives("6"),
        with("what the alarm tells goes before what the look finds", ones, Side::Above, (51.0, 50.0), 4)
            .reads("CpuUtilization", 90.0)
            .gives("5"),
        with(
            "of two deployments the alarm tells the worst value, which may not be this one's",
            ones,
            Side::Above,
            (60.0, 50.0),
            4,
        )
        .told(|alarm| alarm.targets.push(stepladder::platform::oci::id::model_deployment("other").unwrap()))
        .gives("no_data"),
        with("of two deployments the look tells this one's", ones, Side::Above, (99.0, 50.0), 4)
            .told(|alarm| {
                alarm.targets.push(stepladder::platform::oci::id::model_deployment("other").unwrap())
            })
            .reads("CpuUtilization", 52.0)
            .gives("5"),
        with("a value that is no number is none", ones, Side::Above, (f64::NAN, 50.0), 4).gives("no_data"),
    ]
}

fn adjustments() -> Vec<Case> {
    let percent = |number: i32| format!("steps = [{{ above = 0, add = \"{number}%\" }}]");
    let down = |number: i32| format!("steps = [{{ below = 0, remove = \"{number}%\" }}]");
    let up = |why, steps: &str, now| with(why, steps, Side::Above, (60.0, 50.0), now);
    let less = |why, steps: &str, now| with(why, steps, Side::Below, (1.0, 50.0), now);
    vec![
        up("10 % of 1 are 0.1: something between nothing and one is one", &percent(10), 1).gives("2"),
        up("10 % of 9 are 0.9: one", &percent(10), 9).gives("10"),
        up("10 % of 19 are 1.9: cut off to one", &percent(10), 19).gives("20"),
        up("100 % of 7 are 7", &percent(100), 7).gives("14"),
        up("250 % of 2 are 5", &percent(250), 2).gives("7"),
        up("0 % is nothing", &percent(0), 7).gives("on_target"),
        less("10 % of 4 are 0.4: one less", &down(10), 4).gives("3"),
        less("10 % of 19 are 1.9: cut off to one less", &down(10), 19).gives("18"),
        less("100 % would leave none: the floor is one", &down(100), 6).gives("1"),
        up(
            "25 % of 4 are 1, and at least 2 it shall be: AWS's own example",
            &format!("{}\nmin_step = 2", percent(25)),
            4,
        )
        .gives("6"),
        up("50 % of 10 are 5, more than the least", &format!("{}\nmin_step = 2", percent(50)), 10)
            .gives("15"),
        less("25 % of 4 are 1, and at least 2 less it shall be", &format!("{}\nmin_step = 2", down(25)), 4)
            .gives("2"),
        up(
            "the least is for percentages: a plain number stays",
            "steps = [{ above = 0, below = 5, add = \"10%\" }, { above = 5, add = 1 }]\nmin_step = 3",
            4,
        )
        .gives("5"),
        up("exactly five, from two", "steps = [{ above = 0, set = 5 }]", 2).gives("5"),
        up(
            "exactly five, from eight: a step may go down on a high alarm",
            "steps = [{ above = 0, set = 5 }]",
            8,
        )
        .gives("5"),
        up("exactly five, and there are five", "steps = [{ above = 0, set = 5 }]", 5).gives("on_target"),
        up(
            "at the threshold, of an alarm that does not tell its side: that of what is above",
            "steps = [{ above = 0, add = 1 }]",
            2,
        )
        .high("CpuUtilization", 80.0, 80.0)
        .told(|alarm| alarm.measurement.side = None)
        .gives("3"),
        up("plus three", "steps = [{ above = 0, add = 3 }]", 2).gives("5"),
        less("minus three", "steps = [{ below = 0, remove = 3 }]", 8).gives("5"),
        less("minus thirty from eight ends at the floor", "steps = [{ below = 0, remove = 30 }]", 8)
            .gives("1"),
        up("plus a thousand ends at the ceiling", "steps = [{ above = 0, add = 1000 }]", 8).gives("100"),
        up("at the ceiling nothing is added", "steps = [{ above = 0, add = 1 }]", 100).gives("at_ceiling"),
        less("at the floor nothing is taken", "steps = [{ below = 0, remove = 1 }]", 1).gives("at_floor"),
    ]
}
