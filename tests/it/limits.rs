//! What a policy may set, to the last number that is accepted and the first that is refused, and what follows from it
//! before any alarm fires.

use std::collections::BTreeSet;
use std::process::{ExitCode, Termination};
use stepladder::platform::aws;

use rstest::rstest;
use stepladder::policy::{NativeAutoscaling, Policy};
use stepladder::size::{Axis, Direction};

use crate::golden::case::rows;

/// A text, and words of the reason why it is refused; without them it is taken.
struct Limit {
    text: String,
    refusal: Option<&'static str>,
}

fn refused(text: String, words: &'static str) -> Limit {
    Limit { text, refusal: Some(words) }
}

fn taken(text: String) -> Limit {
    Limit { text, refusal: None }
}

/// A test that returns its limit passes where the limit holds.
impl Termination for Limit {
    fn report(self) -> ExitCode {
        let Self { text, refusal } = self;
        match (Policy::parse(&text), refusal) {
            (Ok(_), None) => {}
            (Ok(_), Some(_)) => panic!("it is taken:\n{text}"),
            (Err(error), None) => panic!("{error}\n{text}"),
            (Err(error), Some(words)) => {
                assert!(error.to_string().contains(words), "{error}\nexpected {words}\n{text}");
            }
        }
        ExitCode::SUCCESS
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

fn schedule(keys: &str) -> String {
    format!("[[schedule]]\ncron = \"0 8 * * *\"\n{keys}\n")
}

/// So many steps of ten, and one for all that is above.
fn many(steps: u32) -> String {
    let below = (1..steps).map(|step| format!("{{ below = {}, add = {step} }}", step * 10));
    let steps = below.chain([format!("{{ above = {}, add = {steps} }}", (steps - 1) * 10)]);
    rule(&format!("steps = [{}]", steps.collect::<Vec<_>>().join(", ")))
}

mod steps {
    use super::{Limit, many, refused, rows, rule, taken};

    fn one(step: &str) -> String {
        rule(&format!("steps = [{step}]"))
    }

    rows![
        Limit,
        no_steps = refused(rule("steps = []"), "`steps` has 0: expected 1 to 20"),
        twenty_one_steps = refused(many(21), "`steps` has 21: expected 1 to 20"),
        least_of_plain_steps =
            refused(one("{ above = 0, add = 1 }") + "\nmin_step = 2", "`min_step = 2` does nothing"),
        least_of_zero = refused(
            one("{ above = 0, add = \"10%\" }") + "\nmin_step = 0",
            "`min_step = 0`: expected at least 1"
        ),
        least_without_steps = refused(rule("min_step = 2"), "`min_step` does nothing"),
        set_zero = refused(one("{ above = 0, set = 0 }"), "`steps.set = 0`: expected 1 to 1000"),
        set_1001 = refused(one("{ above = 0, set = 1001 }"), "`steps.set = 1001`: expected 1 to 1000"),
        add_1001 = refused(one("{ above = 0, add = 1001 }"), "`steps.add = 1001`: expected 0 to 1000"),
        add_1001_percent =
            refused(one("{ above = 0, add = \"1001%\" }"), "`steps.add = \"1001%\"`: expected 0 to 1000"),
        remove_without_percent_sign =
            refused(one("{ above = 0, remove = \"10\" }"), "`steps.remove = \"10\"`: expected 0 to 1000"),
        add_and_remove =
            refused(one("{ above = 0, add = 1, remove = 1 }"), "expected one of `add`, `remove` and `set`"),
        neither_add_nor_remove = refused(one("{ above = 0 }"), "expected one of `add`, `remove` and `set`"),
        no_edge = refused(one("{ add = 1 }"), "expected `above`, `below` or both"),
        edges_equal = refused(
            one("{ above = 5, below = 5, add = 1 }"),
            "`steps.above = 5` is not under `steps.below = 5`"
        ),
        above_infinity = refused(one("{ above = inf, add = 1 }"), "expected a number, found `inf`"),
        below_minus_infinity = refused(one("{ below = -inf, add = 1 }"), "expected a number, found `-inf`"),
        below_no_number =
            refused(one("{ above = 0, below = nan, add = 1 }"), "expected a number, found `NaN`"),
        end_above_the_threshold =
            refused(one("{ above = 0, below = 5, add = 1 }"), "`steps` end at 5, above the threshold"),
        begin_below_the_threshold =
            refused(one("{ above = -5, below = 0, remove = 1 }"), "`steps` begin at -5, below the threshold"),
        gap = refused(
            one("{ above = 0, below = 5, add = 1 }, { above = 6, add = 2 }"),
            "leave a gap from 5 to 6"
        ),
        overlap = refused(
            one("{ above = 0, below = 5, add = 1 }, { above = 4, add = 2 }"),
            "overlap: one ends at 5 and the next begins at 4"
        ),
        no_beginning =
            refused(one("{ below = 0, remove = 1 }, { below = 0, remove = 2 }"), "the next has no beginning"),
        twenty_steps = taken(many(20)),
        add_one = taken(one("{ above = 0, add = 1 }")),
        set_one = taken(one("{ above = 0, set = 1 }")),
        set_1000 = taken(one("{ above = 0, set = 1000 }")),
        add_1000 = taken(one("{ above = 0, add = 1000 }")),
        add_zero = taken(one("{ above = 0, add = 0 }")),
        thousand_percent_and_least_of_one = taken(one("{ above = 0, add = \"1000%\" }") + "\nmin_step = 1"),
        remove_one = taken(one("{ below = 0, remove = 1 }")),
        // an edge that is left out is where the neighbour's is
        edges_of_neighbours_up =
            taken(one("{ above = 0, add = 1 }, { above = 5, add = 2 }, { above = 9, add = 3 }")),
        edges_of_neighbours_down = taken(one("{ below = 0, remove = 1 }, { below = -5, remove = 2 }")),
        in_any_order = taken(one("{ above = 5, add = 2 }, { above = 0, below = 5, add = 1 }")),
    ];
}

#[rstest]
#[case::only_adding("steps = [{ above = 0, add = 1 }, { above = 5, add = \"10%\" }]", Some(Direction::Up))]
#[case::nothing_then_adding("steps = [{ above = 0, add = 0 }, { above = 5, add = 1 }]", Some(Direction::Up))]
#[case::only_removing(
    "steps = [{ below = 0, remove = 1 }, { below = -5, remove = \"10%\" }]",
    Some(Direction::Down)
)]
#[case::nothing_then_removing(
    "steps = [{ below = 0, remove = 0 }, { below = -5, remove = 2 }]",
    Some(Direction::Down)
)]
#[case::removing_and_adding("steps = [{ below = 0, remove = 1 }, { above = 0, add = 1 }]", None)]
// a count to reach has no direction without the current count
#[case::setting("steps = [{ above = 0, set = 5 }]", None)]
#[case::adding_and_setting("steps = [{ above = 0, add = 1 }, { above = 5, set = 9 }]", None)]
#[case::step_up("step = 2", Some(Direction::Up))]
#[case::step_down("step = -2", Some(Direction::Down))]
#[case::tracking("track = 60", None)]
fn steps_have_a_direction_where_that_is_sure(#[case] keys: &str, #[case] expected: Option<Direction>) {
    let policy = Policy::parse(&rule(keys)).unwrap();
    let matched = policy.rule_for("a", &aws::id::variant("churn", "AllTraffic").unwrap()).unwrap();
    assert_eq!(matched.direction(), expected);
}

