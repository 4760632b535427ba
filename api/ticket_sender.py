"""Sends tickets from one thread.

A ticket is a hint: one that cannot be sent is dropped and counted, and the pump sends another.
"""

import logging
from collections import Counter

from api.coalescer import Coalescer
from api.metrics import GatewayMetrics
from shared.errors import StoreUnavailable
from shared.queue import Lane, TicketQueue
from shared.request import Priority

PAUSE_SECONDS = 0.02  # RQ's commands wait for the disk like any other, so few large batches

logger = logging.getLogger(__name__)


class TicketSender:
    """`send` returns at once; the thread does the rest."""

    def __init__(self, queue: TicketQueue, metrics: GatewayMetrics) -> None:
        self._queue = queue
        self._metrics = metrics
        self._coalescer: Coalescer[Lane] = Coalescer("tickets", self._send_all, PAUSE_SECONDS)
        self.start = self._coalescer.start
        self.stop = self._coalescer.stop

    def send(self, model: str, priority: Priority) -> None:
        """Have one ticket sent soon."""
        self._coalescer.add((model, priority))

    def _send_all(self, lanes: list[Lane]) -> None:
        try:
            self._queue.send_many(Counter(lanes))
        except StoreUnavailable as error:
            self._metrics.tickets_dropped.inc(len(lanes))
            logger.warning("tickets dropped: %s", error.detail)
