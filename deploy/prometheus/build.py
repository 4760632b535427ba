"""`python -m deploy.prometheus.build [--check]`: the rules of the three objectives.

A burn rate of 1 spends an objective's error budget of 30 days in 30 days. Each alert looks at a
long window, so that it means something, and at a short one, so that it ends soon after its cause.
The pairs of windows are those of the Site Reliability Workbook, chapter 5.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.generated import ROOT, main

RULES = ROOT / "deploy" / "prometheus" / "rules"
CHART_RULES = ROOT / "deploy" / "helm" / "tessera" / "files" / "rules"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
# Burn rate, long window, short window, how long before it alerts, severity.
ALERTS = (
    (14.4, "1h", "5m", "2m", "critical"),
    (6.0, "6h", "30m", "15m", "critical"),
    (3.0, "1d", "2h", "1h", "warning"),
    (1.0, "3d", "6h", "3h", "warning"),
)


@dataclass(frozen=True)
class Objective:
    """`bad` and `total` are expressions with WINDOW for the range; `budget` is what may be bad."""

    name: str
    alert: str
    summary: str
    budget: float
    bad: str
    total: str

    def recorded(self, window: str) -> str:
        """The name of the recorded burn rate."""
        return f"tessera:{self.name}:burn_rate{window}"


JUDGED = 'sum(rate(tessera_jobs_finished_total{status=~"succeeded|failed"}[WINDOW]))'
STARTED = "sum(rate(tessera_job_queue_seconds_count[WINDOW]))"
SUBMISSIONS = 'tessera_http_requests_total{handler="/v1/jobs",method="POST"'
OBJECTIVES = (
    Objective(
        name="job_failures",
        alert="TesseraJobsFail",
        summary="more than 1 % of jobs fail",
        budget=0.01,
        bad='sum(rate(tessera_jobs_finished_total{status="failed"}[WINDOW]))',
        total=JUDGED,
    ),
    Objective(
        name="slow_starts",
        alert="TesseraJobsWait",
        summary="more than 5 % of jobs wait longer than 30 seconds",
        budget=0.05,
        bad=f'({STARTED} - sum(rate(tessera_job_queue_seconds_bucket{{le="30.0"}}[WINDOW])))',
        total=STARTED,
    ),
    Objective(
        name="failed_submissions",
        alert="TesseraSubmissionsFail",
        summary="more than 0.1 % of submissions are answered with 5xx",
        budget=0.001,
        # There is no such series before the first 5xx.
        bad=f'(sum(rate({SUBMISSIONS},status="5xx"}}[WINDOW])) or vector(0))',
        total=f"sum(rate({SUBMISSIONS}}}[WINDOW]))",
    ),
)


def recording_rules(objective: Objective) -> list[dict[str, Any]]:
    """The burn rate over each window."""
    ratio = f"{objective.bad} / ({objective.total} > 0) / {objective.budget}"
    return [
        {"record": objective.recorded(window), "expr": ratio.replace("WINDOW", window)}
        for window in WINDOWS
    ]


def alerting_rules(objective: Objective) -> list[dict[str, Any]]:
    """The same alert at four speeds."""
    return [
        {
            "alert": objective.alert,
            "expr": f"{objective.recorded(long)} > {burn} and {objective.recorded(short)} > {burn}",
            "for": pending,
            "labels": {"severity": severity, "window": long},
            "annotations": {
                "summary": f"Tessera: {objective.summary}",
                "description": f"The error budget of 30 days has been burning at "
                f"{{{{ $value | humanize }}}} times its speed for {long}.",
                "runbook_url": f"docs/runbooks/{objective.alert}.md",
            },
        }
        for burn, long, short, pending, severity in ALERTS
    ]


def files() -> dict[Path, str]:
    """The generated rules, and the chart's copies of all rules."""
    groups = [
        {
            "name": f"tessera-{objective.name.replace('_', '-')}",
            "rules": recording_rules(objective) + alerting_rules(objective),
        }
        for objective in OBJECTIVES
    ]
    text = "# Written by `python -m deploy.prometheus.build`.\n" + yaml.safe_dump(
        {"groups": groups}, sort_keys=False, width=1000
    )
    symptoms = (RULES / "symptoms.yml").read_text(encoding="utf-8")
    return {
        RULES / "objectives.yml": text,
        CHART_RULES / "objectives.yml": text,
        CHART_RULES / "symptoms.yml": symptoms,
    }


if __name__ == "__main__":
    sys.exit(main(files(), sys.argv[1:]))
