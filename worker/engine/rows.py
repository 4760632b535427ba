"""Row buckets: the batch sizes that models are run at."""

from bisect import bisect_left

from worker.engine.sample import Kind

# One and the same bucket gives the same bits whatever the company; few sizes can be compiled.
# No bucket of 6: a CPU's matrix product works on four lines at a time, and treats those that are
# left over differently, so that a row's bits would depend on its place.
ROW_BUCKETS = (1, 2, 4, 8, 12, 16, 24, 32)

# Reproducible samples are always padded to this many rows.
REPRODUCIBLE_ROWS = 4


def padded_rows(rows: int, kind: Kind) -> int:
    """The bucket that a batch of `rows` rows runs in."""
    if kind is Kind.REPRODUCIBLE:
        return REPRODUCIBLE_ROWS
    return ROW_BUCKETS[bisect_left(ROW_BUCKETS, rows)]
