//! What else holds a change back: pauses, tags, schedules, targets, counts of changes and costs.

use stepladder::alarm::{EvidenceTime, Transition};
use stepladder::deployment::{Lifecycle, SuspendedScaling};

use super::case::{Case, rule};
use stepladder::size::Axis;

const UP: &str = "axis = \"instances\"";
const DOWN: &str = "axis = \"instances\"\nstep = -1";

fn up(why: &'static str) -> Case {
    Case::new(why, UP)
}

fn down(why: &'static str) -> Case {
    Case::new(why, DOWN).low("CpuUtilization", 4.0, 10.0)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = evidence();
    cases.extend(pauses());
    cases.extend(tags());
    cases.extend(targets());
    cases.extend(schedules());
    cases.extend(changes());
    cases.extend(costs());
    cases
}

fn evidence() -> Vec<Case> {
    vec![
        up("it has cleared").told(|alarm| alarm.transition = Transition::Cleared).gives("not_firing"),
        up("a repeat counts as much as the first time")
            .told(|alarm| alarm.transition = Transition::Repeat)
            .gives("3"),
        up("no data is no reason").told(|alarm| alarm.transition = Transition::NoData).gives("not_firing"),
        up("its actions are muted").told(|alarm| alarm.muted = true).gives("muted"),
        up("it is being changed").seen(|seen| seen.lifecycle = Lifecycle::Busy).gives("busy"),
        up("it is gone").seen(|seen| seen.lifecycle = Lifecycle::Gone).gives("busy"),
        up("the window begins with the change").changed(300).gives("3"),
        up("the window begins a second before it").changed(299).gives("stale"),
        up("it does not say when it fired")
            .told(|alarm| alarm.evidence = EvidenceTime::Unknown)
            .changed(9999)
            .gives("stale"),
        up("without a change on record it need not")
            .told(|alarm| alarm.evidence = EvidenceTime::Unknown)
            .gives("3"),
        down("missing data that counts as a breach takes nothing")
            .told(|alarm| alarm.measurement.missing = true)
            .gives("no_data"),
        up("missing data that counts as a breach may add")
            .told(|alarm| alarm.measurement.missing = true)
            .gives("3"),
    ]
}

fn pauses() -> Vec<Case> {
    let by_the_platform = |up, down| {
        move |seen: &mut stepladder::deployment::Deployment| {
            seen.pauses.push(SuspendedScaling {
                axis: Axis::Instances,
                up,
                down,
                by: "the platform".to_owned(),
            });
        }
    };
    vec![
        up("all is paused").tag("pause", "all").gives("paused"),
        down("all is paused, the other way, too").tag("pause", "all").gives("paused"),
        up("up is paused").tag("pause", "up").gives("paused"),
        down("up is paused, and down is not").tag("pause", "up").gives("1"),
        down("down is paused").tag("pause", "down").gives("paused"),
        up("down is paused, and up is not").tag("pause", "down").gives("3"),
        up("until a second from now").tag("pause", "all;until=2026-03-02T12:00:01Z").gives("paused"),
        up("until now: it is over").tag("pause", "all;until=2026-03-02T12:00:00Z").gives("3"),
        up("as AWS lets a tag be written").tag("pause", "all until=2026-03-02T12:30:00Z").gives("paused"),
        up("in another zone's time: half past twelve")
            .tag("pause", "all until=2026-03-02T13:30:00+01:00")
            .gives("paused"),
        up("a pause that cannot be read: nobody knows what it stops")
            .tag("pause", "until tomorrow")
            .gives("unreadable_tag"),
        Case::new("a shape is paused as well", "axis = \"shape\"").tag("pause", "up").gives("paused"),
        up("the platform has suspended scaling out").seen(by_the_platform(true, false)).gives("paused"),
        down("the platform has suspended scaling out, not in").seen(by_the_platform(true, false)).gives("1"),
        down("the platform has suspended scaling in").seen(by_the_platform(false, true)).gives("paused"),
        Case::new("the platform suspends the count, not the shape", "axis = \"shape\"")
            .seen(by_the_platform(true, true))
            .gives("VM.Standard2.4"),
    ]
}

fn tags() -> Vec<Case> {
    vec![
        up("a ceiling of its own").tag("max", "2").gives("at_ceiling"),
        down("a floor of its own").tag("min", "2").gives("at_floor"),
        up("a higher ceiling than the policy's").count(10).tag("max", "12").gives("11"),
        up("evidence need only be newer when it fired").changed(1).tag("evidence", "fired").gives("3"),
        up("a longer wait").changed(400).tag("cooldown-up", "10m").gives("cooling_down"),
        down("a longer wait on the way down").changed(400).tag("cooldown-down", "10m").gives("cooling_down"),
        up("a spend ceiling of its own").tag("max-hourly-cost", "0.3").gives("over_budget"),
        up("as often as it says")
            .tag("max-changes-per-hour", "1")
            .remembers(&[(60, "i+1")])
            .gives("too_many_changes"),
        up("a tag nearly called like one of ours").tag("maxx", "2").gives("unreadable_tag"),
        up("a number that is none").tag("max", "two").gives("unreadable_tag"),
        up("a floor above the ceiling").tag("min", "5").tag("max", "3").gives("unreadable_tag"),
        up("a tag of somebody's own").tag("owner", "churn team").gives("3"),
    ]
}

