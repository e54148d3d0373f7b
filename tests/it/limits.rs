//! What a policy may say, to the last number that is taken and the first that is refused, and what follows from it before
//! any alarm fires.

use stepladder::platform::aws;
use stepladder::policy::{NativeAutoscaling, Policy};
use stepladder::size::{Axis, Direction};

/// Each text is refused, and the reason contains the words beside it.
fn refused(rows: &[(String, &str)]) {
    for (text, words) in rows {
        match Policy::parse(text) {
            Ok(_) => panic!("it is taken:\n{text}"),
            Err(error) => assert!(error.to_string().contains(words), "{error}\nexpected {words}\n{text}"),
        }
    }
}

/// Each text is taken.
fn taken(rows: &[String]) {
    for text in rows {
        if let Err(error) = Policy::parse(text) {
            panic!("{error}\n{text}");
        }
    }
}

/// A rule on the count with something in it.
fn rule(keys: &str) -> String {
    format!("[[rule]]\nalarm = \"a\"\naxis = \"instances\"\n{keys}")
}

fn cheapest(keys: &str) -> String {
    format!("[[rule]]\nalarm = \"a\"\naxis = \"cheapest\"\n{keys}")
}

fn defaults(keys: &str) -> String {
    format!("[defaults]\n{keys}")
}

/// So many steps of ten, and one for all that is above.
fn many(steps: u32) -> String {
    let below = (1..steps).map(|step| format!("{{ below = {}, add = {step} }}", step * 10));
    let steps = below.chain([format!("{{ above = {}, add = {steps} }}", (steps - 1) * 10)]);
    rule(&format!("steps = [{}]", steps.collect::<Vec<_>>().join(", ")))
}

#[test]
fn steps() {
    let one = |step: &str| rule(&format!("steps = [{step}]"));
    refused(&[
        (rule("steps = []"), "`steps` has 0: expected 1 to 20"),
        (many(21), "`steps` has 21: expected 1 to 20"),
        (one("{ above = 0, add = 1 }") + "\nmin_step = 2", "`min_step = 2` does nothing"),
        (one("{ above = 0, add = \"10%\" }") + "\nmin_step = 0", "`min_step = 0`: expected at least 1"),
        (rule("min_step = 2"), "`min_step` does nothing"),
        (one("{ above = 0, set = 0 }"), "`steps.set = 0`: expected 1 to 1000"),
        (one("{ above = 0, set = 1001 }"), "`steps.set = 1001`: expected 1 to 1000"),
        (one("{ above = 0, add = 1001 }"), "`steps.add = 1001`: expected 0 to 1000"),
        (one("{ above = 0, add = \"1001%\" }"), "`steps.add = \"1001%\"`: expected 0 to 1000"),
        (one("{ above = 0, remove = \"10\" }"), "`steps.remove = \"10\"`: expected 0 to 1000"),
        (one("{ above = 0, add = 1, remove = 1 }"), "expected one of `add`, `remove` and `set`"),
        (one("{ above = 0 }"), "expected one of `add`, `remove` and `set`"),
        (one("{ add = 1 }"), "expected `above`, `below` or both"),
        (one("{ above = 5, below = 5, add = 1 }"), "`steps.above = 5` is not under `steps.below = 5`"),
        (one("{ above = inf, add = 1 }"), "expected a number, found `inf`"),
        (one("{ below = -inf, add = 1 }"), "expected a number, found `-inf`"),
        (one("{ above = 0, below = nan, add = 1 }"), "expected a number, found `NaN`"),
        (one("{ above = 0, below = 5, add = 1 }"), "`steps` end at 5, above the threshold"),
        (one("{ above = -5, below = 0, remove = 1 }"), "`steps` begin at -5, below the threshold"),
        (one("{ above = 0, below = 5, add = 1 }, { above = 6, add = 2 }"), "leave a gap from 5 to 6"),
        (
            one("{ above = 0, below = 5, add = 1 }, { above = 4, add = 2 }"),
            "overlap: one ends at 5 and the next begins at 4",
        ),
        (one("{ below = 0, remove = 1 }, { below = 0, remove = 2 }"), "the next has no beginning"),
    ]);
    taken(&[
        many(20),
        one("{ above = 0, add = 1 }"),
        one("{ above = 0, set = 1 }"),
        one("{ above = 0, set = 1000 }"),
        one("{ above = 0, add = 1000 }"),
        one("{ above = 0, add = 0 }"),
        one("{ above = 0, add = \"1000%\" }") + "\nmin_step = 1",
        one("{ below = 0, remove = 1 }"),
        // an edge that is left out is where the neighbour's is
        one("{ above = 0, add = 1 }, { above = 5, add = 2 }, { above = 9, add = 3 }"),
        one("{ below = 0, remove = 1 }, { below = -5, remove = 2 }"),
        one("{ above = 5, add = 2 }, { above = 0, below = 5, add = 1 }"),
    ]);
}

