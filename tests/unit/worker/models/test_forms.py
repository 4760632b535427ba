"""Forms: built beside serving, swapped in between two ticks, and the same bits in any company."""

import threading
from contextlib import nullcontext

import pytest
import torch

from tests.comparison import generate, stepping
from tests.tiny_request import tiny_request
from worker.engine.sample import EngineStopped, Kind
from worker.models.building import FormPlan
from worker.models.device import DeviceSettings
from worker.models.forms import Form, UNetShape, bare_twin
from worker.models.load import load_model
from worker.settings import WorkerSettings

SHAPE = UNetShape(rows=8, latent=(4, 8, 8), context_tokens=77)
JOBS = [
    tiny_request(sampler=sampler, guidance_scale=guidance, steps=5 + seed, seed=seed)
    for seed, (sampler, guidance) in enumerate(
        [("euler_a", 7.5), ("unipc", 1.0), ("dpmpp_2m", 4.0), ("ddim", 7.5)]
    )
]


@pytest.fixture(scope="module")
def own_model(tiny_entry):
    model = load_model(tiny_entry, DeviceSettings(device="cpu"))
    yield model
    model.close()


def build(model, engine, plan, held=nullcontext):
    told = []
    seconds = model.readiness.build_forms(
        engine, plan, held, lambda *form: told.append(form), lambda: False
    )
    return told, seconds


def test_forms_are_built_largest_first_and_change_nothing(own_model):
    with stepping(own_model) as engine:
        expected = generate(own_model, engine, JOBS)
        running = own_model.prepare("long", tiny_request(steps=100), 0, Kind.ORDINARY)[0]
        engine.submit(running)
        told, seconds = build(own_model, engine, FormPlan(graphs=True, rows=(2, 8)))
        assert running[0].finished.result(60).isfinite().all()
        assert told == [
            ("unet_8", "building"),
            ("unet_8", "graph"),
            ("unet_2", "building"),
            ("unet_2", "graph"),
        ]
        assert set(seconds) == {2, 8}

        form = own_model.stepper.forms[SHAPE]
        threads = set()

        def counted(*given):
            threads.add(threading.current_thread().name)
            return form(*given)

        own_model.stepper.forms[SHAPE] = counted
        found = generate(own_model, engine, JOBS)
        assert threads == {"engine"}
        assert all(map(torch.equal, found, expected))
        turned = generate(own_model, engine, [JOBS[2], JOBS[1], JOBS[3], JOBS[0]])
        assert torch.equal(turned[3], generate(own_model, engine, JOBS)[0])

        threads.clear()
        generate(own_model, engine, JOBS, kind=Kind.REPRODUCIBLE)
        assert not threads


def test_what_cannot_be_built_leaves_the_model_as_it_is(own_model):
    with stepping(own_model) as engine:
        own_model.stepper.forms.clear()

        def refuse(*arguments, **options):
            raise RuntimeError("no compiler")

        own_model.unet.forward = refuse  # its twin has it too
        told, seconds = build(own_model, engine, FormPlan(graphs=True, rows=(4,)))
        del own_model.unet.forward
        assert (told, seconds) == ([("unet_4", "building"), ("unet_4", "failed")], {})
        assert not own_model.stepper.forms
        with pytest.raises(ZeroDivisionError):
            engine.call(lambda: 1 / 0)
        assert generate(own_model, engine, JOBS[:1])[0].isfinite().all()
    with pytest.raises(EngineStopped):
        build(own_model, engine, FormPlan(graphs=True, rows=(4,)))


def test_a_twin_has_the_weights_and_none_of_the_hooks(own_model):
    layer = own_model.unet.conv_in
    hook = layer.register_forward_hook(lambda module, inputs, output: output + 1)
    twin = bare_twin(own_model.unet)
    hook.remove()
    assert not twin.conv_in._forward_hooks
    assert twin.conv_in is not layer
    assert twin.conv_in.weight is layer.weight


def test_a_form_copies_what_is_fresh_and_what_has_changed():
    form = Form(lambda fresh, lasting: fresh + lasting, [torch.zeros(2), torch.zeros(2)])
    ones, twos = torch.ones(2), torch.full((2,), 2.0)
    assert form(ones, twos).tolist() == [3, 3]
    ones += 1  # another value in the same place
    assert form(ones, twos).tolist() == [4, 4]
    assert form(ones, torch.zeros(2)).tolist() == [2, 2]
    assert form.fits(ones, twos)
    assert not form.fits(torch.ones(3), twos)
    with pytest.raises(ValueError, match="another shape"):
        form(torch.ones(3), twos)


def test_sizes_that_can_be_built():
    assert WorkerSettings(fixed_rows="8, 2").fixed_rows == (8, 2)
    for wrong in ("3", "1,2,4,8,16", ""):
        with pytest.raises(ValueError, match=r"at most four|invalid literal"):
            WorkerSettings(fixed_rows=wrong)
