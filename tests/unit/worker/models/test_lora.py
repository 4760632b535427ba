"""LoRAs: as diffusers applies them, for who asks for them and for nobody else."""

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from shared.catalog import LoraEntry, ModelDefaults, ModelEntry
from shared.errors import ConfigurationError
from shared.request import Lora
from tests.comparison import by_diffusers, generate, relative, stepping
from tests.tiny_loras import write_kohya_lora, write_lora
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.models.lora import lora_set
from worker.models.prompt import parse_prompt

CPU = DeviceSettings(device="cpu")
PLAIN = tiny_request(negative_prompt="dark")


def asking(**scales):
    """A request for LoRAs by their scales."""
    loras = tuple(Lora(name=name, scale=scale) for name, scale in scales.items())
    return PLAIN.model_copy(update={"loras": loras})


@pytest.fixture(scope="module")
def pipeline(tiny_path):
    return StableDiffusionPipeline.from_pretrained(tiny_path, safety_checker=None)


@pytest.fixture(scope="module")
def files(tmp_path_factory, pipeline):
    """LoRA files by name: of the UNet, of both parts, and as kohya writes them."""
    folder = tmp_path_factory.mktemp("loras")
    unet, text = {"unet": pipeline.unet}, {"text_encoder": pipeline.text_encoder}
    return {
        "style": write_lora(folder / "style.safetensors", unet, seed=1),
        "both": write_lora(folder / "both.safetensors", unet | text, seed=2),
        "kohya": write_kohya_lora(folder / "kohya.safetensors", unet | text, alpha=2.0, seed=3),
    }


@pytest.fixture(scope="module")
def adapted(tiny_path, files):
    entry = ModelEntry(
        id="tiny",
        family="sd",
        path=tiny_path,
        defaults=ModelDefaults(width=64, height=64, steps=4),
        loras=[LoraEntry(name=name, path=path) for name, path in files.items()],
    )
    model = load_model(entry, CPU)
    yield model
    model.close()


@pytest.fixture
def adapted_engine(adapted, ticks):
    with stepping(adapted, ticks.append) as engine:
        yield engine


@pytest.fixture
def expected(pipeline, files):
    """What diffusers makes of a request with its own loading of the same files."""

    def expected(request):
        for lora in request.loras:
            pipeline.load_lora_weights(
                files[lora.name].parent, weight_name=files[lora.name].name, adapter_name=lora.name
            )
        names = [lora.name for lora in request.loras]
        pipeline.set_adapters(names, [lora.scale for lora in request.loras])
        latent = by_diffusers(pipeline, request)
        pipeline.unload_lora_weights()
        return latent

    return expected


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")  # diffusers' own way
@pytest.mark.parametrize(
    "scales",
    [
        {"style": 1.0},
        {"style": 0.5},
        {"style": -1.0},
        {"both": 1.0},
        {"both": 0.5},
        {"kohya": 1.0},
        {"kohya": 0.5},
        {"style": 0.7, "both": 0.4, "kohya": 1.2},
    ],
    ids=str,
)
def test_as_diffusers_does(adapted, adapted_engine, expected, differences, scales):
    request = asking(**scales)

    (latent,) = generate(adapted, adapted_engine, [request])
    (plain,) = generate(adapted, adapted_engine, [PLAIN])

    assert differences("LoRA", relative(latent, expected(request))) <= 1e-3
    assert relative(latent, plain) > 1e-2


def test_who_does_not_ask_gets_the_bits_of_a_model_without_any(
    model, engine, adapted, adapted_engine
):
    (bare,) = generate(model, engine, [PLAIN])

    (before,) = generate(adapted, adapted_engine, [PLAIN])
    among_others, *_ = generate(
        adapted, adapted_engine, [PLAIN, asking(style=1.0), asking(both=0.5), asking(kohya=-1)]
    )

    assert torch.equal(before, bare)
    assert torch.equal(among_others, bare)


