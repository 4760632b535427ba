"""Where finished pictures are saved: names made of prompt and seed, or the name that was asked."""

import re
from pathlib import Path

import typer

from tessera.answers import Job
from tessera.client import Client

NAME_CHARACTERS = 40
SUFFIXES = {"jpeg": "jpg"}
FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".avif": "avif"}


def format_for(target: Path) -> str | None:
    """The format that the name of a file asks for; None for a folder.

    Raises:
        typer.BadParameter: no such pictures are made.
    """
    if target.suffix == "":
        return None
    if target.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise typer.BadParameter(f"{target.suffix} is none of {known}", param_hint="--output")
    return FORMATS[target.suffix.lower()]


def save_images(client: Client, job: Job, target: Path) -> list[Path]:
    """Save every picture of a job that succeeded; the files written."""
    paths = []
    for image in job.images:
        path = picture_path(
            target,
            job.request["prompt"],
            seed=image.seed,
            suffix=SUFFIXES.get(image.format, image.format),
            number=image.index if len(job.images) > 1 else None,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.image(job.id, image.index))
        paths.append(path)
    return paths


def picture_path(target: Path, prompt: str, *, seed: int, suffix: str, number: int | None) -> Path:
    """Where a picture goes.

    A `target` without a suffix is a folder, in which names tell prompt and seed; otherwise it is
    the file, and `number` tells several pictures apart.
    """
    if target.suffix == "":
        slug = re.sub(r"\W+", "-", prompt.lower()).strip("-_")
        name = slug[:NAME_CHARACTERS].rstrip("-") or "picture"
        return target / f"{name}-{seed}.{suffix}"
    return target if number is None else target.with_stem(f"{target.stem}-{number}")
