//! What else holds a change back: pauses, tags, schedules, targets, counts of changes and costs.

use super::case::{Case, rows};

const UP: &str = "axis = \"instances\"";
const DOWN: &str = "axis = \"instances\"\nstep = -1";

fn up(why: &'static str) -> Case {
    Case::new(why, UP)
}

fn down(why: &'static str) -> Case {
    Case::new(why, DOWN).low("CpuUtilization", 4.0, 10.0)
}

pub(super) fn all() -> Vec<fn() -> Case> {
    [evidence::ROWS, pauses::ROWS, tags::ROWS, targets::ROWS, schedules::ROWS, changes::ROWS, costs::ROWS]
        .concat()
}

mod evidence {
    use stepladder::alarm::{Coverage, EvidenceTime, Transition};
    use stepladder::deployment::Lifecycle;

    use super::{Case, down, rows, up};
    use crate::support::at;

    rows![
        Case,
        cleared = up("it has cleared")
            .with_alarm(|alarm| alarm.transition = Transition::Cleared)
            .gives("not_firing"),
        repeat = up("a repeat counts as much as the first time")
            .with_alarm(|alarm| alarm.transition = Transition::Repeat)
            .gives("3"),
        no_data = up("no data is no reason")
            .with_alarm(|alarm| alarm.transition = Transition::NoData)
            .gives("not_firing"),
        muted = up("its actions are muted").with_alarm(|alarm| alarm.muted = true).gives("muted"),
        busy =
            up("it is being changed").observed(|observed| observed.lifecycle = Lifecycle::Busy).gives("busy"),
        gone = up("it is gone").observed(|observed| observed.lifecycle = Lifecycle::Gone).gives("busy"),
        window_begins_with_the_change = up("the window begins with the change").changed(300).gives("3"),
        window_begins_before_the_change =
            up("the window begins a second before it").changed(299).gives("stale"),
        fired_unreported = up("it does not report when it fired")
            .with_alarm(|alarm| alarm.evidence = EvidenceTime::Unknown)
            .changed(9999)
            .gives("stale"),
        received_without_a_time = up("it repeats without a new time, and its data ends now")
            .with_alarm(|alarm| alarm.evidence = EvidenceTime::OnReceipt)
            .changed(300)
            .gives("3"),
        received_too_soon_after_a_change =
            up("it repeats without a new time, and its data begins before the change")
                .with_alarm(|alarm| alarm.evidence = EvidenceTime::OnReceipt)
                .changed(299)
                .gives("stale"),
        fired_unreported_without_a_change = up("without a change on record it need not")
            .with_alarm(|alarm| alarm.evidence = EvidenceTime::Unknown)
            .gives("3"),
        missing_data_removes_nothing = down("missing data that counts as a breach removes nothing")
            .covered(Coverage::Nothing)
            .gives("no_data"),
        missing_data_may_add =
            up("missing data that counts as a breach may add").covered(Coverage::Nothing).gives("3"),
        partial_data_takes_nothing =
            down("one datapoint of three removes nothing").covered(Coverage::Partial).gives("no_data"),
        partial_data_may_add = up("one datapoint of three may add").covered(Coverage::Partial).gives("3"),
        datapoints_before_the_change = up("the first datapoint is older than the change, by its own moment")
            .with_alarm(|alarm| alarm.measurement.since = Some(at(-420)))
            .changed(400)
            .gives("stale"),
        datapoints_after_the_change = up("the first datapoint is newer than the change")
            .with_alarm(|alarm| alarm.measurement.since = Some(at(-420)))
            .changed(420)
            .gives("3"),
        datapoints_of_the_future = up("a datapoint of the future hides no window")
            .with_alarm(|alarm| alarm.measurement.since = Some(at(9999)))
            .changed(299)
            .gives("stale"),
    ];
}

mod pauses {
    use stepladder::deployment::{Deployment, SuspendedScaling};
    use stepladder::size::Axis;

    use super::{Case, down, rows, up};

    fn by_the_platform(up: bool, down: bool) -> impl FnOnce(&mut Deployment) {
        move |observed| {
            observed.pauses.push(SuspendedScaling {
                axis: Axis::Instances,
                up,
                down,
                by: "the platform".to_owned(),
            });
        }
    }

