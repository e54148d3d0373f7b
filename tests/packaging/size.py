"""Prints the size of a function's package as it is uploaded, and fails where that is too large.

Usage: python size.py PATH_OF_BOOTSTRAP
"""

import io
import sys
import zipfile
from pathlib import Path

# What Lambda loads and unpacks before a cold function answers its first alarm.
LARGEST_MB = 5.0


def zipped_mb(path):
    """The size of a file, zipped as SAM zips it, in MB of a million bytes."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    return len(package.getvalue()) / 1e6


def main():
    path = Path(sys.argv[1])
    size = zipped_mb(path)
    unpacked = path.stat().st_size / 1e6
    print(f"package: {size:.2f} MB zipped of {LARGEST_MB:.0f} allowed, {unpacked:.2f} MB unpacked")
    if size > LARGEST_MB:
        sys.exit(
            f"the package is too large: expected at most {LARGEST_MB:.2f} MB, found {size:.2f} MB; "
            "`cargo tree --features aws` shows what has come in"
        )


if __name__ == "__main__":
    main()