mod settings {
    use super::{Limit, cheapest, defaults, refused, rows, rule, taken};

    rows![
        Limit,
        cooldown_up_negative = refused(
            defaults("cooldown = { up = \"-1s\" }"),
            "`cooldown.up = \"-1s\"`: expected whole seconds"
        ),
        cooldown_up_above_a_day = refused(defaults("cooldown = { up = \"24h 1s\" }"), "from `0s` to `24h`"),
        cooldown_down_of_a_fraction =
            refused(defaults("cooldown = { down = \"1.5s\" }"), "expected whole seconds"),
        cooldown_down_no_duration = refused(
            defaults("cooldown = { down = \"soon\" }"),
            "is no duration in hours, minutes and seconds"
        ),
        backoff_zero = refused(defaults("capacity_backoff = \"0m\""), "`capacity_backoff = \"0m\"`"),
        backoff_of_seconds = refused(defaults("capacity_backoff = \"90s\""), "expected whole minutes"),
        backoff_above_thirty_days = refused(defaults("capacity_backoff = \"721h\""), "from `1m` to `720h`"),
        scale_up_threshold_zero = refused(
            defaults("scale_up_threshold = 0"),
            "`scale_up_threshold = 0`: expected a number above 0"
        ),
        scale_up_threshold_no_number =
            refused(defaults("scale_up_threshold = nan"), "expected a number above 0"),
        cost_zero =
            refused(defaults("max_hourly_cost = 0"), "`max_hourly_cost = 0`: expected a number above 0"),
        cost_infinite = refused(defaults("max_hourly_cost = inf"), "expected a number above 0"),
        no_change_per_hour = refused(defaults("max_changes_per_hour = 0"), "expected 1 to 12"),
        thirteen_changes_per_hour =
            refused(defaults("max_changes_per_hour = 13"), "`max_changes_per_hour = 13`: expected 1 to 12"),
        bandwidth_under_ten =
            refused(defaults("bandwidth = { min = 9, max = 20 }"), "expected 10 to 8000 Mbps"),
        bandwidth_out_of_order =
            refused(defaults("bandwidth = { min = 21, max = 20 }"), "`bandwidth.min = 21` is above"),
        headroom_of_all =
            refused(cheapest("headroom = \"100%\""), "`headroom = \"100%\"`: expected a percentage"),
        headroom_negative = refused(cheapest("headroom = \"-1%\""), "under 100"),
        headroom_without_percent_sign =
            refused(cheapest("headroom = \"20\""), "expected a percentage such as `20%`"),
        savings_negative =
            refused(cheapest("min_savings = -0.01"), "`min_savings = -0.01`: expected 0 or more"),
        savings_no_number = refused(cheapest("min_savings = nan"), "expected 0 or more"),
        savings_infinite = refused(cheapest("min_savings = inf"), "expected 0 or more"),
        savings_of_a_count = refused(rule("min_savings = 1"), "`min_savings` does nothing"),
        surge_of_a_count = refused(rule("allow_cost_surge = true"), "`allow_cost_surge` does nothing"),
        headroom_of_a_count = refused(rule("headroom = \"20%\""), "`headroom` does nothing"),
        track_zero = refused(rule("track = 0"), "`track = 0`: expected a number above 0"),
        step_of_cheapest = refused(cheapest("step = 1"), "`step` does nothing with `axis = \"cheapest\"`"),
        track_of_cheapest =
            refused(cheapest("track = 60"), "`track` does nothing with `axis = \"cheapest\"`"),
        step_and_track =
            refused(rule("step = 1\ntrack = 60"), "`track` and `step` both set the size of a step"),
        step_1001 = refused(rule("step = 1001"), "expected -1000 to 1000"),
        target_blank = refused(rule("target = \" \""), "`target` is empty"),
        suspend_a_shape_without_a_pair = refused(
            rule("native_autoscaling = \"suspend\"").replace("instances", "shape"),
            "without a `pair`"
        ),
        suspend_cheapest_without_a_pair =
            refused(cheapest("native_autoscaling = \"suspend\""), "without a `pair`"),
        cooldowns_at_both_ends = taken(defaults("cooldown = { up = \"0s\", down = \"24h\" }")),
        backoff_of_a_minute = taken(defaults("capacity_backoff = \"1m\"")),
        backoff_of_thirty_days = taken(defaults("capacity_backoff = \"720h\"")),
        cost_of_a_cent = taken(defaults("max_hourly_cost = 0.01")),
        one_change_per_hour = taken(defaults("max_changes_per_hour = 1")),
        twelve_changes_per_hour = taken(defaults("max_changes_per_hour = 12")),
        bandwidth_of_one_value = taken(defaults("bandwidth = { min = 20, max = 20 }")),
        bandwidth_at_both_ends = taken(defaults("bandwidth = { min = 10, max = 8000 }")),
        instances_of_one_value = taken(defaults("instances = { min = 3, max = 3 }")),
        headroom_of_none = taken(cheapest("headroom = \"0%\"")),
        headroom_of_nearly_all = taken(cheapest("headroom = \"99.9%\"")),
        savings_of_none = taken(cheapest("min_savings = 0")),
        step_1000 = taken(rule("step = 1000")),
        step_minus_1000 = taken(rule("step = -1000")),
        // nothing is suspended for the count alone
        suspend_a_count = taken(rule("native_autoscaling = \"suspend\"")),
    ];
}