#[test]
fn steps_tell_which_way_they_go_where_that_is_sure() {
    let rows = [
        ("steps = [{ above = 0, add = 1 }, { above = 5, add = \"10%\" }]", Some(Direction::Up)),
        ("steps = [{ above = 0, add = 0 }, { above = 5, add = 1 }]", Some(Direction::Up)),
        ("steps = [{ below = 0, remove = 1 }, { below = -5, remove = \"10%\" }]", Some(Direction::Down)),
        ("steps = [{ below = 0, remove = 0 }, { below = -5, remove = 2 }]", Some(Direction::Down)),
        ("steps = [{ below = 0, remove = 1 }, { above = 0, add = 1 }]", None),
        // to how many says nothing without how many there are
        ("steps = [{ above = 0, set = 5 }]", None),
        ("steps = [{ above = 0, add = 1 }, { above = 5, set = 9 }]", None),
        ("step = 2", Some(Direction::Up)),
        ("step = -2", Some(Direction::Down)),
        ("track = 60", None),
    ];
    for (keys, expected) in rows {
        let policy = Policy::parse(&rule(keys)).unwrap();
        let matched = policy.rule_for("a", &aws::id::variant("churn", "AllTraffic").unwrap()).unwrap();
        assert_eq!(matched.direction(), expected, "{keys}");
    }
}

#[test]
fn settings() {
    refused(&[
        (defaults("cooldown = { up = \"-1s\" }"), "`cooldown.up = \"-1s\"`: expected whole seconds"),
        (defaults("cooldown = { up = \"24h 1s\" }"), "from `0s` to `24h`"),
        (defaults("cooldown = { down = \"1.5s\" }"), "expected whole seconds"),
        (defaults("cooldown = { down = \"soon\" }"), "is no duration in hours, minutes and seconds"),
        (defaults("capacity_backoff = \"0m\""), "`capacity_backoff = \"0m\"`"),
        (defaults("capacity_backoff = \"90s\""), "expected whole minutes"),
        (defaults("capacity_backoff = \"721h\""), "from `1m` to `720h`"),
        (defaults("scale_up_threshold = 0"), "`scale_up_threshold = 0`: expected a number above 0"),
        (defaults("scale_up_threshold = nan"), "expected a number above 0"),
        (defaults("max_hourly_cost = 0"), "`max_hourly_cost = 0`: expected a number above 0"),
        (defaults("max_hourly_cost = inf"), "expected a number above 0"),
        (defaults("max_changes_per_hour = 0"), "expected 1 to 12"),
        (defaults("max_changes_per_hour = 13"), "`max_changes_per_hour = 13`: expected 1 to 12"),
        (defaults("bandwidth = { min = 9, max = 20 }"), "expected 10 to 8000 Mbps"),
        (defaults("bandwidth = { min = 21, max = 20 }"), "`bandwidth.min = 21` is above"),
        (cheapest("headroom = \"100%\""), "`headroom = \"100%\"`: expected a percentage"),
        (cheapest("headroom = \"-1%\""), "under 100"),
        (cheapest("headroom = \"20\""), "expected a percentage such as `20%`"),
        (cheapest("min_savings = -0.01"), "`min_savings = -0.01`: expected 0 or more"),
        (cheapest("min_savings = nan"), "expected 0 or more"),
        (cheapest("min_savings = inf"), "expected 0 or more"),
        (rule("min_savings = 1"), "`min_savings` does nothing"),
        (rule("headroom = \"20%\""), "`headroom` does nothing"),
        (rule("track = 0"), "`track = 0`: expected a number above 0"),
        (cheapest("step = 1"), "`step` does nothing with `axis = \"cheapest\"`"),
        (cheapest("track = 60"), "`track` does nothing with `axis = \"cheapest\"`"),
        (rule("step = 1\ntrack = 60"), "`track` and `step` both say how far it goes"),
        (rule("step = 1001"), "expected -1000 to 1000"),
        (rule("target = \" \""), "`target` is empty"),
        (rule("native_autoscaling = \"suspend\"").replace("instances", "shape"), "without a `pair`"),
        (cheapest("native_autoscaling = \"suspend\""), "without a `pair`"),
    ]);
    taken(&[
        defaults("cooldown = { up = \"0s\", down = \"24h\" }"),
        defaults("capacity_backoff = \"1m\""),
        defaults("capacity_backoff = \"720h\""),
        defaults("max_hourly_cost = 0.01"),
        defaults("max_changes_per_hour = 1"),
        defaults("max_changes_per_hour = 12"),
        defaults("bandwidth = { min = 20, max = 20 }"),
        defaults("bandwidth = { min = 10, max = 8000 }"),
        defaults("instances = { min = 3, max = 3 }"),
        cheapest("headroom = \"0%\""),
        cheapest("headroom = \"99.9%\""),
        cheapest("min_savings = 0"),
        rule("step = 1000"),
        rule("step = -1000"),
        // nothing is parked for the count alone
        rule("native_autoscaling = \"suspend\""),
    ]);
}

