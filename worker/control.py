"""The control channel: cancellations reach a worker the moment the store decides them."""

import json
import logging
import threading

import redis

from shared.store import keys
from worker.attempts import Attempts, Ending

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.25  # how long a stop may have to wait
OUTAGE_SECONDS = 0.5


class Control:
    """A thread with a subscription. A message missed in an outage comes with the next beat."""

    def __init__(self, connection: redis.Redis, worker_id: str, attempts: Attempts) -> None:
        self._connection = connection
        self._channel = keys.control(worker_id)
        self._attempts = attempts
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except redis.RedisError as error:
                log.warning("the control channel is cut: %s", error)
                self._stopping.wait(OUTAGE_SECONDS)

    def _listen(self) -> None:
        pubsub = self._connection.pubsub
        with pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(self._channel)
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    self._obey(json.loads(message["data"]))

    def _obey(self, command: dict[str, str]) -> None:
        assert command["type"] == "cancel"
        self._attempts.end(command["attempt_id"], Ending.CANCELED)
