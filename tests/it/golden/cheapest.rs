//! The cheapest count and shape that carry the load, and the step that leads there.
//!
//! Of the rungs here `a` has 2 vCPUs and 4 GiB for 0.10, `b` 4 and 8 for 0.18, `c` 8 and 16 for 0.40, `d` 16 and 64 for
//! 0.70. A tenth under a scale-up alarm at 80 leaves 72 % to be used.

use super::case::{Case, rows};

pub(super) const LADDER: &str = "[[ladder]]\nname = \"t\"\nrungs = [\n\
    { shape = \"a\", vcpus = 2, memory_gib = 4, price = 0.10 },\n\
    { shape = \"b\", vcpus = 4, memory_gib = 8, price = 0.18 },\n\
    { shape = \"c\", vcpus = 8, memory_gib = 16, price = 0.40 },\n\
    { shape = \"d\", vcpus = 16, memory_gib = 64, price = 0.70 },\n]";

/// So many of a rung; its cores are at `cpu` percent, as the alarm reports, and its memory at `memory`, as it is
/// observed.
fn high(why: &'static str, (count, rung): (u32, &str), cpu: f64, memory: f64, keys: &str) -> Case {
    place(why, (count, rung), memory, keys).high("CpuUtilization", cpu, 80.0)
}

fn low(why: &'static str, (count, rung): (u32, &str), cpu: f64, memory: f64, keys: &str) -> Case {
    place(why, (count, rung), memory, keys).low("CpuUtilization", cpu, 60.0)
}

fn place(why: &'static str, (count, rung): (u32, &str), memory: f64, keys: &str) -> Case {
    Case::new(why, &format!("axis = \"cheapest\"\n{keys}"))
        .policy(LADDER)
        .count(count)
        .shape(rung)
        .reads("MemoryUtilization", memory)
}

/// A size on the way may cost more for the minutes between two updates.
pub(super) const SURGE: &str = "allow_cost_surge = true";

pub(super) fn all() -> Vec<fn() -> Case> {
    [
        goals::ROWS,
        journeys::ROWS,
        holds::ROWS,
        settings::ROWS,
        accelerators::ROWS,
        directions::ROWS,
        ties::ROWS,
    ]
    .concat()
}

mod goals {
    use super::{Case, SURGE, high, low, rows};

    rows![
        Case,
        three_a = high("5 vCPUs: 3 a for 0.30, 2 b for 0.36", (2, "a"), 90.0, 50.0, "").gives("3"),
        five_a = high("10 vCPUs: 5 a for 0.50, 3 b for 0.54", (4, "a"), 90.0, 50.0, "").gives("5"),
        two_b_for_memory =
            high("5 vCPUs and 4.4 GiB each: no a, but 2 b", (2, "a"), 90.0, 80.0, "").gives("b"),
        memory_alone = high("memory alone: 4.4 GiB each", (2, "a"), 20.0, 80.0, "").sideless().gives("b"),
        more_memory_than_any_has = high(
            "more memory than any has: the most there is, and as many as the cores need",
            (1, "c"),
            20.0,
            500.0,
            "",
        )
        .sideless()
        .gives("d"),
        another_has_no_more_memory =
            high("more memory than any has, of which another instance has no more", (1, "d"), 20.0, 95.0, "")
                .sideless()
                .gives("on_target"),
        more_memory_than_any_has_and_60_vcpus =
            high("more memory than any has, and 60 vCPUs: 4 d", (3, "d"), 90.0, 95.0, "").gives("4"),
        one_d_as_good_as_ten =
            low("more memory than any has, and 2.2 vCPUs: one d is as good as ten", (10, "d"), 1.0, 95.0, "")
                .gives("1"),
        more_cores_than_any_has =
            high("more cores than any has: as many as may be, of the most", (10, "d"), 100.0, 50.0, "")
                .gives("on_target"),
        shape_grows_before_count_falls = high(
            "15 vCPUs: one d for 0.70 is cheaper than 8 a, and a shape grows before a count falls",
            (6, "a"),
            90.0,
            50.0,
            SURGE,
        )
        .gives("d"),
        no_six_d_for_minutes =
            high("15 vCPUs, and 6 d would cost more for minutes: 8 a", (6, "a"), 90.0, 50.0, "").gives("8"),
        one_b_instead_of_four_a =
            low("2.2 vCPUs on 4 a: one b is a little less than two a", (4, "a"), 20.0, 50.0, SURGE)
                .gives("b"),
        no_four_b_for_minutes =
            low("2.2 vCPUs on 4 a, and 4 b would cost more for minutes: 2 a", (4, "a"), 20.0, 50.0, "")
                .gives("2"),
        six_d_where_nothing_else_has_the_memory = high(
            "15 vCPUs and 44 GiB each: only d, and while there is no other way, 6 d first",
            (6, "c"),
            22.5,
            200.0,
            "",
        )
        .gives("d"),
        shape_falls_first = low(
            "1.1 vCPUs on 2 b with little memory: an a is enough, and the shape comes first",
            (2, "b"),
            10.0,
            10.0,
            "",
        )
        .gives("a"),
        a_is_enough_for_both =
            low("1.1 vCPUs and 3.3 GiB on 2 b: an a is enough for both", (2, "b"), 10.0, 30.0, "").gives("a"),
        a_has_too_little_memory =
            low("1.1 vCPUs and 4.4 GiB on 2 b: an a has too little memory", (2, "b"), 10.0, 40.0, "")
                .gives("1"),
    ];
}

