"""The error tree: every class says its code, and retryable ones are those that may pass."""

from collections.abc import Iterator

from shared import errors
from shared.errors import TesseraError


def tree(root: type[TesseraError]) -> Iterator[type[TesseraError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_codes_are_unique() -> None:
    own = [cls for cls in tree(TesseraError) if "code" in vars(cls)]
    # A defect in a job and one anywhere else are the same to the client.
    shared = {errors.InternalError, TesseraError}
    codes = [cls.code for cls in own if cls not in shared]
    assert len(set(codes)) == len(codes)


def test_what_may_pass_is_retryable() -> None:
    passing = {408, 429, 503}
    known = tree(TesseraError)
    assert all(cls.retryable for cls in known if cls.status in passing)
    assert not any(cls.retryable for cls in known if cls.status < 500 and cls.status not in passing)
