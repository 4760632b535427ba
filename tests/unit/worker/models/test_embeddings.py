"""Textual inversion: a name in a prompt stands for learned vectors."""

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from shared.catalog import EmbeddingEntry, ModelDefaults, ModelEntry
from shared.errors import ConfigurationError
from tests.tiny_model import WIDTH
from tests.tiny_sdxl import SECOND_WIDTH, build_tiny_sdxl
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.models.prompt import parse_prompt

LETTER = "x"  # whose own vector the embedding `same` has


def load(family, path, files):
    entries = [EmbeddingEntry(name=name, path=file) for name, file in files.items()]
    entry = ModelEntry(
        id="tiny", family=family, path=path, defaults=ModelDefaults(), embeddings=entries
    )
    return load_model(entry, DeviceSettings(device="cpu"))


@pytest.fixture(scope="module")
def pipeline(tiny_path):
    return StableDiffusionPipeline.from_pretrained(tiny_path, safety_checker=None)


@pytest.fixture(scope="module")
def files(tmp_path_factory, pipeline):
    """Files by name, as AUTOMATIC1111 and as diffusers write them; one vector and three."""
    folder = tmp_path_factory.mktemp("embeddings")
    generator = torch.Generator().manual_seed(0)
    table = pipeline.text_encoder.get_input_embeddings().weight.detach()
    ids = pipeline.tokenizer(LETTER, add_special_tokens=False).input_ids
    tensors = {
        "same": {"emb_params": table[ids].clone()},
        "cat-toy": {"<cat-toy>": torch.randn(WIDTH, generator=generator)},
        "cat-toy.2": {"emb_params": torch.randn(3, WIDTH, generator=generator)},
        "filling": {"emb_params": torch.randn(70, WIDTH, generator=generator)},
    }
    for name, content in tensors.items():
        save_file(content, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in tensors}


@pytest.fixture(scope="module")
def encode(tiny_path, files):
    model = load("sd", tiny_path, files)
    yield lambda text: model.text.encode(parse_prompt(text))
    model.close()


def test_a_name_stands_for_its_vectors(encode):
    expected = encode(f"a {LETTER} b").states

    for text in ("a same b", "a <same> b", "a SAME b"):
        assert torch.equal(encode(text).states, expected)
    assert not torch.equal(encode("a sames b").states, expected)


@pytest.mark.parametrize("name", ["cat-toy", "cat-toy.2"])
def test_as_diffusers_does(encode, pipeline, files, name):
    (tensor,) = load_file(files[name]).values()
    pipeline.load_textual_inversion({f"<{name}>": tensor}, token=f"<{name}>")

    with torch.inference_mode():
        expected, _ = pipeline.encode_prompt(f"a <{name}> b", "cpu", 1, False)

    torch.testing.assert_close(encode(f"a {name} b").states, expected[0])
    torch.testing.assert_close(encode(f"a <{name}> b").states, expected[0])


def test_the_longest_name_counts(encode):
    assert encode("cat-toy").tokens == 1
    assert encode("cat-toy.2").tokens == 3


def test_an_embedding_is_not_torn_between_chunks(encode):
    context = encode("a b c d e f filling")

    assert (context.tokens, context.chunks) == (76, 2)
    parts = [encode("a b c d e f").states, encode("filling").states]
    torch.testing.assert_close(context.states, torch.cat(parts))


def test_weights_count_for_embeddings_too(encode):
    assert torch.equal(encode("a (same:1.3)").states, encode(f"a ({LETTER}:1.3)").states)


def test_the_vocabulary_stays_as_it_was(model, encode):
    prompt = "a red apple"

    assert torch.equal(encode(prompt).states, model.text.encode(parse_prompt(prompt)).states)


@pytest.fixture(scope="module")
def sdxl_path(tmp_path_factory):
    return build_tiny_sdxl(tmp_path_factory.mktemp("sdxl"))


def test_sdxl_takes_a_vector_for_each_encoder(sdxl_path, pipeline, tmp_path):
    bare = load("sdxl", sdxl_path, {})
    tables = [tower.model.get_input_embeddings().weight for tower in bare.text.towers]
    ids = pipeline.tokenizer(LETTER, add_special_tokens=False).input_ids
    own = {"clip_l": tables[0][ids].clone(), "clip_g": tables[1][ids].clone()}
    save_file(own, tmp_path / "same.safetensors")
    model = load("sdxl", sdxl_path, {"same": tmp_path / "same.safetensors"})

    found = model.text.encode(parse_prompt("a same b"))
    expected = bare.text.encode(parse_prompt(f"a {LETTER} b"))
    model.close()
    bare.close()

    assert torch.equal(found.states, expected.states)
    assert torch.equal(found.pooled, expected.pooled)


@pytest.mark.parametrize(
    ("family", "tensors", "reason"),
    [
        ("sd", {"emb_params": torch.zeros(2, 7)}, "7 wide, the model's 32"),
        ("sd", {"emb_params": torch.zeros(76, WIDTH)}, "do not fit one chunk"),
        ("sd", {"clip_l": torch.zeros(1, 8), "clip_g": torch.zeros(1, 8)}, "several tensors"),
        ("sdxl", {"emb_params": torch.zeros(1, WIDTH)}, "lacks `clip_l`"),
        (
            "sdxl",
            {"clip_l": torch.zeros(1, WIDTH), "clip_g": torch.zeros(2, SECOND_WIDTH)},
            "do not fit one chunk",
        ),
    ],
)
def test_a_file_for_another_model_is_refused(
    tiny_path, sdxl_path, tmp_path, family, tensors, reason
):
    save_file(tensors, tmp_path / "odd.safetensors")
    path = {"sd": tiny_path, "sdxl": sdxl_path}[family]

    with pytest.raises(ConfigurationError, match=f"embedding odd: .*{reason}"):
        load(family, path, {"odd": tmp_path / "odd.safetensors"})
