"""Checks which files `cargo package` takes: what builds and explains the crate, and nothing of this machine or the tests.

Needs only Python >= 3.12 and Cargo; it exits non-zero on failure.
"""

import fnmatch
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Everything together, unpacked. The sources take 1.5 MB, and the documentation with its figures less than half a megabyte.
LARGEST = 3_000_000

# What Cargo writes itself.
GENERATED = {".cargo_vcs_info.json", "Cargo.toml.orig"}

EXPECTED = ["*.md", "Cargo.lock", "Cargo.toml", "LICENSE-*", "policy.schema.json", "docs/*", "examples/*", "src/*"]


def packaged():
    command = ["cargo", "package", "--list", "--allow-dirty"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return set(listed.stdout.splitlines()) - GENERATED


class Crate(unittest.TestCase):
    def test_it_has_what_it_needs_and_nothing_else(self):
        found = packaged()
        needed = {"Cargo.toml", "Cargo.lock", "README.md", "LICENSE-APACHE", "LICENSE-MIT", "src/lib.rs", "src/main.rs"}
        self.assertLessEqual(needed, found)
        for name in found:
            self.assertTrue(any(fnmatch.fnmatch(name, one) for one in EXPECTED), name)

    def test_it_has_every_file_that_its_code_includes(self):
        found = packaged()
        for source in (name for name in found if name.endswith(".rs")):
            for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', (ROOT / source).read_text()):
                included = (ROOT / source).parent.joinpath(name).resolve().relative_to(ROOT)
                self.assertIn(included.as_posix(), found, source)

    def test_it_is_small(self):
        total = sum((ROOT / name).stat().st_size for name in packaged())
        self.assertLessEqual(total, LARGEST)


if __name__ == "__main__":
    unittest.main()