mod pairs {
    use super::{Limit, refused, rows, rule, taken};

    fn pair(more: &str) -> String {
        format!(
            "pair = {{ alarm = \"low\", metric = \"CpuUtilization\", below = 10, window = \"5m\"{more} }}"
        )
    }

    fn tracking(more: &str) -> String {
        rule(&format!("track = 60\n{}", pair(more)))
    }

    fn step(more: &str) -> String {
        rule(&pair(more))
    }

    fn window(window: &str) -> String {
        step("").replace("5m", window)
    }

    fn metric(metric: &str) -> String {
        step("").replace("CpuUtilization", metric)
    }

    rows![
        Limit,
        step_zero = refused(step(", step = 0"), "`pair.step = 0`"),
        step_1001 = refused(step(", step = 1001"), "`pair.step = 1001`"),
        step_and_steps = refused(
            step(", step = 1, steps = [{ below = 0, remove = 1 }]"),
            "`pair.step` and `pair.steps`: expected one of them"
        ),
        step_beside_track = refused(tracking(", step = 1"), "the rule's `track`"),
        steps_beside_track = refused(tracking(", steps = [{ below = 0, remove = 1 }]"), "the rule's `track`"),
        least_without_percentages = refused(step(", min_step = 2"), "`pair.min_step` does nothing"),
        steps_that_add = refused(step(", steps = [{ below = 0, add = 1 }]"), "expected `remove` in each"),
        begins_above_the_threshold = refused(
            step(", steps = [{ below = 5, remove = 1 }, { above = 5, remove = 2 }]"),
            "begins at the threshold or above it"
        ),
        begins_at_the_threshold = refused(
            step(", steps = [{ below = 0, remove = 1 }, { above = 0, remove = 2 }]"),
            "begins at the threshold or above it"
        ),
        window_of_61_minutes = refused(window("61m"), "expected whole hours above `60m`"),
        window_of_90_minutes = refused(window("90m"), "expected whole hours above `60m`"),
        metric_misspelt = refused(metric("CpuUtilisation"), "did you mean `CpuUtilization`?"),
        metric_a_letter_short = refused(metric("CpuUtilisatin"), "did you mean `CpuUtilization`?"),
        step_one = taken(step(", step = 1")),
        step_1000 = taken(step(", step = 1000")),
        one_of_steps = taken(step(", steps = [{ below = 0, remove = 1 }]")),
        percentages_and_a_least = taken(step(", steps = [{ below = 0, remove = \"10%\" }], min_step = 2")),
        two_of_steps =
            taken(step(", steps = [{ above = -5, below = 0, remove = 1 }, { below = -5, remove = 2 }]")),
        window_of_an_hour = taken(window("60m")),
        window_of_two_hours = taken(window("120m")),
        // three letters away it is another word, and nothing publishes it
        metric_of_somebodys_own = refused(metric("CpuUtilisatoin"), "would never fire; expected one of"),
        metric_in_lower_case = taken(metric("cpuutilization")),
        beside_track = taken(tracking("")),
    ];
}

