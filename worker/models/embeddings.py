"""Textual inversion: names in prompts that stand for learned vectors."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from shared.catalog import EmbeddingEntry
from shared.errors import ConfigurationError
from worker.models.clip import ClipTower
from worker.models.files import locate_file
from worker.models.text import TextEncoder
from worker.models.weights import read_weights

ONLY_TENSOR = "emb_params"  # AUTOMATIC1111's key; diffusers' is the token's name
TOWER_TENSORS = ("clip_l", "clip_g")  # of files for SDXL, in the towers' order


def load_embeddings(entries: Sequence[EmbeddingEntry], text: TextEncoder) -> None:
    """Teach the text encoders the configured embeddings; to be called once, before they are used.

    Raises ConfigurationError with the reason where a file is missing, altered, not legible, or
    made for another model.
    """
    if not entries:
        return
    by_name = {entry.name: _load(entry, text.towers) for entry in entries}
    for index, tower in enumerate(text.towers):
        tower.learn({name: vectors[index] for name, vectors in by_name.items()})


def _load(entry: EmbeddingEntry, towers: Sequence[ClipTower]) -> list[Tensor]:
    try:
        return _read(locate_file(entry), towers)
    except (OSError, SafetensorError, ConfigurationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"embedding {entry.name}: {reason}") from error


def _read(file: Path, towers: Sequence[ClipTower]) -> list[Tensor]:
    """One [vectors, width] tensor a tower."""
    tensors = read_weights([file])
    found = _of_towers(tensors, len(towers))
    vectors = [tensor[None] if tensor.ndim == 1 else tensor for tensor in found]
    counts = {len(tensor) for tensor in vectors}
    for tensor, tower in zip(vectors, towers, strict=True):
        if tensor.ndim != 2 or tensor.shape[1] != tower.width:
            raise ConfigurationError(
                f"its vectors are {tensor.shape[-1]} wide, the model's {tower.width}"
            )
    if len(counts) > 1 or max(counts) > towers[0].chunker.size:
        raise ConfigurationError("its vectors do not fit one chunk of a prompt")
    return vectors


def _of_towers(tensors: Mapping[str, Tensor], towers: int) -> list[Tensor]:
    if towers > 1:
        if not set(TOWER_TENSORS) <= set(tensors):
            raise ConfigurationError("it lacks `clip_l` or `clip_g`: it is not for SDXL")
        return [tensors[name] for name in TOWER_TENSORS]
    if len(tensors) > 1 and ONLY_TENSOR not in tensors:
        raise ConfigurationError("it has several tensors: it is not for this family")
    return [tensors[ONLY_TENSOR] if ONLY_TENSOR in tensors else next(iter(tensors.values()))]
