//! Cooldowns, and the credit of what was added since one began.
//!
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>: a larger step during
//! a scale-out cooldown adds what it is larger by.

use super::case::{Case, rows};

/// One more up to ten beyond, two more from there on; five minutes of cooldown; evidence counts as soon as it fires.
const VECTORS: &str = "axis = \"instances\"\nevidence = \"fired\"\ncooldown = { up = \"300s\", down = \"300s\" }\n\
                       steps = [{ above = 0, below = 10, add = 1 }, { above = 10, add = 2 }]";

fn vector(why: &'static str, value: f64, running: u32) -> Case {
    Case::new(why, VECTORS).count(running).high("CpuUtilization", value, 50.0)
}

fn plain(why: &'static str, keys: &str) -> Case {
    Case::new(why, &format!("axis = \"instances\"\nevidence = \"fired\"\n{keys}")).count(4)
}

pub(super) fn all() -> Vec<fn() -> Case> {
    [aws_vectors::ROWS, credit::ROWS, directions::ROWS, records::ROWS].concat()
}

/// Times of the vectors that were recorded of the service: one is added at 0 and there at 20, another at 21 and there at 30.
mod aws_vectors {
    use super::{Case, rows, vector};

    rows![
        Case,
        first_step_at_0 = vector("t=0: 55 is 5 beyond, one more", 55.0, 1).gives("2"),
        not_there_yet_at_10 = vector("t=10: the first is not there yet", 55.0, 1)
            .observed(|observed| observed.lifecycle = stepladder::deployment::Lifecycle::Busy)
            .gives("busy"),
        one_of_two_added_at_21 =
            vector("t=21: 65 requests two, and one of them was added a second ago", 65.0, 2)
                .changed(1)
                .remembers(&[(21, "i+1")])
                .gives("3"),
        both_added_at_31 = vector("t=31: 65 requests two, and both were added", 65.0, 3)
            .changed(1)
            .remembers(&[(31, "i+1"), (10, "i+2")])
            .gives("cooling_down"),
        both_added_at_32 = vector("t=32: the same a second later", 65.0, 3)
            .changed(2)
            .remembers(&[(32, "i+1"), (11, "i+2")])
            .gives("cooling_down"),
        last_second_at_329 = vector("t=329: a second before the cooldown is over", 65.0, 3)
            .changed(299)
            .remembers(&[(329, "i+1"), (308, "i+2")])
            .gives("cooling_down"),
        over_at_330 =
            vector("t=330: the cooldown is over at its last second, and all of it is added", 65.0, 3)
                .changed(300)
                .remembers(&[(330, "i+1"), (309, "i+2")])
                .gives("5"),
    ];
}

mod credit {
    use super::{Case, plain, rows};

    const UP: &str = "cooldown = { up = \"10m\" }";

    rows![
Case,
one_of_one_added = plain("a step of one, and one was added: nothing more", &format!("{UP}\nstep = 1"))
            .changed(60)
            .remembers(&[(120, "i+1")])
            .gives("cooling_down"),
one_of_three_added = plain("a step of three, and one was added: two more", &format!("{UP}\nstep = 3"))
            .changed(60)
            .remembers(&[(120, "i+1")])
            .gives("6"),
nobody_remembers = plain("nobody remembers what was added: all of it may have been", &format!("{UP}\nstep = 3"))
            .changed(60)
            .gives("cooling_down"),
shape_was_changed_last = plain("a shape was changed last, no count: nothing is credited", &format!("{UP}\nstep = 3"))
            .changed(60)
            .remembers(&[(120, "s+1")])
            .gives("cooling_down"),
removed_last = plain("a removal does not delay the next step out", &format!("{UP}\nstep = 3"))
            .changed(60)
            .remembers(&[(120, "i-1")])
            .gives("7"),
tracked_metric_waits = plain("a metric that is tracked shows the whole need: it waits", &format!("{UP}\ntrack = 60"))
            .changed(60)
            .remembers(&[(120, "i+1")])
            .gives("cooling_down"),
exact_number_waits = plain("an exact number is no step: it waits", &format!("{UP}\nsteps = [{{ above = 0, set = 9 }}]"))
            .changed(60)
            .remembers(&[(120, "i+1")])
            .gives("cooling_down"),
another_axis_waits = plain("another axis than the count waits, too", "step = 1")
            .only("[[rule]]\nalarm = \"busy\"\naxis = \"shape\"\nevidence = \"fired\"\ncooldown = { up = \"10m\" }\nstep = 2")
            .changed(60)
            .remembers(&[(120, "i+1")])
            .gives("cooling_down"),
credit_is_of_the_beginning = plain("the credit is of the count that the step begins with", &format!("{UP}\nsteps = [{{ above = 0, add = \"100%\" }}]"))
            .changed(60)
            .remembers(&[(120, "i+2")])
            .gives("6"),
unreadable_record = plain("a record that cannot be read is none", &format!("{UP}\nstep = 3"))
            .changed(60)
            .tag("recent", "yesterday")
            .gives("cooling_down"),
];
}

