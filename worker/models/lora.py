"""A model's LoRAs: loaded once, chosen by each request."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from safetensors import SafetensorError

from shared.catalog import LoraEntry
from shared.errors import ConfigurationError
from shared.request import Lora
from worker.engine.sample import LoraSet
from worker.models.adapters import Adapters
from worker.models.device import Device
from worker.models.files import locate_file
from worker.models.lora_file import read_lora
from worker.models.text import TextEncoder


class Loras:
    """What is attached to the UNet and the text encoders, by the LoRAs' names."""

    def __init__(self, parts: Mapping[str, Adapters], unmatched: Mapping[str, int]) -> None:
        """`unmatched`: how many tensors of each LoRA found no place in the model."""
        self.unet = parts["unet"]
        self.bytes = sum(part.bytes for part in parts.values())
        self._unmatched = unmatched

    def notes(self, loras: LoraSet) -> list[tuple[str, str]]:
        """What clients should know of these LoRAs: codes and details."""
        return [
            (
                "lora_keys_unmatched",
                f"{self._unmatched[name]} keys of the LoRA {name} match nothing in the model",
            )
            for name, _ in loras
            if self._unmatched[name]
        ]


def lora_set(requested: Iterable[Lora]) -> LoraSet:
    """The same tuple for the same LoRAs in any order; those of scale 0 are not there."""
    return tuple(sorted((lora.name, lora.scale) for lora in requested if lora.scale != 0))


def load_loras(entries: Sequence[LoraEntry], unet: Any, text: TextEncoder, device: Device) -> Loras:
    """Attach the configured LoRAs to the UNet and the text encoders.

    Raises ConfigurationError with the reason where a file is missing, altered or not legible, or
    nothing in it matches the model.
    """
    parts = {"unet": Adapters(unet, device)}
    for number, tower in zip(("", "_2"), text.towers, strict=False):
        parts[f"text_encoder{number}"] = tower.adapters
    unmatched = {}
    for entry in entries:
        try:
            unmatched[entry.name] = _load(entry, unet.config, parts)
        except (OSError, ValueError, KeyError, SafetensorError, ConfigurationError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"LoRA {entry.name}: {reason}") from error
    return Loras(parts, unmatched)


def _load(entry: LoraEntry, unet_config: Any, parts: Mapping[str, Adapters]) -> int:
    """Attach one file; how many of its tensors found no place."""
    file = read_lora(locate_file(entry), unet_config)
    attached = sum(
        parts[part].attach(entry.name, pairs) for part, pairs in file.pairs.items() if part in parts
    )
    if not attached:
        raise ConfigurationError("nothing in it matches the model")
    return file.tensors - 2 * attached
