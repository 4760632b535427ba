"""`python -m deploy.prometheus.audit URL`: asks a live Prometheus for every panel and every rule.

Prints a table in Markdown. The exit status is the number of panels without data and of rules that
are not well; panels of GPUs are left out, where there is none.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from deploy.grafana.build import files

# Panels that only a worker with a GPU fills.
NEED_GPU = frozenset({"GPU memory", "GPU utilisation", "GPU temperature", "GPU power"})
INTERVAL = "1m"


@dataclass(frozen=True)
class Row:
    """What one query of one panel, or one rule, came to."""

    page: str
    what: str
    series: int
    value: str
    well: bool

    def __str__(self) -> str:
        return f"| {self.page} | {self.what} | {self.series} | {self.value} |"


class Prometheus:
    """The HTTP API of a Prometheus."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=10, trust_env=False)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of this moment. Raises HTTPStatusError where it is no legal expression."""
        answer = self._http.get("/api/v1/query", params={"query": expression}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        groups = self._http.get("/api/v1/rules").raise_for_status().json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


def panels(prometheus: Prometheus) -> Iterator[Row]:
    """A row for each query of each panel."""
    boards = {json.loads(text)["uid"]: json.loads(text) for text in files().values()}
    for board in boards.values():
        page = board["title"].removeprefix("Tessera / ")
        for panel in board["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", INTERVAL)
                found = prometheus.query(expression)
                values = [float(series["value"][1]) for series in found]
                told = [value for value in values if not math.isnan(value)]
                what = f"{panel['title']}: {target['legendFormat']}"
                if panel["title"] in NEED_GPU and not found:
                    yield Row(page, what, 0, "needs a GPU", well=True)
                else:
                    shown = f"{max(told):.4g}" if told else "NaN" if values else "**no data**"
                    yield Row(page, what, len(found), shown, well=bool(told))


def rules(prometheus: Prometheus) -> Iterator[Row]:
    """A row for each rule: a recorded one's value, an alert's state."""
    for rule in prometheus.rules():
        well = rule["health"] == "ok"
        if rule["type"] == "recording":
            found = prometheus.query(rule["name"])
            value = f"{float(found[0]['value'][1]):.4g}" if found else "**no data**"
            yield Row("recorded", rule["name"], len(found), value, well and bool(found))
        else:
            name = f"{rule['name']} {rule['labels'].get('window', '')}".strip()
            yield Row("alert", name, len(rule["alerts"]), rule["state"], well)


def main(url: str) -> int:
    """Print the table; the number of rows that are not well."""
    prometheus = Prometheus(url)
    rows = [*panels(prometheus), *rules(prometheus)]
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    bad = sum(not row.well for row in rows)
    sys.stdout.write(
        f"{moment}: {len(rows)} queries, {bad} without data. The value is the largest of the "
        "series.\n\n| page | query | series | value |\n|---|---|---|---|\n"
    )
    sys.stdout.writelines(f"{row}\n" for row in rows)
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
