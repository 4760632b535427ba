"""Rules and alerts: their names exist, each alert has its page, promtool passes their tests."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.prometheus import build
from tests.unit.deploy.promql import rules, unknown_names

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "deploy" / "prometheus" / "tests"
ALERTS = [rule for rule in rules() if "alert" in rule]
SECTIONS = ["## Meaning", "## Impact", "## Diagnosis", "## What to do"]


def test_the_committed_rules_are_what_the_generator_writes():
    for path, text in build.files().items():
        assert path.read_text() == text, "run `python -m deploy.prometheus.build`"


def test_rules_ask_for_series_that_exist():
    for rule in rules():
        assert unknown_names(rule["expr"]) == set(), rule


def test_an_alert_says_how_bad_it_is_and_where_its_page_lies():
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert (ROOT / rule["annotations"]["runbook_url"]).stem == rule["alert"]


def test_every_alert_has_a_page_and_every_page_an_alert():
    pages = {page.stem: page.read_text() for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert set(pages) == {rule["alert"] for rule in ALERTS}
    for name, text in pages.items():
        lines = text.splitlines()
        assert lines[0] == f"# {name}"
        assert [line for line in lines if line.startswith("## ")] == SECTIONS


def test_every_alert_is_seen_to_fire_and_to_stay_silent():
    seen = [
        (case["alertname"], bool(case["exp_alerts"]))
        for file in TESTS.glob("*.yml")
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in ALERTS}
    assert {name for name, fires in seen if fires} == names
    assert {name for name, fires in seen if not fires} == names


def test_promtool_runs_the_rules_own_tests():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH; it comes with Debian's package prometheus")
    for verb, files in (("check", build.RULES.glob("*.yml")), ("test", TESTS.glob("*.yml"))):
        command = [promtool, verb, "rules", *map(str, sorted(files))]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
