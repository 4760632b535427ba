"""Spans as a collector gets them by OTLP over HTTP, read with OpenTelemetry's own messages."""

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.receiver import Receiver


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids in hexadecimal, times in nanoseconds since 1970."""

    process: str
    name: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, str | int]

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.began) / 1e6


def spans_of(collector: Receiver, trace: str) -> list[ReceivedSpan]:
    """Those of one trace that have arrived, by the time they began."""
    found = [span for span in _all(collector) if span.trace == trace]
    return sorted(found, key=lambda span: span.began)


def _all(collector: Receiver) -> Iterator[ReceivedSpan]:
    for received in tuple(collector.received):
        assert received.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(received.body).resource_spans:
            about = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield ReceivedSpan(
                        process=about["service.name"].removeprefix("tessera-"),
                        name=span.name,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        began=span.start_time_unix_nano,
                        ended=span.end_time_unix_nano,
                        attributes={
                            pair.key: pair.value.string_value or pair.value.int_value
                            for pair in span.attributes
                        },
                    )


def tree(spans: list[ReceivedSpan], root: str) -> str:
    """The spans below the one with that id, as indented lines."""
    began = spans[0].began

    def lines(parent: str, depth: int) -> Iterator[str]:
        for span in spans:
            if span.parent == parent:
                at = (span.began - began) / 1e6
                name = "  " * depth + span.name
                yield f"{span.process:8} {name:24} {at:7.1f} ms {span.milliseconds:9.1f} ms"
                yield from lines(span.id, depth + 1)

    return "\n".join(lines(root, 0))
