"""A checkpoint: a half-denoised sample as bytes, for any worker with the same model."""

import math
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

FLOAT_BYTES = 4


class Checkpoint(BaseModel):
    """A sample's state after `tick` ticks of its first or second pass.

    Attributes:
        fits: names all that must be the same where it is resumed.
        shape: [1 + registers, C, H, W].
        planes: the latent and the registers, float32, in the machine's (little-endian) order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fits: str
    second_pass: bool
    tick: int
    shape: tuple[int, ...]
    planes: bytes = b""

    def pack(self) -> bytes:
        """One line of JSON, then the planes as they are: deflating them would save 7 %."""
        return self.model_dump_json(exclude={"planes"}).encode() + b"\n" + self.planes

    @classmethod
    def unpack(cls, packed: bytes) -> Self | None:
        """None where these bytes are no checkpoint as this version writes them."""
        line, _, planes = packed.partition(b"\n")
        try:
            head = cls.model_validate_json(line)
        except ValidationError:
            return None
        whole = len(planes) == math.prod(head.shape) * FLOAT_BYTES
        return head.model_copy(update={"planes": planes}) if whole else None
