"""`python -m deploy.dependencies`: what we install is pinned, all of it, and at no known hole.

An audit by a service's list needs the network; this policy needs only the tree.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
OURSELVES = "tessera"
# Extras of machines that have a GPU; their packages are installed there alone.
ELSEWHERE = frozenset({"gpu"})
# `pip freeze` leaves out what pip itself works with.
UNFROZEN = frozenset({"pip", "setuptools", "wheel"})
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!]+)")


def main() -> int:
    """Print what breaks the policy; 1 if anything does."""
    found = [
        *problems(
            (ROOT / "pyproject.toml").read_text(),
            (ROOT / "constraints.txt").read_text(),
            (ROOT / "deploy" / "safe_versions.toml").read_text(),
        )
    ]
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return 1 if found else 0


def problems(project: str, constraints: str, safe_versions: str) -> Iterator[str]:
    """What is wrong with these three files, a sentence each."""
    pins: dict[str, Version] = {}
    for line in constraints.splitlines():
        pin = PIN.fullmatch(line)
        if pin is None:
            yield f"constraints.txt: `{line}` is no `name==version`"
        else:
            pins[canonicalize_name(pin[1])] = Version(pin[2])
    for wanted in _everything(_direct(tomllib.loads(project)["project"])):
        name, pinned = canonicalize_name(wanted.name), pins.get(canonicalize_name(wanted.name))
        if wanted.url is not None:
            yield f"{name} comes from an address instead of an index"
        elif pinned is None and name not in UNFROZEN:
            yield f"{name} is not pinned in constraints.txt"
        elif pinned and not wanted.specifier.contains(pinned, prereleases=True):
            yield f"{name} is pinned to {pinned}, but {wanted} is wanted"
    for listed, safe in tomllib.loads(safe_versions).items():
        used = pins.get(canonicalize_name(listed))
        if used is not None and used < Version(safe["least"]):
            yield f"{listed} {used} {safe['reason']}; take {safe['least']} or newer"


def _direct(project: Mapping[str, object]) -> list[Requirement]:
    extras = project.get("optional-dependencies", {})
    assert isinstance(extras, dict)
    listed = [project["dependencies"], *(extras[name] for name in extras.keys() - ELSEWHERE)]
    lines = [line for some in listed for line in some]
    return [one for one in map(Requirement, lines) if one.name != OURSELVES]


def _everything(direct: Iterable[Requirement]) -> Iterator[Requirement]:
    """Those, and what the installed ones among them want in turn."""
    seen: set[tuple[str, str]] = set()
    waiting = list(direct)
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), ",".join(sorted(wanted.extras)))
        yield wanted
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = requires(wanted.name) or []
        except PackageNotFoundError:
            continue  # for another platform
        for line in lines:
            further = Requirement(line)
            contexts = [{"extra": extra} for extra in ("", *wanted.extras)]
            if further.marker is None or any(map(further.marker.evaluate, contexts)):
                waiting.append(further)


if __name__ == "__main__":
    sys.exit(main())
