"""What the gateway tells of the models, and of the workers that hold them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.settings import Settings
from shared.settings import ModelSettings
from shared.store.job_store import JobStore
from shared.store.workers import HeldModel, WorkerRecord, WorkerState
from tests.harness import wait_until
from tests.integration.conftest import running_gateway

MODELS = """
default = "tiny"

[[models]]
id = "tiny"
family = "sd"
path = "tiny"
controls = [{ type = "canny", path = "canny" }, { type = "depth", path = "depth" }]
loras = [{ name = "line-art", path = "line-art.safetensors" }]

[[models]]
id = "large"
family = "sdxl"
path = "large.safetensors"
embeddings = [{ name = "style", path = "style.safetensors" }]
"""

HELD = HeldModel(
    bytes=1000,
    max_rows=8,
    attention="sdpa-flash",
    attention_shapes={"8x64x77x40": "sdpa-flash"},
    forms={"unet_4": "compiled"},
    tick_seconds={1: 0.1, 2: 0.2},
    image_seconds=2.5,
)
WORKER = WorkerRecord(
    id="w1",
    host="h",
    models=("tiny",),
    held={"tiny": HELD},
    max_rows=8,
    state=WorkerState.READY,
    started_at=time.time(),
)


@pytest.fixture
def settings(gateway_settings: Settings, tmp_path: Path) -> Settings:
    """A gateway of two models."""
    models_file = tmp_path / "two.toml"
    models_file.write_text(MODELS)
    return replace(gateway_settings, models=ModelSettings(models_file=models_file))


def models(client: httpx2.Client) -> dict[str, Any]:
    """The answer, by id."""
    return {model["id"]: model for model in client.get("/v1/models").json()["data"]}


def test_models_tell_their_names_and_their_holders(settings: Settings, store: JobStore) -> None:
    with running_gateway(settings) as gateway:
        before = models(gateway.client)
        store.announce_worker(WORKER)
        wait_until(lambda: models(gateway.client)["tiny"]["loaded"], 10, "the worker was seen")
        after = models(gateway.client)
        store.announce_worker(WORKER.model_copy(update={"state": WorkerState.DRAINING}))
        wait_until(lambda: not models(gateway.client)["tiny"]["loaded"], 10, "it drains")

    assert not any(model["loaded"] or model["workers"] for model in before.values())
    tiny, large = after["tiny"], after["large"]
    assert (tiny["controls"], tiny["loras"]) == (["canny", "depth"], ["line-art"])
    assert (large["family"], large["embeddings"], large["loaded"]) == ("sdxl", ["style"], False)
    assert tiny["workers"] == [
        {
            "bytes": 1000,
            "max_rows": 8,
            "attention": "sdpa-flash",
            "attention_shapes": {"8x64x77x40": "sdpa-flash"},
            "forms": {"unet_4": "compiled"},
            "float8": False,
            "tick_seconds": {"1": 0.1, "2": 0.2},
            "image_seconds": 2.5,
        }
    ]
