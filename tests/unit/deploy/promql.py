"""The names that an expression asks for and that nobody tells."""

from functools import cache

import promql_parser
import yaml

from deploy.metrics_page import families
from deploy.prometheus import build

# Told by prometheus-client, and by Prometheus itself.
COMMON = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "python_gc_collections_total",
    "up",
}


@cache
def known_names() -> frozenset[str]:
    """Every series of our processes, and every recorded one."""
    told = {name for family in families() for name in family.exposed}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return frozenset(told | recorded | COMMON)


def rules():
    """All rules of all groups."""
    documents = [yaml.safe_load(path.read_text()) for path in sorted(build.RULES.glob("*.yml"))]
    return [rule for each in documents for group in each["groups"] for rule in group["rules"]]


def unknown_names(expression: str) -> set[str]:
    """Raises ValueError where `expression` is no PromQL."""
    found = set()

    def visit(node):
        match node:
            case promql_parser.VectorSelector():
                found.add(node.name)
            case promql_parser.MatrixSelector():
                visit(node.vector_selector)
            case promql_parser.BinaryExpr():
                visit(node.lhs)
                visit(node.rhs)
            case promql_parser.Call():
                for argument in node.args:
                    visit(argument)
            case promql_parser.AggregateExpr() | promql_parser.ParenExpr():
                visit(node.expr)
            case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
                pass
            case _:
                raise AssertionError(f"{type(node).__name__} is not expected")

    visit(promql_parser.parse(expression))
    return found - known_names()
