"""Types of fields that bodies share: plain text, seeds, and the strictness of all of them."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PROMPT_CHARACTERS = 4_000
PROMPT_BYTES = 16_000
SEEDS = 2**32

# Newline, return and tab count as spaces; every other control character is refused.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[\n\r\t]")


def _plain_text(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _prompt(text: str) -> str:
    if len(text.encode()) > PROMPT_BYTES:
        raise ValueError(f"at most {PROMPT_BYTES} bytes in UTF-8")
    return _SPACES.sub(" ", _plain_text(text))


def _seed(seed: int) -> int:
    if seed == -1:
        raise ValueError("leave `seed` out for a random one; the answer tells which it was")
    if not 0 <= seed < SEEDS:
        raise ValueError(f"from 0 to {SEEDS - 1}")
    return seed


Prompt = Annotated[str, Field(max_length=PROMPT_CHARACTERS), AfterValidator(_prompt)]
Seed = Annotated[
    int,
    AfterValidator(_seed),
    Field(json_schema_extra={"minimum": 0, "maximum": SEEDS - 1}),
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain_text)]
MetadataValue = Annotated[str, Field(max_length=256), AfterValidator(_plain_text)]


class StrictBody(BaseModel):
    """Unknown fields, numbers as text, booleans as numbers and infinities are refused."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,  # a logged traceback must not hold a prompt
    )
