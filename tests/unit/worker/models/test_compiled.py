"""A compiled UNet: as close and as indifferent to its company as the plain one, and built once.

A whole model's forms, through the engine, are in `tests/slow`.
"""

import pytest
import torch
from diffusers import UNet2DConditionModel

from tests.comparison import relative
from worker.models.attention import AttentionChoice, use_attention
from worker.models.compiling import compile_fixed, forbid_recompiling
from worker.models.forms import Form, plain_forward

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