mod targets_beside_rules {
    use super::{Limit, refused, rows, rule, taken};

    fn rule_for(target: &str, below: u32) -> String {
        format!(
            "[[rule]]\nalarm = \"a\"\ntarget = \"{target}\"\naxis = \"instances\"\npair = {{ alarm = \"low\", metric = \"CpuUtilization\", \
             below = {below}, window = \"5m\" }}\n"
        )
    }

    fn with(target: &str) -> String {
        format!("[[target]]\ntarget = \"{target}\"\nscale_up_threshold = 30\n")
    }

    fn from_five(target: &str) -> String {
        rule_for(target, 59) + "instances = { min = 5, max = 10 }\n"
    }

    fn from_one(target: &str) -> String {
        format!("[[target]]\ntarget = \"{target}\"\ninstances = {{ min = 1, max = 10 }}\n")
    }

    rows![
        Limit,
        same_target =
            refused(with("endpoint/a/*") + &rule_for("endpoint/a/*", 15), "`pair.below = 15` must flap"),
        rule_for_all = refused(with("endpoint/a/*") + &rule_for("*", 15), "`pair.below = 15` must flap"),
        table_for_all = refused(with("*") + &rule_for("endpoint/a/*", 15), "`pair.below = 15` must flap"),
        // a rule for many, and a table for some of them or for more: on five instances 59 are well, on one they are not
        table_for_some_of_the_rules = refused(
            from_five("endpoint/b-*") + &from_one("endpoint/b-a/*"),
            "target 1: `instances` does not go with rule 1 of the policy: `pair.below = 59`"
        ),
        table_for_more_than_the_rules = refused(
            from_five("endpoint/b-*") + &from_one("endpoint/*"),
            "59 on 2 instances would be 118 on 1 instance"
        ),
        target_blank = refused(with(" ") + &rule_for("*", 10), "`target` is empty"),
        changes_nothing = refused("[[target]]\ntarget = \"*\"".to_owned(), "it changes nothing"),
        other_targets = taken(with("endpoint/b/*") + &rule_for("endpoint/a/*", 15)),
        low_enough = taken(with("*") + &rule_for("endpoint/a/*", 13)),
        other_targets_than_many = taken(from_five("endpoint/b-*") + &from_one("endpoint/a/*")),
        // never effective: the first table has the last word, and the first rule
        first_table_has_the_last_word = taken(
            from_five("endpoint/b-*")
                + &from_one("endpoint/b-*").replace("min = 1", "min = 5")
                + &from_one("endpoint/b-a/*")
        ),
        first_rule_has_the_last_word = taken(
            rule("").replace("\"a\"", "\"*\"")
                + "\n"
                + &from_five("endpoint/b-*")
                + &from_one("endpoint/b-a/*")
        ),
        mode_alone = taken("[[target]]\ntarget = \"*\"\nmode = \"observe\"".to_owned()),
    ];
}

mod schedules {
    use super::{Limit, refused, rows, rule, schedule, taken};

    fn up_to_30(alarm: &str, target: &str) -> String {
        rule(&format!("target = \"{target}\"\ninstances = {{ min = 1, max = 30 }}\n"))
            .replace("\"a\"", &format!("\"{alarm}\""))
    }

    fn calm_below(below: u32, bounds: &str) -> String {
        let pair =
            format!("{{ alarm = \"calm\", metric = \"CpuUtilization\", below = {below}, window = \"5m\" }}");
        rule(&format!("instances = {{ {bounds} }}\npair = {pair}\n"))
    }

