//! Shapes: a step up brings more of what the alarm measures, a step down leaves every load its room.

use super::case::{Case, rows};

fn up(why: &'static str, rung: &str, metric: &str) -> Case {
    Case::new(why, "axis = \"shape\"").shape(rung).high(metric, 97.0, 90.0)
}

fn variant(why: &'static str, keys: &str, shape: &str) -> Case {
    Case::new(why, keys).variant(1, shape)
}

fn full(why: &'static str, shape: &str) -> Case {
    variant(why, "axis = \"shape\"", shape).high("GPUMemoryUtilization", 97.0, 90.0)
}

fn hot(why: &'static str, shape: &str) -> Case {
    variant(why, "axis = \"shape\"", shape).high("GPUUtilization", 97.0, 90.0)
}

mod accelerators {
    use super::{Case, full, hot, rows, up, variant};

    const ONE_MODEL_AFTER_ANOTHER: &str = "[[ladder]]\nname = \"own\"\nrungs = [\
        { shape = \"ml.g5.2xlarge\", vcpus = 8, memory_gib = 32, gpus = 1, accelerator = \"A10G\", gpu_memory_gib = 22.4 },\
        { shape = \"ml.g6.2xlarge\", vcpus = 8, memory_gib = 32, gpus = 1, accelerator = \"L4\", gpu_memory_gib = 22.4 },\
        { shape = \"ml.g6e.2xlarge\", vcpus = 8, memory_gib = 64, gpus = 1, accelerator = \"L40S\", gpu_memory_gib = 44.7 }]";

    const NUMBERS_ALONE: &str = "[[ladder]]\nname = \"own\"\nrungs = [\
        { shape = \"ml.g5.xlarge\", vcpus = 4, memory_gib = 16, gpus = 1 },\
        { shape = \"ml.g5.4xlarge\", vcpus = 16, memory_gib = 64, gpus = 1 },\
        { shape = \"ml.g5.12xlarge\", vcpus = 48, memory_gib = 192, gpus = 4 }]";