/// What follows when a step is done and the load is as it was.
mod journeys {
    use super::super::case::pair;
    use super::{Case, LADDER, SURGE, low, rows};

    rows![
        Case,
        count_falls_when_the_shape_is_there = low(
            "on the way from 6 a to one d: the count falls when the shape is there",
            (6, "d"),
            11.25,
            3.1,
            "",
        )
        .gives("1"),
        count_falls_last =
            low("on the way from 2 b to one a: the count falls last", (2, "a"), 20.0, 20.0, "").gives("1"),
        count_grows_first =
            low("one d with 5 vCPUs of load is worth 3 a: the count grows first", (1, "d"), 22.5, 3.0, SURGE)
                .gives("3"),
        one_update_instead_of_two =
            low("and where 3 d may not be paid for minutes, one c", (1, "d"), 22.5, 3.0, "").gives("c"),
        then_the_shape_falls = low("and then the shape falls", (3, "d"), 7.5, 3.0, "").gives("a"),
        there_it_stays = low("there it stays", (3, "a"), 60.0, 48.0, "").gives("on_target"),
        pair_calls_for_the_same = Case::new(
            "the pair calls for the same",
            &format!("axis = \"cheapest\"\n{}", pair("CpuUtilization", "")),
        )
        .policy(LADDER)
        .count(4)
        .shape("a")
        .reads("MemoryUtilization", 50.0)
        .low("CpuUtilization", 9.0, 10.0)
        .pair_calls()
        .gives("1"),
    ];
}

mod holds {
    use stepladder::alarm::Coverage;
    use stepladder::deployment::Lifecycle;
    use stepladder::size::Axis;

    use super::{Case, SURGE, high, low, place, rows};

    fn base(why: &'static str) -> Case {
        high(why, (2, "a"), 90.0, 50.0, "")
    }