#[test]
fn pairs() {
    let pair = |more: &str| {
        format!(
            "pair = {{ alarm = \"low\", metric = \"CpuUtilization\", below = 10, window = \"5m\"{more} }}"
        )
    };
    let tracking = |more: &str| rule(&format!("track = 60\n{}", pair(more)));
    let step = |more: &str| rule(&pair(more));
    let window = |window: &str| step("").replace("5m", window);
    let metric = |metric: &str| step("").replace("CpuUtilization", metric);
    refused(&[
        (step(", step = 0"), "`pair.step = 0`"),
        (step(", step = 1001"), "`pair.step = 1001`"),
        (
            step(", step = 1, steps = [{ below = 0, remove = 1 }]"),
            "`pair.step` and `pair.steps`: expected one of them",
        ),
        (tracking(", step = 1"), "the rule's `track`"),
        (tracking(", steps = [{ below = 0, remove = 1 }]"), "the rule's `track`"),
        (step(", min_step = 2"), "`pair.min_step` does nothing"),
        (step(", steps = [{ below = 0, add = 1 }]"), "expected `remove` in each"),
        (
            step(", steps = [{ below = 5, remove = 1 }, { above = 5, remove = 2 }]"),
            "begins at the threshold or above it",
        ),
        (
            step(", steps = [{ below = 0, remove = 1 }, { above = 0, remove = 2 }]"),
            "begins at the threshold or above it",
        ),
        (window("61m"), "expected whole hours above `60m`"),
        (window("90m"), "expected whole hours above `60m`"),
        (metric("CpuUtilisation"), "did you mean `CpuUtilization`?"),
        (metric("CpuUtilisatin"), "did you mean `CpuUtilization`?"),
    ]);
    taken(&[
        step(", step = 1"),
        step(", step = 1000"),
        step(", steps = [{ below = 0, remove = 1 }]"),
        step(", steps = [{ below = 0, remove = \"10%\" }], min_step = 2"),
        step(", steps = [{ above = -5, below = 0, remove = 1 }, { below = -5, remove = 2 }]"),
        window("60m"),
        window("120m"),
        // three letters away it is a metric of somebody's own
        metric("CpuUtilisatoin"),
        metric("cpuutilization"),
        tracking(""),
    ]);
}

