"""A picture in a colour space of its own, such as Display P3, becomes sRGB."""

import io

from PIL import Image, ImageCms

# Cameras' and screens' profiles have three primaries and three curves, in a few kilobytes. Those
# with tables of colours are printers' and scanners'; a stranger's could take hundreds of megabytes.
MAX_PROFILE_BYTES = 65_536
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC


def to_srgb(image: Image.Image, profile: bytes | None) -> None:
    """Convert an RGB picture in place; one without a profile that we follow is taken as sRGB."""
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _has_primaries_alone(source):
            srgb = ImageCms.createProfile("sRGB")
            ImageCms.profileToProfile(image, source, srgb, INTENT, inPlace=True)
    except (OSError, ImageCms.PyCMSError):
        return  # the profile is damaged, which says nothing of the picture


def _has_primaries_alone(profile: ImageCms.ImageCmsProfile) -> bool:
    described = profile.profile
    has_tables = described.clut is not None and described.clut[INTENT][0]
    return described.xcolor_space == "RGB " and described.is_matrix_shaper and not has_tables
