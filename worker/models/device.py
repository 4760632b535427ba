"""The device that models run on, and the threads that alone may drive it."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from traceback import clear_frames
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch import Tensor

from shared.errors import ConfigurationError, ResourceExhausted
from worker.engine.stepper import DeviceLost

# On processors without AVX-512 a row's bits depend on its place in MKL's matrix product, unless it
# is told so before its first one. It costs nothing that could be measured.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# What a CUDA device has to be for products of 8-bit numbers: Ada, Hopper and later.
FLOAT8_CAPABILITY = (8, 9)

P = ParamSpec("P")
T = TypeVar("T")


class Precision(StrEnum):
    """The type of weights and activations; a sampler's state is fp32 always."""

    AUTO = "auto"  # fp16 on CUDA, fp32 on CPU
    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


class Attention(StrEnum):
    """The implementation of attention; of several kernels the fastest for each shape is taken."""

    AUTO = "auto"  # torch's kernels and xformers', where it is installed
    XFORMERS = "xformers"
    SDPA = "sdpa"  # torch's: flash, cuDNN, efficient, math


@dataclass(frozen=True)
class DeviceSettings:
    """Where and how models run.

    `device` is `cpu`, `cuda`, or `auto`: CUDA if there is one. A process has one GPU; where a
    machine has several, CUDA_VISIBLE_DEVICES tells each process which.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = Precision.AUTO
    attention: Attention = Attention.AUTO
    float8: bool = False
    # Where pictures with 8-bit layers come less close to those without, the layers stay.
    float8_decibels: float = 25.0


@dataclass(frozen=True)
class Device:
    """A resolved device: where tensors go, and what type the models have."""

    place: torch.device
    dtype: torch.dtype

    @property
    def is_cuda(self) -> bool:
        """Whether work is queued on streams; on a CPU a call returns when it is done."""
        return self.place.type == "cuda"

    def wait(self) -> None:
        """Wait for what was begun on the current stream."""
        if self.is_cuda:
            torch.cuda.current_stream().synchronize()

    @property
    def name(self) -> str:
        """What kind of device it is."""
        return torch.cuda.get_device_name(self.place) if self.is_cuda else "cpu"

    def staged(self, tensor: Tensor) -> Tensor:
        """The tensor in memory that the device can fetch without holding up its thread."""
        return tensor.pin_memory() if self.is_cuda else tensor

    def fetched(self, tensor: Tensor) -> Tensor:
        """The tensor on the host, complete once the current stream has been waited for."""
        if not self.is_cuda:
            return tensor
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)

    def indexes(self, indexes: list[int]) -> Tensor:
        """Places in a batch, there without waiting for what the device does."""
        return self.staged(torch.tensor(indexes)).to(self.place, non_blocking=True)


def resolve_device(settings: DeviceSettings) -> Device:
    """Raises ConfigurationError where the machine lacks what is asked for."""
    found = torch.cuda.is_available()
    if settings.device == "cuda" and not found:
        raise ConfigurationError("device `cuda` is configured, but torch finds none")
    place = torch.device("cuda" if found and settings.device != "cpu" else "cpu")
    if settings.attention is Attention.XFORMERS and place.type != "cuda":
        raise ConfigurationError("attention `xformers` needs a CUDA device")
    if settings.attention is Attention.XFORMERS and find_spec("xformers") is None:
        raise ConfigurationError("attention `xformers` is configured, but not installed")
    if settings.float8 and place.type == "cuda":
        capability = torch.cuda.get_device_capability(place)
        if capability < FLOAT8_CAPABILITY:
            raise ConfigurationError(f"8-bit layers need a later chip than {capability}")
    precision = settings.precision
    if precision is Precision.AUTO:
        precision = Precision.FP16 if place.type == "cuda" else Precision.FP32
    dtypes = {
        Precision.FP16: torch.float16,
        Precision.BF16: torch.bfloat16,
        Precision.FP32: torch.float32,
    }
    return Device(place, dtypes[precision])


@contextmanager
def own_stream(device: Device) -> Iterator[None]:
    """The block's work goes beside that of other threads, and is done at its end."""
    if not device.is_cuda:
        yield
        return
    stream = torch.cuda.Stream(device.place)  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()


class _TranslatedDeviceErrors(AbstractContextManager[None]):
    """One object for all: a generator for each tick would cost some of its microseconds."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            # Its traceback holds what was computed so far, just where memory is short.
            clear_frames(error.__traceback__)
            torch.cuda.empty_cache()
            raise ResourceExhausted("the device's memory does not suffice") from error
        if isinstance(error, torch.AcceleratorError):
            raise DeviceLost(str(error)) from error


_TRANSLATED = _TranslatedDeviceErrors()
_NOTHING = nullcontext()


def translated_device_errors() -> AbstractContextManager[None]:
    """Turns torch's errors of the device into ours."""
    return _TRANSLATED


def in_inference_mode() -> AbstractContextManager[Any]:
    """Torch's inference mode, for a thread that may be in it already, as the engine's is.

    To enter and leave it costs a tick 30 µs: a model's call leaves cold caches behind.
    """
    return _NOTHING if torch.is_inference_mode_enabled() else torch.inference_mode()


class DeviceThread:
    """One thread with one stream: calls run there one after the other.

    A call returns when the device has finished it. What it returns is therefore complete for
    every stream, and no other thread has to wait for an event.
    """

    def __init__(self, name: str, device: Device) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._stream = torch.cuda.Stream(device.place) if device.is_cuda else None  # type: ignore[no-untyped-call]

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function there and wait for it.

        Raises what it raises; ResourceExhausted where memory does not suffice, DeviceLost where
        the device is beyond repair.
        """
        return self._executor.submit(self._run, partial(function, *args, **kwargs)).result()

    @contextmanager
    def held(self) -> Iterator[None]:
        """The thread does nothing while the block runs."""
        reached, released = threading.Event(), threading.Event()

        def stand_still() -> None:
            reached.set()
            released.wait()

        self._executor.submit(stand_still)
        reached.wait()
        try:
            yield
        finally:
            released.set()

    def close(self) -> None:
        """End the thread after what it has begun; calls that still wait raise CancelledError."""
        self._executor.shutdown(cancel_futures=True)

    def _run(self, function: Callable[[], T]) -> T:
        stream: Any = torch.cuda.stream(self._stream) if self._stream else nullcontext()
        with torch.inference_mode(), stream, translated_device_errors():
            result = function()
            if self._stream:
                self._stream.synchronize()
        return result