    fn own(target: &str) -> String {
        format!("[[target]]\ntarget = \"{target}\"\ninstances = {{ min = 2, max = 3 }}\n")
    }

    rows![
        Limit,
        for_above_31_days = refused(schedule("for = \"745h\"\nmin = 2"), "from `1m` to `744h`"),
        for_nothing = refused(schedule("for = \"0m\"\nmin = 2"), "expected whole minutes"),
        changes_nothing = refused(schedule("for = \"1h\""), "it changes nothing"),
        min_zero = refused(schedule("for = \"1h\"\nmin = 0"), "`min = 0`: expected at least 1"),
        max_zero = refused(schedule("for = \"1h\"\nmax = 0"), "`max = 0`: expected at least 1"),
        out_of_order = refused(schedule("for = \"1h\"\nmin = 3\nmax = 2"), "`min = 3` is above `max = 2`"),
        target_blank = refused(schedule("for = \"1h\"\nmin = 2\ntarget = \"\""), "`target` is empty"),
        zone_misspelt = refused(
            schedule("for = \"1h\"\nmin = 2\nzone = \"Europe/Berln\""),
            "did you mean `Europe/Berlin`?"
        ),
        above_the_built_in_bounds = refused(
            schedule("for = \"1h\"\nmin = 11"),
            "leaves nothing between 11 and 10, with the bounds of a built-in rule"
        ),
        // a target of its own is met by a schedule for all, and one for all by a schedule for some
        own_target_meets_all =
            refused(own("endpoint/a/*") + &schedule("for = \"1h\"\nmin = 4"), "with the bounds of target 1"),
        target_for_all_meets_some = refused(
            own("endpoint/*") + &schedule("for = \"1h\"\nmin = 4\ntarget = \"endpoint/a/*\""),
            "with the bounds of target 1"
        ),
        max_under_a_target = refused(
            own("*") + &schedule("for = \"1h\"\nmax = 1"),
            "`max = 1` leaves nothing between 2 and 1"
        ),
        above_a_rule = refused(
            rule("instances = { min = 1, max = 3 }") + "\n" + &schedule("for = \"1h\"\nmin = 4"),
            "with the bounds of rule 1 of the policy"
        ),
        // a rule for another alarm does not take the place of those that are built in, nor does one for other targets
        rule_for_another_alarm = refused(
            up_to_30("zzz", "*") + &schedule("for = \"1h\"\nmin = 15"),
            "`min = 15` leaves nothing between 15 and 10, with the bounds of a built-in rule"
        ),
        rule_for_other_targets = refused(
            up_to_30("*", "endpoint/a/*") + &schedule("for = \"1h\"\nmin = 15"),
            "with the bounds of a built-in rule"
        ),
        // a floor at which a rule must flap, for all of its targets, for some, and for one that has its own threshold
        must_flap_for_all = refused(
            calm_below(59, "min = 5, max = 10") + &schedule("for = \"1h\"\nmin = 1"),
            "schedule 1: with it, in rule 1 of the policy, `pair.below = 59` must flap: 59 on 2 instances would be 118"
        ),
        must_flap_for_some = refused(
            calm_below(59, "min = 5, max = 10")
                + &schedule("for = \"1h\"\nmin = 2\ntarget = \"endpoint/a/*\""),
            "59 on 3 instances would be 88.5 on 2 instances"
        ),
        must_flap_with_a_threshold_of_its_own = refused(
            calm_below(14, "min = 5, max = 10")
                + &own("endpoint/a/*")
                    .replace(
                        "instances",
                        "scale_up_threshold = 25
instances",
                    )
                    .replace("min = 2, max = 3", "min = 5, max = 9")
                + &schedule("for = \"1h\"\nmin = 1"),
            "14 on 2 instances would be 28 on 1 instance"
        ),
        // nothing is removed from a single possible count, but from more
        must_flap_with_more_than_one_count = refused(
            calm_below(59, "min = 2, max = 2") + &schedule("for = \"1h\"\nmax = 10"),
            "59 on 3 instances would be 88.5 on 2 instances"
        ),
        for_31_days = taken(schedule("for = \"744h\"\nmin = 2")),
        for_a_minute = taken(schedule("for = \"1m\"\nmax = 1")),
        one_value = taken(schedule("for = \"1h\"\nmin = 3\nmax = 3")),
        at_the_ceiling = taken(schedule("for = \"1h\"\nmin = 10")),
        // a Monday that is the first of February comes once in many years
        once_in_many_years = taken(schedule("for = \"1h\"\nmin = 2").replace("0 8 * * *", "0 8 */29 2 MON")),
        within_a_target = taken(own("*") + &schedule("for = \"1h\"\nmin = 3")),
        // in the place of the built-in rules that count instances, or above them
        instead_of_built_in_rules = taken(up_to_30("*", "*") + &schedule("for = \"1h\"\nmin = 15")),
        instead_of_built_in_rules_for_some = taken(
            up_to_30("*cpu*", "endpoint/a/*")
                + &schedule("for = \"1h\"\nmin = 15\ntarget = \"endpoint/a/*\"")
        ),
        above_them_with_a_ceiling =
            taken(up_to_30("zzz", "*") + &schedule("for = \"1h\"\nmin = 15\nmax = 30")),
        above_them_by_the_defaults = taken(
            "[defaults]\ninstances = { min = 1, max = 30 }\n".to_owned()
                + &schedule("for = \"1h\"\nmin = 15")
        ),
        // a rule that counts none has no bounds to keep
        rule_that_counts_none = taken(
            rule("instances = { min = 1, max = 3 }").replace("\"instances\"", "\"shape\"")
                + "\n"
                + &schedule("for = \"1h\"\nmin = 4")
        ),
        floor_that_does_not_flap =
            taken(calm_below(59, "min = 5, max = 10") + &schedule("for = \"1h\"\nmin = 6")),
        max_at_the_floor_of_a_target = taken(own("*") + &schedule("for = \"1h\"\nmax = 2")),
        another_target =
            taken(own("endpoint/a/*") + &schedule("for = \"1h\"\nmin = 4\ntarget = \"endpoint/b/*\"")),
    ];
}

