//! Removed capacity must not be added again at once.
//!
//! The four tables are those of <https://learn.microsoft.com/azure/azure-monitor/autoscale/autoscale-flapping>. Azure asks
//! for the estimate to be under the threshold; here it must be a tenth under it.

use super::case::{Case, rows};

/// One less when a metric without an end is low, with the threshold of the scale-up alarm.
fn threads(why: &'static str, now: u32, each: f64, low: f64) -> Case {
    let keys = "axis = \"instances\"\nstep = -1\nscale_up_threshold = 600";
    Case::new(why, keys).count(now).low("ThreadCount", each, low)
}

/// One more when the same metric is high on two.
fn threads_up(why: &'static str) -> Case {
    let keys = "axis = \"instances\"\nscale_up_threshold = 600";
    Case::new(why, keys).count(2).high("ThreadCount", 625.0, 600.0)
}

fn cpu(why: &'static str, now: u32, value: f64, low: f64, above: f64, step: i32) -> Case {
    let keys = format!(
        "axis = \"instances\"\nstep = {step}\nscale_up_threshold = {above}\ninstances = {{ min = 1, max = 100 }}"
    );
    Case::new(why, &keys).count(now).low("CpuUtilization", value, low)
}

fn cpu_up(why: &'static str, now: u32, value: f64, high: f64) -> Case {
    let keys =
        format!("axis = \"instances\"\nscale_up_threshold = {high}\ninstances = {{ min = 1, max = 100 }}");
    Case::new(why, &keys).count(now).high("CpuUtilization", value, high)
}

pub(super) fn all() -> Vec<fn() -> Case> {
    [
        azures_first_table::ROWS,
        azures_second_table::ROWS,
        azures_third_table::ROWS,
        azures_fourth_table::ROWS,
        smaller_steps::ROWS,
        units::ROWS,
    ]
    .concat()
}

/// Out above 50 %, in below 30 %.
mod azures_first_table {
    use super::{Case, cpu, cpu_up, rows};

    rows![
        Case,
        t0_out = cpu_up("Azure 1, T0: 56 % on one", 1, 56.0, 50.0).gives("2"),
        t1_would_flap =
            cpu("Azure 1, T1: 28 % on two would be 56 % on one", 2, 28.0, 30.0, 50.0, -1).gives("would_flap"),
        t2_out_again = cpu_up("Azure 1, T2: what would follow", 1, 56.0, 50.0)
            .with_alarm(|alarm| alarm.evidence = stepladder::alarm::EvidenceTime::Unknown)
            .gives("2"),
        t3_would_flap_again =
            cpu("Azure 1, T3: and go on for ever", 2, 28.0, 30.0, 50.0, -1).changed(3600).gives("would_flap"),
        later_in =
            cpu("Azure 1, later: 22 % on two are 44 % on one, under 45", 2, 22.0, 30.0, 50.0, -1).gives("1"),
    ];
}

/// Out at 600 threads, in under 600.
mod azures_second_table {
    use super::{Case, rows, threads, threads_up};

    rows![
        Case,
        t0_out = threads_up("Azure 2, T0: 625 on each of two").gives("3"),
        t1_would_flap =
            threads("Azure 2, T1: 417 on each of three would be 625 on each of two", 3, 417.0, 600.0)
                .gives("would_flap"),
    ];
}

/// Out at 600 threads, in under 400.
mod azures_third_table {
    use super::{Case, rows, threads, threads_up};

    rows![
        Case,
        t0_out = threads_up("Azure 3, T0: the same load, a better threshold").gives("3"),
        // No scale-down alarm fires at T1 or at T3: there is nothing to decide.
        t2_azure_takes_it = threads(
            "Azure 3, T2: 394 on three are 591 on two: Azure takes it, a tenth under 600 is 540",
            3,
            394.0,
            400.0,
        )
        .gives("would_flap"),
        later_in =
            threads("Azure 3, a little later: 359 on three are 539 on two", 3, 359.0, 400.0).gives("2"),
    ];
}

/// In by ten; CPU must stay under 70 %.
mod azures_fourth_table {
    use super::{Case, cpu, rows};

    rows![
        Case,
        t1_ten_less_would_flap = cpu(
            "Azure 4, T1: 65 % on thirty; not even 29 of them stay a tenth under 70",
            30,
            65.0,
            66.0,
            70.0,
            -10,
        )
        .gives("would_flap"),
        no_margin =
            cpu("Azure 4, with its own margin of none: by two, not by ten", 30, 65.0, 66.0, 78.0, -10)
                .gives("28"),
        ten_less_are_well = cpu(
            "Azure 4, where ten less are well: 40 % on thirty are 60 % on twenty",
            30,
            40.0,
            66.0,
            70.0,
            -10
        )
        .gives("20"),
        log_record = cpu(
            "Azure 4, its log record: from six, five less are too many, two less are well",
            6,
            48.0,
            50.0,
            81.0,
            -5,
        )
        .gives("4"),
    ];
}

