"""Finds a model's directory and checks it before anything in it is loaded."""

import hashlib
import json
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from shared.catalog import ModelEntry
from shared.errors import ConfigurationError

PIPELINE = "StableDiffusionPipeline"
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
WEIGHTS = ("unet", "vae", "text_encoder")

# Loading one of these can run code that somebody put into it.
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})

# Of a hub repository only what is loaded: no pickles, no second copies in other precisions.
FETCHED = ("model_index.json", *(f"{part}/*.{end}" for part in PARTS for end in ("json", "txt")))
FETCHED_WEIGHTS = (
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
)


def locate_model(entry: ModelEntry) -> Path:
    """The model's directory in diffusers layout, checked; fetched first if it is on the hub.

    Raises ConfigurationError with the reason where it is missing, incomplete, altered, of
    another kind, or holds a pickle.
    """
    path = entry.path or _fetch(entry)
    try:
        _check(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"model {entry.id} in {path}: {error.detail}") from error
    return path


def _fetch(entry: ModelEntry) -> Path:
    assert entry.repository is not None
    try:
        folder = snapshot_download(
            entry.repository,
            revision=entry.revision,
            allow_patterns=[*FETCHED, *FETCHED_WEIGHTS],
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = f"model {entry.id}: {entry.repository} cannot be fetched: {error}"
        raise ConfigurationError(reason) from error
    return Path(folder)


def _check(path: Path) -> None:
    if not path.is_dir():
        raise ConfigurationError("there is no such directory")
    pickles = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICKLES)
    if pickles:
        name = pickles[0].relative_to(path)
        raise ConfigurationError(f"{name} may be a pickle; only safetensors are loaded")
    _check_pipeline(path / "model_index.json")
    for part in PARTS:
        if not (path / part).is_dir():
            raise ConfigurationError(f"the part `{part}` is missing")
    for part in WEIGHTS:
        if not any((path / part).glob("*.safetensors")):
            raise ConfigurationError(f"the part `{part}` has no safetensors")
    sums = path / "SHA256SUMS"
    if sums.is_file():
        _check_sums(path, sums)


def _check_pipeline(index: Path) -> None:
    try:
        pipeline = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError("model_index.json is missing or not legible") from error
    if pipeline != PIPELINE:
        raise ConfigurationError(f"it is a {pipeline}, not a {PIPELINE}")


def _check_sums(path: Path, sums: Path) -> None:
    for line in sums.read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition(" ")
        file = path / name.lstrip(" *")
        if not file.is_file():
            raise ConfigurationError(f"{name.strip()} is in SHA256SUMS, but not there")
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                raise ConfigurationError(f"{name.strip()} is not what SHA256SUMS says")
