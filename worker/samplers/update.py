"""The batched update: every sample by its own guidance and its own sampler's matrix."""

from collections.abc import Mapping

import torch
from torch import Tensor

from worker.samplers.tables import NOISE, OUTPUT

SMALL_LATENT = 4 * 16 * 16  # numbers of one; a picture of 128 x 128 pixels


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
    return torch.lerp(negative, conditional, scales.view(-1, 1, 1, 1))


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


def advance(
    planes: Tensor, prediction: Tensor, noise: Mapping[int, Tensor], matrices: Tensor
) -> Tensor:
    """One step of every sample.

    The bits of a sample do not depend on who shares the batch, by either way of computing.

    Args:
        planes: [S, 1 + r, C, H, W] float32: latent and registers, as many as some sample needs.
        prediction: [S, C, H, W] float32: the model's guided output.
        noise: [C, H, W] float32 of each sample that draws, by its place.
        matrices: [S, PLANES, COLUMNS] float32.

    Returns:
        The new planes, shaped like `planes`.
    """
    # What costs on CUDA, and with small latents anywhere, is each operation; with large ones on a
    # CPU it is memory, and most coefficients are zero. The way depends on nothing of the company.
    few_operations = planes.is_cuda or planes.shape[2:].numel() <= SMALL_LATENT
    way = advance_together if few_operations else advance_each
    return way(planes, prediction, noise, matrices)


def advance_together(
    planes: Tensor, prediction: Tensor, noise: Mapping[int, Tensor], matrices: Tensor
) -> Tensor:
    """As `advance`, in as few operations as there are columns.

    Products added one after the other rather than a matrix product: each element is then computed
    alike whatever the batch, unused columns add an exact zero, and no mode of reduced precision
    applies.
    """
    count = planes.shape[1]
    # All views at once: taken one by one they would cost as much as the arithmetic.
    columns = matrices.view(*matrices.shape, 1, 1, 1).narrow(1, 0, count).unbind(2)
    advanced = columns[OUTPUT] * prediction.unsqueeze(1)
    for weights, plane in zip(columns, planes.unsqueeze(2).unbind(1), strict=False):
        advanced.addcmul_(weights, plane)
    for place, drawn in noise.items():
        advanced[place].addcmul_(columns[NOISE][place], drawn)
    return advanced


def advance_each(
    planes: Tensor, prediction: Tensor, noise: Mapping[int, Tensor], matrices: Tensor
) -> Tensor:
    """As `advance`, a sample at a time, by those coefficients that are not zero."""
    count = planes.shape[1]
    advanced = torch.zeros_like(planes)
    # All views at once: taken one by one they would cost as much as the arithmetic.
    targets = advanced.flatten(0, 1).unbind()
    sources = planes.flatten(0, 1).unbind()
    predictions = prediction.unbind()
    for i, matrix in enumerate(matrices.tolist()):
        own = slice(i * count, (i + 1) * count)
        columns = [*enumerate(sources[own]), (OUTPUT, predictions[i])]
        if i in noise:
            columns.append((NOISE, noise[i]))
        for target, weights in zip(targets[own], matrix[:count], strict=True):
            for column, source in columns:
                if weight := weights[column]:
                    target.add_(source, alpha=weight)
    return advanced
