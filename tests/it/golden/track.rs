//! Tracking: as far as it takes to bring the metric to its target.

use stepladder::alarm::{Condition, Coverage, Side};

use super::case::{Case, compares, pair, rows};

fn count(why: &'static str, now: u32, value: f64) -> Case {
    Case::new(why, "axis = \"instances\"\ntrack = 60\ninstances = { min = 1, max = 20 }").count(now).high(
        "CpuUtilization",
        value,
        80.0,
    )
}

fn less(why: &'static str, now: u32, value: f64) -> Case {
    Case::new(why, "axis = \"instances\"\ntrack = 60\ninstances = { min = 1, max = 20 }").count(now).low(
        "CpuUtilization",
        value,
        30.0,
    )
}

fn shape(why: &'static str, rung: &str, metric: &str, value: f64) -> Case {
    Case::new(why, "axis = \"shape\"\ntrack = 60").shape(rung).high(metric, value, 80.0)
}

pub(super) fn all() -> Vec<fn() -> Case> {
    [counts::ROWS, metrics::ROWS, units::ROWS, shapes::ROWS, bandwidths::ROWS].concat()
}

mod counts {

    use super::{Case, Condition, Coverage, Side, count, less, pair, rows};

    rows![
        Case,
        two_at_90 = count("2 at 90 are 3 at 60", 2, 90.0).gives("3"),
        two_at_91 = count("2 at 91 are more than 3 at 60: four", 2, 91.0).gives("4"),
        one_at_100 = count("1 at 100 takes 1.67: two", 1, 100.0).gives("2"),
        four_at_240 = count("4 at 240 take 16, in one step", 4, 240.0).gives("16"),
        ten_at_240 = count("10 at 240 would take 40: the ceiling", 10, 240.0).gives("20"),
        three_at_60 = count("3 at 60 are where they should be", 3, 60.0).gives("on_target"),
        noise_of_a_sum = count("3 at 60.0000001 are the noise of a sum", 3, 60.000_000_1).gives("on_target"),
        three_at_41 = count("3 at 41 take 2.05, and that is 3", 3, 41.0).gives("on_target"),
        high_alarm_never_takes =
            count("a scale-up alarm never removes, whatever the value is", 6, 20.0).gives("on_target"),
        at_the_ceiling = count("at the ceiling", 20, 90.0).gives("at_ceiling"),
        beyond_all_counting = count("beyond all counting", 19, 1e300).gives("20"),
        negative_value = count("a negative value is none", 3, -1.0).gives("no_data"),
        no_value = count("no value", 3, 90.0).without_value().gives("no_data"),
        observed_value = count("no value in the alarm, an observed one", 3, 0.0)
            .without_value()
            .reads("CpuUtilization", 100.0)
            .gives("5"),
        observed_in_another_spelling = count("the observed metric has another spelling", 3, 0.0)
            .without_value()
            .reads("cpuutilization", 100.0)
            .gives("5"),
        alarm_on_two_deployments = count("an alarm on two deployments reports the value of neither", 3, 90.0)
            .with_alarm(|alarm| alarm.targets.push(crate::golden::case::other_deployment()))
            .gives("no_data"),
        metric_unreported = count("an alarm that does not report what it measures", 3, 90.0)
            .with_alarm(|alarm| alarm.measurement.metric = None)
            .gives("no_data"),
        six_at_20 = less("6 at 20 are 2 at 60", 6, 20.0).gives("2"),
        six_at_21 = less("6 at 21 are more than 2 at 60: three", 6, 21.0).gives("3"),
        nine_at_0 = less("9 at 0 take none: the floor", 9, 0.0).gives("1"),
        low_alarm_never_adds =
            less("a scale-down alarm never adds, whatever the value is", 3, 90.0).gives("on_target"),
        missing_data = less("no data came, and that counts as a breach: nothing is taken", 6, 20.0)
            .covered(Coverage::Nothing)
            .gives("no_data"),
        side_unreported_and_down =
            less("a side that is not reported: the value decides, down", 6, 20.0).sideless().gives("2"),
        partial_data_takes_nothing = less("one datapoint of three: nothing is tracked down", 6, 20.0)
            .covered(Coverage::Partial)
            .gives("no_data"),
        partial_data_adds_by_what_was_measured =
            count("one datapoint of three: as many more as what was measured takes", 2, 90.0)
                .covered(Coverage::Partial)
                .gives("3"),
        one_instance_above = count("one hot instance, and the mean requests more", 2, 90.0)
            .otherwise(Condition::Sided(Side::Above))
            .gives("3"),
        one_instance_above_and_the_rest_idle =
            count("one hot instance, and the mean requests less: not against the alarm", 6, 20.0)
                .otherwise(Condition::Sided(Side::Above))
                .gives("on_target"),
        side_unreported_and_up =
            count("a side that is not reported: the value decides, up", 2, 120.0).sideless().gives("4"),
        pair_takes_back = Case::new(
            "the pair scales down as far as the target",
            &format!("axis = \"instances\"\ntrack = 60\n{}", pair("CpuUtilization", "")),
        )
        .count(6)
        .low("CpuUtilization", 9.0, 10.0)
        .pair_calls()
        .gives("1"),
        pair_never_adds = Case::new(
            "the pair never adds",
            &format!("axis = \"instances\"\ntrack = 60\n{}", pair("CpuUtilization", "")),
        )
        .count(2)
        .low("CpuUtilization", 90.0, 10.0)
        .pair_calls()
        .gives("on_target"),
    ];
}

