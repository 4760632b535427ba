"""The batched update: every sample by its own guidance and its own sampler's matrix."""

import torch
from torch import Tensor

from worker.samplers.tables import NOISE, OUTPUT


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
    # In place: a batch of latents is megabytes, and fresh memory is dearer than arithmetic.
    guided = conditional - negative
    return guided.mul_(scales.view(-1, 1, 1, 1)).add_(negative)


def rescale(guided: Tensor, conditional: Tensor, factor: float) -> Tensor:
    """Guidance rescale of one sample: the spread that guidance added, taken back in part.

    Equation 16 of Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are
    Flawed", as diffusers' `rescale_noise_cfg`. A sample at a time, since a standard deviation
    over a batch may be summed in another order for another number of samples.

    Args:
        guided: [C, H, W], what `guide` gave.
        conditional: [C, H, W], the model's output for the prompt.
        factor: 0 to 1; samples with 0 need no call.
    """
    narrowed = guided * (conditional.std() / guided.std())
    return factor * narrowed + (1 - factor) * guided


def advance(planes: Tensor, prediction: Tensor, noise: Tensor | None, matrices: Tensor) -> Tensor:
    """One step of every sample.

    The bits of a sample do not depend on who shares the batch, by either way of computing.

    Args:
        planes: [S, 1 + r, C, H, W] float32: latent and registers, as many as some sample needs.
        prediction: [S, C, H, W] float32: the model's guided output.
        noise: [S, C, H, W] float32, or None where no sample draws.
        matrices: [S, PLANES, COLUMNS] float32.

    Returns:
        The new planes, shaped like `planes`.
    """
    # Launches are what costs on CUDA; on a CPU it is memory, and most coefficients are zero.
    way = advance_together if planes.is_cuda else advance_each
    return way(planes, prediction, noise, matrices)


def advance_together(
    planes: Tensor, prediction: Tensor, noise: Tensor | None, matrices: Tensor
) -> Tensor:
    """As `advance`, in as few operations as there are columns.

    Products and sums one after the other rather than a matrix product: each element is then
    computed alike whatever the batch, unused columns add an exact zero, and no mode of reduced
    precision applies.
    """
    count = planes.shape[1]
    weights = matrices[:, :count, :, None, None, None]
    advanced = weights[:, :, OUTPUT] * prediction[:, None]
    for plane in range(count):
        advanced += weights[:, :, plane] * planes[:, plane, None]
    if noise is not None:
        advanced += weights[:, :, NOISE] * noise[:, None]
    return advanced


def advance_each(
    planes: Tensor, prediction: Tensor, noise: Tensor | None, matrices: Tensor
) -> Tensor:
    """As `advance`, a sample at a time, by those coefficients that are not zero."""
    count = planes.shape[1]
    advanced = torch.zeros_like(planes)
    for i, matrix in enumerate(matrices.tolist()):
        sources = {plane: planes[i, plane] for plane in range(count)}
        sources[OUTPUT] = prediction[i]
        if noise is not None:
            sources[NOISE] = noise[i]
        for plane in range(count):
            for column, source in sources.items():
                if weight := matrix[plane][column]:
                    advanced[i, plane].add_(source, alpha=weight)
    return advanced
