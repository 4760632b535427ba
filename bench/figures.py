"""A figure: the median of interleaved rounds, and how far apart they lie."""

import statistics
from collections.abc import Sequence


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