    rows![
        Case,
        all_pauses_up = up("all is paused").tag("pause", "all").gives("paused"),
        all_pauses_down = down("all is paused, the other way, too").tag("pause", "all").gives("paused"),
        up_pauses_up = up("up is paused").tag("pause", "up").gives("paused"),
        up_leaves_down = down("up is paused, and down is not").tag("pause", "up").gives("1"),
        down_pauses_down = down("down is paused").tag("pause", "down").gives("paused"),
        down_leaves_up = up("down is paused, and up is not").tag("pause", "down").gives("3"),
        until_a_second_from_now =
            up("until a second from now").tag("pause", "all;until=2026-03-02T12:00:01Z").gives("paused"),
        until_now = up("until now: it is over").tag("pause", "all;until=2026-03-02T12:00:00Z").gives("3"),
        as_aws_writes_it =
            up("as AWS lets a tag be written").tag("pause", "all until=2026-03-02T12:30:00Z").gives("paused"),
        in_another_zone = up("in another zone's time: half past twelve")
            .tag("pause", "all until=2026-03-02T13:30:00+01:00")
            .gives("paused"),
        unreadable = up("a pause that cannot be read: nobody knows what it stops")
            .tag("pause", "until tomorrow")
            .gives("unreadable_tag"),
        shape_as_well =
            Case::new("a shape is paused as well", "axis = \"shape\"").tag("pause", "up").gives("paused"),
        platform_suspends_out = up("the platform has suspended scaling out")
            .observed(by_the_platform(true, false))
            .gives("paused"),
        platform_suspends_out_not_in = down("the platform has suspended scaling out, not in")
            .observed(by_the_platform(true, false))
            .gives("1"),
        platform_suspends_in = down("the platform has suspended scaling in")
            .observed(by_the_platform(false, true))
            .gives("paused"),
        platform_suspends_the_count_alone =
            Case::new("the platform suspends the count, not the shape", "axis = \"shape\"")
                .observed(by_the_platform(true, true))
                .gives("VM.Standard2.4"),
    ];
}

mod tags {
    use super::{Case, down, rows, up};

    rows![
        Case,
        ceiling = up("a ceiling of its own").tag("max", "2").gives("at_ceiling"),
        floor = down("a floor of its own").tag("min", "2").gives("at_floor"),
        higher_ceiling = up("a higher ceiling than the policy's lifts nothing")
            .count(10)
            .tag("max", "12")
            .gives("at_ceiling"),
        floor_above_the_ceiling_of_the_policy =
            up("a floor above the policy's ceiling goes no further than that").tag("min", "900").gives("10"),
        nothing_is_taken_under_such_a_floor = down("a floor above the policy's ceiling keeps what there is")
            .tag("min", "900")
            .gives("at_floor"),
        floor_below_that_of_the_rule = down("a lower floor than the policy's lowers nothing")
            .policy("[[target]]\ntarget = \"*\"\ninstances = { min = 2, max = 9 }\n")
            .tag("min", "1")
            .gives("at_floor"),
        evidence_when_fired = up("evidence of which only the end is newer is as stale as the policy defines")
            .changed(1)
            .tag("evidence", "fired")
            .gives("stale"),
        evidence_of_the_window = up("the whole window, where the policy requires its end")
            .policy("[[target]]\ntarget = \"*\"\nevidence = \"fired\"\n")
            .changed(1)
            .tag("evidence", "window")
            .gives("stale"),
        shorter_wait = up("a shorter wait than the policy's")
            .policy("[[target]]\ntarget = \"*\"\ncooldown = { up = \"10m\" }\n")
            .changed(400)
            .tag("cooldown-up", "0s")
            .gives("cooling_down"),
        higher_spend_ceiling = up("a higher spend ceiling than the policy's")
            .policy("[[target]]\ntarget = \"*\"\nmax_hourly_cost = 0.3\n")
            .tag("max-hourly-cost", "1000000000")
            .gives("over_budget"),
        more_changes_per_hour = up("more often than the policy allows")
            .policy("[[target]]\ntarget = \"*\"\nmax_changes_per_hour = 1\n")
            .tag("max-changes-per-hour", "12")
            .remembers(&[(60, "i+1")])
            .gives("too_many_changes"),
        longer_wait = up("a longer wait").changed(400).tag("cooldown-up", "10m").gives("cooling_down"),
        longer_wait_down = down("a longer wait on the way down")
            .changed(400)
            .tag("cooldown-down", "10m")
            .gives("cooling_down"),
        spend_ceiling = up("a spend ceiling of its own").tag("max-hourly-cost", "0.3").gives("over_budget"),
        changes_per_hour = up("as often as it allows")
            .tag("max-changes-per-hour", "1")
            .remembers(&[(60, "i+1")])
            .gives("too_many_changes"),
        nearly_one_of_ours =
            up("a tag whose name is nearly one of stepladder's").tag("maxx", "2").gives("unreadable_tag"),
        no_number = up("a number that is none").tag("max", "two").gives("unreadable_tag"),
        floor_above_ceiling =
            up("a floor above the ceiling").tag("min", "5").tag("max", "3").gives("unreadable_tag"),
        unknown = up("a tag under our prefix that there is none of")
            .tag("owner", "churn team")
            .gives("unreadable_tag"),
    ];
}

