"""Sends tickets from one thread.

A ticket is a hint: one that cannot be sent is dropped and counted, and the pump sends another.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass

from api.coalescer import Coalescer
from api.metrics import GatewayMetrics
from shared.errors import StoreUnavailable
from shared.queue import Lane, TicketQueue
from shared.request import Priority
from shared.tracing import UNTRACED, SpanKind, Tracing

PAUSE_SECONDS = 0.02  # RQ's commands wait for the disk like any other, so few large batches

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Wanted:
    lane: Lane
    at: float
    traceparent: str | None


class TicketSender:
    """`send` returns at once; the thread does the rest."""

    def __init__(
        self, queue: TicketQueue, metrics: GatewayMetrics, tracing: Tracing = UNTRACED
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._tracing = tracing
        self._coalescer: Coalescer[_Wanted] = Coalescer("tickets", self._send_all, PAUSE_SECONDS)
        self.start = self._coalescer.start
        self.stop = self._coalescer.stop

    def send(self, model: str, priority: Priority) -> None:
        """Have one ticket sent soon."""
        self._coalescer.add(_Wanted((model, priority), time.time(), self._tracing.here()))

    def _send_all(self, wanted: list[_Wanted]) -> None:
        try:
            self._queue.send_many(Counter(one.lane for one in wanted))
        except StoreUnavailable as error:
            self._metrics.tickets_dropped.inc(len(wanted))
            logger.warning("tickets dropped: %s", error.detail)
            return
        for one in wanted:
            self._tracing.record(
                "ticket", SpanKind.PRODUCER, parent=one.traceparent, began=one.at, ended=time.time()
            )
