"""Size of a pixel, and time between frames, as TIFFs of several kinds state them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.io.metadata import PixelSizes

if TYPE_CHECKING:
    from collections.abc import Mapping

_CENTIMETRE_IN_UM = 1e4


def pixel_sizes_of(tiff: tifffile.TiffFile) -> PixelSizes | None:
    """Read the size of a pixel.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open.

    Returns
    -------
    PixelSizes or None
        Of OME-TIFF, ImageJ, LSM, STK, and slides of Aperio, Hamamatsu, Leica and PerkinElmer; None
        for others, whose resolution is but that of a printer.
    """
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        # Micrometres are what the schema says where a file states no unit.
        return PixelSizes(
            tuple(pixels.get(f"PhysicalSize{axis}") for axis in "ZYX"),
            tuple(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"),
        )
    if tiff.is_imagej:
        return _of_imagej(tiff)
    if tiff.is_lsm:
        known: Mapping[str, Any] = tiff.lsm_metadata or {}
        sizes = tuple(known.get(f"VoxelSize{axis}") or None for axis in "ZYX")
        return PixelSizes(sizes, ("m",) * 3)
    if tiff.is_stk:
        return _of_stk(tiff)
    if tiff.is_svs:
        size = tifffile.tifffile.svs_description_metadata(tiff.pages.first.description).get("MPP")
        return PixelSizes((size, size), ("um",) * 2)
    if tiff.is_ndpi or tiff.is_scn or tiff.is_qpi:
        per_cm = tiff.pages.first.get_resolution(tifffile.RESUNIT.CENTIMETER)
        sizes = tuple(_CENTIMETRE_IN_UM / n if n else None for n in reversed(per_cm))
        return PixelSizes(sizes, ("um",) * 2)
    return None


def time_step_of(tiff: tifffile.TiffFile) -> tuple[float, str] | None:
    """Read the time from one frame to the next.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open.

    Returns
    -------
    tuple of (float, str) or None
        Of OME-TIFF and ImageJ, with its unit as written there; None where none is stated.
    """
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        step, unit = pixels.get("TimeIncrement"), str(pixels.get("TimeIncrementUnit", "s"))
    elif tiff.is_imagej:
        known = tiff.imagej_metadata or {}
        step, unit = known.get("finterval"), str(known.get("tunit") or "s")
    else:
        return None
    return None if step is None or not 0 < float(step) < math.inf else (float(step), unit)


def _ome_pixels(tiff: tifffile.TiffFile) -> Mapping[str, Any]:
    """Attributes of the pixels of the first image."""
    image = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
    pixels: Mapping[str, Any] = (image[0] if isinstance(image, list) else image)["Pixels"]
    return pixels


def _of_imagej(tiff: tifffile.TiffFile) -> PixelSizes | None:
    tags = tiff.pages.first.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    known = tiff.imagej_metadata or {}
    pixels, per_unit = zip(*(tags[f"{axis}Resolution"].value for axis in "YX"), strict=True)
    sizes = [unit / n if n else None for n, unit in zip(pixels, per_unit, strict=True)]
    # ImageJ writes units of the other axes only where they differ.
    units = (known.get("zunit"), known.get("yunit"), None)
    unit = str(known.get("unit", ""))
    return PixelSizes((known.get("spacing"), *sizes), tuple(str(own or unit) for own in units))


def _of_stk(tiff: tifffile.TiffFile) -> PixelSizes:
    known = tiff.stk_metadata or {}
    depths = known.get("ZDistance")
    depth = None if depths is None or not len(depths) else float(depths[0]) or None
    unit = str(known.get("CalibrationUnits", ""))
    return PixelSizes((depth, known.get("YCalibration"), known.get("XCalibration")), (unit,) * 3)
