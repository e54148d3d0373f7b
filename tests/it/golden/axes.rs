//! Bounds, ladders and bandwidths: how far plain steps go.

use super::case::{Case, pair, rows};

pub(super) fn all() -> Vec<fn() -> Case> {
    [counts::ROWS, rungs::ROWS, bandwidths::ROWS].concat()
}

fn count(why: &'static str, now: u32, bounds: (u32, u32), step: i32) -> Case {
    let (min, max) = bounds;
    let keys = format!(
        "axis = \"instances\"\nstep = {step}\nscale_up_threshold = 1000\ninstances = {{ min = {min}, max = {max} }}"
    );
    let case = Case::new(why, &keys).count(now);
    if step > 0 { case } else { case.low("CpuUtilization", 4.0, 10.0) }
}

mod counts {
    use stepladder::size::Axis;

    use super::{Case, count, pair, rows};

    rows![
        Case,
        one_more = count("one more", 2, (1, 10), 1).gives("3"),
        one_less = count("one less", 2, (1, 10), -1).gives("1"),
        four_more_end_at_the_ceiling = count("four more end at the ceiling", 8, (1, 10), 4).gives("10"),
        four_less_end_at_the_floor = count("four less end at the floor", 4, (2, 10), -4).gives("2"),
        at_the_ceiling = count("the ceiling", 10, (1, 10), 1).gives("at_ceiling"),
        at_the_floor = count("the floor", 1, (1, 10), -1).gives("at_floor"),
        up_beyond_the_ceiling =
            count("beyond the ceiling nothing is added", 12, (1, 10), 1).gives("at_ceiling"),
        down_beyond_the_ceiling =
            count("beyond the ceiling a scale-down alarm removes its own step, and no more", 12, (1, 10), -1)
                .gives("11"),
        up_under_the_floor =
            count("under the floor a scale-up alarm brings it there at once", 1, (4, 10), 1).gives("4"),
        down_under_the_floor =
            count("under the floor a scale-down alarm removes nothing", 2, (4, 10), -1).gives("at_floor"),
        lower_ceiling_of_the_platform =
            count("the platform's ceiling is lower", 4, (1, 10), 1).platform(1, 4).gives("at_ceiling"),
        higher_floor_of_the_platform =
            count("the platform's floor is higher", 3, (1, 10), -1).platform(3, 9).gives("at_floor"),
        lower_ceiling_of_the_policy =
            count("the policy's ceiling is lower than the platform's", 3, (1, 3), 1)
                .platform(1, 9)
                .gives("at_ceiling"),
        no_common_count_up = count("no count lies within both: it is not raised", 6, (1, 4), 1)
            .platform(6, 9)
            .gives("at_ceiling"),
        no_common_count_down = count("no count lies within both: it is not lowered", 6, (1, 4), -1)
            .platform(6, 9)
            .gives("at_floor"),
        fixed_count =
            count("a count that is fixed", 2, (1, 10), 1).fixed(Axis::Instances).gives("not_resizable"),
        owned_count = count("a count that somebody else changes", 2, (1, 10), 1)
            .owned(Axis::Instances)
            .gives("owned_elsewhere"),
        owned_shape = count("a shape that somebody else changes is no reason", 2, (1, 10), 1)
            .owned(Axis::Shape)
            .gives("3"),
        pair_takes_back = Case::new(
            "the pair removes what the rule adds",
            &format!("axis = \"instances\"\nstep = 3\n{}", pair("CpuUtilization", "")),
        )
        .count(8)
        .low("CpuUtilization", 4.0, 10.0)
        .pair_calls()
        .gives("5"),
        pair_takes_its_own_step = Case::new(
            "or as much as the pair itself sets",
            &format!("axis = \"instances\"\nstep = 3\n{}", pair("CpuUtilization", ", step = 1")),
        )
        .count(8)
        .low("CpuUtilization", 4.0, 10.0)
        .pair_calls()
        .gives("7"),
        pair_beside_steps_takes_one = Case::new(
            "beside steps the pair takes one",
            &format!(
                "axis = \"instances\"\nsteps = [{{ above = 0, add = 4 }}]\n{}",
                pair("CpuUtilization", "")
            ),
        )
        .count(8)
        .low("CpuUtilization", 4.0, 10.0)
        .pair_calls()
        .gives("7"),
        pair_with_steps_of_its_own = Case::new(
            "or has steps of its own: 6 under the threshold",
            &format!(
                "axis = \"instances\"\n{}",
                pair(
                    "CpuUtilization",
                    ", steps = [{ above = -5, below = 0, remove = 1 }, { below = -5, remove = \"50%\" }]"
                )
            ),
        )
        .count(8)
        .low("CpuUtilization", 4.0, 10.0)
        .pair_calls()
        .gives("4"),
    ];
}

fn up(why: &'static str, rung: &str) -> Case {
    Case::new(why, "axis = \"shape\"").shape(rung).high("MemoryUtilization", 90.0, 80.0)
}

fn by_steps(why: &'static str, steps: &str, value: f64) -> Case {
    Case::new(why, &format!("axis = \"shape\"\nsteps = [{steps}]")).shape("VM.Standard2.1").high(
        "MemoryUtilization",
        value,
        80.0,
    )
}

fn down(why: &'static str, rung: &str) -> Case {
    Case::new(why, "axis = \"shape\"\nstep = -1")
        .shape(rung)
        .low("MemoryUtilization", 4.0, 10.0)
        .reads("CpuUtilization", 4.0)
}

mod rungs {
    use stepladder::size::Axis;

    use super::{Case, by_steps, down, pair, rows, up};

