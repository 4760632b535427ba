"""The batched update: every sample by its own guidance and its own sampler's matrix."""

import torch
from torch import Tensor


def guide(conditional: Tensor, negative: Tensor, scales: Tensor) -> Tensor:
    """Classifier-free guidance.

    Args:
        conditional: [S, C, H, W], the model's output for the prompts.
        negative: [S, C, H, W], for the negative prompts; a sample without guidance gives its
            conditional output here, and gets that back whatever its scale.
        scales: [S].

    Returns:
        [S, C, H, W].
    """
    return negative + scales.view(-1, 1, 1, 1) * (conditional - negative)


def advance(state: Tensor, prediction: Tensor, noise: Tensor, matrices: Tensor) -> Tensor:
    """One step of every sample.

    A product and a sum rather than a matrix product: each element is then computed alike
    whatever the batch, so that the bits do not depend on who shares it, and no mode of
    reduced precision applies.

    Args:
        state: [S, 1 + R, C, H, W] float32: latent and registers.
        prediction: [S, C, H, W] float32: the model's guided output.
        noise: [S, C, H, W] float32.
        matrices: [S, 1 + R, 1 + R + 2] float32.

    Returns:
        The new state, shaped like `state`.
    """
    basis = torch.cat([state, prediction[:, None], noise[:, None]], dim=1)
    return (matrices[..., None, None, None] * basis[:, None]).sum(2)
