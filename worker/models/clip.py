"""One CLIP text model: chunks of tokens to states that the UNet attends to."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Parameter

from worker.engine.sample import LoraSet
from worker.models.adapters import Adapters
from worker.models.chunks import Chunk, Chunker
from worker.models.device import Device

# A mean of the states that is more than rounding and chance, of their spread.
CLEAR_MEAN = 1e-3


class ClipTower:
    """A CLIP text model with its tokenizer. For one thread."""

    def __init__(
        self, tokenizer: Any, model: torch.nn.Module, device: Device, *, penultimate: bool
    ) -> None:
        """`penultimate`: the UNet takes the last layer but one, as it is (SDXL).

        Otherwise it takes the last layer, or an earlier one, after the final norm.
        """
        self.chunker = Chunker(tokenizer)
        self.adapters = Adapters(model, device)
        self.model: Any = model
        self._device = device
        self._penultimate = penultimate

    @property
    def most_skipped(self) -> int:
        """How many of its last layers can be skipped."""
        return int(self.model.config.num_hidden_layers) - self._penultimate

    @property
    def width(self) -> int:
        """Size of a token's embedding."""
        return int(self.model.config.hidden_size)

    def learn(self, vectors: Mapping[str, Tensor]) -> None:
        """Give each name [n, width] embeddings of its own, as tokens beyond the vocabulary."""
        table = self.model.get_input_embeddings().weight
        named = {}
        first = len(table)
        for name, own in vectors.items():
            named[name] = range(first, first + len(own))
            first += len(own)
        learned = torch.cat([own.to(table) for own in vectors.values()])
        both = Parameter(torch.cat([table, learned]), requires_grad=False)
        self.model.set_input_embeddings(Embedding(len(both), self.width, _weight=both))
        self.chunker.name(named)

    def encode(self, chunk: Chunk, clip_skip: int, loras: LoraSet) -> tuple[Tensor, Tensor | None]:
        """The chunk's states, [L, D], and its pooled vector, [P], where the model has one.

        Weights multiply the states, see `weigh`. The pooled vector is not weighted.
        """
        self.adapters.switch(loras)
        # Each chunk runs alone: in a batch its bits would depend on the company.
        ids = torch.tensor([chunk.ids], device=self._device.place)
        output = self.model(ids, output_hidden_states=True)
        states = weigh(self._layer(output, clip_skip)[0], chunk.weights)
        if not hasattr(self.model, "text_projection"):
            return states, None
        # The model's own pooling may take a learned embedding for the end mark.
        return states, self.model.text_projection(output.last_hidden_state[:, chunk.end])[0]

    def _layer(self, output: Any, clip_skip: int) -> Tensor:
        if self._penultimate:
            states: Tensor = output.hidden_states[-2 - clip_skip]
        elif clip_skip:
            states = self.model.final_layer_norm(output.hidden_states[-1 - clip_skip])
        else:
            states = output.last_hidden_state
        return states


def weigh(states: Tensor, weights: tuple[float, ...]) -> Tensor:
    """[L, D] times a weight each; then the mean is brought back, as AUTOMATIC1111 does.

    A mean that is hardly more than zero is none to bring back: to divide by it would multiply all
    by chance.
    """
    if all(weight == 1 for weight in weights):
        return states
    before = states.float()
    after = before * torch.tensor(weights, device=states.device)[:, None]
    means = torch.stack([before.mean(), after.mean()])
    clear = means.abs().min() > CLEAR_MEAN * before.std()
    factor = torch.where(clear, means[0] / means[1], 1.0)
    return (after * factor).to(states.dtype)
