"""Finds a model's files and checks them before anything in them is loaded."""

import hashlib
from functools import partial
from pathlib import Path

from shared.catalog import Family, ModelEntry, Source
from shared.errors import ConfigurationError
from worker.models.folder import INDEX, read_json, weight_files
from worker.models.hub import locate

PIPELINES = {
    Family.SD: ("StableDiffusionPipeline", "StableDiffusionInpaintPipeline"),
    Family.SDXL: ("StableDiffusionXLPipeline", "StableDiffusionXLInpaintPipeline"),
}
WEIGHTS = {
    Family.SD: ("unet", "vae", "text_encoder"),
    Family.SDXL: ("unet", "vae", "text_encoder", "text_encoder_2"),
}
DESCRIPTIONS = {
    Family.SD: ("tokenizer", "scheduler"),
    Family.SDXL: ("tokenizer", "tokenizer_2", "scheduler"),
}

# Loading one of these can run code that somebody put into it.
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})


def locate_model(entry: ModelEntry) -> Path:
    """The model's folder in diffusers layout or its `.safetensors` file, looked at from outside.

    Raises ConfigurationError with the reason where it is missing, incomplete, of another kind,
    or holds a pickle.
    """
    check = partial(_check, entry)
    folders = (*_weights(entry), *DESCRIPTIONS[entry.family])
    try:
        path = locate(entry, check, folders)
        check(path)
    except ConfigurationError as error:
        where = f" in {entry.path}" if entry.path else ""
        raise ConfigurationError(f"model {entry.id}{where}: {error.detail}") from error
    return path


def locate_weights(source: Source) -> Path:
    """A `.safetensors` file, or a folder with one part of a model. Raises ConfigurationError."""
    path = locate(source, _check_part)
    if path.is_dir():
        _check_part(path)
    else:
        check_file(path)
    return path


def locate_file(source: Source) -> Path:
    """One `.safetensors` file, compared with its hash. Raises ConfigurationError."""
    path = locate_weights(source)
    check_hashes(source, path)
    return weight_files(path)[0] if path.is_dir() else path


def files_of(entry: ModelEntry, path: Path) -> list[Path]:
    """All weights of the model that lies there, of its ControlNets, LoRAs and own VAE.

    Raises ConfigurationError where some are missing.
    """
    if path.is_dir():
        files = [file for part in _weights(entry) for file in weight_files(path / part)]
    else:
        files = [path]
    for source in (*entry.controls, *entry.loras, *((entry.vae,) if entry.vae else ())):
        found = locate_weights(source)
        files += weight_files(found) if found.is_dir() else [found]
    return files


def check_file(path: Path) -> None:
    """Raises ConfigurationError unless it is a file of safetensors by its name."""
    if path.suffix.lower() in PICKLES:
        raise ConfigurationError(f"{path.name} may be a pickle; only safetensors are loaded")
    if path.suffix.lower() != ".safetensors":
        raise ConfigurationError("it is neither a folder nor a .safetensors file")
    if not path.is_file():
        raise ConfigurationError("there is no such file")


def check_hashes(source: Source, path: Path) -> None:
    """Read everything and compare it with what `sha256` or the folder's SHA256SUMS say.

    Raises ConfigurationError where something was altered or is not there.
    """
    if source.sha256 is not None:
        if path.is_dir():
            raise ConfigurationError("`sha256` is for one file; a folder has SHA256SUMS")
        if _sha256(path) != source.sha256:
            raise ConfigurationError(f"{path.name} is not what its `sha256` says")
    sums = path / "SHA256SUMS"
    if sums.is_file():
        _check_sums(path, sums)


def _weights(entry: ModelEntry) -> tuple[str, ...]:
    return tuple(part for part in WEIGHTS[entry.family] if part != "vae" or entry.vae is None)


def _check(entry: ModelEntry, path: Path) -> None:
    if not path.is_dir():
        if path.suffix:
            check_file(path)
            return
        raise ConfigurationError("there is no such directory")
    pickles = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICKLES)
    if pickles:
        name = pickles[0].relative_to(path)
        raise ConfigurationError(f"{name} may be a pickle; only safetensors are loaded")
    _check_pipeline(path / INDEX, entry.family)
    for part in (*_weights(entry), *DESCRIPTIONS[entry.family]):
        if not (path / part).is_dir():
            raise ConfigurationError(f"the part `{part}` is missing")
    for part in _weights(entry):
        try:
            weight_files(path / part)
        except ConfigurationError as error:
            raise ConfigurationError(f"the part `{part}`: {error.detail}") from error


def _check_part(path: Path) -> None:
    if not path.is_dir():
        raise ConfigurationError("there is no such directory")
    weight_files(path)


def _check_pipeline(index: Path, family: Family) -> None:
    try:
        pipeline = read_json(index).get("_class_name")
    except (OSError, ValueError) as error:
        raise ConfigurationError("model_index.json is missing or not legible") from error
    if pipeline not in PIPELINES[family]:
        expected = " or a ".join(PIPELINES[family])
        raise ConfigurationError(f"it is a {pipeline}, not a {expected}")


def _check_sums(path: Path, sums: Path) -> None:
    for line in sums.read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition(" ")
        file = path / name.lstrip(" *")
        if not file.is_file():
            raise ConfigurationError(f"{name.strip()} is in SHA256SUMS, but not there")
        if _sha256(file) != expected:
            raise ConfigurationError(f"{name.strip()} is not what SHA256SUMS says")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
