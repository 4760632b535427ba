"""ControlNets: residuals for the rows that ask for them, exact zeros for the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from worker.engine.rows import padded_rows
from worker.engine.sample import Kind
from worker.models.context import Context, stack_contexts
from worker.models.denoising import ControlPicture
from worker.models.device import Device

ControlNets = Mapping[str, Any]


@dataclass(frozen=True)
class ControlledRow:
    """One row of a model's batch: its number, what it attends to, what controls it in a tick.

    Equal where it is the same row with the very same tensors.
    """

    row: int
    context: Context
    controls: tuple[ControlPicture, ...]


@dataclass(frozen=True, eq=False)
class _Call:
    """One ControlNet for some rows, filled up to a row bucket with copies of the first."""

    net: Any
    count: int  # rows without the filling
    rows: Tensor
    contexts: Tensor
    pixels: Tensor
    scales: Tensor


class ControlBatch:
    """The ControlNet calls of a tick: one for each net and for each length of context."""

    def __init__(
        self, nets: ControlNets, rows: Sequence[ControlledRow], kind: Kind, device: Device
    ) -> None:
        grouped: dict[tuple[Any, ...], list[tuple[ControlledRow, ControlPicture]]] = {}
        for row in rows:
            seen: Counter[str] = Counter()
            for control in row.controls:
                seen[control.type] += 1
                # A net used twice by a row is called twice. ControlNets take no mask, so that
                # contexts which would need one go apart, without their padding.
                chunks = row.context.chunks if row.context.padding else 0
                key = (control.type, seen[control.type], chunks)
                grouped.setdefault(key, []).append((row, control))
        self._calls = [
            _call(nets[key[0]], members, kind, device) for key, members in grouped.items()
        ]

    def residuals(
        self, latents: Tensor, timesteps: Tensor, added: Mapping[str, Tensor] | None
    ) -> dict[str, Any]:
        """The UNet's arguments that carry the residuals.

        Args:
            latents: [rows, C, H, W], the model's input.
            timesteps: [rows].
            added: what SDXL is told besides, a line for each row; None for other models.
        """
        sums: list[Tensor] = []
        for call in self._calls:
            down, middle = call.net(
                latents.index_select(0, call.rows),
                timesteps.index_select(0, call.rows),
                encoder_hidden_states=call.contexts.to(latents.dtype),
                controlnet_cond=call.pixels.to(latents.dtype),
                conditioning_scale=call.scales.to(latents.dtype),
                added_cond_kwargs=added
                and {name: lines.index_select(0, call.rows) for name, lines in added.items()},
                return_dict=False,
            )
            found = [*down, middle]
            if not sums:
                sums = [one.new_zeros(len(latents), *one.shape[1:]) for one in found]
            own = call.rows[: call.count]
            for total, one in zip(sums, found, strict=True):
                total.index_add_(0, own, one[: call.count])
        return {
            "down_block_additional_residuals": sums[:-1],
            "mid_block_additional_residual": sums[-1],
        }


def _call(
    net: Any,
    members: Sequence[tuple[ControlledRow, ControlPicture]],
    kind: Kind,
    device: Device,
) -> _Call:
    count = len(members)
    filled = [*members, *[members[0]] * (padded_rows(count, kind) - count)]
    contexts, mask = stack_contexts([_unpadded(row.context) for row, _ in filled])
    assert mask is None
    scales = torch.tensor([control.scale for _, control in filled], dtype=device.dtype)
    return _Call(
        net=net,
        count=count,
        rows=device.indexes([row.row for row, _ in filled]),
        contexts=contexts,
        pixels=torch.stack([control.pixels for _, control in filled]),
        scales=device.staged(scales).to(device.place, non_blocking=True).view(-1, 1, 1, 1),
    )


def _unpadded(context: Context) -> Context:
    if not context.padding:
        return context
    length = len(context.states) * context.chunks // (context.chunks + context.padding)
    return replace(context, states=context.states[:length], padding=0)
