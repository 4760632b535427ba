"""The batched update: every sample by its own guidance and its own sampler's matrix."""

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
    return negative + scales.view(-1, 1, 1, 1) * (conditional - negative)


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

    Products and sums one after the other rather than a matrix product: each element is then
    computed alike whatever the batch, unused columns add an exact zero, and no mode of reduced
    precision applies. So the bits do not depend on who shares the batch.

    Args:
        planes: [S, 1 + r, C, H, W] float32: latent and registers, as many as some sample needs.
        prediction: [S, C, H, W] float32: the model's guided output.
        noise: [S, C, H, W] float32, or None where no sample draws.
        matrices: [S, PLANES, COLUMNS] float32.

    Returns:
        The new planes, shaped like `planes`.
    """
    count = planes.shape[1]
    weights = matrices[:, :count, :, None, None, None]
    advanced = weights[:, :, OUTPUT] * prediction[:, None]
    for plane in range(count):
        advanced += weights[:, :, plane] * planes[:, plane, None]
    if noise is not None:
        advanced += weights[:, :, NOISE] * noise[:, None]
    return advanced
