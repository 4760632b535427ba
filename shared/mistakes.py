"""The first mistake that a validation found, in words for one line."""

from pydantic import ValidationError


def first_mistake(error: ValidationError) -> tuple[list[str], str]:
    """Where it is, outermost name first, and what is wrong there; the value is not repeated."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "extra_forbidden":
        reason = "there is no such field"
    else:
        reason = first["msg"].removeprefix("Value error, ")
    return [str(part) for part in first["loc"]], reason
