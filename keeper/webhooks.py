"""Sends webhooks: claims what is due, signs the stored bytes, posts them, settles."""

import asyncio
import logging
import random
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from keeper.metrics import KeeperMetrics
from keeper.schedule import pause_before, wished_pause
from keeper.settings import WebhookSettings
from shared.errors import NotReady, OutboundFailed, OutboundRefused
from shared.outbound.client import Answer, Outbound
from shared.signature import signed_headers
from shared.store.deliveries import (
    DeliveryStatus,
    DeliveryStore,
    LentDelivery,
    Try,
    Verdict,
)
from shared.store.signing import SigningSecrets
from shared.tracing import UNTRACED, Attribute, Span, SpanKind, Tracing

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
AT_ONCE = 512
DRAIN_SECONDS = 5.0
SETTLE_SECONDS = 5.0  # what a lease has over the time of a try
GONE = 410


class WebhookSender:
    """One thread with an event loop, so that receivers that hang cost no threads.

    Several senders may run. A try that was not settled is made again, with the same id and bytes.
    """

    def __init__(
        self,
        deliveries: DeliveryStore,
        signing: SigningSecrets,
        outbound: Outbound,
        settings: WebhookSettings,
        metrics: KeeperMetrics,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._deliveries = deliveries
        self._signing = signing
        self._outbound = outbound
        self._settings = settings
        self._metrics = metrics
        self._tracing = tracing
        self._random = random.Random()
        self._flights: set[asyncio.Task[None]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Claim no more, and give those in flight a few seconds."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._send_until_stopped())

    async def _send_until_stopped(self) -> None:
        landed = asyncio.Event()

        def land(flight: asyncio.Task[None]) -> None:
            self._flights.discard(flight)
            landed.set()

        while not self._stopping.is_set():
            try:
                free = AT_ONCE - len(self._flights)
                for lent, secrets in await asyncio.to_thread(self._claim, free):
                    flight = asyncio.create_task(self._deliver(lent, secrets))
                    self._flights.add(flight)
                    flight.add_done_callback(land)
            except NotReady as error:
                log.warning("webhooks: %s", error.detail)
            except Exception:  # a defect in one round must not end all later ones
                log.exception("webhooks failed")
            # A receiver whose flight has ended can have its next one at once.
            with suppress(TimeoutError):
                await asyncio.wait_for(landed.wait(), POLL_SECONDS)
            landed.clear()
        if self._flights:
            await asyncio.wait(self._flights, timeout=DRAIN_SECONDS)

    def _claim(self, limit: int) -> list[tuple[LentDelivery, tuple[str, ...]]]:
        lease = self._settings.webhook_timeout_seconds + SETTLE_SECONDS
        lent = self._deliveries.claim(limit, lease)
        self._metrics.webhook_pending.set(self._deliveries.pending())
        return [(delivery, self._signing.of(delivery.owner)) for delivery in lent]

    async def _deliver(self, lent: LentDelivery, secrets: tuple[str, ...]) -> None:
        attributes: dict[str, Attribute] = {"tessera.delivery": lent.id, "tessera.try": lent.number}
        with self._tracing.span(
            "webhook", SpanKind.CLIENT, parent=lent.traceparent, attributes=attributes
        ) as span:
            await self._try(lent, secrets, span)

    async def _try(self, lent: LentDelivery, secrets: tuple[str, ...], span: Span) -> None:
        began = time.time()
        answer = await self._post(lent, secrets, began)
        pause = self._pause(lent, answer)
        tried = Try(at=began, status=answer.status if answer else None)
        try:
            status = await asyncio.to_thread(
                self._deliveries.settle,
                lent,
                _verdict(answer, pause),
                tried,
                pause_seconds=pause or 0.0,
                patience_seconds=self._settings.webhook_patience_seconds,
            )
        except NotReady as error:
            log.warning("webhooks: %s", error.detail)  # its lease runs out, and it is tried again
            return
        if answer is None or answer.status >= 300:
            span.fail(str(answer.status) if answer else "no answer")
        if status is not None:
            outcome = "retried" if status is DeliveryStatus.PENDING else str(status)
            self._metrics.webhook_deliveries.labels(outcome).inc()
            log.info(
                "webhook tried",
                extra={"delivery": lent.id, "try": lent.number, "outcome": outcome},
            )

    async def _post(
        self, lent: LentDelivery, secrets: tuple[str, ...], now: float
    ) -> Answer | None:
        """The answer's head; None where there is none, or nobody to sign."""
        if not secrets:
            log.error("no secret to sign with", extra={"delivery": lent.id})
            return None
        headers = {
            "content-type": "application/json",
            **signed_headers(lent.id, lent.body, secrets, now),
        }
        if (trace := self._tracing.here()) is not None:
            headers["traceparent"] = trace
        try:
            return await self._outbound.post(
                lent.url, headers, lent.body, seconds=self._settings.webhook_timeout_seconds
            )
        except (OutboundFailed, OutboundRefused):
            return None

    def _pause(self, lent: LentDelivery, answer: Answer | None) -> float | None:
        retry_after = answer.headers.get("retry-after") if answer else None
        wish = wished_pause(retry_after, datetime.now(UTC))
        return pause_before(lent.round + 1, self._settings.webhook_schedule, wish, self._random)


def _verdict(answer: Answer | None, pause: float | None) -> Verdict:
    if answer is not None and 200 <= answer.status < 300:
        return Verdict.DELIVERED
    if answer is not None and answer.status == GONE:
        return Verdict.GONE
    return Verdict.FAILED if pause is None else Verdict.RETRY
