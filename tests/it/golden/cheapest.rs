//! The cheapest count and shape that carry the load, and the step that leads there.
//!
//! Of the rungs here `a` has 2 vCPUs and 4 GiB for 0.10, `b` 4 and 8 for 0.18, `c` 8 and 16 for 0.40, `d` 16 and 64 for
//! 0.70. A tenth under a high alarm at 80 leaves 72 % to be used.

use stepladder::size::Axis;

use super::case::{Case, pair};

pub(super) const LADDER: &str = "[[ladder]]\nname = \"t\"\nrungs = [\n\
    { shape = \"a\", vcpus = 2, memory_gib = 4, price = 0.10 },\n\
    { shape = \"b\", vcpus = 4, memory_gib = 8, price = 0.18 },\n\
    { shape = \"c\", vcpus = 8, memory_gib = 16, price = 0.40 },\n\
    { shape = \"d\", vcpus = 16, memory_gib = 64, price = 0.70 },\n]";

/// So many of a rung; its cores are at `cpu` percent, as the alarm tells, and its memory at `memory`, as the look does.
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

pub(super) fn cases() -> Vec<Case> {
    let mut cases = goals();
    cases.extend(journeys());
    cases.extend(holds());
    cases.extend(settings());
    cases.extend(accelerators());
    cases.extend(ways());
    cases.extend(ties());
    cases
}

fn goals() -> Vec<Case> {
    vec![
        high("5 vCPUs: 3 a for 0.30, 2 b for 0.36", (2, "a"), 90.0, 50.0, "").gives("3"),
        high("10 vCPUs: 5 a for 0.50, 3 b for 0.54", (4, "a"), 90.0, 50.0, "").gives("5"),
        high("5 vCPUs and 4.4 GiB each: no a, but 2 b", (2, "a"), 90.0, 80.0, "").gives("b"),
        high("memory alone: 4.4 GiB each", (2, "a"), 20.0, 80.0, "")
            .told(|alarm| alarm.measurement.side = None)
            .gives("b"),
        high(
            "more memory than any has: the most there is, and as many as the cores need",
            (1, "c"),
            20.0,
            500.0,
            "",
        )
        .told(|alarm| alarm.measurement.side = None)
        .gives("d"),
        high("more memory than any has, of which another instance has no more", (1, "d"), 20.0, 95.0, "")
            .told(|alarm| alarm.measurement.side = None)
            .gives("on_target"),
        high("more memory than any has, and 60 vCPUs: 4 d", (3, "d"), 90.0, 95.0, "").gives("4"),
        low("more memory than any has, and 2.2 vCPUs: one d is as good as ten", (10, "d"), 1.0, 95.0, "")
            .gives("1"),
        high("more cores than any has: as many as may be, of the most", (10, "d"), 100.0, 50.0, "")
            .gives("on_target"),
        high(
            "15 vCPUs: one d for 0.70 is cheaper than 8 a, and a shape grows before a count falls",
            (6, "a"),
            90.0,
            50.0,
            "",
        )
        .gives("d"),
        low("2.2 vCPUs on 4 a: one b is a little less than two a", (4, "a"), 20.0, 50.0, "").gives("b"),
        low(
            "1.1 vCPUs on 2 b with little memory: an a is enough, and the shape comes first",
            (2, "b"),
            10.0,
            10.0,
            "",
        )
        .gives("a"),
        low("1.1 vCPUs and 3.3 GiB on 2 b: an a is enough for both", (2, "b"), 10.0, 30.0, "").gives("a"),
        low("1.1 vCPUs and 4.4 GiB on 2 b: an a has too little memory", (2, "b"), 10.0, 40.0, "").gives("1"),
    ]
}

