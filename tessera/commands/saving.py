"""Where finished pictures are saved: names made of prompt and seed, or the name that was asked."""

import re
from pathlib import Path

from tessera.answers import Job
from tessera.client import Client

NAME_CHARACTERS = 40
SUFFIXES = {"jpeg": "jpg"}


def save_images(client: Client, job: Job, target: Path) -> list[Path]:
    """Save every picture of a job that succeeded; the files written.

    `target` is a file's name, or a directory, in which the names tell prompt and seed. Several
    pictures under one file's name are numbered.
    """
    paths = []
    for image in job.images:
        suffix = SUFFIXES.get(image.format, image.format)
        if target.suffix == "":
            path = target / f"{_slug(job.request['prompt'])}-{image.seed}.{suffix}"
        elif len(job.images) > 1:
            path = target.with_stem(f"{target.stem}-{image.index}")
        else:
            path = target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.image(job.id, image.index))
        paths.append(path)
    return paths


def _slug(prompt: str) -> str:
    words = re.sub(r"\W+", "-", prompt.lower()).strip("-_")
    return words[:NAME_CHARACTERS].rstrip("-") or "picture"