/// SageMaker's CPU runs to 100 for each vCPU: the target is in percent of what there is.
mod metrics {
    use super::{Case, Side, compares, pair, rows};

    fn paired(why: &'static str) -> Case {
        Case::new(why, &format!("axis = \"instances\"\ntrack = 60\n{}", pair("CpuUtilization", "")))
            .with_alarm(|alarm| alarm.measurement.metric = None)
    }

    rows![
        Case,
        alarm_does_not_tell_its_metric =
            paired("an alarm that does not report what it measures: not what the pair does")
                .reads("CpuUtilization", 90.0)
                .gives("no_data"),
        pair_does_not_tell_its_metric =
            paired("a pair that does not report what it measures: what the policy sets")
                .count(4)
                .with_alarm(|alarm| alarm.measurement.condition = compares(9.0, 10.0, Side::Below))
                .pair_calls()
                .gives("1"),
    ];
}

mod units {
    use super::{Case, rows};

    fn on(why: &'static str, instances: u32, shape: &str, value: f64) -> Case {
        Case::new(why, "axis = \"instances\"\ntrack = 60").variant(instances, shape).high(
            "CPUUtilization",
            value,
            160.0,
        )
    }

    rows![
        Case,
        four_vcpus = on("360 of four vCPUs are 90 %: 2 become 3", 2, "ml.m5.xlarge", 360.0).gives("3"),
        eight_vcpus = on("360 of eight vCPUs are 45 %: enough", 2, "ml.m5.2xlarge", 360.0).gives("on_target"),
        on_no_ladder =
            on("on no ladder nobody knows how many vCPUs", 2, "ml.x9.xlarge", 360.0).gives("no_data"),
        memory_is_a_percentage =
            Case::new("memory is a percentage on any shape", "axis = \"instances\"\ntrack = 60")
                .variant(2, "ml.x9.xlarge")
                .high("MemoryUtilization", 90.0, 80.0)
                .gives("3"),
        four_gpus = Case::new("four GPUs run to 400: 360 are 90 %", "axis = \"instances\"\ntrack = 60")
            .variant(2, "ml.g5.12xlarge")
            .high("GPUUtilization", 360.0, 320.0)
            .gives("3"),
        requests_have_no_end = Case::new(
            "a count of requests has no end: it is tracked as it is",
            "axis = \"instances\"\ntrack = 1000",
        )
        .variant(2, "ml.m5.xlarge")
        .high("InvocationsPerInstance", 2500.0, 1200.0)
        .gives("5"),
        unknown_metric =
            Case::new("and so is a metric that nobody here knows", "axis = \"instances\"\ntrack = 10")
                .high("QueueLength", 25.0, 20.0)
                .gives("5"),
    ];
}

mod shapes {
    use super::{Case, pair, rows, shape};