#[test]
fn targets_beside_rules() {
    let rule_for = |target: &str, below: u32| {
        format!(
            "[[rule]]\nalarm = \"a\"\ntarget = \"{target}\"\naxis = \"instances\"\npair = {{ alarm = \"low\", metric = \"CpuUtilization\", \
             below = {below}, window = \"5m\" }}\n"
        )
    };
    let with = |target: &str| format!("[[target]]\ntarget = \"{target}\"\nscale_up_threshold = 30\n");
    let from_five = |target: &str| rule_for(target, 59) + "instances = { min = 5, max = 10 }\n";
    let from_one =
        |target: &str| format!("[[target]]\ntarget = \"{target}\"\ninstances = {{ min = 1, max = 10 }}\n");
    refused(&[
        (with("endpoint/a/*") + &rule_for("endpoint/a/*", 15), "`pair.below = 15` must flap"),
        (with("endpoint/a/*") + &rule_for("*", 15), "`pair.below = 15` must flap"),
        (with("*") + &rule_for("endpoint/a/*", 15), "`pair.below = 15` must flap"),
        // a rule for many, and a table for some of them or for more: on five instances 59 are well, on one they are not
        (
            from_five("endpoint/b-*") + &from_one("endpoint/b-a/*"),
            "target 1: `instances` does not go with rule 1 of the policy: `pair.below = 59`",
        ),
        (from_five("endpoint/b-*") + &from_one("endpoint/*"), "59 on 2 instances would be 118 on 1 instance"),
        (with(" ") + &rule_for("*", 10), "`target` is empty"),
        ("[[target]]\ntarget = \"*\"".to_owned(), "it changes nothing"),
    ]);
    taken(&[
        with("endpoint/b/*") + &rule_for("endpoint/a/*", 15),
        with("*") + &rule_for("endpoint/a/*", 13),
        from_five("endpoint/b-*") + &from_one("endpoint/a/*"),
        // never in force: the first table has the last word, and the first rule
        from_five("endpoint/b-*")
            + &from_one("endpoint/b-*").replace("min = 1", "min = 5")
            + &from_one("endpoint/b-a/*"),
        rule("").replace("\"a\"", "\"*\"") + "\n" + &from_five("endpoint/b-*") + &from_one("endpoint/b-a/*"),
        "[[target]]\ntarget = \"*\"\nmode = \"observe\"".to_owned(),
    ]);
}

