"""Label TIFFs in the format of the Open Microscopy Environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.errors import UnitNotKnown
from napari_superpixels.io.provenance import as_description
from napari_superpixels.io.units import symbol, time_symbol

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.io.formats.label_image import LabelImage

# The unit of a map without CRS is unknown, for which OME has a name.
_WITHOUT_LENGTH = {"pixel": "pixel", "map unit": "reference frame"}


def write_ome(path: Path, label_image: LabelImage) -> None:
    """Write an OME-TIFF with the pixel size, in metres where OME does not have its unit.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to write.

    Raises
    ------
    ExportError
        If OME does not have the unit, and it is no number of metres either.
    """
    label_image = label_image.in_known_unit(_ome_unit)
    about: dict[str, Any] = {"axes": label_image.axes.upper(), "Name": "superpixels"}
    if label_image.provenance:
        about["Description"] = as_description(label_image.provenance)
    if label_image.pixel_size is not None:
        unit = _ome_unit(label_image.unit)
        if unit is None:
            raise UnitNotKnown("OME-TIFF", label_image.unit)
        sizes = label_image.pixel_size
        for axis, size in zip("ZYX"[-len(sizes) :], sizes, strict=True):
            about |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    if label_image.axes[0] == "t" and label_image.time_step is not None:
        step, time_unit = label_image.time_step
        about |= {"TimeIncrement": step, "TimeIncrementUnit": time_symbol(time_unit) or "s"}
    tifffile.imwrite(
        path,
        label_image.labels,
        ome=True,
        compression="zlib",
        photometric="minisblack",
        metadata=about,
    )


def _ome_unit(unit: str) -> str | None:
    return _WITHOUT_LENGTH.get(unit) or symbol(unit)