    rows![
        Case,
        no_memory_read = place("no memory to be read", (2, "a"), 50.0, "")
            .observed(|observed| observed.readings.clear())
            .high("CpuUtilization", 90.0, 80.0)
            .gives("no_data"),
        no_cores_read = base("no cores to be read").without_value().gives("no_data"),
        both_by_the_look = base("both are observed").without_value().reads("CpuUtilization", 90.0).gives("3"),
        alarm_on_something_else = base("an alarm on something else: both are observed")
            .high("PredictLatency", 9.0, 5.0)
            .reads("CpuUtilization", 90.0)
            .gives("3"),
        carried_by_less =
            high("a scale-up alarm on what is carried by less", (4, "a"), 10.0, 20.0, "").gives("on_target"),
        nothing_cheaper_carries_it =
            low("a scale-down alarm on what nothing cheaper carries", (2, "a"), 90.0, 50.0, "")
                .gives("on_target"),
        unpriced_shape = base("a shape that no ladder has a price for").shape("x").gives("unlisted_shape"),
        no_prices = base("no prices at all").shape("VM.Standard3.Flex:1:16").gives("not_resizable"),
        fixed_shape = base("the shape cannot be changed: the count alone").fixed(Axis::Shape).gives("3"),
        fixed_shape_and_too_little_memory = high(
            "the shape cannot be changed, and memory is missing: 5 vCPUs are still 3 a",
            (2, "a"),
            90.0,
            80.0,
            "",
        )
        .fixed(Axis::Shape)
        .gives("3"),
        owned_shape = base("the shape is somebody else's: the count alone").owned(Axis::Shape).gives("3"),
        fixed_count = base("the count cannot be changed").fixed(Axis::Instances).gives("not_resizable"),
        owned_count = base("the count belongs to somebody").owned(Axis::Instances).gives("owned_elsewhere"),
        cheapest_was_refused =
            high("the cheapest shape could not be had: the next", (2, "a"), 90.0, 80.0, "")
                .refused("b", 60)
                .gives("c"),
        cheapest_may_be_had_again = high(
            "the cheapest shape could not be had until now, and may be had again",
            (2, "a"),
            90.0,
            80.0,
            ""
        )
        .refused("b", 0)
        .gives("b"),
        paused = base("paused").tag("pause", "up").gives("paused"),
        cooling_down = base("cooling down").changed(400).tag("cooldown-up", "10m").gives("cooling_down"),
        changed_often_enough = base("often enough")
            .tag("max-changes-per-hour", "1")
            .remembers(&[(60, "i+1")])
            .gives("too_many_changes"),
        over_budget = base("what it would cost").tag("max-hourly-cost", "0.29").gives("over_budget"),
        budget_to_a_cent = base(
            "what it would cost to a cent: three times 0.10 is a little more than 0.30, and is paid for"
        )
        .tag("max-hourly-cost", "0.3")
        .gives("3"),
        as_far_as_it_can_be_paid_for = high(
            "7 a for 0.70 are too dear, 6 are not: as far as it can be paid for",
            (5, "a"),
            98.8,
            50.0,
            ""
        )
        .tag("max-hourly-cost", "0.65")
        .gives("6"),
        more_of_the_shape_that_can_be_paid_for =
            high("a dearer shape that cannot be paid for: more of the cheaper one", (2, "a"), 90.0, 80.0, "")
                .tag("max-hourly-cost", "0.35")
                .gives("3"),
        dearer_shape_over_budget =
            place("memory alone, and the shape that has it cannot be paid for", (2, "a"), 80.0, "")
                .reads("CpuUtilization", 20.0)
                .high("MemoryUtilization", 80.0, 70.0)
                .tag("max-hourly-cost", "0.35")
                .gives("over_budget"),
        much_load_and_a_budget = high("9.4 vCPUs: 5 a can be paid for", (4, "a"), 85.0, 50.0, "")
            .tag("max-hourly-cost", "0.55")
            .gives("5"),
        more_load_and_the_same_budget = high(
            "11.1 vCPUs: neither 6 a nor 4 b can be paid for, and 5 a are better than nothing",
            (4, "a"),
            100.0,
            50.0,
            "",
        )
        .tag("max-hourly-cost", "0.55")
        .gives("5"),
        most_that_can_be_paid_for_exists =
            high("5 a exist, and more costs too much", (5, "a"), 100.0, 50.0, "")
                .tag("max-hourly-cost", "0.55")
                .gives("over_budget"),
        surge_within_the_budget = high("4 b for minutes can be paid for", (4, "a"), 100.0, 50.0, SURGE)
            .tag("max-hourly-cost", "0.75")
            .gives("b"),
        surge_over_the_budget = high("4 b for minutes cannot be paid for", (4, "a"), 100.0, 50.0, SURGE)
            .tag("max-hourly-cost", "0.7")
            .gives("6"),
        dearer_than_the_budget_already = low("5 a cost too much, and fewer do not", (5, "a"), 30.0, 50.0, "")
            .tag("max-hourly-cost", "0.4")
            .gives("3"),
        dearer_shape_to_a_cent = high("a dearer shape that can, to a cent: 2 b", (2, "a"), 90.0, 80.0, "")
            .tag("max-hourly-cost", "0.36")
            .gives("b"),
        tag_above_the_ceiling =
            high("a floor beyond the ceiling: no more than the ceiling", (2, "a"), 90.0, 50.0, "")
                .policy("[[target]]\ntarget = \"*\"\ninstances = { min = 1, max = 4 }\n")
                .tag("min", "900")
                .gives("4"),
        platform_above_the_ceiling = high("the platform's own floor beyond it", (2, "a"), 90.0, 50.0, "")
            .policy("[[target]]\ntarget = \"*\"\ninstances = { min = 1, max = 4 }\n")
            .platform(900, 1000)
            .gives("4"),
        tag_keeps_what_is_above_the_ceiling = low("what is above both stays", (6, "a"), 10.0, 20.0, "")
            .policy("[[target]]\ntarget = \"*\"\ninstances = { min = 1, max = 4 }\n")
            .tag("min", "900")
            .gives("on_target"),
        tags_lift_no_budget = base("a higher budget than the policy's")
            .policy("[[target]]\ntarget = \"*\"\nmax_hourly_cost = 0.29\n")
            .tag("max-hourly-cost", "1000000000")
            .gives("over_budget"),
        busy = base("busy").observed(|observed| observed.lifecycle = Lifecycle::Busy).gives("busy"),
        missing_data = low("no data that counts as a breach", (4, "a"), 10.0, 20.0, "")
            .covered(Coverage::Nothing)
            .gives("no_data"),
        missing_data_asks_for_nothing =
            high("nothing was measured: no size is known", (2, "a"), 90.0, 50.0, "")
                .covered(Coverage::Nothing)
                .gives("no_data"),
        partial_data_takes_nothing =
            low("one datapoint of three: nothing is taken from both", (4, "a"), 10.0, 20.0, "")
                .covered(Coverage::Partial)
                .gives("no_data"),
        partial_data_may_add =
            high("one datapoint of three: more by what was measured, of both", (2, "a"), 90.0, 50.0, "")
                .covered(Coverage::Partial)
                .gives("3"),
    ];
}

