"""A tiny resident model with its engine, loaded once; what features differ from diffusers by."""

from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from shared.catalog import ControlEntry, ModelDefaults, ModelEntry
from tests.comparison import stepping
from tests.tiny_model import build_tiny_control, build_tiny_sd
from worker.models.device import DeviceSettings
from worker.models.load import load_model

CPU = DeviceSettings(device="cpu")
DIFFERENCES = pytest.StashKey[dict[str, float]]()


@pytest.fixture
def differences(pytestconfig):
    """Notes a feature's difference from diffusers for the table at the end; gives it back."""
    largest = pytestconfig.stash.setdefault(DIFFERENCES, defaultdict(float))

    def note(feature, difference):
        largest[feature] = max(largest[feature], difference)
        return difference

    return note


def pytest_terminal_summary(terminalreporter, config):
    """The table, where something was compared."""
    largest = config.stash.get(DIFFERENCES, {})
    if largest:
        terminalreporter.section("largest difference from diffusers, of max|latent|")
    for feature, difference in largest.items():
        terminalreporter.write_line(f"{feature:40} {difference:.1e}")


@pytest.fixture(scope="session", params=["epsilon"])
def tiny_path(request, tmp_path_factory):
    """A tiny model's directory; parametrise it indirectly for another prediction type."""
    return build_tiny_sd(tmp_path_factory.mktemp("tiny"), prediction_type=request.param)


@pytest.fixture(scope="session")
def control_paths(tmp_path_factory):
    """Two ControlNets for the tiny model, by type."""
    return {
        name: build_tiny_control(tmp_path_factory.mktemp(name), seed)
        for seed, name in enumerate(["canny", "depth"])
    }


@pytest.fixture(scope="session")
def tiny_entry(tiny_path, control_paths):
    defaults = ModelDefaults(width=64, height=64, steps=4)
    controls = tuple(ControlEntry(type=name, path=path) for name, path in control_paths.items())
    return ModelEntry(id="tiny", family="sd", path=tiny_path, defaults=defaults, controls=controls)


@pytest.fixture(scope="session")
def model(tiny_entry):
    model = load_model(tiny_entry, CPU)
    yield model
    model.close()


@pytest.fixture
def ticks():
    """What the engine reports."""
    return []


@pytest.fixture
def engine(model, ticks):
    with stepping(model, ticks.append) as engine:
        yield engine


@pytest.fixture(scope="session")
def picture():
    """64 x 64 pixels of noise."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def mask():
    """White, to be repainted, is a block off the middle."""
    pixels = np.zeros((64, 64), dtype=np.uint8)
    pixels[8:40, 24:56] = 255
    return Image.fromarray(pixels)
