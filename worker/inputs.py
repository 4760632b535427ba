"""A job's input pictures: fetched from the object store, fitted to the size of each pass."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputGone, NotFound
from shared.ids import input_key
from shared.objects import ObjectStore
from shared.preprocessors import PREPROCESSORS
from shared.request import Control, GenerationRequest, InputRef
from worker.fitting import fit_mask, fit_picture
from worker.models.canny import as_control, canny
from worker.models.pictures import Pictures


@dataclass(frozen=True, eq=False)
class Inputs:
    """The pictures as they were sent, by their ids."""

    request: GenerationRequest
    pictures: Mapping[str, Image.Image]

    def fitted(self, width: int, height: int) -> Pictures:
        """All of them at this size."""
        request = self.request
        image = mask = None
        if request.image:
            image = self._fit(request.image, width, height)
        if request.mask:
            grey = self.pictures[request.mask.id].convert("L")
            mask = fit_mask(grey, width, height, request.fit)
        controls = tuple(self._control(control, width, height) for control in request.controls)
        return Pictures(image, mask, controls)

    def _control(self, control: Control, width: int, height: int) -> NDArray[np.uint8]:
        pixels = self._fit(control.image, width, height)
        if not control.preprocess:
            return pixels
        assert control.type in PREPROCESSORS
        edges: NDArray[np.uint8] = as_control(canny(pixels[None]))[0]
        return edges

    def _fit(self, ref: InputRef, width: int, height: int) -> NDArray[np.uint8]:
        picture = self.pictures[ref.id].convert("RGB")
        return fit_picture(picture, width, height, self.request.fit)


def fetch_inputs(objects: ObjectStore, tenant: str, request: GenerationRequest) -> Inputs:
    """Fetch and decode each picture that the request names, once.

    Raises:
        InputGone: one of them is not stored any more.
        StorageUnavailable: the object store does not answer.
    """
    named = [ref for ref in (request.image, request.mask) if ref]
    named += [control.image for control in request.controls]
    return Inputs(request, {ref.id: _fetch(objects, tenant, ref.id) for ref in named})


def _fetch(objects: ObjectStore, tenant: str, input_id: str) -> Image.Image:
    try:
        data = objects.get(input_key(tenant, input_id))
    except NotFound as error:
        raise InputGone(f"the input picture {input_id} is not stored any more") from error
    picture = Image.open(io.BytesIO(data), formats=["PNG"])
    picture.load()
    return picture