#[test]
fn schedules() {
    let schedule = |keys: &str| format!("[[schedule]]\ncron = \"0 8 * * *\"\n{keys}\n");
    let up_to_30 = |alarm: &str, target: &str| {
        rule(&format!("target = \"{target}\"\ninstances = {{ min = 1, max = 30 }}\n"))
            .replace("\"a\"", &format!("\"{alarm}\""))
    };
    let calm_below = |below: u32, bounds: &str| {
        let pair =
            format!("{{ alarm = \"calm\", metric = \"CpuUtilization\", below = {below}, window = \"5m\" }}");
        rule(&format!("instances = {{ {bounds} }}\npair = {pair}\n"))
    };
    let own =
        |target: &str| format!("[[target]]\ntarget = \"{target}\"\ninstances = {{ min = 2, max = 3 }}\n");
    refused(&[
        (schedule("for = \"745h\"\nmin = 2"), "from `1m` to `744h`"),
        (schedule("for = \"0m\"\nmin = 2"), "expected whole minutes"),
        (schedule("for = \"1h\""), "it changes nothing"),
        (schedule("for = \"1h\"\nmin = 0"), "`min = 0`: expected at least 1"),
        (schedule("for = \"1h\"\nmax = 0"), "`max = 0`: expected at least 1"),
        (schedule("for = \"1h\"\nmin = 3\nmax = 2"), "`min = 3` is above `max = 2`"),
        (schedule("for = \"1h\"\nmin = 2\ntarget = \"\""), "`target` is empty"),
        (schedule("for = \"1h\"\nmin = 2\nzone = \"Europe/Berln\""), "did you mean `Europe/Berlin`?"),
        (
            schedule("for = \"1h\"\nmin = 11"),
            "leaves nothing between 11 and 10, with the bounds of a built-in rule",
        ),
        // a target of its own is met by a schedule for all, and one for all by a schedule for some
        (own("endpoint/a/*") + &schedule("for = \"1h\"\nmin = 4"), "with the bounds of target 1"),
        (
            own("endpoint/*") + &schedule("for = \"1h\"\nmin = 4\ntarget = \"endpoint/a/*\""),
            "with the bounds of target 1",
        ),
        (own("*") + &schedule("for = \"1h\"\nmax = 1"), "`max = 1` leaves nothing between 2 and 1"),
        (
            rule("instances = { min = 1, max = 3 }") + "\n" + &schedule("for = \"1h\"\nmin = 4"),
            "with the bounds of rule 1 of the policy",
        ),
        // a rule for another alarm does not take the place of those that are built in, nor does one for other targets
        (
            up_to_30("zzz", "*") + &schedule("for = \"1h\"\nmin = 15"),
            "`min = 15` leaves nothing between 15 and 10, with the bounds of a built-in rule",
        ),
        (
            up_to_30("*", "endpoint/a/*") + &schedule("for = \"1h\"\nmin = 15"),
            "with the bounds of a built-in rule",
        ),
        // a floor at which a rule must flap, for all of its targets, for some, and for one that has its own threshold
        (
            calm_below(59, "min = 5, max = 10") + &schedule("for = \"1h\"\nmin = 1"),
            "schedule 1: with it, in rule 1 of the policy, `pair.below = 59` must flap: 59 on 2 instances would be 118",
        ),
        (
            calm_below(59, "min = 5, max = 10")
                + &schedule("for = \"1h\"\nmin = 2\ntarget = \"endpoint/a/*\""),
            "59 on 3 instances would be 88.5 on 2 instances",
        ),
        (
            calm_below(14, "min = 5, max = 10")
                + &own("endpoint/a/*")
                    .replace(
                        "instances",
                        "scale_up_threshold = 25
instances",
                    )
                    .replace("min = 2, max = 3", "min = 5, max = 9")
                + &schedule("for = \"1h\"\nmin = 1"),
            "14 on 2 instances would be 28 on 1 instance",
        ),
        // of one count alone nothing is taken away, but of more
        (
            calm_below(59, "min = 2, max = 2") + &schedule("for = \"1h\"\nmax = 10"),
            "59 on 3 instances would be 88.5 on 2 instances",
        ),
    ]);
    let unlike = Policy::parse(&schedule("for = \"1h\"\nmin = 2\nzone = \"xyz\"")).unwrap_err().to_string();
    assert!(unlike.ends_with("expected a time zone such as `Europe/Berlin`"), "{unlike}");
    taken(&[
        schedule("for = \"744h\"\nmin = 2"),
        schedule("for = \"1m\"\nmax = 1"),
        schedule("for = \"1h\"\nmin = 3\nmax = 3"),
        schedule("for = \"1h\"\nmin = 10"),
        // a Monday that is the first of February comes once in many years
        schedule("for = \"1h\"\nmin = 2").replace("0 8 * * *", "0 8 */29 2 MON"),
        own("*") + &schedule("for = \"1h\"\nmin = 3"),
        // in the place of the built-in rules that count instances, or above them
        up_to_30("*", "*") + &schedule("for = \"1h\"\nmin = 15"),
        up_to_30("*cpu*", "endpoint/a/*") + &schedule("for = \"1h\"\nmin = 15\ntarget = \"endpoint/a/*\""),
        up_to_30("zzz", "*") + &schedule("for = \"1h\"\nmin = 15\nmax = 30"),
        "[defaults]\ninstances = { min = 1, max = 30 }\n".to_owned() + &schedule("for = \"1h\"\nmin = 15"),
        // a rule that counts none has no bounds to keep
        rule("instances = { min = 1, max = 3 }").replace("\"instances\"", "\"shape\"")
            + "\n"
            + &schedule("for = \"1h\"\nmin = 4"),
        calm_below(59, "min = 5, max = 10") + &schedule("for = \"1h\"\nmin = 6"),
        own("*") + &schedule("for = \"1h\"\nmax = 2"),
        own("endpoint/a/*") + &schedule("for = \"1h\"\nmin = 4\ntarget = \"endpoint/b/*\""),
    ]);
}

