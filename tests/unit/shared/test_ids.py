"""Identifiers sort by time and fit wherever they are used."""

import re

from shared.ids import (
    attempt_prefix,
    job_id_of,
    job_prefix,
    new_attempt_id,
    new_job_id,
    new_request_id,
)


def test_job_ids_sort_by_creation() -> None:
    ids = [new_job_id() for _ in range(1000)]
    assert ids == sorted(set(ids))


def test_ids_are_safe_in_urls_keys_and_names() -> None:
    for new_id in (new_job_id, new_attempt_id, new_request_id):
        assert re.fullmatch(r"[a-z]{3}_[0-9a-f]{16,32}", new_id())


def test_prefixes_nest_and_name_their_job() -> None:
    job_id, attempt_id = new_job_id(), new_attempt_id()
    prefix = attempt_prefix("ada", job_id, attempt_id)
    assert prefix.startswith(job_prefix("ada", job_id))
    assert prefix.endswith("/")
    assert job_id_of(prefix) == job_id
