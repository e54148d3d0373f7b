"""The shapes that model deployments can have, and what a size of theirs may be."""

from dataclasses import dataclass

from server import Refusal

GB_PER_OCPU = (6, 64)
# BASELINE_1_8 exists, but not for model deployments.
BASELINES = (None, "BASELINE_1_2", "BASELINE_1_1")


@dataclass
class Shape:
    name: str
    ocpus: int
    memory: int
    series: str

    @property
    def flexible(self):
        return self.name.endswith(".Flex")

    @property
    def summary(self):
        return {
            "name": self.name,
            "coreCount": self.ocpus,
            "memoryInGBs": self.memory,
            "shapeSeries": self.series,
        }


# The numbers of a flexible shape are the largest that it may have. Where the documentation has
# two, they are the smaller ones, which both allow.
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("VM.Standard2.1", 1, 15, "INTEL_SKYLAKE"),
        Shape("VM.Standard2.2", 2, 30, "INTEL_SKYLAKE"),
        Shape("VM.Standard2.4", 4, 60, "INTEL_SKYLAKE"),
        Shape("VM.Standard2.8", 8, 120, "INTEL_SKYLAKE"),
        Shape("VM.Standard2.16", 16, 240, "INTEL_SKYLAKE"),
        Shape("VM.Standard2.24", 24, 320, "INTEL_SKYLAKE"),
        Shape("VM.Standard.E3.Flex", 64, 1024, "AMD_ROME"),
        Shape("VM.Standard.E4.Flex", 64, 1024, "AMD_ROME"),
        Shape("VM.Standard.E5.Flex", 94, 1049, "GENERIC"),
        Shape("VM.Standard.A1.Flex", 80, 512, "ARM"),
        Shape("VM.Standard.A2.Flex", 78, 946, "ARM"),
        Shape("VM.Standard3.Flex", 32, 512, "GENERIC"),
        Shape("VM.Optimized3.Flex", 18, 256, "GENERIC"),
        Shape("VM.GPU2.1", 12, 72, "NVIDIA_GPU"),
        Shape("VM.GPU3.1", 6, 90, "NVIDIA_GPU"),
        Shape("VM.GPU3.2", 12, 180, "NVIDIA_GPU"),
        Shape("VM.GPU3.4", 24, 360, "NVIDIA_GPU"),
        Shape("VM.GPU.A10.1", 15, 240, "NVIDIA_GPU"),
        Shape("VM.GPU.A10.2", 30, 480, "NVIDIA_GPU"),
        Shape("BM.GPU.A10.4", 64, 1024, "NVIDIA_GPU"),
        Shape("BM.GPU4.8", 64, 2048, "NVIDIA_GPU"),
    )
}


def invalid(message):
    return Refusal(400, "InvalidParameter", message)


def expect_valid(configuration):
    """Refuses an instanceConfiguration that no instance can have."""
    name = configuration.get("instanceShapeName")
    if not name:
        raise invalid("expected `instanceShapeName` in `instanceConfiguration`")
    shape = SHAPES.get(name)
    if shape is None:
        raise invalid(f"no shape `{name}` for model deployments")
    size = configuration.get("modelDeploymentInstanceShapeConfigDetails")
    if not shape.flexible and size is not None:
        raise invalid(f"`modelDeploymentInstanceShapeConfigDetails` is not for `{name}`")
    if shape.flexible:
        expect_size(shape, size or {})


def expect_size(shape, size):
    ocpus, memory = size.get("ocpus"), size.get("memoryInGBs")
    if not is_number(ocpus) or not is_number(memory):
        raise invalid(f"expected `ocpus` and `memoryInGBs` for `{shape.name}`")
    if not 1 <= ocpus <= shape.ocpus:
        raise invalid(f"`{shape.name}` has 1 to {shape.ocpus} OCPUs, found {ocpus}")
    least, most = GB_PER_OCPU
    if not least <= memory <= shape.memory:
        raise invalid(f"`{shape.name}` has {least} to {shape.memory} GB, found {memory}")
    if not least * ocpus <= memory <= most * ocpus:
        raise invalid(f"expected {least} to {most} GB per OCPU, found {memory} for {ocpus}")
    if size.get("cpuBaseline") not in BASELINES:
        raise invalid(f"`cpuBaseline` cannot be `{size['cpuBaseline']}`")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