#[test]
fn ladders_and_flexible_shapes() {
    let ladder = |rung: &str| format!("[[ladder]]\nname = \"t\"\nrungs = [{{ shape = \"a\", {rung} }}]");
    let flex = |keys: &str| format!("[[flex]]\nshape = \"mine.Flex\"\n{keys}");
    let sized = |ocpus: (u32, u32), memory: (u32, u32)| {
        flex(&format!(
            "ocpus = {{ min = {}, max = {} }}\nmemory_gib = {{ min = {}, max = {} }}",
            ocpus.0, ocpus.1, memory.0, memory.1
        ))
    };
    let priced = |price: &str| sized((1, 4), (6, 64)) + "\n" + price;
    refused(&[
        (ladder("vcpus = 0, memory_gib = 1"), "needs `vcpus` and `memory_gib` above 0"),
        (ladder("vcpus = 1, memory_gib = inf"), "needs `vcpus` and `memory_gib` above 0"),
        // a hundred for each of them is counted in the same numbers
        (ladder("vcpus = 100001, memory_gib = 1"), "`vcpus = 100001`: expected at most 100000"),
        (ladder("vcpus = 4294967295, memory_gib = 1"), "shape `a` has `vcpus = 4294967295`"),
        (ladder("vcpus = 1, memory_gib = 1, gpus = 100001"), "`gpus = 100001`: expected at most 100000"),
        (ladder("vcpus = 1, memory_gib = 1, price = -0.01"), "has a `price` that is no amount"),
        (ladder("vcpus = 1, memory_gib = 1, price = inf"), "has a `price` that is no amount"),
        (sized((2, 2), (1, 11)), "expected 12 to 128 in it"),
        (sized((2, 2), (129, 200)), "expected 12 to 128 in it"),
        (sized((3, 2), (6, 64)), "expected 1 or more, in order"),
        // six times as many are more than can be counted
        (sized((u32::MAX, u32::MAX), (6, 64)), "expected 4294967295 to 4294967295 in it"),
        (priced("price_per_ocpu = -0.01"), "its price is no amount"),
        (priced("price_per_gib = inf"), "its price is no amount"),
    ]);
    taken(&[
        ladder("vcpus = 1, memory_gib = 0.5, price = 0"),
        ladder("vcpus = 100000, memory_gib = 1, gpus = 100000"),
        sized((1, u32::MAX), (6, u32::MAX)),
        sized((2, 2), (1, 12)),
        sized((2, 2), (128, 200)),
        priced("price_per_ocpu = 0\nprice_per_gib = 0"),
    ]);
}

#[test]
fn of_several_the_one_that_is_wrong_is_told() {
    let ladder = |name: &str, vcpus: u32| {
        format!(
            "[[ladder]]\nname = \"{name}\"\nrungs = [{{ shape = \"{name}\", vcpus = {vcpus}, memory_gib = 1 }}]\n"
        )
    };
    let flex = |name: &str, least: u32| {
        format!(
            "[[flex]]\nshape = \"{name}\"\nocpus = {{ min = {least}, max = 4 }}\nmemory_gib = {{ min = 6, max = 64 }}\n"
        )
    };
    refused(&[
        (ladder("a", 1) + &ladder("b", 0) + &ladder("c", 1), "line 6: rung 1 of ladder `b`: "),
        (flex("a", 1) + &flex("b", 0), "line 7: flexible shape `b`: "),
        (rule("") + "\n" + &rule("step = 0"), "line 8: rule 2 of the policy: "),
    ]);
}

#[test]
fn a_rule_touches_what_it_may_change() {
    let rows = [
        ("instances", [true, false, false]),
        ("shape", [false, true, false]),
        ("bandwidth", [false, false, true]),
        // the count and the shape, one at a time
        ("cheapest", [true, true, false]),
    ];
    for (axis, expected) in rows {
        let policy = Policy::parse(&rule("").replace("instances", axis)).unwrap();
        let matched = policy.rule_for("a", &aws::id::variant("churn", "AllTraffic").unwrap()).unwrap();
        let touched = [Axis::Instances, Axis::Shape, Axis::Bandwidth].map(|axis| matched.rule.touches(axis));
        assert_eq!(touched, expected, "{axis}");
    }
}

#[test]
fn what_was_parked_under_another_policy_is_looked_for_all_the_same() {
    let policy = Policy::built_in().unwrap();
    let rule = policy.caretaker().rule.into_owned();
    assert_eq!(
        (rule.is.native_autoscaling, rule.touches(Axis::Shape), rule.pair),
        (NativeAutoscaling::Suspend, true, None)
    );
}

