"""Spans by OpenTelemetry's SDK, sent to an OTLP endpoint over HTTP."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.logging import trace_id
from shared.tracing import NO_ATTRIBUTES, Attribute, Span, SpanKind, Tracing

SEND_MILLISECONDS = 1_000
CLOSE_SECONDS = 2.0
PROPAGATOR = TraceContextTextMapPropagator()


class OtlpSpan(Span):
    """A span that is told to the collector when it ends."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def describe(self, name: str, attributes: Mapping[str, Attribute]) -> None:
        """Its name, and what is known of it by now."""
        self._span.update_name(name)
        self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        """Marked as an error."""
        self._span.set_status(trace.StatusCode.ERROR, reason)


class OtlpTracing(Tracing):
    """A provider of this process' own; OpenTelemetry's global one is left alone.

    Spans are sent by a thread, which must not be made before a fork.
    """

    def __init__(self, endpoint: str, ratio: float, process: str) -> None:
        """`ratio` of the traces that begin here are kept; others were decided on elsewhere."""
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
        service = {"service.name": f"tessera-{process}", "service.version": version("tessera")}
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource(service),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=SEND_MILLISECONDS)
        )
        self._tracer = self._provider.get_tracer("tessera")

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        parent: str | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> Iterator[Span]:
        """See Tracing; log lines of the block carry the trace's id."""
        with self._tracer.start_as_current_span(
            name,
            _below(parent) if parent else None,
            trace.SpanKind[kind.name],
            attributes,
            # Its text may hold what the client sent.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            before = trace_id.set(trace.format_trace_id(span.get_span_context().trace_id))
            try:
                yield OtlpSpan(span)
            except BaseException as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise
            finally:
                trace_id.reset(before)

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
        """See Tracing."""
        context, start = _below(parent), _nanoseconds(began)
        kind_of_span = trace.SpanKind[kind.name]
        span = self._tracer.start_span(name, context, kind_of_span, attributes, start_time=start)
        span.end(_nanoseconds(ended))

    def here(self) -> str | None:
        """See Tracing."""
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        """See Tracing; a collector that does not answer holds nobody up."""
        last_words = threading.Thread(target=self._provider.shutdown, daemon=True)
        last_words.start()
        last_words.join(CLOSE_SECONDS)


def _below(parent: str | None) -> Context:
    """An empty one where `parent` is none that can be read: a trace begins."""
    return PROPAGATOR.extract({"traceparent": parent} if parent else {}, Context())


def _nanoseconds(moment: float) -> int:
    return round(moment * 1e9)