    rows![
        Case,
        memory_of_one =
            full("2xlarge to 8xlarge have the same accelerator", "ml.g5.xlarge").gives("ml.g5.12xlarge"),
        memory_of_four = full("24xlarge has the same four", "ml.g5.12xlarge").gives("ml.g5.48xlarge"),
        memory_of_the_size_apart =
            full("16xlarge has neighbours of its own", "ml.g5.16xlarge").gives("ml.g5.24xlarge"),
        memory_of_all = full("the largest has all there is", "ml.g5.48xlarge").gives("at_ceiling"),
        memory_of_the_last_of_its_ladder =
            full("g4dn.16xlarge is the last on its ladder", "ml.g4dn.16xlarge").gives("at_ceiling"),
        memory_of_two_cards = full("a family with two in between", "ml.g7e.8xlarge").gives("ml.g7e.12xlarge"),
        memory_of_chips = full("chips count as accelerators", "ml.inf2.xlarge").gives("ml.inf2.24xlarge"),
        memory_of_a_single_size = full("a family of one size", "ml.p4de.24xlarge").gives("at_ceiling"),
        two_steps = variant(
            "two steps: from one to four, from four to eight",
            "axis = \"shape\"\nstep = 2",
            "ml.g5.xlarge"
        )
        .high("GPUMemoryUtilization", 97.0, 90.0)
        .gives("ml.g5.48xlarge"),
        more_steps_than_there_are =
            variant("three steps, and two count", "axis = \"shape\"\nstep = 3", "ml.g5.xlarge")
                .high("GPUMemoryUtilization", 97.0, 90.0)
                .gives("ml.g5.48xlarge"),
        tracked = variant("22.4 GiB at 97 are 36 at 60", "axis = \"shape\"\ntrack = 60", "ml.g5.xlarge")
            .high("GPUMemoryUtilization", 97.0, 90.0)
            .gives("ml.g5.12xlarge"),
        tracked_far = variant(
            "90 GiB at 99 are more than 4 have at 20: the eight",
            "axis = \"shape\"\ntrack = 20",
            "ml.g5.12xlarge"
        )
        .high("GPUMemoryUtilization", 396.0, 360.0)
        .gives("ml.g5.48xlarge"),
        tracked_beyond_the_end = variant(
            "above 8xlarge nothing on the ladder has more",
            "axis = \"shape\"\ntrack = 60",
            "ml.g4dn.8xlarge"
        )
        .policy(
            "[[ladder]]\nname = \"own\"\nrungs = [\
                     { shape = \"ml.g4dn.8xlarge\", vcpus = 32, memory_gib = 128, gpus = 1 },\
                     { shape = \"ml.g4dn.16xlarge\", vcpus = 64, memory_gib = 256, gpus = 1 }]"
        )
        .high("GPUMemoryUtilization", 97.0, 90.0)
        .gives("at_ceiling"),
        load_of_one =
            hot("load on one accelerator: to four of them", "ml.g6.2xlarge").gives("ml.g6.12xlarge"),
        load_of_four = hot("load on four: to eight", "ml.g6.24xlarge").gives("ml.g6.48xlarge"),
        load_of_all = hot("load on all there are", "ml.g6.48xlarge").gives("at_ceiling"),
        load_of_another_model = hot("as many of another model are more, by the order", "ml.g5.2xlarge")
            .policy(ONE_MODEL_AFTER_ANOTHER)
            .gives("ml.g6.2xlarge"),
        memory_of_another_model =
            full("another model with as much memory is no more memory", "ml.g5.2xlarge")
                .policy(ONE_MODEL_AFTER_ANOTHER)
                .gives("ml.g6e.2xlarge"),
        memory_that_no_rung_tells = full("without their memory, their number counts", "ml.g5.xlarge")
            .policy(NUMBERS_ALONE)
            .gives("ml.g5.12xlarge"),
        on_oci = up("two of OCI's", "VM.GPU.A10.1", "GPUCoreUtilization").gives("VM.GPU.A10.2"),
        on_oci_up_to_four = up("two of three on OCI", "VM.GPU3.2", "GPUCoreUtilization").gives("VM.GPU3.4"),
        on_oci_to_bare_metal =
            up("bare metal is another family", "VM.GPU.A10.2", "GPUCoreUtilization").gives("at_ceiling"),
        tracked_on_oci = Case::new("one at 95 is two at 60", "axis = \"shape\"\ntrack = 60")
            .shape("VM.GPU.A10.1")
            .high("GPUCoreUtilization", 95.0, 90.0)
            .gives("VM.GPU.A10.2"),
        tracked_in_count = Case::new("three at 95 are five at 60", "axis = \"instances\"\ntrack = 60")
            .shape("VM.GPU.A10.1")
            .count(3)
            .high("GPUCoreUtilization", 95.0, 90.0)
            .gives("5"),
        given_back_in_count = Case::new("two at 55 are one at 110", "axis = \"instances\"\nstep = -1")
            .shape("VM.GPU.A10.1")
            .low("GPUCoreUtilization", 55.0, 60.0)
            .gives("would_flap"),
    ];
}

mod cores_and_memory {
    use super::{Case, rows, up, variant};

    rows![
        Case,
        cores = variant("t2.large has no more cores than t2.medium", "axis = \"shape\"", "ml.t2.medium")
            .high("CPUUtilization", 190.0, 160.0)
            .gives("ml.t2.xlarge"),
        memory = variant("and more memory", "axis = \"shape\"", "ml.t2.medium")
            .high("MemoryUtilization", 90.0, 80.0)
            .gives("ml.t2.large"),
        cores_of_an_accelerated_type = variant("cores of g5", "axis = \"shape\"", "ml.g5.xlarge")
            .high("CPUUtilization", 390.0, 320.0)
            .gives("ml.g5.2xlarge"),
        cores_at_their_end =
            up("only memory could still be doubled", "VM.Standard.A1.Flex:80:480", "CpuUtilization")
                .gives("at_ceiling"),
        memory_with_cores_at_their_end =
            up("which helps with memory", "VM.Standard.A1.Flex:80:480", "MemoryUtilization")
                .gives("VM.Standard.A1.Flex:80:512"),
        latency = up(
            "a latency does not show which resource is short: the next rung",
            "VM.Standard2.1",
            "PredictLatency"
        )
        .gives("VM.Standard2.2"),
        bandwidth =
            up("no shape has more bandwidth", "VM.Standard2.1", "PredictBandwidth").gives("at_ceiling"),
    ];
}

mod down {
    use super::{Case, rows, variant};

    fn low_memory_by(why: &'static str, keys: &str, rung: &str) -> Case {
        Case::new(why, &format!("axis = \"shape\"\n{keys}")).shape(rung).low("MemoryUtilization", 6.0, 10.0)
    }

