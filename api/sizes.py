"""Which sizes a model allows, and which one a picture gets that says none."""

from shared.catalog import ModelEntry, ModelLimits
from shared.errors import FieldError
from shared.request import InputRef

SIDE_MULTIPLE = 8  # pixels; a latent of every supported family halves a side three times
MIN_SIDE = 64


def default_size(entry: ModelEntry, image: InputRef | None) -> tuple[int, int]:
    """Width and height where the request names neither.

    An input picture's own size where the model allows it, else its shape with as many pixels as
    the model's default size has: models draw best there.
    """
    width, height = entry.defaults.width, entry.defaults.height
    if image is None:
        return width, height
    if not size_errors(image.width, image.height, entry.limits):
        return image.width, image.height
    scale = (width * height / (image.width * image.height)) ** 0.5
    largest = _floor(entry.limits.max_side)
    sides = (_nearest(side * scale, largest) for side in (image.width, image.height))
    width, height = sides
    if width * height > entry.limits.max_pixels:
        return nearest_area(width, height, entry.limits.max_pixels)
    return width, height


def size_errors(
    width: int, height: int, limits: ModelLimits, fields: tuple[str, str] = ("width", "height")
) -> list[FieldError]:
    """What is wrong with a size, naming the nearest legal one; `fields` are blamed."""
    errors = []
    for field, side in zip(fields, (width, height), strict=True):
        legal = nearest_sides(side, limits.max_side)
        if side not in legal:
            nearest = " or ".join(str(value) for value in legal)
            rule = f"a multiple of {SIDE_MULTIPLE} from {MIN_SIDE} to {limits.max_side}"
            errors.append(FieldError(field, "illegal_size", f"{rule}; nearest: {nearest}"))
    if not errors and width * height > limits.max_pixels:
        near_width, near_height = nearest_area(width, height, limits.max_pixels)
        detail = f"at most {limits.max_pixels} pixels; nearest: {near_width} x {near_height}"
        errors.append(FieldError(fields[0], "too_many_pixels", detail))
    return errors


def nearest_sides(side: int, max_side: int) -> tuple[int, ...]:
    """The legal sides next to `side`: itself alone where it is legal."""
    largest = _floor(max_side)
    below = min(max(_floor(side), MIN_SIDE), largest)
    above = min(below + SIDE_MULTIPLE, largest)
    return (below,) if side <= below or below == above else (below, above)


def nearest_area(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """A legal size of about the same shape that has no more than `max_pixels`."""
    scale = (max_pixels / (width * height)) ** 0.5
    short = max(MIN_SIDE, _floor(int(min(width, height) * scale)))
    long = _floor(min(max(width, height), max_pixels // short))
    return (short, long) if width <= height else (long, short)


def _nearest(side: float, largest: int) -> int:
    return min(max(round(side / SIDE_MULTIPLE) * SIDE_MULTIPLE, MIN_SIDE), largest)


def _floor(side: int) -> int:
    return side - side % SIDE_MULTIPLE
