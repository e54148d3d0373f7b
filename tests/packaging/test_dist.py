"""Checks what a release consists of: how archives are packed, and what `make dist` has made.

Needs only Python >= 3.12; it exits non-zero on failure. The second part needs DIST, the folder with the archives.
"""

import hashlib
import json
import os
import re
import sys
import tarfile
import tempfile
import tomllib
import unittest
import zipfile
from pathlib import Path

import elf
import size

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import pack  # noqa: E402
from release_template import release_template  # noqa: E402

VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
DIST = Path(os.environ.get("DIST", "unknown"))
LICENSES = {"LICENSE-APACHE", "LICENSE-MIT"}
FUNCTION = {"Dockerfile", "func.yaml", "group", "passwd", "stepladder-oci"}

# How Lambda and OCI call a kind of machine, and how Rust does.
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}


class Packing(unittest.TestCase):
    def packed(self, suffix, made_at):
        """An archive of a folder whose files were made at a time, in another order each time."""
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "stepladder-1"
            names = ["stepladder", "man/b.1", "man/a.1"]
            for name in names if made_at % 2 else reversed(names):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(name)
                path.chmod(0o700 if name == "stepladder" else 0o600)
                os.utime(path, (made_at, made_at))
            archive = Path(place) / f"archive{made_at}{suffix}"
            (pack.pack_zip if suffix == ".zip" else pack.pack_tar)(archive, folder, 1_700_000_000)
            found = {}
            if suffix == ".zip":
                with zipfile.ZipFile(archive) as opened:
                    found = {one.filename: one.external_attr >> 16 & 0o777 for one in opened.infolist()}
            else:
                with tarfile.open(archive) as opened:
                    found = {one.name: one.mode for one in opened}
            return archive.read_bytes(), found

    def test_an_archive_depends_on_its_files_alone(self):
        for suffix in (".tar.gz", ".zip"):
            self.assertEqual(self.packed(suffix, 1), self.packed(suffix, 1_000_000_002), suffix)

    def test_names_are_sorted_and_all_may_read_them(self):
        _, tar = self.packed(".tar.gz", 1)
        top = "stepladder-1"
        expected = [(top, 0o755), (f"{top}/man", 0o755), (f"{top}/man/a.1", 0o644), (f"{top}/man/b.1", 0o644)]
        self.assertEqual(list(tar.items()), [*expected, (f"{top}/stepladder", 0o755)])
        _, zipped = self.packed(".zip", 1)
        self.assertEqual(zipped, {"man/a.1": 0o644, "man/b.1": 0o644, "stepladder": 0o755})


def read_tar(path):
    """The folder of an archive, and the contents of the files below it."""
    with tarfile.open(path) as archive:
        entries = list(archive)
        files = {one.name: archive.extractfile(one).read() for one in entries if one.isfile()}
    owners = {(one.uid, one.gid, one.uname, one.gname) for one in entries}
    assert owners == {(0, 0, "", "")}, owners
    assert len({one.mtime for one in entries}) == 1, "expected one time"
    top = entries[0].name
    return top, {name.removeprefix(f"{top}/"): content for name, content in files.items()}


@unittest.skipUnless(DIST.is_dir(), "DIST names no folder: `make dist` does")
class Archives(unittest.TestCase):
    def each(self, pattern):
        """The files of a pattern, each with the kind of machine in its name."""
        found = sorted(DIST.glob(pattern.replace("{}", "*")))
        self.assertTrue(found, pattern)
        prefix, suffix = pattern.split("{}")
        return [(path, path.name.removeprefix(prefix).removesuffix(suffix)) for path in found]

    def test_checksums(self):
        lines = (DIST / "SHA256SUMS").read_text().splitlines()
        sums = dict(reversed(re.fullmatch(r"([0-9a-f]{64})  (\S+)", line).groups()) for line in lines)
        files = {path.name: path for path in DIST.iterdir() if path.is_file() and path.name != "SHA256SUMS"}
        self.assertEqual(set(sums), set(files))
        for name, expected in sums.items():
            self.assertEqual(hashlib.sha256(files[name].read_bytes()).hexdigest(), expected, name)

    def test_the_command(self):
        for path, machine in self.each(f"stepladder-{VERSION}-{{}}-unknown-linux-musl.tar.gz"):
            top, files = read_tar(path)
            self.assertEqual(top, path.name.removesuffix(".tar.gz"))
            expected = {"stepladder", "README.md", "CHANGELOG.md", *LICENSES}
            self.assertEqual({name for name in files if "/" not in name}, expected)
            completions = {f"completions/stepladder.{shell}" for shell in ("bash", "fish", "zsh")}
            self.assertLessEqual(completions | {"man/stepladder.1"}, set(files))
            self.assertEqual(elf.machine(files["stepladder"]), machine)
            self.assertTrue(elf.is_static(files["stepladder"]))

    def test_the_function_for_lambda(self):
        for path, architecture in self.each("stepladder-lambda-{}.zip"):
            with zipfile.ZipFile(path) as archive:
                modes = {one.filename: one.external_attr >> 16 & 0o777 for one in archive.infolist()}
                self.assertEqual(modes, {"bootstrap": 0o755, **dict.fromkeys(LICENSES, 0o644)})
                self.assertEqual(elf.machine(archive.read("bootstrap")), ARCHITECTURES[architecture])
            self.assertLessEqual(path.stat().st_size / 1e6, size.LARGEST_MB)

    def test_the_function_for_oci(self):
        for path, architecture in self.each("stepladder-oci-{}.tar.gz"):
            top, files = read_tar(path)
            self.assertEqual(top, "stepladder-oci")
            self.assertEqual(set(files), FUNCTION | LICENSES)
            self.assertEqual(elf.machine(files["stepladder-oci"]), ARCHITECTURES[architecture])
            self.assertTrue(elf.is_static(files["stepladder-oci"]))

    def test_the_bill_of_materials(self):
        for path, _ in self.each(f"stepladder-{VERSION}-{{}}-unknown-linux-musl.cdx.json"):
            bill = json.loads(path.read_text())
            self.assertEqual(bill["bomFormat"], "CycloneDX")
            about = bill["metadata"]["component"]
            self.assertEqual((about["name"], about["version"]), ("stepladder", VERSION))
            locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
            versions = {(one["name"], one["version"]) for one in locked}
            found = {(one["name"], one["version"]) for one in bill["components"]}
            self.assertLessEqual(found, versions)
            # One of each cloud's client, and none that only tests need.
            names = {name for name, _ in found}
            self.assertLessEqual({"aws-sdk-sagemaker", "lambda_runtime", "ring"}, names)
            self.assertFalse({"criterion", "insta", "proptest"} & names)
            self.assertNotIn(str(ROOT), path.read_text())

    def test_the_template(self):
        expected = release_template((ROOT / "template.yaml").read_text())
        self.assertEqual((DIST / "template-release.yaml").read_text(), expected)


if __name__ == "__main__":
    unittest.main()