    rows![
        Case,
        next_rung = shape(
            "30 GB at 90 are 45 GB at 60: the next rung has 60",
            "VM.Standard2.2",
            "MemoryUtilization",
            90.0,
        )
        .gives("VM.Standard2.4"),
        three_rungs_at_once =
            shape("15 GB at 300 take 75: three rungs at once", "VM.Standard2.1", "MemoryUtilization", 300.0)
                .gives("VM.Standard2.8"),
        exactly_two_rungs =
            shape("15 GB at 240 take 60 exactly: two rungs", "VM.Standard2.1", "MemoryUtilization", 240.0)
                .gives("VM.Standard2.4"),
        more_than_the_largest =
            shape("more than the largest has: the largest", "VM.Standard2.8", "MemoryUtilization", 900.0)
                .gives("VM.Standard2.24"),
        at_the_top = shape("at the top", "VM.Standard2.24", "MemoryUtilization", 90.0).gives("at_ceiling"),
        cores_take_two_rungs =
            shape("4 vCPUs at 180 take 12: the rung of 16", "VM.Standard2.2", "CpuUtilization", 180.0)
                .gives("VM.Standard2.8"),
        where_it_should_be =
            shape("where it should be", "VM.Standard2.2", "MemoryUtilization", 60.0).gives("on_target"),
        requests_say_nothing = shape(
            "a metric of requests is no evidence about shapes",
            "VM.Standard2.2",
            "PredictRequestCount",
            90.0
        )
        .gives("not_resizable"),
        on_no_ladder =
            shape("on no ladder", "VM.Standard1.4", "MemoryUtilization", 90.0).gives("unlisted_shape"),
        flexible_shape_doubles = shape(
            "a flexible shape doubles as often as it takes: 32 GB at 200 take 107",
            "VM.Standard.E4.Flex:2:32",
            "MemoryUtilization",
            200.0,
        )
        .gives("VM.Standard.E4.Flex:8:128"),
        two_rungs_down =
            Case::new("60 GB at 10 are 10 GB at 60: down to the rung of 15", "axis = \"shape\"\ntrack = 60")
                .shape("VM.Standard2.4")
                .low("MemoryUtilization", 10.0, 30.0)
                .reads("CpuUtilization", 5.0)
                .gives("VM.Standard2.1"),
        one_rung_down = Case::new(
            "60 GB at 20 are 20 GB at 60: the rung of 30, and not of 15",
            "axis = \"shape\"\ntrack = 60",
        )
        .shape("VM.Standard2.4")
        .low("MemoryUtilization", 20.0, 30.0)
        .reads("CpuUtilization", 5.0)
        .gives("VM.Standard2.2"),
        rung_below_is_too_small =
            Case::new("60 GB at 40 are 40 GB at 60: the rung below has 30", "axis = \"shape\"\ntrack = 60")
                .shape("VM.Standard2.4")
                .low("MemoryUtilization", 40.0, 50.0)
                .gives("on_target"),
        load_balancer =
            Case::new("a load balancer is none of a shape's business", "axis = \"shape\"\ntrack = 60")
                .high("PredictBandwidth", 90.0, 80.0)
                .gives("not_resizable"),
        at_the_bottom = Case::new("at the bottom", "axis = \"shape\"\ntrack = 60")
            .shape("VM.Standard2.1")
            .low("MemoryUtilization", 10.0, 30.0)
            .gives("at_floor"),
        pair_stops_at_what_was_deployed = Case::new(
            "what its operator deployed is where the pair stops",
            &format!("axis = \"shape\"\ntrack = 60\n{}", pair("MemoryUtilization", "")),
        )
        .variant(1, "ml.m5.4xlarge")
        .observed(|observed| observed.floor = Some("ml.m5.2xlarge".to_owned()))
        .low("MemoryUtilization", 5.0, 10.0)
        .reads("CPUUtilization", 80.0)
        .pair_calls()
        .gives("ml.m5.2xlarge"),
    ];
}

mod bandwidths {
    use super::{Case, rows};

    fn on(why: &'static str, mbps: u32, value: f64) -> Case {
        Case::new(why, "axis = \"bandwidth\"\ntrack = 60").bandwidth(mbps).high(
            "PredictBandwidth",
            value,
            80.0,
        )
    }

    rows![
        Case,
        ten_at_90 = on("10 Mbps at 90 are 15 at 60", 10, 90.0).gives("15 Mbps"),
        thirty_three_at_91 = on("33 Mbps at 91 are 50.05: 51", 33, 91.0).gives("51 Mbps"),
        more_than_there_is = on("more than a load balancer has", 5000, 100.0).gives("8000 Mbps"),
        where_it_should_be = on("where it should be, in Mbps", 10, 60.0).gives("on_target"),
        hundred_at_6 = Case::new("100 Mbps at 6 are 10 at 60", "axis = \"bandwidth\"\ntrack = 60")
            .bandwidth(100)
            .low("PredictBandwidth", 6.0, 10.0)
            .gives("10 Mbps"),
    ];
}