mod directions {
    use super::super::case::pair;
    use super::{Case, plain, rows};

    fn down(why: &'static str, keys: &str) -> Case {
        plain(why, &format!("step = -1\n{keys}")).low("CpuUtilization", 4.0, 10.0)
    }

    rows![
        Case,
        up_waits_for_nothing = plain("up waits for nothing by default", "").changed(1).gives("5"),
        down_waits_for_five_minutes =
            down("down waits for five minutes by default", "").changed(299).gives("cooling_down"),
        down_waits_no_longer = down("and not a second longer", "").changed(300).gives("3"),
        down_waits_after_up = down("down waits after a step up", "cooldown = { down = \"15m\" }")
            .changed(600)
            .remembers(&[(660, "i+1")])
            .gives("cooling_down"),
        down_waits_after_down = down("down waits after a step down", "cooldown = { down = \"15m\" }")
            .changed(600)
            .remembers(&[(660, "i-1")])
            .gives("cooling_down"),
        no_credit_down = down("no credit on the way down: it is blocked", "cooldown = { down = \"15m\" }\n")
            .only(
                "[[rule]]\nalarm = \"busy\"\naxis = \"instances\"\nstep = -3\ncooldown = { down = \"15m\" }",
            )
            .changed(600)
            .remembers(&[(660, "i-1")])
            .gives("cooling_down"),
        no_wait_at_all = down("no wait at all", "cooldown = { down = \"0s\" }").changed(1).gives("3"),
        no_change_on_record =
            down("without a change on record there is nothing to wait for", "cooldown = { down = \"24h\" }")
                .gives("3"),
        each_direction_has_its_own_wait =
            plain("each way has a wait of its own", "cooldown = { up = \"0s\", down = \"24h\" }")
                .changed(60)
                .gives("5"),
        pair_waits_as_down = plain(
            "the pair's alarm scales down, and waits as such",
            &format!("cooldown = {{ down = \"15m\" }}\n{}", pair("CpuUtilization", "")),
        )
        .low("CpuUtilization", 4.0, 10.0)
        .pair_calls()
        .changed(600)
        .gives("cooling_down"),
    ];
}

/// What is on record counts only for the change that it was written for.
mod records {
    use super::{Case, plain, rows};

    const KEYS: &str = "cooldown = { up = \"30m\" }\nstep = 4";

    rows![
        Case,
        added_long_ago =
            plain("three were added five hours ago, and somebody else has changed it since", KEYS)
                .changed(660)
                .remembers(&[(5 * 3600, "i+3")])
                .gives("cooling_down"),
        taken_long_ago = plain("one was taken five hours ago, and somebody else has changed it since", KEYS)
            .changed(660)
            .remembers(&[(5 * 3600, "i-1")])
            .gives("cooling_down"),
        update_of_an_hour = plain("an update that took an hour", KEYS)
            .changed(660)
            .remembers(&[(660 + 3600, "i+3")])
            .gives("5"),
        update_of_more_than_an_hour = plain("and one that took a second more", KEYS)
            .changed(660)
            .remembers(&[(661 + 3600, "i+3")])
            .gives("cooling_down"),
        asked_for_after_the_last_change =
            plain("requested after the last change was completed, it had no effect", KEYS)
                .changed(660)
                .remembers(&[(659, "i+3")])
                .gives("cooling_down"),
        completed_in_the_same_second = plain("completed in the second in which it was requested", KEYS)
            .changed(660)
            .remembers(&[(660, "i+3")])
            .gives("5"),
    ];
}