mod targets {
    use super::super::case::rule;
    use super::{Case, UP, rows, up};

    fn own(glob: &str, keys: &str) -> String {
        format!("[[target]]\ntarget = \"{glob}\"\n{keys}\n")
    }

    rows![
        Case,
        before_the_rule = up("what a target has for itself goes before the rule")
            .policy(&own("*churn", "instances = { min = 1, max = 2 }"))
            .gives("at_ceiling"),
        another_target = up("another target's is nothing to this one")
            .policy(&own("*fraud", "instances = { min = 1, max = 2 }"))
            .gives("3"),
        first_counts = up("the first that sets it counts")
            .policy(
                &(own("*churn", "instances = { min = 1, max = 9 }")
                    + &own("*", "instances = { min = 1, max = 2 }")),
            )
            .gives("3"),
        second_fills_in = up("what the first leaves open the second may set")
            .policy(
                &(own("*churn", "scale_up_threshold = 70") + &own("*", "instances = { min = 1, max = 2 }")),
            )
            .gives("at_ceiling"),
        tag_lifts_nothing_of_it = up("a tag lifts nothing of it")
            .policy(&own("*", "instances = { min = 1, max = 2 }"))
            .tag("max", "5")
            .gives("at_ceiling"),
        rule_before_the_defaults = up("the rule goes before the defaults")
            .only(&format!(
                "[defaults]\ninstances = {{ min = 1, max = 2 }}\n{}",
                rule("axis = \"instances\"\ninstances = { min = 1, max = 5 }")
            ))
            .gives("3"),
        defaults_where_the_rule_is_silent = up("the defaults, where the rule sets nothing")
            .only(&format!("[defaults]\ninstances = {{ min = 1, max = 2 }}\n{}", rule(UP)))
            .gives("at_ceiling"),
    ];
}

mod schedules {
    use super::{Case, down, rows, up};

    const OFFICE: &str = "[[schedule]]\ncron = \"0 8 * * MON-FRI\"\nzone = \"Europe/Berlin\"\nfor = \"10h\"\nmin = 4\nmax = 6\n";

    rows![
        Case,
        floor_rises_at_eight = up("at eight the floor rises, and one more is four")
            .policy(OFFICE)
            .now("2026-01-15T07:00:00Z")
            .gives("4"),
        second_before_eight =
            up("a second before, it has not").policy(OFFICE).now("2026-01-15T06:59:59Z").gives("3"),
        over_at_six =
            up("at six in the evening it is over").policy(OFFICE).now("2026-01-15T17:00:00Z").gives("3"),
        summer_time =
            up("in summer eight is an hour earlier").policy(OFFICE).now("2026-07-15T06:00:00Z").gives("4"),
        saturday = up("on a Saturday nothing is").policy(OFFICE).now("2026-01-17T10:00:00Z").gives("3"),
        ceiling = up("its ceiling holds, too")
            .policy(OFFICE)
            .count(6)
            .now("2026-01-15T10:00:00Z")
            .gives("at_ceiling"),
        floor = down("and so does its floor")
            .policy(OFFICE)
            .count(4)
            .now("2026-01-15T10:00:00Z")
            .gives("at_floor"),
        over_and_may_go = down("when it is over what it kept may go")
            .policy(OFFICE)
            .count(4)
            .now("2026-01-15T18:00:00Z")
            .gives("3"),
        other_targets = up("a schedule for other targets")
            .policy(&format!("{OFFICE}target = \"endpoint/*\"\n"))
            .now("2026-01-15T07:00:00Z")
            .gives("3"),
        first_of_two = up("the first of two goes before the other")
            .policy(&format!("[[schedule]]\ncron = \"0 0 * * *\"\nfor = \"24h\"\nmin = 3\nmax = 9\n{OFFICE}"))
            .now("2026-01-15T10:00:00Z")
            .gives("3"),
        floor_alone = up("a floor alone leaves the ceiling as it was")
            .policy("[[schedule]]\ncron = \"0 0 * * *\"\nfor = \"24h\"\nmin = 5\n")
            .count(9)
            .gives("10"),
    ];
}

mod changes {
    use super::{Case, rows};

    fn twice(why: &'static str) -> Case {
        Case::new(why, "axis = \"instances\"\nmax_changes_per_hour = 2")
    }