#[test]
fn a_zone_like_no_other_is_answered_with_an_example() {
    let unlike = Policy::parse(&schedule("for = \"1h\"\nmin = 2\nzone = \"xyz\"")).unwrap_err().to_string();
    assert!(unlike.ends_with("expected a time zone such as `Europe/Berlin`"), "{unlike}");
}

mod ladders_and_flexible_shapes {
    use super::{Limit, refused, rows, taken};

    fn ladder(rung: &str) -> String {
        format!("[[ladder]]\nname = \"t\"\nrungs = [{{ shape = \"a\", {rung} }}]")
    }

    fn flex(keys: &str) -> String {
        format!("[[flex]]\nshape = \"mine.Flex\"\n{keys}")
    }

    fn sized(ocpus: (u32, u32), memory: (u32, u32)) -> String {
        flex(&format!(
            "ocpus = {{ min = {}, max = {} }}\nmemory_gib = {{ min = {}, max = {} }}",
            ocpus.0, ocpus.1, memory.0, memory.1
        ))
    }

    fn priced(price: &str) -> String {
        sized((1, 4), (6, 64)) + "\n" + price
    }

    rows![
        Limit,
        no_vcpus = refused(ladder("vcpus = 0, memory_gib = 1"), "needs `vcpus` and `memory_gib` above 0"),
        memory_infinite =
            refused(ladder("vcpus = 1, memory_gib = inf"), "needs `vcpus` and `memory_gib` above 0"),
        // a hundred for each of them is counted in the same numbers
        vcpus_100001 =
            refused(ladder("vcpus = 100001, memory_gib = 1"), "`vcpus = 100001`: expected at most 100000"),
        vcpus_beyond_counting =
            refused(ladder("vcpus = 4294967295, memory_gib = 1"), "shape `a` has `vcpus = 4294967295`"),
        gpus_100001 = refused(
            ladder("vcpus = 1, memory_gib = 1, gpus = 100001"),
            "`gpus = 100001`: expected at most 100000"
        ),
        gpu_memory_zero = refused(
            ladder("vcpus = 1, memory_gib = 1, gpus = 1, gpu_memory_gib = 0"),
            "has a `gpu_memory_gib` that is not above 0"
        ),
        gpu_memory_infinite = refused(
            ladder("vcpus = 1, memory_gib = 1, gpus = 1, gpu_memory_gib = inf"),
            "has a `gpu_memory_gib` that is not above 0"
        ),
        gpu_memory_of_no_gpu = refused(
            ladder("vcpus = 1, memory_gib = 1, gpu_memory_gib = 24"),
            "has `gpu_memory_gib` and no accelerator: expected `gpus`, too"
        ),
        model_of_no_gpu = refused(
            ladder("vcpus = 1, memory_gib = 1, accelerator = 'A10'"),
            "has `accelerator` and no accelerator: expected `gpus`, too"
        ),
        price_negative =
            refused(ladder("vcpus = 1, memory_gib = 1, price = -0.01"), "has a `price` that is no amount"),
        price_infinite =
            refused(ladder("vcpus = 1, memory_gib = 1, price = inf"), "has a `price` that is no amount"),
        memory_too_little = refused(sized((2, 2), (1, 11)), "expected 12 to 128 in it"),
        memory_too_much = refused(sized((2, 2), (129, 200)), "expected 12 to 128 in it"),
        ocpus_out_of_order = refused(sized((3, 2), (6, 64)), "expected 1 or more, in order"),
        // six times as many are more than can be counted
        ocpus_beyond_counting =
            refused(sized((u32::MAX, u32::MAX), (6, 64)), "expected 4294967295 to 4294967295 in it"),
        ocpu_price_negative = refused(priced("price_per_ocpu = -0.01"), "its price is no amount"),
        memory_price_infinite = refused(priced("price_per_gib = inf"), "its price is no amount"),
        smallest_rung = taken(ladder("vcpus = 1, memory_gib = 0.5, price = 0")),
        largest_rung = taken(ladder("vcpus = 100000, memory_gib = 1, gpus = 100000")),
        largest_flexible_shape = taken(sized((1, u32::MAX), (6, u32::MAX))),
        least_memory = taken(sized((2, 2), (1, 12))),
        most_memory = taken(sized((2, 2), (128, 200))),
        free_of_charge = taken(priced("price_per_ocpu = 0\nprice_per_gib = 0")),
    ];
}

