"""Attention: each shape has the fastest kernel, projections are shared, nothing changes by it."""

import pytest
import torch

from shared.errors import ConfigurationError
from tests.comparison import relative
from tests.tiny_model import WIDTH, unet
from worker.models.attention import (
    AttentionChoice,
    AttentionShape,
    candidates,
    choose_attention,
    use_attention,
)
from worker.models.device import Attention, DeviceSettings, resolve_device
from worker.models.fused_qkv import fuse_projections

CPU = resolve_device(DeviceSettings(device="cpu"))


@pytest.fixture
def tiny_unet():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return unet().requires_grad_(False)


def output(module, **options):
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    contexts = torch.randn(2, 77, WIDTH, generator=generator)
    with torch.inference_mode():
        return module(latents, torch.tensor([9.0, 99.0]), contexts, return_dict=False, **options)[0]


def test_every_shape_of_the_model_has_a_kernel_of_this_device(tiny_unet):
    expected = output(tiny_unet)
    choice = choose_attention(tiny_unet, CPU, Attention.AUTO, lambda: output(tiny_unet))

    assert set(choice.shapes) == {
        AttentionShape(heads=4, queries=queries, keys=keys, size=size)
        for queries, size in ((64, 8), (16, 16))
        for keys in (queries, 77)
    }
    assert set(choice.shapes.values()) <= set(candidates(CPU, Attention.AUTO))
    assert set(choice.name.split("+")) == set(choice.shapes.values())
    assert relative(output(tiny_unet), expected) < 1e-5


@pytest.mark.parametrize("kernel", candidates(CPU, Attention.SDPA))
def test_a_chosen_kernel_is_the_one_that_runs(tiny_unet, kernel):
    use_attention(tiny_unet, AttentionChoice())
    usual = output(tiny_unet)
    choice = AttentionChoice(dict.fromkeys(seen_shapes(tiny_unet), kernel))
    use_attention(tiny_unet, choice)

    with torch.profiler.profile(acc_events=True) as profile:
        found = output(tiny_unet)

    name = {"sdpa-flash-cpu": "flash_attention_for_cpu", "sdpa-math": "attention_math"}[kernel]
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls[f"aten::_scaled_dot_product_{name}"] == 8  # four blocks with two each
    assert relative(found, usual) < 1e-5
    # Who asks for it gets torch's own order, whatever was chosen.
    assert torch.equal(output(tiny_unet, cross_attention_kwargs={"usual": True}), usual)


def seen_shapes(tiny_unet):
    return choose_attention(tiny_unet, CPU, Attention.SDPA, lambda: output(tiny_unet)).shapes


def test_shared_projections_hold_no_second_copy_and_leave_hooks_their_layers(tiny_unet):
    use_attention(tiny_unet, AttentionChoice())
    expected = output(tiny_unet)
    layer = tiny_unet.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k")
    fuse_projections(tiny_unet)
    fused = output(tiny_unet)
    hook = layer.register_forward_hook(lambda module, inputs, output: output + 1)
    hooked = output(tiny_unet)
    hook.remove()

    assert relative(fused, expected) < 1e-5
    attn = tiny_unet.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1")
    assert layer.weight.untyped_storage().data_ptr() == attn.fused_weight.data_ptr()
    assert not torch.equal(hooked, fused)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tells of a machine without CUDA")
def test_xformers_is_refused_where_it_cannot_run():
    with pytest.raises(ConfigurationError, match="needs a CUDA device"):
        resolve_device(DeviceSettings(attention=Attention.XFORMERS))
