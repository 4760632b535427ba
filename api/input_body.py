"""How a body names a picture: as data, as a link, or as one that was sent before."""

from typing import Self

from pydantic import Field, model_validator

from api.fields import StrictBody

# 20 MB as base64, with line ends and the beginning of a data: URL.
MAX_DATA_CHARACTERS = 28_000_000
MAX_URL_CHARACTERS = 2_048
INPUT_ID = r"^in_[0-9a-f]{32}$"


class InputBody(StrictBody):
    """An input picture: exactly one of the three. PNG, JPEG or WebP, at most 20 MB."""

    data: str | None = Field(
        default=None, max_length=MAX_DATA_CHARACTERS, description="Base64, or a data: URL."
    )
    url: str | None = Field(
        default=None, max_length=MAX_URL_CHARACTERS, description="https, on the public internet."
    )
    id: str | None = Field(default=None, pattern=INPUT_ID, description="Of POST /v1/inputs.")
    width: int | None = Field(default=None, description="Told in answers; means nothing here.")
    height: int | None = Field(default=None, description="Told in answers; means nothing here.")

    @model_validator(mode="after")
    def _names_one_picture(self) -> Self:
        if sum(way is not None for way in (self.data, self.url, self.id)) != 1:
            raise ValueError("give exactly one of `data`, `url` and `id`")
        return self


class ControlBody(StrictBody):
    """A picture that steers, and the part of the steps where it does."""

    type: str = Field(max_length=64, description="One of the model's control types.")
    image: InputBody
    scale: float = Field(default=1.0, ge=0, le=2)
    start: float = Field(default=0.0, ge=0, le=1)
    end: float = Field(default=1.0, ge=0, le=1)
    preprocess: bool = Field(
        default=False, description="The picture is a photograph, not yet of the control's kind."
    )