    rows![
        Case,
        none_yet = twice("no change yet").gives("3"),
        one = twice("one change").remembers(&[(600, "i+1")]).gives("3"),
        two = twice("two changes").remembers(&[(600, "i+1"), (300, "i-1")]).gives("too_many_changes"),
        one_of_two_an_hour_old = twice("two changes, of which one is an hour old")
            .remembers(&[(3600, "i+1"), (300, "i-1")])
            .gives("3"),
        one_of_two_a_second_less =
            twice("and a second less").remembers(&[(3599, "i+1"), (300, "i-1")]).gives("too_many_changes"),
        every_axis_counts = twice("changes along every axis count")
            .remembers(&[(600, "s+1"), (300, "b-1")])
            .gives("too_many_changes"),
        down_counts = Case::new(
            "the way down is counted, too",
            "axis = \"instances\"\nstep = -1\nmax_changes_per_hour = 1",
        )
        .low("CpuUtilization", 4.0, 10.0)
        .remembers(&[(600, "i+1")])
        .gives("too_many_changes"),
    ];
}

mod costs {
    use super::{Case, DOWN, UP, rows};

    fn within(why: &'static str, keys: &str, most: f64) -> Case {
        Case::new(why, &format!("{keys}\nmax_hourly_cost = {most}"))
    }

    /// Two instances of one accelerator each, whose memory is full.
    fn on_g5(why: &'static str, keys: &str, most: f64) -> Case {
        within(why, &format!("axis = \"shape\"\n{keys}"), most).variant(2, "ml.g5.2xlarge").high(
            "GPUMemoryUtilization",
            97.0,
            90.0,
        )
    }

    rows![
        Case,
        three_for_just_enough = within("three of them cost 0.3828", UP, 0.3828).gives("3"),
        three_for_too_little = within("a little less does not pay for three", UP, 0.38).gives("over_budget"),
        four_more_are_cut_to_two =
            within("four more are too many, two more are not", "axis = \"instances\"\nstep = 4", 0.52)
                .gives("4"),
        next_shape =
            within("two of the next shape cost 0.5104", "axis = \"shape\"", 0.52).gives("VM.Standard2.4"),
        next_shape_is_too_much = within("and are too much", "axis = \"shape\"", 0.5).gives("over_budget"),
        three_rungs_are_cut_to_one =
            within("three rungs are too many, one is not", "axis = \"shape\"\nstep = 3", 0.6)
                .gives("VM.Standard2.4"),
        rungs_without_more_accelerator_memory =
            on_g5("12xlarge costs 14.18, and 4xlarge has no more accelerator memory", "", 12.0)
                .gives("over_budget"),
        rungs_without_more_accelerators =
            on_g5("nor more accelerators", "", 12.0).high("GPUUtilization", 97.0, 90.0).gives("over_budget"),
        rungs_with_more_memory = on_g5("4xlarge has more memory, and 8xlarge costs 6.12", "step = 4", 5.0)
            .high("MemoryUtilization", 97.0, 90.0)
            .gives("ml.g5.4xlarge"),
        cheapest_of_rungs_with_as_much =
            on_g5("48xlarge costs 40.72, and 24xlarge has no more than 12xlarge", "step = 2", 30.0)
                .gives("ml.g5.12xlarge"),
        tracked_without_more =
            on_g5("36 GiB are needed, and only 12xlarge has more", "track = 60", 12.0).gives("over_budget"),
        tracked_with_some_more =
            on_g5("108 GiB are needed: 12xlarge has most of what can be paid", "track = 20", 30.0)
                .gives("ml.g5.12xlarge"),
        unknown_resource =
            on_g5("a latency does not say what is short: the largest that can be paid", "step = 4", 8.0)
                .high("ModelLatency", 97.0, 90.0)
                .gives("ml.g5.8xlarge"),
        may_go_down = within("what costs too much already may go down", DOWN, 0.01)
            .low("CpuUtilization", 4.0, 10.0)
            .gives("1"),
        bandwidth_has_no_price = within("a bandwidth has no price here", "axis = \"bandwidth\"", 0.01)
            .bandwidth(10)
            .gives("20 Mbps"),
        shape_without_a_price = within("a shape without a price: nobody knows", UP, 100.0)
            .shape("VM.Standard3.Flex:2:32")
            .gives("over_budget"),
        flexible_shape = within(
            "a flexible shape is priced by cores and memory: 3 × (2 × 0.025 + 32 × 0.0015)",
            UP,
            0.295
        )
        .shape("VM.Standard.E4.Flex:2:32")
        .gives("3"),
        flexible_shape_is_too_much =
            within("and that is 0.294", UP, 0.293).shape("VM.Standard.E4.Flex:2:32").gives("over_budget"),
    ];
}
