"""What steers a picture beside its prompt: input pictures, controls, LoRAs, the second pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.body import HiresBody, JobBody
from shared.catalog import ModelEntry, ModelLimits
from shared.errors import FieldError
from shared.job import JobWarning
from shared.preprocessors import PREPROCESSORS
from shared.request import Control, Fit, GenerationRequest, Hires, InputRef, Lora


@dataclass(frozen=True)
class Pictures:
    """A body's input pictures, checked and stored; `controls` in the body's order."""

    image: InputRef | None = None
    mask: InputRef | None = None
    controls: tuple[InputRef, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Each picture's id once."""
        named = (self.image, self.mask, *self.controls)
        return tuple(dict.fromkeys(picture.id for picture in named if picture))


NO_PICTURES = Pictures()


def asked_errors(body: JobBody, entry: ModelEntry) -> list[FieldError]:
    """What is wrong whatever the input pictures show."""
    errors = []
    if body.mask is not None and body.image is None:
        errors.append(FieldError("mask", "mask_without_image", "a mask needs an `image`"))
    if len(body.controls) > entry.limits.max_controls:
        detail = f"this model takes at most {entry.limits.max_controls}"
        errors.append(FieldError("controls", "too_many_controls", detail))
    if len(body.loras) > entry.limits.max_loras:
        detail = f"this model takes at most {entry.limits.max_loras}"
        errors.append(FieldError("loras", "too_many_loras", detail))
    return errors + _control_errors(body, entry) + _lora_errors(body, entry)


def _control_errors(body: JobBody, entry: ModelEntry) -> list[FieldError]:
    errors = []
    types = [control.type for control in entry.controls]
    for index, control in enumerate(body.controls):
        field = f"controls.{index}"
        if control.type not in types:
            errors.append(FieldError(f"{field}.type", "unknown_control", _one_of(types)))
        elif control.preprocess and control.type not in PREPROCESSORS:
            detail = f"send a ready control picture; there is a preprocessor for: {_names()}"
            errors.append(FieldError(f"{field}.preprocess", "no_preprocessor", detail))
        if control.start >= control.end:
            detail = "`end` must be later than `start`"
            errors.append(FieldError(f"{field}.end", "illegal_range", detail))
    return errors


def _lora_errors(body: JobBody, entry: ModelEntry) -> list[FieldError]:
    errors = []
    names = [lora.name for lora in entry.loras]
    for index, lora in enumerate(body.loras):
        field = f"loras.{index}.name"
        if lora.name not in names:
            errors.append(FieldError(field, "unknown_lora", _one_of(names)))
        elif lora.name in [earlier.name for earlier in body.loras[:index]]:
            errors.append(FieldError(field, "duplicate_lora", "this LoRA is named twice"))
    return errors


def _one_of(names: Sequence[str]) -> str:
    return f"one of: {', '.join(names)}" if names else "this model has none"


def _names() -> str:
    return ", ".join(sorted(PREPROCESSORS))


def conditioning(body: JobBody, pictures: Pictures, steps: int) -> dict[str, Any]:
    """The conditioning fields of the GenerationRequest; `steps` are those of the first pass."""
    controls = tuple(
        Control(**control.model_dump(exclude={"image"}), image=picture)
        for control, picture in zip(body.controls, pictures.controls, strict=True)
    )
    return {
        "image": pictures.image,
        "strength": 1.0 if body.strength is None else body.strength,
        "mask": pictures.mask,
        "fit": body.fit or Fit.COVER,
        "controls": controls,
        "loras": tuple(Lora(name=lora.name, scale=lora.scale) for lora in body.loras),
        "guidance_rescale": body.guidance_rescale or 0.0,
        "clip_skip": body.clip_skip or 0,
        "hires": _hires(body.hires, steps) if body.hires else None,
        "preview_every": body.preview_every or 0,
        "trajectory": body.trajectory,
    }


def _hires(hires: HiresBody, steps: int) -> Hires:
    return Hires(scale=hires.scale, strength=hires.strength, steps=hires.steps or steps)


def conditioned_errors(request: GenerationRequest, limits: ModelLimits) -> list[FieldError]:
    """What is wrong with a complete request's pictures and passes."""
    errors = []
    image, mask, hires = request.image, request.mask, request.hires
    if image and mask and (image.width, image.height) != (mask.width, mask.height):
        detail = f"must be as large as `image`: {image.width} x {image.height}"
        errors.append(FieldError("mask", "mask_size", detail))
    if image and int(request.steps * request.strength) < 1:
        detail = f"is less than one of {request.steps} steps"
        errors.append(FieldError("strength", "illegal_strength", detail))
    if hires:
        errors += _hires_errors(request, hires, limits)
    return errors


def _hires_errors(
    request: GenerationRequest, hires: Hires, limits: ModelLimits
) -> list[FieldError]:
    errors = []
    width, height = request.size
    if max(width, height) > limits.max_side or width * height > limits.max_pixels:
        detail = f"leads beyond the model's {limits.max_side} a side or {limits.max_pixels} pixels"
        errors.append(FieldError("hires.scale", "too_many_pixels", detail))
    if int(hires.steps * hires.strength) < 1:
        detail = f"is less than one of {hires.steps} steps"
        errors.append(FieldError("hires.strength", "illegal_strength", detail))
    return errors


def conditioning_warnings(body: JobBody, request: GenerationRequest) -> list[JobWarning]:
    """What was ignored, and how pictures of another shape were fitted."""
    warnings = []
    # An answer's `request`, sent again, holds the defaults.
    if body.strength not in (None, 1.0) and request.image is None:
        warnings.append(_ignored("`strength` needs an `image`"))
    if body.fit not in (None, Fit.COVER) and request.image is None and not request.controls:
        warnings.append(_ignored("`fit` needs an `image` or a control"))
    if request.guidance_rescale and request.rows == 1:
        warnings.append(_ignored("`guidance_rescale` needs a `guidance_scale` above 1"))
    hires = request.hires
    if hires and request.size != (request.width * hires.scale, request.height * hires.scale):
        width, height = request.size
        detail = f"sides are multiples of 8: the finished picture has {width} x {height} pixels"
        warnings.append(JobWarning(code="size_rounded", detail=detail))
    pictures = {f"controls.{n}.image": control.image for n, control in enumerate(request.controls)}
    if request.image:
        pictures = {"image": request.image} | pictures
    for name, picture in pictures.items():
        if picture.width * request.height != picture.height * request.width:
            warnings.append(_fitted(name, picture, request))
    return warnings


_HOW = {
    Fit.COVER: "it fills the picture, and what stands out is cut off",
    Fit.CONTAIN: "it lies inside the picture, and its edges fill the rest",
    Fit.STRETCH: "it is stretched",
}


def _fitted(name: str, picture: InputRef, request: GenerationRequest) -> JobWarning:
    detail = (
        f"`{name}` has {picture.width} x {picture.height} pixels,"
        f" the picture {request.width} x {request.height}: {_HOW[request.fit]}"
    )
    return JobWarning(code="image_fitted", detail=detail)


def _ignored(detail: str) -> JobWarning:
    return JobWarning(code="option_ignored", detail=detail)