mod of_several_the_one_that_is_wrong_is_told {
    use super::{Limit, refused, rows, rule};

    fn ladder(name: &str, vcpus: u32) -> String {
        format!(
            "[[ladder]]\nname = \"{name}\"\nrungs = [{{ shape = \"{name}\", vcpus = {vcpus}, memory_gib = 1 }}]\n"
        )
    }

    fn flex(name: &str, least: u32) -> String {
        format!(
            "[[flex]]\nshape = \"{name}\"\nocpus = {{ min = {least}, max = 4 }}\nmemory_gib = {{ min = 6, max = 64 }}\n"
        )
    }

    rows![
        Limit,
        second_ladder = refused(
            ladder("a", 1) + &ladder("b", 0) + &ladder("c", 1),
            "line 6, column 33: rung 1 of ladder `b`: "
        ),
        second_flexible_shape =
            refused(flex("a", 1) + &flex("b", 0), "line 7, column 9: flexible shape `b`: "),
        second_rule =
            refused(rule("") + "\n" + &rule("step = 0"), "line 8, column 8: rule 2 of the policy: "),
    ];
}

#[rstest]
#[case::instances("instances", [true, false, false])]
#[case::shape("shape", [false, true, false])]
#[case::bandwidth("bandwidth", [false, false, true])]
// the count and the shape, one at a time
#[case::cheapest("cheapest", [true, true, false])]
fn a_rule_touches_what_it_may_change(#[case] axis: &str, #[case] expected: [bool; 3]) {
    let policy = Policy::parse(&rule("").replace("instances", axis)).unwrap();
    let matched = policy.rule_for("a", &aws::id::variant("churn", "AllTraffic").unwrap()).unwrap();
    let touched = [Axis::Instances, Axis::Shape, Axis::Bandwidth].map(|axis| matched.rule.touches(axis));
    assert_eq!(touched, expected);
}

#[test]
fn what_was_suspended_under_another_policy_is_read_all_the_same() {
    let policy = Policy::built_in().unwrap();
    let rule = policy.reconcile_only().rule.into_owned();
    assert_eq!(
        (rule.is.native_autoscaling, rule.touches(Axis::Shape), rule.pair),
        (NativeAutoscaling::Suspend, true, None)
    );
}

mod alarms_to_set_up {
    use super::{Limit, refused, rows, rule, taken};

    const PAIR: &str = "pair = { alarm = \"low\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }";

    fn setup(keys: &str, alarms: &[&str]) -> String {
        let alarms =
            alarms.iter().map(|alarm| format!("[[oci.alarm]]\n{alarm}\n")).collect::<Vec<_>>().concat();
        format!(
            "{}\n[oci]\ncompartment = \"ocid1.compartment.oc1..x\"\nfunction = \"ocid1.fnfunc.oc1.iad.x\"\n\
             deployments = [\"ocid1.datasciencemodeldeployment.oc1.iad.x\"]\n{keys}\n{alarms}",
            rule("").replace("\"a\"", "\"*\"")
        )
    }

    fn named(name: &str) -> String {
        setup("", &[&format!("name = \"{name}\"\nmetric = \"CpuUtilization\"")])
    }

    fn metric(metric: &str) -> String {
        setup("", &[&format!("name = \"x\"\nmetric = \"{metric}\"")])
    }

    fn above(metric: &str, above: &str) -> String {
        setup("", &[&format!("name = \"x\"\nmetric = \"{metric}\"\nscale_up_threshold = {above}")])
    }

    fn timed(key: &str, text: &str) -> String {
        setup("", &[&format!("name = \"x\"\nmetric = \"CpuUtilization\"\n{key} = \"{text}\"")])
    }

    fn beside_pair(alarm: &str) -> String {
        alarm.replacen("\n[oci]", &format!("{PAIR}\n[oci]"), 1)
    }

    fn topic(topic: &str) -> String {
        setup(&format!("topic = \"{topic}\""), &[])
    }

