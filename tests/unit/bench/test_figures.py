"""Figures of rounds, on numbers whose order can be seen."""

from bench.figures import of_all, p99, ratios, summary


def test_a_figure_has_the_rounds_median_and_both_ends():
    assert summary([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 3.0, "rounds": 3}


def test_a_ratio_is_of_values_of_one_round():
    assert ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0])["most"] == 3.0


def test_the_p99_is_exceeded_by_one_in_a_hundred_and_of_few_values_it_is_the_greatest():
    assert p99(range(1, 101)) == 99
    assert p99(range(1, 201)) == 198
    assert p99(range(1, 21)) == 20


def test_a_figure_of_all_values_is_beside_those_of_the_rounds():
    rounds = [range(number, 100, 5) for number in range(5)]

    assert of_all(p99, rounds) == {
        "of_all": 98,
        "median": 97,
        "least": 95,
        "most": 99,
        "rounds": 5,
    }
