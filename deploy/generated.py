"""Files that are made by code and committed: written anew, or checked to be current."""

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(files: Mapping[Path, str], arguments: list[str]) -> int:
    """Write `files` (path to text), or with `--check` name those that differ; the exit status."""
    if arguments != ["--check"]:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} is not what its generator writes\n")
    return len(stale)
