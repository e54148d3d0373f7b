//! Schedules: the hour that clocks repeat, and the tick that brings a count to its scheduled minimum.

use jiff::Timestamp;
use rstest::rstest;
use stepladder::alarm::Transition;
use stepladder::outcome::Outcome;
use stepladder::platform::oci::id;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::policy::Policy;

use crate::support::{
    self, CHURN, CPU_PAIR, HIGH_CPU, LOW_CPU, Notice, TICK, VARIANT, answer, at, cloud, cloud_with, heading,
    on, pairs, policy, reason, send, size,
};

/// The reason for which a scale-down alarm removes nothing while a schedule keeps three instances, or `resize`.
fn low_alarm_at(now: &str, cron: &str, zone: &str, lasts: &str) -> &'static str {
    let text = format!("[[schedule]]\ncron = \"{cron}\"\nzone = \"{zone}\"\nfor = \"{lasts}\"\nmin = 3\n");
    let now: Timestamp = now.parse().unwrap();
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.1");
    reason(&send(&Notice::new(LOW_CPU, CHURN).at(now), &cloud, &policy(&text)))
}

#[rstest]
// Clocks in Berlin show 02:00 to 03:00 twice: at 00:00 and at 01:00 by UTC.
#[case::every_quarter("*/15 * * * *", "10m", "2026-10-25T01:01:05Z", "at_floor")]
#[case::first_of_them("*/15 * * * *", "10m", "2026-10-25T00:01:05Z", "at_floor")]
#[case::between_quarters("*/15 * * * *", "10m", "2026-10-25T01:11:05Z", "resize")]
#[case::every_hour("0 * * * *", "30m", "2026-10-25T01:05:05Z", "at_floor")]
#[case::every_hour_as_a_range("0 0-23 * * *", "30m", "2026-10-25T01:05:05Z", "at_floor")]
#[case::every_hour_as_a_list(
    "0 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23 * * *",
    "30m",
    "2026-10-25T01:05:05Z",
    "at_floor"
)]
#[case::every_second_hour("0 */2 * * *", "30m", "2026-10-25T01:05:05Z", "at_floor")]
#[case::every_minute("* * * * *", "1m", "2026-10-25T01:30:30Z", "at_floor")]
// An hour that is named begins once, with the first of the two.
#[case::named_hour("0 2 * * *", "30m", "2026-10-25T00:05:05Z", "at_floor")]
#[case::named_hour_again("0 2 * * *", "30m", "2026-10-25T01:05:05Z", "resize")]
#[case::quarters_of_a_named_hour("*/15 2 * * *", "10m", "2026-10-25T01:01:05Z", "resize")]
#[case::hours_of_a_range("0 1-5 * * *", "30m", "2026-10-25T01:05:05Z", "resize")]
// In spring 02:00 to 03:00 is skipped, at 01:00 by UTC: what would begin then begins as much later.
#[case::skipped_quarter("*/15 * * * *", "10m", "2026-03-29T01:01:05Z", "at_floor")]
#[case::skipped_hour("0 * * * *", "30m", "2026-03-29T01:05:05Z", "at_floor")]
#[case::after_the_skipped_hour("0 * * * *", "30m", "2026-03-29T01:35:05Z", "resize")]
#[case::every_second_hour_in_spring("0 */2 * * *", "30m", "2026-03-29T01:05:05Z", "at_floor")]
#[case::named_hour_in_spring("0 2 * * *", "30m", "2026-03-29T01:05:05Z", "at_floor")]
fn a_repeated_hour_is_one_hour_more_where_every_hour_is_meant(
    #[case] cron: &str,
    #[case] lasts: &str,
    #[case] now: &str,
    #[case] expected: &str,
) {
    assert_eq!(low_alarm_at(now, cron, "Europe/Berlin", lasts), expected);
}

#[rstest]
// New York, an hour; Lord Howe, half an hour; Havana, from one to midnight.
#[case::new_york("America/New_York", "0 * * * *", "2026-11-01T06:05:05Z", "at_floor")]
#[case::new_york_named("America/New_York", "0 1 * * *", "2026-11-01T06:05:05Z", "resize")]
#[case::lord_howe("Australia/Lord_Howe", "*/15 * * * *", "2026-04-04T15:01:05Z", "at_floor")]
#[case::lord_howe_named("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T15:16:05Z", "resize")]
#[case::havana("America/Havana", "0 * * * *", "2026-11-01T05:05:05Z", "at_floor")]
fn zones_repeat_what_they_repeat(
    #[case] zone: &str,
    #[case] cron: &str,
    #[case] now: &str,
    #[case] expected: &str,
) {
    assert_eq!(low_alarm_at(now, cron, zone, "10m"), expected);
}

// ---- the minimum at its time ----

/// Three instances at least, from the beginning of every story on.
fn keeping_three(target: &str) -> Policy {
    let text = format!("[[schedule]]\ncron = \"0 12 * * *\"\nfor = \"1h\"\nmin = 3\ntarget = \"{target}\"\n");
    policy(&text)
}