mod settings {
    use super::{Case, high, low, rows};

    rows![
        Case,
        headroom_of_half = high(
            "half kept free: 7.2 vCPUs, and 2 b for 0.36 are less than 4 a for 0.40",
            (2, "a"),
            90.0,
            50.0,
            "headroom = \"50%\"",
        )
        .gives("b"),
        savings_too_small = high(
            "a change of shape must save more than it costs: 0.04 is not",
            (2, "a"),
            90.0,
            50.0,
            "headroom = \"50%\"\nmin_savings = 0.04",
        )
        .gives("4"),
        savings_large_enough =
            high("0.04 is more than 0.03", (2, "a"), 90.0, 50.0, "headroom = \"50%\"\nmin_savings = 0.03")
                .gives("b"),
        must_change_whatever_it_costs = high(
            "a shape that must be changed is, whatever it costs",
            (2, "a"),
            90.0,
            80.0,
            "min_savings = 9"
        )
        .gives("b"),
        higher_high_alarm = high(
            "a higher scale-up alarm leaves more to be used: 4.5 vCPUs",
            (2, "a"),
            90.0,
            50.0,
            "scale_up_threshold = 95",
        )
        .gives("3"),
        nothing_kept_free = high(
            "nothing kept free and a scale-up alarm at 100: 4 vCPUs, and what costs less is not more",
            (2, "b"),
            90.0,
            50.0,
            "scale_up_threshold = 100\nheadroom = \"10%\"",
        )
        .gives("on_target"),
        no_more_than_two = high(
            "bounds: no more than two, so 2 b",
            (2, "a"),
            90.0,
            50.0,
            "instances = { min = 1, max = 2 }"
        )
        .gives("b"),
        no_fewer_than_three =
            low("bounds: no fewer than three", (4, "a"), 10.0, 20.0, "instances = { min = 3, max = 9 }")
                .gives("3"),
        equal_prices =
            low("equal prices for equal capacity: no change of shape", (4, "VM.Standard2.2"), 30.0, 5.0, "")
                .gives("2"),
    ];
}

/// The number of accelerators stays: no metric shows how much of them is needed. `g1` has one for 1.0, `g2` one and
/// twice the cores for 1.5, `h4` four for 5.0, `h5` four and fewer cores for 4.0.
mod accelerators {
    use super::{Case, rows};

    const LADDER: &str = "[[ladder]]\nname = \"t\"\nrungs = [\
        { shape = \"g1\", vcpus = 4, memory_gib = 16, gpus = 1, price = 1.0 },\
        { shape = \"g2\", vcpus = 8, memory_gib = 32, gpus = 1, price = 1.5 },\
        { shape = \"h4\", vcpus = 48, memory_gib = 192, gpus = 4, price = 5.0 },\
        { shape = \"h5\", vcpus = 32, memory_gib = 192, gpus = 4, price = 4.0 }]";

    fn case(why: &'static str, (count, rung): (u32, &str)) -> Case {
        Case::new(why, "axis = \"cheapest\"").policy(LADDER).count(count).shape(rung)
    }

    rows![
        Case,
        cheapest_with_four = case("next to nothing to do: of those with four the cheapest", (1, "h4"))
            .reads("MemoryUtilization", 5.0)
            .low("CpuUtilization", 5.0, 60.0)
            .gives("h5"),
        cheapest_with_four_stays = case("the cheapest with four stays", (1, "h5"))
            .reads("MemoryUtilization", 5.0)
            .low("CpuUtilization", 5.0, 60.0)
            .gives("on_target"),
        none_with_four_is_asked_for =
            case("more memory than one with one has: none with four is considered", (1, "g1"))
                .reads("MemoryUtilization", 200.0)
                .high("CpuUtilization", 50.0, 40.0)
                .gives("g2"),
    ];
}