    const OWN: &str = "[[ladder]]\nname = \"own\"\nrungs = [{ shape = \"VM.Standard2.1\", vcpus = 2, memory_gib = 15 }, \
                       { shape = \"VM.Standard2.8\", vcpus = 16, memory_gib = 120 }]";

    rows![
        Case,
        next_rung = up("the next rung", "VM.Standard2.1").gives("VM.Standard2.2"),
        last_rung_but_one = up("the last rung but one", "VM.Standard2.16").gives("VM.Standard2.24"),
        last_rung = up("the last rung", "VM.Standard2.24").gives("at_ceiling"),
        rung_before = down("the rung before", "VM.Standard2.24").gives("VM.Standard2.16"),
        first_rung = down("the first rung", "VM.Standard2.1").gives("at_floor"),
        on_no_ladder = up("a shape that no ladder holds", "VM.Standard1.8").gives("unlisted_shape"),
        own_ladder_goes_first = up("a ladder of the policy's own goes first", "VM.Standard2.1")
            .policy(OWN)
            .gives("VM.Standard2.8"),
        refused_lately = up("a shape that could not be had lately", "VM.Standard2.1")
            .refused("VM.Standard2.2", 60)
            .gives("infeasible"),
        refused_long_ago = up("that was long enough ago", "VM.Standard2.1")
            .refused("VM.Standard2.2", 0)
            .gives("VM.Standard2.2"),
        another_shape_refused = up("another shape could not be had", "VM.Standard2.1")
            .refused("VM.Standard2.4", 60)
            .gives("VM.Standard2.2"),
        fixed_shape =
            up("a shape that cannot be changed", "VM.Standard2.1").fixed(Axis::Shape).gives("not_resizable"),
        three_rungs_at_once = Case::new("three rungs at once", "axis = \"shape\"\nstep = 3")
            .shape("VM.Standard2.1")
            .gives("VM.Standard2.8"),
        more_rungs_than_there_are = Case::new("more rungs than there are", "axis = \"shape\"\nstep = 9")
            .shape("VM.Standard2.4")
            .gives("VM.Standard2.24"),
        steps_of_two_rungs = by_steps(
            "rungs by how far the value is beyond: two",
            "{ above = 0, add = 1 }, { above = 10, add = 2 }",
            95.0,
        )
        .gives("VM.Standard2.4"),
        steps_of_one_rung = by_steps(
            "rungs by how far the value is beyond: one",
            "{ above = 0, add = 1 }, { above = 10, add = 2 }",
            85.0,
        )
        .gives("VM.Standard2.2"),
        steps_of_no_rung = by_steps(
            "rungs by how far the value is beyond: none",
            "{ above = 0, add = 0 }, { above = 10, add = 2 }",
            85.0,
        )
        .gives("on_target"),
        pair_stops_at_what_was_deployed = Case::new(
            "the pair stops at what was deployed",
            &format!("axis = \"shape\"\nstep = 4\n{}", pair("MemoryUtilization", ""))
        )
        .variant(1, "ml.m5.4xlarge")
        .observed(|observed| observed.floor = Some("ml.m5.xlarge".to_owned()))
        .low("MemoryUtilization", 1.0, 10.0)
        .reads("CPUUtilization", 16.0)
        .pair_calls()
        .gives("ml.m5.xlarge"),
        pair_at_what_was_deployed = Case::new(
            "at what was deployed the pair removes nothing",
            &format!("axis = \"shape\"\n{}", pair("MemoryUtilization", ""))
        )
        .variant(1, "ml.m5.xlarge")
        .observed(|observed| observed.floor = Some("ml.m5.xlarge".to_owned()))
        .low("MemoryUtilization", 1.0, 10.0)
        .pair_calls()
        .gives("at_floor"),
        own_low_alarm_goes_below =
            Case::new("somebody's own scale-down alarm goes below that", "axis = \"shape\"\nstep = -1")
                .variant(1, "ml.m5.xlarge")
                .observed(|observed| observed.floor = Some("ml.m5.xlarge".to_owned()))
                .low("MemoryUtilization", 1.0, 10.0)
                .reads("CPUUtilization", 4.0)
                .gives("ml.m5.large"),
    ];
}

mod bandwidths {
    use super::{Case, rows};

    fn keys(step: i32) -> String {
        format!("axis = \"bandwidth\"\nstep = {step}\nbandwidth = {{ min = 10, max = 100 }}")
    }

    fn up(why: &'static str, step: i32, mbps: u32) -> Case {
        Case::new(why, &keys(step)).bandwidth(mbps).high("PredictBandwidth", 90.0, 80.0)
    }

    fn down(why: &'static str, step: i32, mbps: u32) -> Case {
        Case::new(why, &keys(step)).bandwidth(mbps).low("PredictBandwidth", 1.0, 10.0)
    }

    rows![
        Case,
        twice = up("twice the bandwidth", 1, 10).gives("20 Mbps"),
        four_times = up("four times", 2, 10).gives("40 Mbps"),
        last_doubling_is_cut_off = up("the last doubling is cut off", 1, 80).gives("100 Mbps"),
        most = up("the most", 1, 100).gives("at_ceiling"),
        half = down("half the bandwidth, to the larger half", -1, 25).gives("13 Mbps"),
        last_halving_is_cut_off = down("the last halving is cut off", -1, 15).gives("10 Mbps"),
        least = down("the least", -1, 10).gives("at_floor"),
        deployment_without_bandwidth =
            Case::new("a deployment that reports no bandwidth", "axis = \"bandwidth\"")
                .gives("not_resizable"),
        variant_without_bandwidth = Case::new("a variant has none", "axis = \"bandwidth\"")
            .variant(1, "ml.m5.large")
            .gives("not_resizable"),
    ];
}