    rows![
        Limit,
        name_empty = refused(named(""), "expected 1 to 255 characters in one line"),
        name_of_256 = refused(named(&"n".repeat(256)), "expected 1 to 255 characters in one line"),
        name_of_two_lines = refused(named("a\\nb"), "expected 1 to 255 characters in one line"),
        metric_empty = refused(metric(""), "expected a metric's plain name"),
        metric_of_two_words = refused(metric("Cpu Utilization"), "expected a metric's plain name"),
        metric_misspelt = refused(metric("CpuUtilisation"), "did you mean `CpuUtilization`?"),
        above_zero_percent = refused(above("CpuUtilization", "0"), "expected a number between 0 and 100"),
        above_hundred_percent =
            refused(above("CpuUtilization", "100"), "expected a number between 0 and 100"),
        above_a_fraction = refused(above("CpuUtilization", "0.5"), "did you mean `50`?"),
        above_all_as_a_fraction = refused(above("CpuUtilization", "1"), "did you mean `100`?"),
        above_less_than_zero = refused(above("CpuUtilization", "-5"), "expected a number between 0 and 100"),
        own_too_small = refused(above("Own", "0.0000009"), "from a millionth to a million million"),
        own_too_large = refused(above("Own", "1000000000001"), "from a millionth to a million million"),
        own_too_negative = refused(above("Own", "-1000000000001"), "from a millionth to a million million"),
        own_no_number = refused(above("Own", "nan"), "from a millionth to a million million"),
        window_of_61_minutes = refused(timed("window", "61m"), "expected whole hours above `60m`"),
        window_of_25_hours = refused(timed("window", "25h"), "from `1m` to `24h`"),
        pending_of_61_minutes = refused(timed("pending", "61m"), "from `1m` to `1h`"),
        repeat_above_thirty_days = refused(timed("repeat", "721h"), "from `1m` to `720h`"),
        under_the_pair =
            refused(beside_pair(&above("CpuUtilization", "9.5")), "the paired alarm `low` fires below 10"),
        at_the_pair =
            refused(beside_pair(&above("CpuUtilization", "10")), "the paired alarm `low` fires below 10"),
        // 10 on two instances are 20 on one, and a tenth of the threshold stays free
        would_flap = refused(
            beside_pair(&above("CpuUtilization", "10.5")),
            "10 on 2 instances would be 20 on 1 instance"
        ),
        would_flap_by_a_hair =
            refused(beside_pair(&above("CpuUtilization", "22.2")), "fires above 22.2, less a tenth 19.98"),
        topic_empty = refused(topic(""), "expected 1 to 256 letters"),
        topic_of_257 = refused(topic(&"t".repeat(257)), "expected 1 to 256 letters"),
        topic_of_two_words = refused(topic("a b"), "expected 1 to 256 letters"),
        topic_of_another_kind = refused(topic("ocid1.alarm.oc1..x"), "is not an OCID of that kind"),
        topic_with_a_slash = refused(topic("ocid1.onstopic.oc1..x/y"), "is not an OCID of that kind"),
        name_twice = refused(
            setup(
                "",
                &[
                    "name = \"x\"\nmetric = \"CpuUtilization\"",
                    "name = \"x\"\nmetric = \"MemoryUtilization\"",
                ],
            ),
            "another alarm is called `x`, too"
        ),
        name_of_255 = taken(named(&"n".repeat(255))),
        metric_in_lower_case = taken(metric("memoryutilization")),
        above_one_and_a_half_percent = taken(above("CpuUtilization", "1.5")),
        above_99_5_percent = taken(above("CpuUtilization", "99.5")),
        own_smallest = taken(above("Own", "0.000001")),
        own_most_negative = taken(above("Own", "-1000000000000")),
        own_zero = taken(above("Own", "0")),
        sum_above_hundred = taken(above("CpuUtilization", "150\nstatistic = \"sum\"")),
        clear_of_the_pair = taken(beside_pair(&above("CpuUtilization", "22.3"))),
        another_metric_than_the_pair = taken(beside_pair(&above("MemoryUtilization", "9.5"))),
        window_of_an_hour = taken(timed("window", "60m")),
        window_of_a_day = taken(timed("window", "24h")),
        pending_of_an_hour = taken(timed("pending", "1h")),
        repeat_of_thirty_days = taken(timed("repeat", "720h")),
        topic_of_256 = taken(topic(&"t".repeat(256))),
        topic_ocid = taken(topic("ocid1.onstopic.oc1..x")),
    ];
}

#[test]
fn no_limit_is_tried_twice() {
    let limits = [
        steps::ROWS,
        settings::ROWS,
        pairs::ROWS,
        targets_beside_rules::ROWS,
        schedules::ROWS,
        ladders_and_flexible_shapes::ROWS,
        of_several_the_one_that_is_wrong_is_told::ROWS,
        alarms_to_set_up::ROWS,
    ]
    .concat();
    let texts: BTreeSet<_> = limits.iter().map(|limit| limit().text).collect();
    assert_eq!(texts.len(), limits.len());
}
