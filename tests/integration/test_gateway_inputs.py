"""Input pictures: sent, named by jobs in three ways, refused with their fields, kept while used."""

import base64
import io

import httpx2
from PIL import Image

from api.picture_check import MAX_PICTURE_BYTES
from shared.ids import input_id_of, input_key
from shared.store.keyring import Keyring
from shared.store.keys import LINK_SECRET
from tests.picture_files import encoded, hostile, picture

PNG = {"Content-Type": "image/png"}


def send(client: httpx2.Client, data: bytes, **options) -> httpx2.Response:
    return client.post("/v1/inputs", content=data, headers=PNG | options.pop("headers", {}))


def submit(client: httpx2.Client, **fields) -> httpx2.Response:
    return client.post("/v1/jobs", json={"prompt": "a red apple", **fields})


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def errors(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["code"] for error in answer.json()["errors"]}


def test_a_picture_is_stored_once(client, objects):
    sent = picture(96, 64, "JPEG")
    answer = send(client, sent)
    assert answer.status_code == 201
    told = answer.json()
    assert answer.headers["Location"] == f"/v1/inputs/{told['id']}"
    assert (told["width"], told["height"], told["bytes"]) == (96, 64, len(sent))
    assert told["id"] == input_id_of(sent)
    stored = objects.get(input_key("local", told["id"]))
    assert Image.open(io.BytesIO(stored)).format == "PNG"

    form = client.post("/v1/inputs", files={"file": ("photo.gif", sent, "image/gif")})
    assert form.status_code == 201
    assert form.json()["id"] == told["id"]
    assert client.get(f"/v1/inputs/{told['id']}").json()["width"] == 96
    assert client.get("/v1/inputs/in_" + "0" * 32).status_code == 404


def test_hostile_files_leave_nothing(client, objects, redis_pair):
    for name, (data, code) in hostile().items():
        answer = send(client, data)
        assert (answer.status_code, answer.json()["code"]) == (422, code), name
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert objects.list_keys("") == []
    assert set(redis_pair.durable.scan_iter("tessera:*")) <= {LINK_SECRET}


def test_bodies_that_are_no_picture_call(client):
    assert send(client, bytes(MAX_PICTURE_BYTES + 1)).status_code == 413
    assert client.post("/v1/inputs", content=b"x" * 30_000_000, headers=PNG).status_code == 413
    assert client.post("/v1/inputs", json={}).status_code == 415
    assert client.post("/v1/inputs", content=picture()).status_code == 415
    files = [("file", ("a.png", picture())), ("file", ("b.png", picture()))]
    two = client.post("/v1/inputs", files=files)
    assert (two.status_code, two.json()["code"]) == (422, "invalid_request")
    assert client.post("/v1/inputs", data={"file": "text"}).status_code == 415
    broken = {"Content-Type": "multipart/form-data"}
    assert client.post("/v1/inputs", content=b"--", headers=broken).status_code == 422


def test_a_job_names_pictures_by_id_and_by_data(client, objects):
    sent = picture(128, 96)
    told = send(client, sent).json()
    control = picture(128, 96, "WEBP")
    answer = submit(
        client,
        image={"id": told["id"]},
        mask={"data": base64_of(sent)},
        controls=[
            {"type": "depth", "image": {"data": f"data:image/webp;base64,{base64_of(control)}"}}
        ],
        loras=[{"name": "lineart", "scale": 0.5}],
        strength=0.5,
    )
    assert answer.status_code == 202, answer.text
    request = answer.json()["request"]
    assert request["image"] == request["mask"] == {"id": told["id"], "width": 128, "height": 96}
    assert (request["width"], request["height"]) == (128, 96)
    assert request["controls"][0]["image"]["id"] == input_id_of(control)
    assert len(objects.list_keys("local/inputs/")) == 2
    # What an answer echoes can be sent again.
    again = client.post("/v1/jobs", json=request)
    assert again.status_code == 202, again.text


def test_what_cannot_be_used_is_named(client, objects):
    nowhere = "in_" + "0" * 32
    found = errors(
        submit(
            client,
            image={"data": "not base64!"},
            mask={"id": nowhere},
            controls=[{"type": "canny", "image": {"data": base64_of(hostile()["GIF"][0])}}],
        )
    )
    assert found == {
        "image.data": "not_base64",
        "mask.id": "unknown_input",
        "controls.0.image.data": "picture_unsupported",
    }
    assert errors(submit(client, image={"id": "in_1"})) == {"image.id": "string_pattern_mismatch"}
    assert set(errors(submit(client, image={}))) == {"image"}
    both = {"id": nowhere, "data": base64_of(picture())}
    assert set(errors(submit(client, image=both))) == {"image"}
    assert objects.list_keys("") == []


def test_what_the_model_lacks_is_refused_before_pictures_are_looked_at(client, objects):
    named = {"data": base64_of(picture())}
    found = errors(
        submit(
            client,
            mask=named,
            controls=[
                {"type": "pose", "image": named},
                {"type": "depth", "image": named, "preprocess": True},
                {"type": "canny", "image": named, "start": 0.6, "end": 0.5},
            ],
            loras=[{"name": "unknown"}, {"name": "lineart"}, {"name": "lineart"}],
        )
    )
    assert found == {
        "mask": "mask_without_image",
        "controls.0.type": "unknown_control",
        "controls.1.preprocess": "no_preprocessor",
        "controls.2.end": "illegal_range",
        "loras.0.name": "unknown_lora",
        "loras.2.name": "duplicate_lora",
    }
    thirty = [{"type": "canny", "image": named}] * 30
    assert set(errors(submit(client, controls=thirty))) == {"controls"}
    assert errors(submit(client, controls=thirty[:5])) == {"controls": "too_many_controls"}
    assert objects.list_keys("") == []


def test_a_mask_of_another_size(client):
    named = {"data": base64_of(picture(64, 64))}
    answer = submit(client, image=named, mask={"data": base64_of(picture(64, 72))})
    assert errors(answer) == {"mask": "mask_size"}


def test_a_large_picture_goes_as_data(client):
    noise = encoded(Image.effect_noise((2500, 2500), 80).convert("RGB"), compress_level=0)
    assert 18_000_000 < len(noise) < MAX_PICTURE_BYTES
    answer = submit(client, image={"data": base64_of(noise)})
    assert answer.status_code == 202, answer.text
    assert answer.json()["request"]["width"] == 128


def test_large_bodies_without_pictures_are_refused(client):
    padded = b'{"prompt": "a"' + b" " * 1_100_000 + b"}"
    crowded = b'{"prompt": "a", "controls": [' + b"1," * 600_000 + b"1]}"
    json = {"Content-Type": "application/json"}
    for body in (padded, crowded):
        answer = client.post("/v1/jobs", content=body, headers=json)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_another_tenants_input_is_not_there(keyed_gateway, api_key, redis_pair):
    told = send(keyed_gateway.client, picture(), headers=api_key).json()
    _, presented = Keyring(redis_pair.durable).create(
        "rival", ["jobs:read", "jobs:write", "webhooks"]
    )
    rival = {"Authorization": f"Bearer {presented}"}
    assert keyed_gateway.client.get(f"/v1/inputs/{told['id']}", headers=rival).status_code == 404
    body = {"prompt": "a", "image": {"id": told["id"]}}
    answer = keyed_gateway.client.post("/v1/jobs", json=body, headers=rival)
    assert errors(answer) == {"image.id": "unknown_input"}
    answer = keyed_gateway.client.post("/v1/jobs", json=body, headers=api_key)
    assert answer.status_code == 202