/// What follows when a step is done and the load is as it was.
fn journeys() -> Vec<Case> {
    vec![
        low(
            "on the way from 6 a to one d: the count falls when the shape is there",
            (6, "d"),
            11.25,
            3.1,
            "",
        )
        .gives("1"),
        low("on the way from 2 b to one a: the count falls last", (2, "a"), 20.0, 20.0, "").gives("1"),
        low("one d with 5 vCPUs of load is worth 3 a: the count grows first", (1, "d"), 22.5, 3.0, "")
            .gives("3"),
        low("and then the shape falls", (3, "d"), 7.5, 3.0, "").gives("a"),
        low("there it stays", (3, "a"), 60.0, 48.0, "").gives("on_target"),
        Case::new(
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
    ]
}

fn holds() -> Vec<Case> {
    let base = |why| high(why, (2, "a"), 90.0, 50.0, "");
    vec![
        place("no memory to be read", (2, "a"), 50.0, "")
            .seen(|seen| seen.readings.clear())
            .high("CpuUtilization", 90.0, 80.0)
            .gives("no_data"),
        base("no cores to be read").untold().gives("no_data"),
        base("both by the look").untold().reads("CpuUtilization", 90.0).gives("3"),
        base("an alarm on something else: both by the look")
            .high("PredictLatency", 9.0, 5.0)
            .reads("CpuUtilization", 90.0)
            .gives("3"),
        high("a high alarm on what is carried by less", (4, "a"), 10.0, 20.0, "").gives("on_target"),
        low("a low alarm on what nothing cheaper carries", (2, "a"), 90.0, 50.0, "").gives("on_target"),
        base("a shape that no ladder has a price for").shape("x").gives("unlisted_shape"),
        base("no prices at all").shape("VM.Standard3.Flex:1:16").gives("not_resizable"),
        base("the shape cannot be changed: the count alone").fixed(Axis::Shape).gives("3"),
        high(
            "the shape cannot be changed, and memory is missing: 5 vCPUs are still 3 a",
            (2, "a"),
            90.0,
            80.0,
            "",
        )
        .fixed(Axis::Shape)
        .gives("3"),
        base("the shape is somebody else's: the count alone").owned(Axis::Shape).gives("3"),
        base("the count cannot be changed").fixed(Axis::Instances).gives("not_resizable"),
        base("the count belongs to somebody").owned(Axis::Instances).gives("owned_elsewhere"),
        high("the cheapest shape could not be had: the next", (2, "a"), 90.0, 80.0, "")
            .refused("b", 60)
            .gives("c"),
        high("the cheapest shape could not be had until now, and may be had again", (2, "a"), 90.0, 80.0, "")
            .refused("b", 0)
            .gives("b"),
        base("paused").tag("pause", "up").gives("paused"),
        base("cooling down").changed(400).tag("cooldown-up", "10m").gives("cooling_down"),
        base("often enough")
            .tag("max-changes-per-hour", "1")
            .remembers(&[(60, "i+1")])
            .gives("too_many_changes"),
        base("what it would cost").tag("max-hourly-cost", "0.29").gives("over_budget"),
        base("what it would cost to a cent: three times 0.10 is a little more than 0.30, and is paid for")
            .tag("max-hourly-cost", "0.3")
            .gives("3"),
        high("7 a for 0.70 are too dear, 6 are not: as far as it can be paid for", (5, "a"), 98.8, 50.0, "")
            .tag("max-hourly-cost", "0.65")
            .gives("6"),
        high("a dearer shape that cannot be paid for", (2, "a"), 90.0, 80.0, "")
            .tag("max-hourly-cost", "0.35")
            .gives("over_budget"),
        high("a dearer shape that can, to a cent: 2 b", (2, "a"), 90.0, 80.0, "")
            .tag("max-hourly-cost", "0.36")
            .gives("b"),
        base("busy").seen(|seen| seen.lifecycle = stepladder::deployment::Lifecycle::Busy).gives("busy"),
        low("no data that counts as a breach", (4, "a"), 10.0, 20.0, "")
            .told(|alarm| alarm.measurement.missing = true)
            .gives("no_data"),
    ]
}

fn settings() -> Vec<Case> {
    vec![
        high(
            "half kept free: 7.2 vCPUs, and 2 b for 0.36 are less than 4 a for 0.40",
            (2, "a"),
            90.0,
            50.0,
            "headroom = \"50%\"",
        )
        .gives("b"),
        high(
            "a change of shape must save more than it costs: 0.04 is not",
            (2, "a"),
            90.0,
            50.0,
            "headroom = \"50%\"\nmin_savings = 0.04",
        )
        .gives("4"),
        high("0.04 is more than 0.03", (2, "a"), 90.0, 50.0, "headroom = \"50%\"\nmin_savings = 0.03")
            .gives("b"),
        high("a shape that must be changed is, whatever it costs", (2, "a"), 90.0, 80.0, "min_savings = 9")
            .gives("b"),
        high(
            "a higher high alarm leaves more to be used: 4.5 vCPUs",
            (2, "a"),
            90.0,
            50.0,
            "scale_up_threshold = 95",
        )
        .gives("3"),
        high(
            "nothing kept free and a high alarm at 100: 4 vCPUs, and what costs less is not more",
            (2, "b"),
            90.0,
            50.0,
            "scale_up_threshold = 100\nheadroom = \"10%\"",
        )
        .gives("on_target"),
        high("bounds: no more than two, so 2 b", (2, "a"), 90.0, 50.0, "instances = { min = 1, max = 2 }")
            .gives("b"),
        low("bounds: no fewer than three", (4, "a"), 10.0, 20.0, "instances = { min = 3, max = 9 }")
            .gives("3"),
        low("equal prices for equal capacity: no change of shape", (4, "VM.Standard2.2"), 30.0, 5.0, "")
            .gives("2"),
    ]
}

/// The number of accelerators stays: nothing tells how much of them is needed. `g1` has one for 1.0, `g2` one and twice the
/// cores for 1.5, `h4` four for 5.0, `h5` four and fewer cores for 4.0.
fn accelerators() -> Vec<Case> {
    let ladder = "[[ladder]]\nname = \"t\"\nrungs = [\
        { shape = \"g1\", vcpus = 4, memory_gib = 16, gpus = 1, price = 1.0 },\
        { shape = \"g2\", vcpus = 8, memory_gib = 32, gpus = 1, price = 1.5 },\
        { shape = \"h4\", vcpus = 48, memory_gib = 192, gpus = 4, price = 5.0 },\
        { shape = \"h5\", vcpus = 32, memory_gib = 192, gpus = 4, price = 4.0 }]";
    let case = |why, (count, rung): (u32, &str)| {
        Case::new(why, "axis = \"cheapest\"").policy(ladder).count(count).shape(rung)
    };
    vec![
        case("next to nothing to do: of those with four the cheapest", (1, "h4"))
            .reads("MemoryUtilization", 5.0)
            .low("CpuUtilization", 5.0, 60.0)
            .gives("h5"),
        case("the cheapest with four stays", (1, "h5"))
            .reads("MemoryUtilization", 5.0)
            .low("CpuUtilization", 5.0, 60.0)
            .gives("on_target"),
        case("more memory than one with one has: none with four is asked for", (1, "g1"))
            .reads("MemoryUtilization", 200.0)
            .high("CpuUtilization", 50.0, 40.0)
            .gives("g2"),
    ]
}

/// Which way a step goes is told by what it costs; that way may be paused.
fn ways() -> Vec<Case> {
    let larger = |why| high(why, (2, "a"), 90.0, 80.0, "");
    let smaller = |why| low(why, (3, "d"), 7.5, 3.0, "");
    let fewer = |why| low(why, (6, "d"), 11.25, 3.1, "");
    vec![
        larger("a dearer shape goes up").tag("pause", "up").gives("paused"),
        larger("a dearer shape is not paused with what goes down").tag("pause", "down").gives("b"),
        smaller("a cheaper shape goes down").tag("pause", "down").gives("paused"),
        smaller("a cheaper shape is not paused with what goes up").tag("pause", "up").gives("a"),
        fewer("fewer instances go down").tag("pause", "down").gives("paused"),
        fewer("fewer instances are not paused with what goes up").tag("pause", "up").gives("1"),
    ]
}

/// Where two sizes cost the same.
fn ties() -> Vec<Case> {
    let ladder = |rungs: &str| format!("[[ladder]]\nname = \"t\"\nrungs = [{rungs}]");
    let near = "{ shape = \"y\", vcpus = 6, memory_gib = 8, price = 0.3 }, \
                { shape = \"w\", vcpus = 6, memory_gib = 8 }, \
                { shape = \"z\", vcpus = 8, memory_gib = 8, price = 1.0 }, \
                { shape = \"x\", vcpus = 2, memory_gib = 8, price = 0.1 }";
    let same = "{ shape = \"x\", vcpus = 2, memory_gib = 4, price = 0.15 }, \
                { shape = \"y\", vcpus = 4, memory_gib = 16, price = 0.30 }";
    let short = "{ shape = \"q\", vcpus = 2, memory_gib = 8, price = 0.1 }, \
                 { shape = \"p\", vcpus = 8, memory_gib = 8, price = 0.3 }";
    let cheapest = |why| Case::new(why, "axis = \"cheapest\"");
    let short_of = |why| {
        let case = cheapest(why).policy(&ladder(short)).count(1).shape("p");
        case.reads("MemoryUtilization", 200.0)
    };
    vec![
        cheapest("5 vCPUs: 3 x cost what one y does but for the noise of adding, and x is nearer")
            .policy(&ladder(near))
            .count(1)
            .shape("z")
            .reads("MemoryUtilization", 40.0)
            .low("CpuUtilization", 45.0, 60.0)
            .gives("3"),
        cheapest("a low alarm, and too little memory: one y costs what 2 x do, which is no more")
            .policy(&ladder(same))
            .shape("x")
            .reads("MemoryUtilization", 95.0)
            .low("CpuUtilization", 20.0, 60.0)
            .gives("y"),
        short_of("neither has the memory, and both have 2.8 vCPUs: 2 q for 0.20 instead of one p for 0.30")
            .high("CpuUtilization", 25.0, 20.0)
            .told(|alarm| alarm.measurement.side = None)
            .gives("2"),
        short_of("neither has the memory, and both have 7 vCPUs: one p is cheaper than 4 q")
            .high("CpuUtilization", 63.0, 60.0)
            .gives("on_target"),
        cheapest("the same demand is carried by what is: no change of shape for the same price")
            .policy(&ladder(same))
            .shape("x")
            .reads("MemoryUtilization", 50.0)
            .high("CpuUtilization", 70.0, 60.0)
            .gives("on_target"),
    ]
}