#[test]
fn alarms_to_set_up() {
    let setup = |keys: &str, alarms: &[&str]| {
        let alarms =
            alarms.iter().map(|alarm| format!("[[oci.alarm]]\n{alarm}\n")).collect::<Vec<_>>().concat();
        format!(
            "{}\n[oci]\ncompartment = \"ocid1.compartment.oc1..x\"\nfunction = \"ocid1.fnfunc.oc1.iad.x\"\n\
             deployments = [\"ocid1.datasciencemodeldeployment.oc1.iad.x\"]\n{keys}\n{alarms}",
            rule("").replace("\"a\"", "\"*\"")
        )
    };
    let named = |name: &str| setup("", &[&format!("name = \"{name}\"\nmetric = \"CpuUtilization\"")]);
    let metric = |metric: &str| setup("", &[&format!("name = \"x\"\nmetric = \"{metric}\"")]);
    let above = |metric: &str, above: &str| {
        setup("", &[&format!("name = \"x\"\nmetric = \"{metric}\"\nabove = {above}")])
    };
    let timed = |key: &str, text: &str| {
        setup("", &[&format!("name = \"x\"\nmetric = \"CpuUtilization\"\n{key} = \"{text}\"")])
    };
    let pair = "pair = { alarm = \"low\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }";
    let beside_pair = |alarm: String| alarm.replacen("\n[oci]", &format!("{pair}\n[oci]"), 1);
    let topic = |topic: &str| setup(&format!("topic = \"{topic}\""), &[]);
    refused(&[
        (named(""), "expected 1 to 255 characters in one line"),
        (named(&"n".repeat(256)), "expected 1 to 255 characters in one line"),
        (named("a\\nb"), "expected 1 to 255 characters in one line"),
        (metric(""), "expected a metric's plain name"),
        (metric("Cpu Utilization"), "expected a metric's plain name"),
        (metric("CpuUtilisation"), "did you mean `CpuUtilization`?"),
        (above("CpuUtilization", "0"), "expected a number between 0 and 100"),
        (above("CpuUtilization", "100"), "expected a number between 0 and 100"),
        (above("CpuUtilization", "-5"), "expected a number between 0 and 100"),
        (above("Own", "0.0000009"), "from a millionth to a million million"),
        (above("Own", "1000000000001"), "from a millionth to a million million"),
        (above("Own", "-1000000000001"), "from a millionth to a million million"),
        (above("Own", "nan"), "from a millionth to a million million"),
        (timed("window", "61m"), "expected whole hours above `60m`"),
        (timed("window", "25h"), "from `1m` to `24h`"),
        (timed("pending", "61m"), "from `1m` to `1h`"),
        (timed("repeat", "721h"), "from `1m` to `720h`"),
        (beside_pair(above("CpuUtilization", "9.5")), "the paired alarm `low` fires below 10"),
        (beside_pair(above("CpuUtilization", "10")), "the paired alarm `low` fires below 10"),
        // 10 on two instances are 20 on one, and a tenth of the threshold stays free
        (beside_pair(above("CpuUtilization", "10.5")), "10 on 2 instances would be 20 on 1 instance"),
        (beside_pair(above("CpuUtilization", "22.2")), "fires above 22.2, less a tenth 19.98"),
        (topic(""), "expected 1 to 256 letters"),
        (topic(&"t".repeat(257)), "expected 1 to 256 letters"),
        (topic("a b"), "expected 1 to 256 letters"),
        (topic("ocid1.alarm.oc1..x"), "is not the OCID of one"),
        (topic("ocid1.onstopic.oc1..x/y"), "is not the OCID of one"),
        (
            setup(
                "",
                &[
                    "name = \"x\"\nmetric = \"CpuUtilization\"",
                    "name = \"x\"\nmetric = \"MemoryUtilization\"",
                ],
            ),
            "another alarm is called `x`, too",
        ),
    ]);
    taken(&[
        named(&"n".repeat(255)),
        metric("memoryutilization"),
        above("CpuUtilization", "0.5"),
        above("CpuUtilization", "99.5"),
        above("Own", "0.000001"),
        above("Own", "-1000000000000"),
        above("Own", "0"),
        above("CpuUtilization", "150\nstatistic = \"sum\""),
        beside_pair(above("CpuUtilization", "22.3")),
        beside_pair(above("MemoryUtilization", "9.5")),
        timed("window", "60m"),
        timed("window", "24h"),
        timed("pending", "1h"),
        timed("repeat", "720h"),
        topic(&"t".repeat(256)),
        topic("ocid1.onstopic.oc1..x"),
    ]);
}
