"""The page of metrics is current, so that a renamed metric is seen by whoever reads the change."""

from deploy.metrics_page import PAGE, families, page


def test_the_committed_page_names_what_the_processes_tell():
    assert PAGE.read_text() == page(), "run `python -m deploy.metrics_page`, and mend its users"


def test_a_metric_means_the_same_in_every_process():
    kinds = {}
    for family in families():
        assert kinds.setdefault(family.name, (family.kind, family.labels)) == (
            family.kind,
            family.labels,
        )
