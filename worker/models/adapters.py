"""LoRAs beside a module's weights: attached once, switched on and off between two calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import Conv2d, Linear, Module
from torch.nn.functional import conv2d, linear
from torch.utils.hooks import RemovableHandle

from worker.engine.sample import LoraSet
from worker.models.device import Device
from worker.models.lora_file import Pair

Hook = Callable[[Module, tuple[Tensor, ...], Tensor], Tensor]


@dataclass(frozen=True)
class _Layer:
    """A pair on the device, beside the layer that it adds to."""

    layer: Linear | Conv2d
    down: Tensor
    up: Tensor

    def hook(self, scale: float) -> Hook:
        """What adds the pair's share to the layer's output."""

        def added(module: Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            (seen,) = inputs
            down, up = self.down.to(seen.dtype), self.up.to(seen.dtype)
            if isinstance(self.layer, Linear):
                share = linear(linear(seen, down), up)
            else:
                own = self.layer
                narrow = conv2d(seen, down, None, own.stride, own.padding, own.dilation)
                share = conv2d(narrow, up)
            return output + share * scale

        return added


class Adapters:
    """What is attached to one module, none of it active at first. For the module's thread.

    Nothing is merged and nothing wrapped: without an active LoRA the module is what it was.
    """

    def __init__(self, module: Module, device: Device) -> None:
        self._module = module
        self._device = device
        self._layers: dict[str, list[_Layer]] = {}
        self._hooks: list[RemovableHandle] = []
        self._active: LoraSet = ()

    def attach(self, name: str, pairs: Mapping[str, Pair]) -> int:
        """Attach the pairs that fit a layer under this name; how many those were."""
        found = [self._place(path, pair) for path, pair in pairs.items()]
        layers = [layer for layer in found if layer is not None]
        if layers:
            self._layers[name] = layers
        return len(layers)

    @property
    def bytes(self) -> int:
        """Memory that the pairs take on the device."""
        layers = [layer for layers in self._layers.values() for layer in layers]
        return sum(layer.down.nbytes + layer.up.nbytes for layer in layers)

    def known(self, loras: LoraSet) -> LoraSet:
        """Those of the LoRAs that have a part in this module."""
        return tuple((name, scale) for name, scale in loras if name in self._layers)

    def switch(self, loras: LoraSet) -> None:
        """Let these LoRAs, and no others, take part in the module's calls from now on."""
        if loras == self._active:
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = [
            one.layer.register_forward_hook(one.hook(scale))
            for name, scale in self.known(loras)
            for one in self._layers[name]
        ]
        self._active = loras

    def _place(self, path: str, pair: Pair) -> _Layer | None:
        # Files name CLIP's layers as transformers did before its version 5.
        if not hasattr(self._module, "text_model"):
            path = path.removeprefix("text_model.")
        try:
            layer = self._module.get_submodule(path)
        except AttributeError:
            return None
        if not isinstance(layer, Linear | Conv2d):
            return None
        outs, ins, *kernel = layer.weight.shape
        rank = pair.down.shape[0]
        ones = [1] * len(kernel)
        if pair.down.shape != (rank, ins, *kernel) or pair.up.shape != (outs, rank, *ones):
            return None
        down, up = (
            matrix.to(self._device.place, self._device.dtype) for matrix in (pair.down, pair.up)
        )
        return _Layer(layer, down, up)