mod smaller_steps {
    use super::{Case, cpu, rows};

    fn shape(why: &'static str, rung: &str, value: f64, step: i32) -> Case {
        Case::new(why, &format!("axis = \"shape\"\nstep = {step}"))
            .shape(rung)
            .low("MemoryUtilization", value, 50.0)
            .reads("CpuUtilization", 5.0)
    }

    rows![
        Case,
        exactly_at_the_limit =
            cpu("exactly at the limit is not under it: 36 % on two are 72 % on one", 2, 36.0, 40.0, 80.0, -1)
                .gives("would_flap"),
        just_under_the_limit = cpu("just under it is", 2, 35.9, 40.0, 80.0, -1).gives("1"),
        four_of_nine_may_go =
            cpu("nine less of ten, where only four may go", 10, 43.0, 50.0, 80.0, -9).gives("6"),
        step_up_is_never_asked = cpu("a step up is never asked", 2, 75.0, 80.0, 80.0, 1)
            .high("CpuUtilization", 75.0, 70.0)
            .gives("3"),
        shape_at_30 =
            shape("30 % of 60 GB are 60 % of 30 GB", "VM.Standard2.4", 30.0, -1).gives("VM.Standard2.2"),
        shape_at_40 =
            shape("40 % of 60 GB are 80 % of 30 GB", "VM.Standard2.4", 40.0, -1).gives("would_flap"),
        one_of_two_rungs =
            shape("two rungs where only one is well", "VM.Standard2.4", 30.0, -2).gives("VM.Standard2.2"),
        largest_rung_has_a_third_more =
            shape("the largest rung has a third more, not twice as much", "VM.Standard2.24", 50.0, -1)
                .gives("VM.Standard2.16"),
        by_cores_at_45 =
            Case::new("by cores, 48 of them become 32: 45 % are 67.5 %", "axis = \"shape\"\nstep = -1")
                .shape("VM.Standard2.24")
                .low("CpuUtilization", 45.0, 50.0)
                .reads("MemoryUtilization", 5.0)
                .gives("VM.Standard2.16"),
        by_cores_at_50 =
            Case::new("by cores, 48 of them become 32: 50 % are 75 %", "axis = \"shape\"\nstep = -1")
                .shape("VM.Standard2.24")
                .low("CpuUtilization", 50.0, 60.0)
                .gives("would_flap"),
        bandwidth_to_28 = Case::new(
            "a quarter of 100 Mbps at 20 % would be 80 %: to 28 and no further",
            "axis = \"bandwidth\"\nstep = -2",
        )
        .bandwidth(100)
        .low("PredictBandwidth", 20.0, 30.0)
        .gives("28 Mbps"),
    ];
}

mod units {

    use super::super::case::pair;
    use super::{Case, rows};

    rows![
        Case,
        unreported_under_30 = Case::new(
            "an alarm that reports no value is at least under its threshold: 30 % on two may be 60 % on one",
            "axis = \"instances\"\nstep = -1",
        )
        .low("CpuUtilization", 0.0, 30.0)
        .without_value()
        .gives("1"),
        unreported_under_40 =
            Case::new("under 40 % on two may be 80 % on one", "axis = \"instances\"\nstep = -1")
                .low("CpuUtilization", 0.0, 40.0)
                .without_value()
                .gives("would_flap"),
        of_two_deployments = Case::new(
            "of two deployments it is the threshold that is sure, not the value",
            "axis = \"instances\"\nstep = -1",
        )
        .low("CpuUtilization", 1.0, 40.0)
        .with_alarm(|alarm| alarm.targets.push(crate::golden::case::other_deployment()))
        .gives("would_flap"),
        variant_at_120 =
            Case::new("SageMaker's 120 of four vCPUs are 30 %", "axis = \"instances\"\nstep = -1")
                .variant(2, "ml.m5.xlarge")
                .low("CPUUtilization", 120.0, 160.0)
                .gives("1"),
        variant_at_160 =
            Case::new("160 of four vCPUs are 40 %, and would be 80 %", "axis = \"instances\"\nstep = -1")
                .variant(2, "ml.m5.xlarge")
                .low("CPUUtilization", 160.0, 170.0)
                .gives("would_flap"),
        metric_without_an_end = Case::new(
            "a metric without an upper end, and no known threshold to scale up",
            "axis = \"instances\"\nstep = -1",
        )
        .low("ThreadCount", 590.0, 600.0)
        .gives("1"),
        without_a_rung =
            Case::new("without a rung nobody knows how much 390 are", "axis = \"instances\"\nstep = -1")
                .variant(2, "ml.x9.xlarge")
                .low("CPUUtilization", 390.0, 400.0)
                .gives("1"),
        pair_is_asked = Case::new(
            "the pair is asked, too",
            &format!("axis = \"instances\"\nscale_up_threshold = 23\n{}", pair("CpuUtilization", "")),
        )
        .low("CpuUtilization", 10.4, 12.0)
        .pair_calls()
        .gives("would_flap"),
    ];
}
