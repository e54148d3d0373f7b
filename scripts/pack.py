"""Packs a folder into an archive that depends on nothing but its files: sorted, one time, one owner.

Usage: python pack.py ARCHIVE FOLDER. The name of the archive selects the format: `.tar.gz` holds the folder itself, `.zip` what
is in it, as Lambda expects. The time is SOURCE_DATE_EPOCH, or else that of the last commit.
"""

import gzip
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path


def source_time():
    """The time of every file in an archive, in seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or subprocess.check_output(["git", "log", "-1", "--format=%ct"], text=True))


def mode(path):
    """The permissions of a file in an archive, whatever the umask of this machine is."""
    return 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644


def paths(folder):
    return sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts)


def pack_tar(archive, folder, at):
    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = at
        entry.mode = mode(folder.parent / entry.name)
        return entry

    # The name and the time of an archive would otherwise be in its header.
    with (
        archive.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in [folder, *paths(folder)]:
            name = path.relative_to(folder.parent).as_posix()
            tar.add(path, name, recursive=False, filter=plain)


def pack_zip(archive, folder, at):
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in paths(folder):
            if path.is_dir():
                continue
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), time.gmtime(at)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100000 | mode(path)) << 16
            zipped.writestr(entry, path.read_bytes(), compresslevel=9)


def main():
    archive, folder = (Path(argument) for argument in sys.argv[1:])
    pack = pack_zip if archive.suffix == ".zip" else pack_tar
    pack(archive, folder, source_time())
    print(f"{archive}: {archive.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