/// The direction of a step follows from its cost; that direction may be paused.
mod directions {
    use super::{Case, high, low, rows};

    fn larger(why: &'static str) -> Case {
        high(why, (2, "a"), 90.0, 80.0, "")
    }

    fn smaller(why: &'static str) -> Case {
        low(why, (3, "d"), 7.5, 3.0, "")
    }

    fn fewer(why: &'static str) -> Case {
        low(why, (6, "d"), 11.25, 3.1, "")
    }

    rows![
        Case,
        dearer_is_paused_with_up = larger("a dearer shape scales up").tag("pause", "up").gives("paused"),
        dearer_is_not_paused_with_down =
            larger("a dearer shape is not paused where scaling down is").tag("pause", "down").gives("b"),
        cheaper_is_paused_with_down =
            smaller("a cheaper shape scales down").tag("pause", "down").gives("paused"),
        cheaper_is_not_paused_with_up =
            smaller("a cheaper shape is not paused where scaling up is").tag("pause", "up").gives("a"),
        fewer_are_paused_with_down = fewer("fewer instances go down").tag("pause", "down").gives("paused"),
        fewer_are_not_paused_with_up =
            fewer("fewer instances are not paused where scaling up is").tag("pause", "up").gives("1"),
    ];
}

/// Where two sizes cost the same.
mod ties {
    use super::{Case, SURGE, rows};

    const NEAR: &str = "{ shape = \"y\", vcpus = 6, memory_gib = 8, price = 0.3 }, \
                { shape = \"w\", vcpus = 6, memory_gib = 8 }, \
                { shape = \"z\", vcpus = 8, memory_gib = 8, price = 1.0 }, \
                { shape = \"x\", vcpus = 2, memory_gib = 8, price = 0.1 }";
    const SAME: &str = "{ shape = \"x\", vcpus = 2, memory_gib = 4, price = 0.15 }, \
                { shape = \"y\", vcpus = 4, memory_gib = 16, price = 0.30 }";
    const SHORT: &str = "{ shape = \"q\", vcpus = 2, memory_gib = 8, price = 0.1 }, \
                 { shape = \"p\", vcpus = 8, memory_gib = 8, price = 0.3 }";

    fn ladder(rungs: &str) -> String {
        format!("[[ladder]]\nname = \"t\"\nrungs = [{rungs}]")
    }

    fn cheapest(why: &'static str) -> Case {
        Case::new(why, &format!("axis = \"cheapest\"\n{SURGE}"))
    }

    fn short_of(why: &'static str) -> Case {
        cheapest(why).policy(&ladder(SHORT)).count(1).shape("p").reads("MemoryUtilization", 200.0)
    }

    rows![
        Case,
        noise_of_adding =
            cheapest("5 vCPUs: 3 x cost what one y does except for the noise of adding, and x is nearer")
                .policy(&ladder(NEAR))
                .count(1)
                .shape("z")
                .reads("MemoryUtilization", 40.0)
                .low("CpuUtilization", 45.0, 60.0)
                .gives("3"),
        same_cost_is_no_more =
            cheapest("a scale-down alarm, and too little memory: one y costs what 2 x do, which is no more")
                .policy(&ladder(SAME))
                .shape("x")
                .reads("MemoryUtilization", 95.0)
                .low("CpuUtilization", 20.0, 60.0)
                .gives("y"),
        two_q_instead_of_one_p = short_of(
            "neither has the memory, and both have 2.8 vCPUs: 2 q for 0.20 instead of one p for 0.30"
        )
        .high("CpuUtilization", 25.0, 20.0)
        .sideless()
        .gives("2"),
        one_p_is_cheaper_than_four_q =
            short_of("neither has the memory, and both have 7 vCPUs: one p is cheaper than 4 q")
                .high("CpuUtilization", 63.0, 60.0)
                .gives("on_target"),
        no_change_for_the_same_price =
            cheapest("the same demand is carried by what is: no change of shape for the same price")
                .policy(&ladder(SAME))
                .shape("x")
                .reads("MemoryUtilization", 50.0)
                .high("CpuUtilization", 70.0, 60.0)
                .gives("on_target"),
    ];
}
