"""Devices: what is asked for is there or is told missing; device threads."""

import os
import subprocess
import sys
import threading
import weakref

import pytest
import torch

from shared.errors import ConfigurationError, ResourceExhausted
from worker.engine.stepper import DeviceLost
from worker.models.device import (
    Attention,
    DeviceSettings,
    DeviceThread,
    Precision,
    resolve_device,
    translated_device_errors,
)

CPU = resolve_device(DeviceSettings(device="cpu"))
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")


@pytest.fixture
def thread():
    thread = DeviceThread("test", CPU)
    yield thread
    thread.close()


def test_a_cpu_works_in_full_precision_unless_told():
    assert CPU.dtype is torch.float32
    half = resolve_device(DeviceSettings(device="cpu", precision=Precision.BF16))
    assert half.dtype is torch.bfloat16


@without_cuda
def test_a_machine_without_cuda():
    assert not resolve_device(DeviceSettings()).is_cuda
    with pytest.raises(ConfigurationError, match="cuda"):
        resolve_device(DeviceSettings(device="cuda"))


def test_xformers_needs_cuda():
    with pytest.raises(ConfigurationError, match="xformers"):
        resolve_device(DeviceSettings(device="cpu", attention=Attention.XFORMERS))


def test_calls_run_in_one_thread_without_gradients(thread):
    def where():
        return threading.current_thread(), torch.is_inference_mode_enabled()

    first, second = thread.call(where), thread.call(where)

    assert first == second
    assert first[0] is not threading.current_thread()
    assert first[1]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (torch.OutOfMemoryError, ResourceExhausted),
        (torch.AcceleratorError, DeviceLost),
        (ValueError, ValueError),
    ],
)
def test_errors_are_translated(thread, raised, expected):
    def fail():
        raise raised("broken")

    with pytest.raises(expected):
        thread.call(fail)


def test_what_did_not_fit_is_let_go_before_something_smaller_is_tried():
    kept = []

    def fill_memory():
        large = torch.zeros(8)
        kept.append(weakref.ref(large))
        raise torch.OutOfMemoryError("full")

    try:
        with translated_device_errors():
            fill_memory()
    except ResourceExhausted:
        assert kept[0]() is None  # while the error, with its traceback, is still in hand


PLACES = """
import worker.models.device
import torch

generator = torch.Generator().manual_seed(0)
lines, weights = (torch.randn(*shape, generator=generator) for shape in ((8, 77, 64), (64, 64)))
answers, turned = (torch.nn.functional.linear(x, weights) for x in (lines, lines.roll(1, 0)))
print(torch.equal(answers, turned.roll(-1, 0)))
"""


def test_bits_do_not_depend_on_the_place_where_vectors_are_short():
    environment = {**os.environ, "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
    command = [sys.executable, "-c", PLACES]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
