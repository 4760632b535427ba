"""The dashboards are what their generator writes, complete, and ask for series that exist."""

import json

import pytest

from deploy.grafana import build
from tests.unit.deploy.promql import unknown_names

BOARDS = [
    json.loads(text) for path, text in build.files().items() if path.parent == build.FOLDERS[0]
]
PANELS = [
    pytest.param(panel, id=f"{board['uid']}: {panel['title']}")
    for board in BOARDS
    for panel in board["panels"]
]


def test_the_committed_dashboards_are_what_the_generator_writes():
    for path, text in build.files().items():
        assert path.read_text() == text, "run `python -m deploy.grafana.build`"


def test_whoever_looks_chooses_the_prometheus():
    for board in BOARDS:
        [variable] = board["templating"]["list"]
        assert (variable["type"], variable["query"]) == ("datasource", "prometheus")


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel):
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_series_that_exist(panel):
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "1m")
        assert unknown_names(expression) == set()


def test_titles_are_unique_on_a_page():
    for board in BOARDS:
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(titles)) == len(titles)
