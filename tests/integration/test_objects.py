"""The object store against a real S3 server."""

import urllib.request
from urllib.error import HTTPError

import pytest

from shared.errors import NotFound, StorageUnavailable
from shared.objects import ObjectStore
from shared.settings import StorageSettings
from tessera.local.ports import free_ports


def test_an_object_comes_back_as_it_went_in(objects: ObjectStore) -> None:
    data = bytes(range(256)) * 1000
    objects.put("t/job/att/0.png", data, "image/png")
    assert objects.get("t/job/att/0.png") == data
    assert objects.exists("t/job/att/0.png")


def test_a_missing_object_is_not_found(objects: ObjectStore) -> None:
    assert not objects.exists("t/none")
    with pytest.raises(NotFound):
        objects.stream("t/none")


def test_a_prefix_is_deleted_with_all_below_it_and_nothing_else(objects: ObjectStore) -> None:
    for key in ("t/a/1", "t/a/2", "t/ab/1"):
        objects.put(key, b"x", "text/plain")
    assert objects.delete_prefix("t/a/") == 2
    assert objects.list_keys("t/") == ["t/ab/1"]


def test_what_is_to_be_kept_is_kept(objects: ObjectStore) -> None:
    for key in ("t/a/1", "t/a/2"):
        objects.put(key, b"x", "text/plain")
    assert objects.delete_prefix("t/a/", keep={"t/a/2"}) == 1
    assert objects.list_keys("t/") == ["t/a/2"]


def test_a_link_needs_no_credentials_and_cannot_be_changed(objects: ObjectStore) -> None:
    objects.put("t/p.png", b"picture", "image/png")
    objects.put("t/q.png", b"another", "image/png")
    link = objects.link("t/p.png", filename="p.png", content_type="image/png")
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"picture"
        assert answer.headers["Content-Type"] == "image/png"
        assert "p.png" in answer.headers["Content-Disposition"]
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(link.replace("t/p.png", "t/q.png"))
    refused.value.close()
    assert refused.value.code == 403


def test_no_server_is_storage_unavailable(storage_settings: StorageSettings) -> None:
    port = free_ports(["nobody"])["nobody"]
    absent = storage_settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{port}"})
    with pytest.raises(StorageUnavailable):
        ObjectStore(absent).check()
