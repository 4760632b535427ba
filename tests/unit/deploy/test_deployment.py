"""The deployment files name what exists: sources, extras, settings."""

import re
import tomllib
from pathlib import Path

import yaml

from api.settings import GatewaySettings
from keeper.settings import WebhookSettings
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
from tessera.local.environment import PROCESSES, StackAddresses, process_environment
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
SETTINGS = (
    OutboundSettings,
    WebhookSettings,
    GatewaySettings,
    JobSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    RedisSettings,
    StorageSettings,
    TracingSettings,
    WorkerSettings,
)
KNOWN = {f"TESSERA_{name.upper()}" for settings in SETTINGS for name in settings.model_fields}


def dockerfile_lines(instruction: str) -> list[list[str]]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [line.split()[1:] for line in lines if line.startswith(f"{instruction} ")]


def test_what_the_images_copy_is_there_and_not_ignored():
    kept = set((ROOT / ".dockerignore").read_text().splitlines())
    for *sources, _ in dockerfile_lines("COPY"):
        if sources[0].startswith("--from"):
            continue  # what an earlier stage has built
        for source in sources:
            assert (ROOT / source).exists()
            assert f"!{source.split('/')[0]}" in kept


def test_the_images_install_extras_that_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    installed = re.findall(r"'\.\[([a-z,]+)\]'", (ROOT / "Dockerfile").read_text())
    assert [set(names.split(",")) <= set(extras) for names in installed] == [True, True]


def test_every_setting_of_the_compose_file_is_one_of_ours():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("gateway", "keeper", "worker", "worker-cpu"):
        assert set(services[name]["environment"]) <= KNOWN


def test_every_setting_of_the_local_stack_is_one_of_ours():
    addresses = StackAddresses(8080, 6379, {"s3": 8333}, dict.fromkeys(PROCESSES, 9100))
    for process in PROCESSES:
        told = process_environment(process, addresses, ("key", "secret"), "whsec_", {})
        assert set(told) <= KNOWN


def test_redis_keeps_every_write_and_never_evicts():
    redis = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["redis"]
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in redis["command"]


def test_every_process_has_a_redis_user_of_its_own():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    users = (ROOT / "deploy" / "redis" / "users.acl").read_text()
    for name in ("gateway", "keeper", "worker", "worker-cpu"):
        user = name.removesuffix("-cpu")
        for setting in ("TESSERA_REDIS_URL", "TESSERA_SCRATCH_URL"):
            assert services[name]["environment"][setting].startswith(f"redis://{user}:${{")
        assert f"\nuser {user} on >{user.upper()}_SECRET " in users


def test_what_compose_mounts_is_there():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists()


def test_every_variable_of_the_compose_file_is_in_the_example():
    compose = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    for name in set(re.findall(r"\$\{(TESSERA_\w+)", compose)):
        assert f"{name}=" in example


def test_every_container_is_closed_and_watched():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in services.values():
        assert service["read_only"] is True
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["healthcheck"]["test"]
