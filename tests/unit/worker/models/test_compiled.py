"""Compiled: as close and as indifferent to its company as what is not, and built once."""

from contextlib import nullcontext

import pytest
import torch
from diffusers import UNet2DConditionModel

from shared.catalog import ModelDefaults, ModelEntry
from tests.comparison import generate, relative, stepping
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.models.attention import AttentionChoice, use_attention
from worker.models.building import FormPlan
from worker.models.compiling import compile_fixed, forbid_recompiling
from worker.models.device import DeviceSettings
from worker.models.forms import Form, plain_forward
from worker.models.image import Decoding
from worker.models.load import load_model

REQUESTS = [tiny_request(guidance_scale=1.0, steps=5 + seed, seed=seed) for seed in range(2)]

# The compiler's own parts warn of one another.
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]


def test_a_compiled_unet_is_close_the_same_in_any_place_and_never_compiled_again():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = UNet2DConditionModel(
            block_out_channels=(16,),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D",),
            mid_block_type=None,
            up_block_types=("UpBlock2D",),
            cross_attention_dim=16,
            attention_head_dim=2,
            norm_num_groups=4,
        ).eval()
    use_attention(unet, AttentionChoice())
    generator = torch.Generator().manual_seed(2)
    latents, contexts = (
        torch.randn(*shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 7, 16))
    )
    given = (latents, torch.tensor([9.0, 99.0]), contexts, None, None, None)
    turned = tuple(one if one is None else one.flip(0) for one in given)
    with torch.inference_mode():
        form = Form(compile_fixed(plain_forward(unet)), given, fresh=2)
        form.build()
        forbid_recompiling()
        found = form(*given)
        assert torch.equal(form(*turned).flip(0), found)
        assert relative(found, plain_forward(unet)(*given)) <= 1e-4
        with pytest.raises(AssertionError):  # past the form's own check, it is the code's
            form._forward(*(one if one is None else torch.cat([one, one]) for one in given))


def test_a_model_s_forms_are_close_and_the_same_in_any_place(tmp_path):
    defaults = ModelDefaults(width=64, height=64, steps=4)
    entry = ModelEntry(id="tiny", family="sd", path=build_tiny_sd(tmp_path), defaults=defaults)
    model = load_model(entry, DeviceSettings(device="cpu"))
    told = []
    with stepping(model) as engine:
        expected = generate(model, engine, REQUESTS)
        model.readiness.build_forms(
            engine,
            FormPlan(compiled=True, graphs=True, rows=(2,)),
            nullcontext,
            lambda *form: told.append(form),
            lambda: False,
        )
        assert dict(told) == {"unet_2": "compiled+graph", "vae": "compiled"}
        found = generate(model, engine, REQUESTS)
        turned = generate(model, engine, REQUESTS[::-1])
    for one, other, exact in zip(found, turned[::-1], expected, strict=True):
        assert torch.equal(one, other)
        assert relative(one, exact) <= 1e-4
    fast = model.decode(expected[0], Decoding.FAST).astype(int)
    assert abs(fast - model.decode(expected[0])).max() <= 1
    model.close()
