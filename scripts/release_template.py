"""Writes the template of a release: template.yaml with the function's code in a bucket, so that nothing is built.

Usage: python release_template.py > template-release.yaml

SAM builds a function only if its `CodeUri` is a path, and a condition cannot choose between a path and a bucket. So a
release has a template of its own, which differs in nothing else.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]

PARAMETERS = f"""\
Parameters:
  CodeBucket:
    Type: String
    Description: The S3 bucket in this region that holds the function's zip.
  CodeKey:
    Type: String
    Default: ""
    Description: >
      The key of the zip in that bucket; empty for stepladder-{VERSION}/stepladder-lambda-ARCHITECTURE.zip. Another
      release needs another key, because CloudFormation updates a function's code only if its place changes.
"""

CONDITIONS = """\
Conditions:
  HasCodeKey: !Not [!Equals [!Ref CodeKey, ""]]
"""

CODE = f"""\
      CodeUri:
        Bucket: !Ref CodeBucket
        Key: !If [HasCodeKey, !Ref CodeKey, !Sub "stepladder-{VERSION}/stepladder-lambda-${{Architecture}}.zip"]
"""

# What is replaced, each found once: how the function is built, and what `sam publish` reads.
REPLACED = [
    (r"^# `sam publish` .*\nMetadata:\n(?:  .*\n)+\n", ""),
    (r"^Parameters:\n", PARAMETERS),
    (r"^Conditions:\n", CONDITIONS),
    (r"^    Metadata:\n      BuildMethod: .*\n(?:      .*\n)+(?=    Properties:\n)", ""),
    (r"^      CodeUri: \.\n", CODE),
]


def release_template(text):
    """The template of a release, from the text of template.yaml."""
    for pattern, replacement in REPLACED:
        text, found = re.subn(pattern, lambda _, new=replacement: new, text, flags=re.MULTILINE)
        if found != 1:
            sys.exit(f"expected `{pattern}` once in template.yaml, found it {found} times: change it here as well")
    return text


if __name__ == "__main__":
    sys.stdout.write(release_template((ROOT / "template.yaml").read_text()))
