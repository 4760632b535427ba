"""A figure: the median of interleaved rounds, and how far apart they lie."""

import statistics
from collections.abc import Callable, Sequence


def summary(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median, least, most and number of the rounds."""
    return {
        "median": round(statistics.median(values), digits),
        "least": round(min(values), digits),
        "most": round(max(values), digits),
        "rounds": len(values),
    }


def ratios(over: Sequence[float], under: Sequence[float], digits: int = 3) -> dict[str, float]:
    """The same of quotients, each of two values of one round."""
    return summary([a / b for a, b in zip(over, under, strict=True)], digits)


def of_all(
    figure: Callable[[Sequence[float]], float], rounds: Sequence[Sequence[float]], digits: int = 3
) -> dict[str, float]:
    """`figure` of all rounds' values together, as `of_all`; beside it those of the single rounds.

    For what a round is too short to tell: the p99 of twenty values is the greatest of them.
    """
    together = [value for values in rounds for value in values]
    own = summary([figure(values) for values in rounds], digits)
    return {"of_all": round(figure(together), digits), **own}


def p99(values: Sequence[float]) -> float:
    """What at most one in a hundred values exceeds: of fewer than a hundred, the greatest."""
    return sorted(values)[-1 - len(values) // 100]
