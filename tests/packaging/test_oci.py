"""Checks how the OCI function is packed: func.yaml, both images, and the folder to deploy.

Needs only Python >= 3.12; it exits non-zero on failure.
"""

import fnmatch
import re
import tomllib
import unittest
from pathlib import Path

import elf

ROOT = Path(__file__).parents[2]
OCI = ROOT / "src" / "bin" / "oci"
FUNCTION = ROOT / "target" / "oci" / "function"
PACKAGE = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]


def yaml(path):
    """The keys of a YAML file that has no more than two levels of texts."""
    found = within = {}
    for line in path.read_text().splitlines():
        if not line or line.lstrip().startswith("#"):
            continue
        indent, key, value = re.fullmatch(r"( {2})?(\w+):(?: (\S+))?", line).groups()
        if value is None:
            within = found[key] = {}
        else:
            (within if indent else found)[key] = value
    return found


def instructions(path):
    """The instructions of a Dockerfile, stage by stage, as pairs of a word and its arguments."""
    stages = []
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        word, arguments = line.split(" ", 1)
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, arguments))
    return stages


def copied(stage):
    """The files that a stage copies out of its context, and those that it copies out of another."""
    here, there = [], []
    for word, arguments in stage:
        if word == "COPY":
            first, *rest = arguments.split()
            names = rest if first.startswith("--from=") else [first, *rest]
            (there if first.startswith("--from=") else here).extend(names[:-1])
    return here, there


class Sources(unittest.TestCase):
    def test_func_yaml_is_what_fn_reads(self):
        found = yaml(OCI / "func.yaml")
        self.assertEqual(found["schema_version"], "20180708")
        self.assertEqual(found["runtime"], "docker")
        self.assertEqual((found["name"], found["version"]), (PACKAGE["name"], PACKAGE["version"]))
        # What OCI Functions allows.
        self.assertIn(int(found["memory"]), (128, 256, 512, 1024, 2048, 3072))
        self.assertTrue(5 <= int(found["timeout"]) <= 300)

    def test_a_first_deployment_observes(self):
        self.assertEqual(yaml(OCI / "func.yaml")["config"], {"STEPLADDER_MODE": "observe"})

    def test_the_user_is_the_one_that_functions_run_as(self):
        name, _, user, group, *_ = (OCI / "passwd").read_text().strip().split(":")
        self.assertEqual((name, user, group), ("fn", "1000", "1000"))
        self.assertEqual((OCI / "group").read_text(), "fn:x:1000:\n")

    def test_both_images_are_the_same(self):
        def bare(path):
            end = instructions(path)[-1]
            return [(word, re.sub(r"--from=build |\S+/(?=\S+ )", "", said)) for word, said in end]

        self.assertEqual(bare(OCI / "Dockerfile"), bare(OCI / "Dockerfile.package"))

    def test_an_image_starts_the_function_as_its_user(self):
        for name in ("Dockerfile", "Dockerfile.package"):
            last = dict(instructions(OCI / name)[-1])
            self.assertEqual(last["FROM"], "scratch")
            self.assertEqual(last["USER"], "1000:1000")
            binary = last["COPY"].split()[-1]
            self.assertEqual(last["ENTRYPOINT"], f'["{binary}"]')

    def test_the_image_from_source_finds_what_it_takes(self):
        build, last = instructions(OCI / "Dockerfile")
        self.assertEqual(dict(build)["FROM"], f"rust:{PACKAGE['rust-version']}-alpine AS build")
        ignore = (ROOT / ".dockerignore").read_text().splitlines()
        kept = [line[1:] for line in ignore if line.startswith("!")]
        self.assertIn("*", ignore)
        here, there = copied(last)
        for source in [*kept, *here]:
            self.assertTrue((ROOT / source).exists(), source)
        for source in here:
            self.assertTrue(any(fnmatch.fnmatch(source, f"{one}/*") for one in kept), source)
        # Everything that Cargo reads to build one binary.
        self.assertLessEqual({"Cargo.toml", "Cargo.lock", "src", ".cargo"}, set(kept))
        workdir = dict(build)["WORKDIR"]
        self.assertEqual(there, [f"{workdir}/target/release/stepladder-oci"])


@unittest.skipUnless(FUNCTION.exists(), "`make package-oci` has not laid it out yet")
class Folder(unittest.TestCase):
    def test_it_is_complete(self):
        (last,) = instructions(FUNCTION / "Dockerfile")
        here, there = copied(last)
        self.assertEqual(there, [])
        found = {path.name for path in FUNCTION.iterdir()}
        self.assertEqual(found, {"Dockerfile", "func.yaml", *here})

    def test_the_binary_needs_nothing_else(self):
        program = (FUNCTION / "stepladder-oci").read_bytes()
        self.assertIsNotNone(elf.machine(program))
        self.assertTrue(elf.is_static(program))


if __name__ == "__main__":
    unittest.main()
