"""A running gateway on loopback, a client for it, and a stand-in for the worker."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from api.__main__ import GatewayServer, listen
from api.main import create_app
from api.settings import AuthMode, GatewaySettings, Settings
from shared.connections import RedisPair
from shared.ids import attempt_prefix, new_attempt_id
from shared.job import JobError, StoredImage, StoredTrajectory, Timing
from shared.objects import ObjectStore
from shared.outbound.settings import OutboundSettings
from shared.settings import (
    JobSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    RedisSettings,
    StorageSettings,
    TracingSettings,
)
from shared.store.job_store import JobStore
from shared.store.keyring import Keyring
from shared.store.values import Claim, Outcome
from tessera.local.ports import free_ports
from tests.tiny_pictures import PNG

MODELS = """
default = "tiny"

[[models]]
id = "tiny"
family = "sd"
path = "tiny"
defaults = { width = 128, height = 128, steps = 10, sampler = "dpmpp_2m", schedule = "karras" }
limits = { max_side = 512, max_pixels = 131072, max_cost = 50 }
controls = [{ type = "canny", path = "canny" }, { type = "depth", path = "depth" }]
loras = [{ name = "lineart", path = "lineart.safetensors" }]
"""


STOP_SECONDS = 30


@dataclass(frozen=True)
class Gateway:
    """A gateway that listens; `client` has its address and no key."""

    port: int
    settings: Settings
    app: FastAPI
    client: httpx2.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def gateway_settings(
    redis_settings: RedisSettings, storage_settings: StorageSettings, tmp_path: Path
) -> Settings:
    """Open mode, one model."""
    models_file = tmp_path / "models.toml"
    models_file.write_text(MODELS)
    return Settings(
        gateway=GatewaySettings(port=free_ports(["gateway"])["gateway"], auth=AuthMode.OPEN),
        redis=redis_settings,
        storage=storage_settings,
        models=ModelSettings(models_file=models_file),
        jobs=JobSettings(),
        metrics=MetricsSettings(metrics_port=0),
        log=LogSettings(),
        tracing=TracingSettings(),
        outbound=OutboundSettings(),
    )


@contextmanager
def running_gateway(settings: Settings, drain_seconds: int = 5) -> Iterator[Gateway]:
    """Serve until the block ends; stopping must not take longer than STOP_SECONDS."""
    listener = listen(settings.gateway.host, settings.gateway.port)
    app = create_app(settings)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=drain_seconds
    )
    server = GatewayServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port: int = listener.getsockname()[1]
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            # The listener queues this request until the application is up.
            assert client.get("/livez").status_code == 200
            yield Gateway(port, settings, app, client)
    finally:
        server.handle_exit(0, None)
        thread.join(STOP_SECONDS)
        listener.close()
    assert not thread.is_alive()


@pytest.fixture
def gateway(gateway_settings: Settings) -> Iterator[Gateway]:
    """An open gateway."""
    with running_gateway(gateway_settings) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> httpx2.Client:
    """A client of the open gateway."""
    return gateway.client


@pytest.fixture
def keyed_gateway(gateway_settings: Settings) -> Iterator[Gateway]:
    """A gateway that wants API keys."""
    keyed = gateway_settings.gateway.model_copy(update={"auth": AuthMode.KEYS})
    with running_gateway(replace(gateway_settings, gateway=keyed)) as running:
        yield running


@pytest.fixture
def store(redis_pair: RedisPair) -> JobStore:
    """The gateway's store."""
    return JobStore(redis_pair, JobSettings())


@dataclass(frozen=True)
class StandIn:
    """Does a worker's writes, with a ready picture."""

    store: JobStore
    objects: ObjectStore

    def claim(self) -> Claim:
        """The next job; there is one."""
        claim = self.store.claim(["tiny"], new_attempt_id(), "stand-in")
        assert claim is not None
        return claim

    def add_image(
        self, claim: Claim, index: int = 0, trajectory: StoredTrajectory | None = None
    ) -> StoredImage:
        """Upload and tell one picture."""
        job = claim.job
        key = f"{attempt_prefix(job.tenant, job.id, claim.attempt_id)}{index}.png"
        self.objects.put(key, PNG, "image/png")
        image = StoredImage(
            index=index,
            key=key,
            seed=job.request.image_seed(index),
            width=job.request.width,
            height=job.request.height,
            format="png",
            bytes=len(PNG),
            sha256=hashlib.sha256(PNG).hexdigest(),
            trajectory=trajectory,
        )
        assert self.store.add_image(job.id, claim.attempt_id, image) is Outcome.OK
        return image

    def finish(self) -> Claim:
        """Claim the next job and succeed."""
        claim = self.claim()
        for index in range(claim.job.request.num_images):
            self.add_image(claim, index)
        self.commit(claim)
        return claim

    def commit(self, claim: Claim) -> None:
        """Succeed."""
        timing = Timing(queue_ms=1, total_ms=2)
        outcome = self.store.commit(claim.job.id, claim.attempt_id, timing=timing)
        assert outcome is Outcome.OK

    def fail(self, claim: Claim) -> None:
        """Fail for good."""
        error = JobError(code="generation_invalid", detail="NaN", retryable=False)
        outcome = self.store.fail(claim.job.id, claim.attempt_id, error, timing=Timing())
        assert outcome is Outcome.OK


@pytest.fixture
def worker(store: JobStore, objects: ObjectStore) -> StandIn:
    """A stand-in worker of the gateway's store."""
    return StandIn(store, objects)


@pytest.fixture
def api_key(redis_pair: RedisPair) -> dict[str, str]:
    """The headers of a tenant with a good key."""
    _, presented = Keyring(redis_pair.durable).create(
        "acme", ["jobs:read", "jobs:write", "webhooks"]
    )
    return {"Authorization": f"Bearer {presented}"}
