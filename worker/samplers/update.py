"""The batched update: every sample by its own guidance and its own sampler's matrix."""

import torch
from torch import Tensor


def guide(output: Tensor, guided: int, guidance: Tensor) -> Tensor:
    """Classifier-free guidance for a batch whose first `guided` samples have two rows.

    Args:
        output: [samples + guided, C, H, W]: all samples' conditional rows, then the
            unconditional rows of the first `guided` samples.
        guided: how many samples are guided.
        guidance: [guided], their scales.

    Returns:
        [samples, C, H, W]; a sample without guidance keeps its conditional row.
    """
    samples = output.shape[0] - guided
    conditional, unconditional = output[:guided], output[samples:]
    scales = guidance.view(-1, 1, 1, 1)
    mixed = unconditional + scales * (conditional - unconditional)
    return torch.cat([mixed, output[guided:samples]])


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