    fn low_memory(why: &'static str, rung: &str) -> Case {
        low_memory_by(why, "step = -1", rung)
    }

    fn low_memory_on_aws(why: &'static str, shape: &str) -> Case {
        variant(why, "axis = \"shape\"\nstep = -1", shape).low("MemoryUtilization", 6.0, 10.0)
    }

    fn low_gpu(why: &'static str, shape: &str) -> Case {
        variant(why, "axis = \"shape\"\nstep = -1", shape)
            .low("GPUUtilization", 20.0, 40.0)
            .reads("CPUUtilization", 100.0)
            .reads("MemoryUtilization", 5.0)
    }

    rows![
        Case,
        fixed = low_memory("memory at 6 and cores at 75", "VM.Standard2.4")
            .reads("CpuUtilization", 75.0)
            .gives("would_flap"),
        flexible = low_memory("the same of a flexible shape", "VM.Standard.E4.Flex:4:64")
            .reads("CpuUtilization", 75.0)
            .gives("would_flap"),
        cores_to_spare = low_memory("cores at 30 fit into half of them", "VM.Standard2.4")
            .reads("CpuUtilization", 30.0)
            .gives("VM.Standard2.2"),
        cores_at_the_limit = low_memory("at 36 they would be at 72, where nothing is left", "VM.Standard2.4")
            .reads("CpuUtilization", 36.0)
            .gives("would_flap"),
        cores_unknown =
            low_memory("nobody knows the load of the cores", "VM.Standard2.4").gives("would_flap"),
        cores_that_stay =
            low_memory("only memory is halved, so no core is missed", "VM.Standard.E4.Flex:1:16")
                .gives("VM.Standard.E4.Flex:1:8"),
        own_threshold = low_memory_by(
            "a lower threshold of the rule counts for all",
            "step = -1\nscale_up_threshold = 50",
            "VM.Standard2.4"
        )
        .reads("CpuUtilization", 30.0)
        .gives("would_flap"),
        low_cores = low_memory("cores at 6 and memory at 50", "VM.Standard2.4")
            .low("CpuUtilization", 6.0, 10.0)
            .reads("MemoryUtilization", 50.0)
            .gives("would_flap"),
        shorter = low_memory_by("two rungs do not carry the cores, one does", "step = -2", "VM.Standard2.8")
            .reads("CpuUtilization", 30.0)
            .gives("VM.Standard2.4"),
        tracked =
            low_memory_by("60 GB at 6 are 6 GB at 60, cores allow one rung", "track = 60", "VM.Standard2.4")
                .low("MemoryUtilization", 6.0, 30.0)
                .reads("CpuUtilization", 30.0)
                .gives("VM.Standard2.2"),
        on_aws = low_memory_on_aws("200 of 800 are 25 % of eight cores", "ml.m5.2xlarge")
            .reads("CPUUtilization", 200.0)
            .gives("ml.m5.xlarge"),
        on_aws_in_use = low_memory_on_aws("600 of 800 are 75 % of eight cores", "ml.m5.2xlarge")
            .reads("CPUUtilization", 600.0)
            .gives("would_flap"),
        of_a_value_unknown = low_memory("the own value is unknown, the cores' is not", "VM.Standard2.4")
            .without_value()
            .with_alarm(
                |alarm| (alarm.measurement.reported.threshold, alarm.measurement.metric) = (None, None)
            )
            .reads("MemoryUtilization", 6.0)
            .reads("CpuUtilization", 75.0)
            .gives("would_flap"),
        accelerators_in_use = low_gpu("280 of 400 GPU memory do not fit into 100", "ml.g5.12xlarge")
            .reads("GPUMemoryUtilization", 280.0)
            .gives("would_flap"),
        accelerators_to_spare = low_gpu("40 of 400 fit into 100", "ml.g5.12xlarge")
            .reads("GPUMemoryUtilization", 40.0)
            .gives("ml.g5.8xlarge"),
        accelerators_unknown =
            low_gpu("nobody knows the load of GPU memory", "ml.g5.12xlarge").gives("would_flap"),
        accelerators_that_stay =
            low_gpu("24xlarge and 12xlarge have the same four", "ml.g5.24xlarge").gives("ml.g5.12xlarge"),
    ];
}

pub(super) fn all() -> Vec<fn() -> Case> {
    [accelerators::ROWS, cores_and_memory::ROWS, down::ROWS].concat()
}
