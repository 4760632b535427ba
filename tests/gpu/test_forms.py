"""CUDA graphs, xformers and 8-bit products: what a CPU cannot show."""

import pytest
import torch

from shared.catalog import ModelDefaults, ModelEntry
from tests.comparison import generate, relative, stepping
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.models.attention import AttentionChoice, candidates, choose_attention, use_attention
from worker.models.building import FormPlan
from worker.models.device import Attention, DeviceSettings, Precision
from worker.models.load import load_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

JOBS = [
    tiny_request(sampler=sampler, guidance_scale=guidance, steps=8 + seed, seed=seed)
    for seed, (sampler, guidance) in enumerate(
        [("euler_a", 7.5), ("unipc", 1.0), ("dpmpp_2m", 4.0), ("ddim", 7.5)]
    )
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = build_tiny_sd(tmp_path_factory.mktemp("tiny"))
    defaults = ModelDefaults(width=64, height=64, steps=4)
    entry = ModelEntry(id="tiny", family="sd", path=path, defaults=defaults)
    settings = DeviceSettings(device="cuda", precision=Precision.FP32)
    model = load_model(entry, settings)
    yield model
    model.close()


@pytest.fixture
def engine(model):
    with stepping(model) as engine:
        yield engine
    model.stepper.forms.clear()


def build(model, engine, plan):
    told = []
    model.readiness.build_forms(
        engine, plan, model.held, lambda *form: told.append(form), lambda: False
    )
    return dict(told)


@pytest.mark.parametrize("compiled", [False, True])
def test_captured_ticks_are_those_of_the_plain_module(model, engine, compiled):
    plain = generate(model, engine, JOBS)
    states = build(model, engine, FormPlan(compiled=compiled, graphs=True, rows=(2, 4, 8)))
    assert {states[f"unet_{rows}"] for rows in (2, 4, 8)} == {
        "compiled+graph" if compiled else "graph"
    }
    found = generate(model, engine, JOBS)
    turned = generate(model, engine, [JOBS[2], JOBS[1], JOBS[3], JOBS[0]])

    for one, exact in zip(found, plain, strict=True):
        assert relative(one, exact) <= (1e-3 if compiled else 1e-6)
    assert torch.equal(turned[3], generate(model, engine, JOBS)[0])


def test_a_steady_tick_never_waits_for_the_device(model, engine):
    build(model, engine, FormPlan(graphs=True, rows=(8,)))
    samples = [
        model.prepare(f"job_{seed}", tiny_request(steps=100, seed=seed), seed, Kind.ORDINARY)[0][0]
        for seed in range(4)
    ]
    engine.submit(samples)
    while not samples[0].tick:
        engine.call(lambda: None)
    engine.call(lambda: torch.cuda.set_sync_debug_mode("error"))
    try:
        while samples[0].tick < 90:
            engine.call(lambda: None)
    finally:
        engine.call(lambda: torch.cuda.set_sync_debug_mode("default"))
    for sample in samples:
        assert sample.finished.result(100).isfinite().all()


def kernels_of(model, engine):
    with torch.profiler.profile(acc_events=True) as profile:
        generate(model, engine, JOBS[:1])
    return " ".join(event.key for event in profile.key_averages())


def test_xformers_is_what_runs_when_it_is_chosen(model, engine):
    pytest.importorskip("xformers", reason="xformers is not installed")
    expected = generate(model, engine, JOBS[:1])[0]
    choice = choose_attention(
        model.unet,
        model.readiness.device,
        Attention.XFORMERS,
        lambda: generate(model, engine, JOBS[:1]),
    )
    assert choice.name == "xformers"
    # It has operators of its own around what it dispatches to; torch's function is not asked.
    ran = kernels_of(model, engine)
    assert "aten::scaled_dot_product_attention" not in ran
    assert "xformers" in ran or "efficient_attention" in ran or "flash" in ran
    assert relative(generate(model, engine, JOBS[:1])[0], expected) < 1e-3
    use_attention(model.unet, AttentionChoice())


def test_the_chosen_kernels_are_the_device_s(model, engine):
    choice = choose_attention(
        model.unet,
        model.readiness.device,
        Attention.AUTO,
        lambda: generate(model, engine, JOBS[:1]),
    )
    assert set(choice.shapes.values()) <= set(candidates(model.readiness.device, Attention.AUTO))
    use_attention(model.unet, AttentionChoice())


def test_8_bit_layers_run_where_the_chip_has_them(model, tmp_path):
    if torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("the chip has no products of 8-bit numbers")
    settings = DeviceSettings(device="cuda", float8=True, float8_decibels=1.0)
    eight = load_model(model.entry, settings)
    with stepping(eight) as engine:
        found = eight.warm_up(engine)
        assert found.float8
        assert "_scaled_mm" in kernels_of(eight, engine)
    eight.close()
