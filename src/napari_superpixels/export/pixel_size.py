"""How large the pixels of a TIFF are, as its microscope or ImageJ says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.files import READ_ERRORS

if TYPE_CHECKING:
    from pathlib import Path

_SHORT = {
    "um": ("µm", "μm", "\\u00B5m", "micron", "microns", "micrometer", "micrometre"),
    "nm": ("nanometer", "nanometre"),
    "mm": ("millimeter", "millimetre"),
    "cm": ("centimeter", "centimetre"),
    "m": ("meter", "metre"),
    "km": ("kilometer", "kilometre"),
}


def short_unit(unit: str) -> str:
    """Write a unit of length in one way.

    Parameters
    ----------
    unit : str
        As files, napari and people write it: ``"µm"``, ``"micrometer"``, ``"micron"``, …

    Returns
    -------
    str
        ``"um"``, ``"nm"``, ``"mm"``, ``"cm"``, ``"m"`` or ``"km"``; any other as it is.
    """
    return next((short for short, others in _SHORT.items() if unit in others), unit)


def read_pixel_size(path: Path, ndim: int) -> tuple[tuple[float, ...], str] | None:
    """Read the pixel size that OME-TIFF or ImageJ's TIFF states.

    The resolution that any other TIFF states is meant for printing and does not count.

    Parameters
    ----------
    path : Path
        Any file.
    ndim : int
        2 for the size of a pixel (y, x), 3 for that of a voxel (z, y, x).

    Returns
    -------
    (tuple of float, str) or None
        Size along each axis and its unit; None where the file does not state both.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        with tifffile.TiffFile(path) as tiff:
            stated = _of_ome(tiff) if tiff.is_ome else _of_imagej(tiff) if tiff.is_imagej else None
    except READ_ERRORS:
        return None  # no such statement; whoever reads its pixels says what is wrong with the file
    if stated is None:
        return None
    sizes, unit = stated[0][-ndim:], stated[1]
    if unit in ("", "pixel", "reference frame") or not all(size and size > 0 for size in sizes):
        return None
    return tuple(float(size) for size in sizes), short_unit(unit)


def _of_ome(tiff: tifffile.TiffFile) -> tuple[list[Any], str] | None:
    image = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    # Micrometres are what the schema says where a file states no unit.
    units = {pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "XY"}
    if len(units) > 1 or pixels.get("PhysicalSizeZUnit", "µm") not in units:
        return None
    return [pixels.get(f"PhysicalSize{axis}") for axis in "ZYX"], units.pop()


def _of_imagej(tiff: tifffile.TiffFile) -> tuple[list[Any], str] | None:
    about, tags = tiff.imagej_metadata or {}, tiff.pages.first.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    pixels, per_unit = zip(*(tags[f"{axis}Resolution"].value for axis in "YX"), strict=True)
    sizes = [unit / n if n else None for n, unit in zip(pixels, per_unit, strict=True)]
    return [about.get("spacing"), *sizes], str(about.get("unit", ""))