fn tick(cloud: &SimulatedCloud, policy: &Policy, now: Timestamp) -> Vec<Outcome> {
    answer(TICK, cloud, policy, now).outcomes
}

/// With a topic for the pair, as a function has it.
fn with_action(mut policy: Policy, target: &str) -> Policy {
    let topic = if target == CHURN { support::TOPIC_OCID } else { support::TOPIC_ARN };
    policy.alarm_action = Some(topic.to_owned());
    policy
}

#[rstest]
#[case::oci(CHURN)]
#[case::sagemaker(VARIANT)]
fn a_tick_brings_a_count_to_the_scheduled_minimum(#[case] target: &str) {
    let (cloud, policy) = (cloud(), with_action(keeping_three(target), target));
    assert!(tick(&cloud, &policy, at(-60)).is_empty(), "before its time");
    let outcomes = tick(&cloud, &policy, at(0));
    assert_eq!(outcomes.iter().map(reason).collect::<Vec<_>>(), ["resize"], "{outcomes:?}");
    assert_eq!(heading(&cloud, target).instances, 3);
    // What it adds has a pair that removes it after its end.
    assert_eq!(pairs(&cloud.snapshot(), target, CPU_PAIR).len(), 1);
    support::pass(&cloud, 10);
    let reasons: Vec<_> = tick(&cloud, &policy, at(600)).iter().map(reason).collect();
    assert!(!reasons.contains(&"resize"), "{reasons:?}");
    assert_eq!(size(&cloud, target).instances, 3);
}

#[rstest]
#[case::paused("stepladder:pause", "all", "paused")]
#[case::observed("stepladder:mode", "observe", "resize")]
#[case::unreadable("stepladder-pause", "all", "unreadable_tag")]
fn a_scheduled_minimum_passes_every_guard(#[case] tag: &str, #[case] value: &str, #[case] expected: &str) {
    let (cloud, policy) = (cloud(), with_action(keeping_three(CHURN), CHURN));
    on(&cloud, CHURN, |found| found.tags.insert(tag.to_owned(), value.to_owned()));
    let outcomes = tick(&cloud, &policy, at(0));
    assert_eq!(outcomes.iter().map(reason).collect::<Vec<_>>(), [expected]);
    assert_eq!(heading(&cloud, CHURN).instances, 1);
}

#[test]
fn a_tick_reads_nothing_of_what_the_policy_leaves_out() {
    let cloud = cloud();
    let glob = keeping_three("*churn");
    assert!(tick(&cloud, &glob, at(0)).is_empty(), "a glob names no deployment");
    let text = format!(
        "targets = [\"endpoint/*\"]\n{}",
        "[[schedule]]\ncron = \"0 12 * * *\"\nfor = \"1h\"\nmin = 3\n"
    );
    let left_out = policy(&format!("{text}target = \"{CHURN}\"\n"));
    assert!(tick(&cloud, &left_out, at(0)).is_empty());
    let only_fewer = policy(&format!(
        "[[schedule]]\ncron = \"0 12 * * *\"\nfor = \"1h\"\nmax = 3\ntarget = \"{CHURN}\"\n"
    ));
    assert!(tick(&cloud, &only_fewer, at(0)).is_empty());
}

/// The message of the alarm that `stepladder provision` sets up where there is no tick.
fn message(cloud: &SimulatedCloud, policy: &Policy, transition: Transition, now: Timestamp) -> Outcome {
    send(
        &Notice::new("stepladder_schedule", CHURN).with_transition(transition).at(now).value(12.0),
        cloud,
        policy,
    )
}

#[test]
fn the_alarm_that_repeats_brings_it_there_as_well() {
    let (cloud, policy) = (cloud(), with_action(keeping_three("*"), CHURN));
    assert_eq!(reason(&message(&cloud, &policy, Transition::Firing, at(-600))), "on_target");
    assert_eq!(reason(&message(&cloud, &policy, Transition::Repeat, at(300))), "resize");
    assert_eq!(heading(&cloud, CHURN).instances, 3);
    support::pass(&cloud, 20);
    assert_eq!(reason(&message(&cloud, &policy, Transition::Repeat, at(1500))), "on_target");
    // A cleared one requests nothing.
    assert_eq!(reason(&message(&cloud, &policy, Transition::Cleared, at(1600))), "not_firing");
    // After the hour it removes nothing: that is what the pair is for.
    assert_eq!(reason(&message(&cloud, &policy, Transition::Repeat, at(7200))), "on_target");
    assert_eq!(size(&cloud, CHURN).instances, 3);
}

#[test]
fn no_rule_of_ones_own_answers_the_alarm_of_schedules() {
    let text = "[[rule]]\nalarm = \"*\"\naxis = \"instances\"\nstep = 5\n";
    let (cloud, policy) = (cloud(), policy(text));
    assert_eq!(reason(&message(&cloud, &policy, Transition::Firing, at(0))), "on_target");
    assert_eq!(reason(&send(&Notice::new(HIGH_CPU, CHURN), &cloud, &policy)), "resize");
    assert!(
        id::model_deployment(CHURN)
            .is_some_and(|target| policy.rule_for("stepladder_schedule", &target).is_some())
    );
}
