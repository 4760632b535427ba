"""Sends tickets from one thread, as many at once as have come together meanwhile.

A ticket is a hint: one that cannot be sent is dropped and counted, and the pump sends another.
"""

import logging
import threading
import time
from collections import Counter

from api.metrics import GatewayMetrics
from shared.errors import StoreUnavailable
from shared.queue import Lane, TicketQueue
from shared.request import Priority

PAUSE_SECONDS = 0.01  # between two batches: an idle line sends at once, a busy one sends many

logger = logging.getLogger(__name__)


class TicketSender:
    """`send` returns at once; the thread does the rest."""

    def __init__(self, queue: TicketQueue, metrics: GatewayMetrics) -> None:
        self._queue = queue
        self._metrics = metrics
        self._waiting: Counter[Lane] = Counter()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="tickets", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def send(self, model: str, priority: Priority) -> None:
        """Have one ticket sent soon."""
        with self._changed:
            self._waiting[model, priority] += 1
            self._changed.notify()

    def _run(self) -> None:
        while tickets := self._take():
            try:
                self._queue.send_many(tickets)
            except StoreUnavailable as error:
                self._metrics.tickets_dropped.inc(tickets.total())
                logger.warning("tickets dropped: %s", error.detail)
            time.sleep(PAUSE_SECONDS)

    def _take(self) -> Counter[Lane]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            tickets, self._waiting = self._waiting, Counter()
            return tickets
