"""The fault matrix in docs/reliability.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_test_that_is_named_is_there() -> None:
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 40
    for row in rows:
        file = None
        for name in re.findall(r"`([\w/.]+)`", row.split("|")[3]):
            if name.endswith(".py"):
                file = ROOT / "tests" / name
                assert file.exists(), name
            else:
                assert file is not None
                assert f"def {name}(" in file.read_text(encoding="utf-8"), f"{file}: {name}"
