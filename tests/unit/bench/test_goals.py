"""The table of goals, on results made up for it."""

from bench.goals import GOALS, Goal, table


def test_a_bound_is_from_above_unless_it_says_otherwise():
    assert Goal("", "", 1.0).reached_by(0.9)
    assert not Goal("", "", 1.0).reached_by(1.1)
    assert Goal("", "", 1.0, at_least=True).reached_by(1.1)


def test_each_goal_is_beside_its_figure_or_says_that_there_is_none():
    faster = {"median": 25.0, "least": 19.0, "most": 31.0, "rounds": 5}
    results = {
        "image_out": {"photograph_1024": {"times_faster": faster}},
        "gateway": {"disk": {"ratio": {**faster, "median": 0.3}}},
        "line": {"overhead_ms_p99": {**faster, "of_all": 51.0}},
    }

    lines = table(results).splitlines()

    assert len(lines) == 2 + len(GOALS)
    assert any(line.endswith("| 25 | 19 to 31 (5) | ≥ 20 | reached |") for line in lines)
    assert any(line.endswith("| 0.3 | 19 to 31 (5) | ≥ 0.5 | missed |") for line in lines)
    assert any(line.endswith("| 51 | 19 to 31 (5) | ≤ 50 | missed |") for line in lines)
    assert sum(line.endswith("| not measured |") for line in lines) == len(GOALS) - 3