def test_scale_0_is_no_lora_and_shares_the_ordinary_ticks(adapted, adapted_engine, ticks):
    plain, zero = generate(adapted, adapted_engine, [PLAIN, asking(style=0.0, both=0.0)])

    assert {tick.samples for tick in ticks} == {2}
    assert torch.equal(plain, zero)


def test_the_same_loras_share_ticks_and_others_do_not(adapted, adapted_engine, ticks):
    same = [asking(style=1.0, both=0.5), asking(both=0.5, style=1.0)]

    generate(adapted, adapted_engine, same)
    assert {tick.samples for tick in ticks} == {2}

    ticks.clear()
    generate(adapted, adapted_engine, [asking(style=1.0), asking(style=0.5)])
    assert {tick.samples for tick in ticks} == {1}


def test_a_reproducible_job_has_the_same_bits_beside_other_loras(adapted, adapted_engine):
    request = asking(both=0.8)

    (alone,) = generate(adapted, adapted_engine, [request], kind=Kind.REPRODUCIBLE)
    (again, *_) = generate(
        adapted, adapted_engine, [request, asking(both=0.7), PLAIN, request], kind=Kind.REPRODUCIBLE
    )

    assert torch.equal(alone, again)


def test_contexts_are_shared_where_the_text_encoder_has_no_part(adapted):
    prompt = parse_prompt("a green apple")
    plain = adapted.text.encode(prompt)

    assert adapted.text.encode(prompt, loras=(("style", 1.0),)) is plain
    other = adapted.text.encode(prompt, loras=(("both", 1.0),))
    assert not torch.equal(other.states, plain.states)


def test_a_set_has_one_form():
    a, b, zero = Lora(name="a"), Lora(name="b", scale=0.5), Lora(name="c", scale=0.0)

    assert lora_set([b, zero, a]) == lora_set([a, b]) == (("a", 1.0), ("b", 0.5))
    assert lora_set([zero]) == ()


def load_with(tiny_path, file):
    loras = [LoraEntry(name="odd.one", path=file)]
    return load_model(ModelEntry(id="tiny", family="sd", path=tiny_path, loras=loras), CPU)


@pytest.mark.parametrize("layout", ["style", "kohya"])
def test_keys_that_match_nothing_are_told(tiny_path, files, tmp_path, layout):
    weights = load_file(files[layout])
    prefix = "lora_unet_" if layout == "kohya" else "unet."
    of_layer = [name for name in weights if name.startswith(prefix) and "ff" in name]
    for name in [name for name in of_layer if name.endswith("weight")][:2]:  # another width
        weights[name] = weights[name].repeat(2, 2)
    weights[f"{prefix}mid_block_elsewhere.lora_down.weight"] = torch.zeros(4, 8)
    weights["text_encoder_9.strange.weight"] = torch.zeros(8, 4)
    save_file(weights, tmp_path / "odd.safetensors")

    model = load_with(tiny_path, tmp_path / "odd.safetensors")
    _, notes = model.prepare("job", asking(**{"odd.one": 1.0}), 0, Kind.ORDINARY)
    _, silent = model.prepare("job", asking(**{"odd.one": 0.0}), 0, Kind.ORDINARY)
    model.close()

    assert notes == [
        ("lora_keys_unmatched", "4 keys of the LoRA odd.one match nothing in the model")
    ]
    assert silent == []


def test_a_file_of_another_model_is_refused(tiny_path, tmp_path):
    save_file({"unet.elsewhere.lora_A.weight": torch.zeros(4, 8)}, tmp_path / "odd.safetensors")

    with pytest.raises(ConfigurationError, match=r"LoRA odd.one: nothing in it matches"):
        load_with(tiny_path, tmp_path / "odd.safetensors")


@pytest.mark.parametrize("name", ["odd.pt", "missing.safetensors", "odd.safetensors"])
def test_a_file_that_is_not_legible_is_refused(tiny_path, tmp_path, name):
    (tmp_path / "odd.pt").write_bytes(b"pickle")
    (tmp_path / "odd.safetensors").write_bytes(b"nothing")

    with pytest.raises(ConfigurationError, match=r"LoRA odd\.one: "):
        load_with(tiny_path, tmp_path / name)
