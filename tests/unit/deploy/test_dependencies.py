"""The policy holds for this tree, and each way to break it is told."""

import pytest

from deploy import dependencies
from deploy.dependencies import problems

PROJECT = '[project]\ndependencies = ["packaging>=20"]\n'
SAFE = '[packaging]\nleast = "21.0"\nreason = "had a hole"\n'


def test_the_tree_keeps_the_policy():
    assert dependencies.main() == 0


@pytest.mark.parametrize(
    ("project", "constraints", "told"),
    [
        (PROJECT, "packaging==25.0", None),
        (PROJECT, "", "not pinned"),
        (PROJECT, "packaging>=25.0", "no `name==version`"),
        (PROJECT, "packaging==19.0", "but packaging>=20 is wanted"),
        (PROJECT, "packaging==20.5", "had a hole; take 21.0"),
        (PROJECT.replace(">=20", " @ https://a.test/p.whl"), "packaging==25.0", "an address"),
        (PROJECT.replace("packaging>=20", "pytest"), "pytest==9.0", "pluggy is not pinned"),
    ],
)
def test_what_breaks_it_is_told(project: str, constraints: str, told: str | None):
    found = list(problems(project, constraints, SAFE))
    assert any(told in problem for problem in found) if told else not found
