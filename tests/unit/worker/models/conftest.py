"""A tiny resident model with its engine, loaded once."""

import pytest

from shared.catalog import ModelDefaults, ModelEntry
from tests.tiny_model import build_tiny_sd
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.rows import ROW_BUCKETS
from worker.models.device import DeviceSettings
from worker.models.load import load_model

CPU = DeviceSettings(device="cpu")


@pytest.fixture(scope="session", params=["epsilon"])
def tiny_path(request, tmp_path_factory):
    """A tiny model's directory; parametrise it indirectly for another prediction type."""
    return build_tiny_sd(tmp_path_factory.mktemp("tiny"), prediction_type=request.param)


@pytest.fixture(scope="session")
def tiny_entry(tiny_path):
    defaults = ModelDefaults(width=64, height=64, steps=4)
    return ModelEntry(id="tiny", family="sd", path=tiny_path, defaults=defaults)


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
    model.stepper.max_rows = ROW_BUCKETS[-1]
    steppers = {"tiny": model.stepper}
    engine = Engine(Batcher(lambda _: model.stepper.max_rows), steppers, ticks.append)
    engine.start()
    yield engine
    engine.stop()
