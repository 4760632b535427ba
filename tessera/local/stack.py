"""The local stack: Valkey, SeaweedFS, gateway, keeper, worker, started and stopped in order."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx2

from shared.connections import connect
from shared.errors import StoreUnavailable
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.workers import WorkerState
from tessera.local.children import Child, start_child
from tessera.local.description import remove_description, write_description
from tessera.local.directory import DataDirectory, lock_directory
from tessera.local.environment import (
    BUCKET,
    MODULES,
    PROCESSES,
    StackAddresses,
    process_environment,
)
from tessera.local.errors import StackError, StopAsked
from tessera.local.ports import port_is_free
from tessera.local.servers import (
    SEAWEED_PORTS,
    remove_seaweed_sockets,
    start_seaweed,
    start_valkey,
)

PORTS = ("gateway", "valkey", *SEAWEED_PORTS, *(f"{process}_metrics" for process in PROCESSES))
READY_SECONDS = 60
WARM_SECONDS = 600  # a large model is read from disk
FREE_PORT_SECONDS = 1  # until the kernel has ended a killed stack's gateway
ORPHAN_SECONDS = 10  # until a killed stack's worker has noticed and given its jobs back
STOP_ORDER = ("worker", "keeper", "gateway", "seaweedfs", "valkey")
STOP_SECONDS = {"worker": 20.0}
STOP_SECONDS_OF_OTHERS = 10.0


class Stack:
    """The processes of one data directory."""

    def __init__(
        self,
        directory: DataDirectory,
        addresses: StackAddresses,
        inherited: Mapping[str, str],
        stopping: Event,
        say: Callable[[str], None],
    ) -> None:
        self.addresses = addresses
        self._directory = directory
        self._inherited = inherited
        self._stopping = stopping
        self._say = say
        self._children: list[Child] = []

    @property
    def url(self) -> str:
        """Where clients find the gateway."""
        return self.addresses.url

    def check(self) -> None:
        """Raise ChildFailed if a part has ended, StopAsked if a signal has come."""
        for child in self._children:
            child.check()
        if self._stopping.is_set():
            raise StopAsked("stopped before it was done")

    def watch(self) -> None:
        """Return when a signal comes; raise ChildFailed when a part ends by itself."""
        while not self._stopping.wait(0.2):
            for child in self._children:
                child.check()

    def start(self) -> None:
        """Return once a job can be accepted and a worker is warm.

        Raises:
            StackError: a part does not start, or a signal came.
        """
        remove_description(self._directory)  # a killed stack's
        credentials = self._directory.credentials()
        self._say("starting valkey and seaweedfs")
        self._start_servers(*credentials)
        redis = connect(RedisSettings(redis_url=self.addresses.redis_url), name="stack")
        store = JobStore(redis, JobSettings())
        for record in store.live_workers():
            store.forget_worker(record.id)  # it was killed with the stack it belonged to

        webhook_secret = self._directory.webhook_secret()
        if "TESSERA_WEBHOOK_SECRET" not in self._inherited:
            self._say(f"webhooks: signed with {self._directory.webhook_secret_file}")

        def started(process: str) -> Child:
            environment = process_environment(
                process, self.addresses, credentials, webhook_secret, self._inherited
            )
            return self._add(
                start_child(
                    process,
                    [sys.executable, "-m", MODULES[process]],
                    self._directory.log(process),
                    environment,
                    directory=self._directory.root,
                )
            )

        self._say("starting gateway, keeper and worker")
        # The worker takes longest, and computes alone: on two cores one of the others fits beside.
        worker, gateway = started("worker"), started("gateway")
        with httpx2.Client(trust_env=False, timeout=2) as http:
            self._await_answer(gateway, http, f"{self.addresses.url}/readyz")
            self._await_answer(started("keeper"), http, self.addresses.metrics_url("keeper"))
        self._say("warming the model")
        worker.wait_until(lambda: _some_worker_is_ready(store), WARM_SECONDS, self.check)
        redis.durable.close()
        write_description(self._directory, self.addresses, self._children)

    def stop(self) -> None:
        """Stop what runs, those first that need others."""
        remove_description(self._directory)
        self._children.sort(key=lambda child: STOP_ORDER.index(child.name), reverse=True)
        while self._children:
            child = self._children.pop()
            child.stop(STOP_SECONDS.get(child.name, STOP_SECONDS_OF_OTHERS))
        remove_seaweed_sockets(self.addresses.seaweed)

    def _start_servers(self, key: str, secret: str) -> None:
        root, log, addresses = self._directory.root, self._directory.log, self.addresses
        remove_seaweed_sockets(addresses.seaweed)  # a killed stack's
        self._add(start_valkey(root / "valkey", log("valkey"), addresses.valkey))
        self._add(
            start_seaweed(
                root / "seaweedfs",
                log("seaweedfs"),
                addresses.seaweed,
                bucket=BUCKET,
                key=key,
                secret=secret,
            )
        )

    def _add(self, child: Child) -> Child:
        self._children.append(child)
        self.check()
        return child

    def _await_answer(self, child: Child, http: httpx2.Client, url: str) -> None:
        def answers() -> bool:
            try:
                return http.get(url).is_success
            except httpx2.TransportError:
                return False

        child.wait_until(answers, READY_SECONDS, self.check)


def _some_worker_is_ready(store: JobStore) -> bool:
    try:
        return any(record.state is WorkerState.READY for record in store.live_workers())
    except StoreUnavailable:
        return False  # the check that follows finds a Valkey that has ended


@contextmanager
def running_stack(
    root: Path,
    port: int | None,
    inherited: Mapping[str, str],
    stopping: Event,
    say: Callable[[str], None],
) -> Iterator[Stack]:
    """Everything in data directory `root`, ready on entry and stopped on leaving.

    `port` is the gateway's; None takes one that the directory remembers. `inherited` is the
    caller's environment; `say` takes lines of progress; `stopping` is a wish to stop.

    Raises:
        StackError: a port or the directory is taken, a part does not start, or a signal came.
    """
    with lock_directory(root) as directory:
        ports = directory.ports(PORTS)
        addresses = StackAddresses(
            port=port or ports["gateway"],
            valkey=ports["valkey"],
            seaweed={name: ports[name] for name in SEAWEED_PORTS},
            metrics={process: ports[f"{process}_metrics"] for process in PROCESSES},
        )
        if not _free_within(FREE_PORT_SECONDS, addresses.port):
            raise StackError(f"port {addresses.port} is taken; choose another with --port")
        for name, internal in ports.items():
            if name != "gateway" and not _free_within(ORPHAN_SECONDS, internal):
                raise StackError(f"port {internal}, kept in {root} for {name}, is taken")
        stack = Stack(directory, addresses, inherited, stopping, say)
        try:
            stack.start()
            yield stack
        finally:
            say("stopping")
            stack.stop()


def _free_within(seconds: float, port: int) -> bool:
    deadline = time.monotonic() + seconds
    while not port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
