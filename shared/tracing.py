"""Spans of a request's way through all processes, one trace for each; without an endpoint, nothing.

A `traceparent` (W3C Trace Context) names a span. It travels in the job's record, so that worker and
keeper go on with the gateway's trace.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from types import MappingProxyType

from shared.errors import ConfigurationError
from shared.settings import TracingSettings

Attribute = str | int | float | bool
NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})


class SpanKind(StrEnum):
    """OpenTelemetry's kinds of spans."""

    INTERNAL = "internal"
    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    CLIENT = "client"


class Span:
    """What may be said of a span while it lasts. This one is none."""

    def describe(self, name: str, attributes: Mapping[str, Attribute]) -> None:
        """What it is, where that was not known at its begin."""

    def fail(self, reason: str) -> None:
        """It did not do what it should have; `reason` is a code."""


NO_SPAN = Span()


class Tracing:
    """Where spans go. This one tells nobody, and is what every process has without an endpoint."""

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        parent: str | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> Iterator[Span]:
        """The block as a span: below `parent`, a traceparent, or else below the one around it."""
        yield NO_SPAN

    def record(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        parent: str | None,
        began: float,
        ended: float,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        """A span that is over; moments in seconds since 1970."""

    def here(self) -> str | None:
        """The traceparent of the span around this call."""
        return None

    def close(self) -> None:
        """Send what was not sent yet."""


UNTRACED = Tracing()


def open_tracing(settings: TracingSettings, process: str) -> Tracing:
    """As the settings say. OpenTelemetry is imported only where there is an endpoint.

    Raises:
        ConfigurationError: there is one, and the extra `tracing` is not installed.
    """
    if not settings.otlp_endpoint:
        return UNTRACED
    if find_spec("opentelemetry.exporter") is None:
        raise ConfigurationError("TESSERA_OTLP_ENDPOINT needs pip install 'tessera[tracing]'")
    from shared.otlp import OtlpTracing

    return OtlpTracing(settings.otlp_endpoint, settings.otlp_ratio, process)
