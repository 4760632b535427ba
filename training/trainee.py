"""A module in training: its optimizer, its moving average, its checkpoint file."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from training import checkpoint, device

LARGEST_GRADIENT = 1.0


class Trainee:
    """Takes up where the checkpoint left off; a new one starts at step 0."""

    def __init__(
        self,
        module: torch.nn.Module,
        path: Path,
        decay: float,
        groups: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """`groups` are the optimizer's, with "scale" as a factor of the learning rate."""
        machine = device.pick()
        self.module: Any = device.placed(module, machine)
        self.average: Any = copy.deepcopy(module).requires_grad_(False)
        self.step = 0
        self._path, self._decay = path, decay
        self._optimizer = torch.optim.AdamW(
            groups or [{"params": list(module.parameters())}], betas=(0.9, 0.99), weight_decay=0.01
        )
        saved = checkpoint.load(path)
        if saved is not None:
            checkpoint.load_weights(module, saved["model"], path)
            checkpoint.load_weights(self.average, saved["average"], path)
            self._optimizer.load_state_dict(saved["optimizer"])
            self.step = saved["step"]

    def learn(self, loss: torch.Tensor, rate: float) -> None:
        """One step down the loss at a learning rate; the average follows."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), LARGEST_GRADIENT)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        device.follow(self.average, self.module, self.step, self._decay)
        self.step += 1

    def save(self) -> None:
        parts = {"model": self.module, "average": self.average, "optimizer": self._optimizer}
        state_of = {name: part.state_dict() for name, part in parts.items()}
        checkpoint.save(self._path, {"step": self.step, **state_of})