fn targets() -> Vec<Case> {
    let own = |glob: &str, keys: &str| format!("[[target]]\ntarget = \"{glob}\"\n{keys}\n");
    vec![
        up("what a target has for itself goes before the rule")
            .policy(&own("*churn", "instances = { min = 1, max = 2 }"))
            .gives("at_ceiling"),
        up("another target's is nothing to this one")
            .policy(&own("*fraud", "instances = { min = 1, max = 2 }"))
            .gives("3"),
        up("the first that says something counts")
            .policy(
                &(own("*churn", "instances = { min = 1, max = 9 }")
                    + &own("*", "instances = { min = 1, max = 2 }")),
            )
            .gives("3"),
        up("what the first leaves open the second may say")
            .policy(
                &(own("*churn", "scale_up_threshold = 70") + &own("*", "instances = { min = 1, max = 2 }")),
            )
            .gives("at_ceiling"),
        up("a tag goes before it")
            .policy(&own("*", "instances = { min = 1, max = 2 }"))
            .tag("max", "5")
            .gives("3"),
        up("the rule goes before the defaults")
            .only(&format!(
                "[defaults]\ninstances = {{ min = 1, max = 2 }}\n{}",
                rule("axis = \"instances\"\ninstances = { min = 1, max = 5 }")
            ))
            .gives("3"),
        up("the defaults, where the rule says nothing")
            .only(&format!("[defaults]\ninstances = {{ min = 1, max = 2 }}\n{}", rule(UP)))
            .gives("at_ceiling"),
    ]
}

fn schedules() -> Vec<Case> {
    let office = "[[schedule]]\ncron = \"0 8 * * MON-FRI\"\nzone = \"Europe/Berlin\"\nfor = \"10h\"\nmin = 4\nmax = 6\n";
    vec![
        up("at eight the floor rises, and one more is four")
            .policy(office)
            .now("2026-01-15T07:00:00Z")
            .gives("4"),
        up("a second before, it has not").policy(office).now("2026-01-15T06:59:59Z").gives("3"),
        up("at six in the evening it is over").policy(office).now("2026-01-15T17:00:00Z").gives("3"),
        up("in summer eight is an hour earlier").policy(office).now("2026-07-15T06:00:00Z").gives("4"),
        up("on a Saturday nothing is").policy(office).now("2026-01-17T10:00:00Z").gives("3"),
        up("its ceiling holds, too").policy(office).count(6).now("2026-01-15T10:00:00Z").gives("at_ceiling"),
        down("and so does its floor").policy(office).count(4).now("2026-01-15T10:00:00Z").gives("at_floor"),
        down("when it is over what it kept may go")
            .policy(office)
            .count(4)
            .now("2026-01-15T18:00:00Z")
            .gives("3"),
        up("a schedule for other targets")
            .policy(&format!("{office}target = \"endpoint/*\"\n"))
            .now("2026-01-15T07:00:00Z")
            .gives("3"),
        up("the first of two goes before the other")
            .policy(&format!("[[schedule]]\ncron = \"0 0 * * *\"\nfor = \"24h\"\nmin = 3\nmax = 9\n{office}"))
            .now("2026-01-15T10:00:00Z")
            .gives("3"),
        up("a floor alone leaves the ceiling as it was")
            .policy("[[schedule]]\ncron = \"0 0 * * *\"\nfor = \"24h\"\nmin = 5\n")
            .count(9)
            .gives("10"),
    ]
}

fn changes() -> Vec<Case> {
    let twice = |why| Case::new(why, "axis = \"instances\"\nmax_changes_per_hour = 2");
    vec![
        twice("no change yet").gives("3"),
        twice("one change").remembers(&[(600, "i+1")]).gives("3"),
        twice("two changes").remembers(&[(600, "i+1"), (300, "i-1")]).gives("too_many_changes"),
        twice("two changes, of which one is an hour old")
            .remembers(&[(3600, "i+1"), (300, "i-1")])
            .gives("3"),
        twice("and a second less").remembers(&[(3599, "i+1"), (300, "i-1")]).gives("too_many_changes"),
        twice("changes along every axis count")
            .remembers(&[(600, "s+1"), (300, "b-1")])
            .gives("too_many_changes"),
        Case::new(
            "the way down is counted, too",
            "axis = \"instances\"\nstep = -1\nmax_changes_per_hour = 1",
        )
        .low("CpuUtilization", 4.0, 10.0)
        .remembers(&[(600, "i+1")])
        .gives("too_many_changes"),
    ]
}

fn costs() -> Vec<Case> {
    let within = |why, keys: &str, most: f64| Case::new(why, &format!("{keys}\nmax_hourly_cost = {most}"));
    vec![
        within("three of them cost 0.3828", UP, 0.3828).gives("3"),
        within("a little less does not pay for three", UP, 0.38).gives("over_budget"),
        within("four more are too many, two more are not", "axis = \"instances\"\nstep = 4", 0.52).gives("4"),
        within("two of the next shape cost 0.5104", "axis = \"shape\"", 0.52).gives("VM.Standard2.4"),
        within("and are too much", "axis = \"shape\"", 0.5).gives("over_budget"),
        within("three rungs are too many, one is not", "axis = \"shape\"\nstep = 3", 0.6)
            .gives("VM.Standard2.4"),
        within("what costs too much already may go down", DOWN, 0.01)
            .low("CpuUtilization", 4.0, 10.0)
            .gives("1"),
        within("a bandwidth has no price here", "axis = \"bandwidth\"", 0.01).bandwidth(10).gives("20 Mbps"),
        within("a shape without a price: nobody knows", UP, 100.0)
            .shape("VM.Standard3.Flex:2:32")
            .gives("over_budget"),
        within("a flexible shape is priced by cores and memory: 3 × (2 × 0.025 + 32 × 0.0015)", UP, 0.295)
            .shape("VM.Standard.E4.Flex:2:32")
            .gives("3"),
        within("and that is 0.294", UP, 0.293).shape("VM.Standard.E4.Flex:2:32").gives("over_budget"),
    ]
}
