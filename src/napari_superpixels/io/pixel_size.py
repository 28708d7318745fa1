"""How large the pixels of an image are, as its microscope or ImageJ says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile
import zarr

from napari_superpixels.io.images import READ_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SHORT = {
    "um": ("µm", "μm", "\\u00b5m", "micron", "micrometer", "micrometre"),
    "nm": ("nanometer", "nanometre"),
    "mm": ("millimeter", "millimetre"),
    "cm": ("centimeter", "centimetre"),
    "m": ("meter", "metre"),
    "km": ("kilometer", "kilometre"),
    "pm": ("picometer", "picometre"),
    "angstrom": ("å", "ångström", "ångstrom", "angström", "\\u00c5"),
    "in": ("inch", "inches"),
    "ft": ("foot", "feet"),
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
        ``"um"``, ``"nm"``, ``"mm"``, ``"cm"``, ``"m"``, ``"km"``, ``"pm"``, ``"angstrom"``,
        ``"in"`` or ``"ft"``; any other as it is.
    """
    name = unit.strip().lower()
    for short, others in _SHORT.items():
        if name in others or (name.endswith("s") and name[:-1] in (*others, short)):
            return short
    return unit


def read_pixel_size(path: Path, ndim: int) -> tuple[tuple[float, ...], str | None] | None:
    """Read the pixel size that OME-TIFF, OME-Zarr or ImageJ's TIFF states.

    The resolution that any other TIFF states is meant for printing and does not count.

    Parameters
    ----------
    path : Path
        Any file, or the folder of a Zarr.
    ndim : int
        2 for the size of a pixel (y, x), 3 for that of a voxel (z, y, x).

    Returns
    -------
    (tuple of float, str or None) or None
        Size along each axis and its unit; None where the file does not state both. An OME-Zarr may
        have a scale without a unit, which tells at least how long a pixel's sides are beside each
        other.
    """
    is_folder = path.is_dir()
    if not is_folder and path.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        stated = _of_zarr(path) if is_folder else _of_tiff(path, ndim)
    except READ_ERRORS:
        return None  # no such statement; whoever reads its pixels says what is wrong with the file
    if stated is None:
        return None
    sizes, unit = stated[0][-ndim:], stated[1]
    if not all(size and size > 0 for size in sizes):
        return None
    scale = tuple(float(size) for size in sizes)
    if unit in ("", "pixel", "pixels", "reference frame"):
        return (scale, None) if is_folder and set(scale) != {1.0} else None
    return scale, short_unit(unit)


def _of_tiff(path: Path, ndim: int) -> tuple[list[Any], str] | None:
    with tifffile.TiffFile(path) as tiff:
        if tiff.is_ome:
            return _of_ome(tiff, ndim)
        return _of_imagej(tiff) if tiff.is_imagej else None


def _of_ome(tiff: tifffile.TiffFile, ndim: int) -> tuple[list[Any], str] | None:
    image = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    # Micrometres are what the schema says where a file states no unit.
    axes = [axis for axis in "ZYX"[-ndim:] if f"PhysicalSize{axis}" in pixels]
    units = {pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in axes}
    if len(units) != 1:
        return None
    return [pixels.get(f"PhysicalSize{axis}") for axis in "ZYX"[-ndim:]], units.pop()


def _of_imagej(tiff: tifffile.TiffFile) -> tuple[list[Any], str] | None:
    about, tags = tiff.imagej_metadata or {}, tiff.pages.first.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    pixels, per_unit = zip(*(tags[f"{axis}Resolution"].value for axis in "YX"), strict=True)
    sizes = [unit / n if n else None for n, unit in zip(pixels, per_unit, strict=True)]
    return [about.get("spacing"), *sizes], str(about.get("unit", ""))


def _of_zarr(path: Path) -> tuple[list[Any], str] | None:
    attributes: Mapping[str, Any] = dict(zarr.open(str(path), mode="r").attrs)
    described = attributes.get("ome", attributes)  # NGFF 0.5 has a key of its own
    if "multiscales" not in described:
        return None
    image = described["multiscales"][0]
    # One scale for all levels, and one for each.
    steps = [*image.get("coordinateTransformations", ())]
    steps += image["datasets"][0].get("coordinateTransformations", ())
    sizes = [1.0] * len(image["axes"])
    for step in steps:
        if step["type"] == "scale":
            sizes = [s * float(k) for s, k in zip(sizes, step["scale"], strict=True)]
    space = {axis["name"]: i for i, axis in enumerate(image["axes"]) if axis["name"] in "zyx"}
    units = {image["axes"][i].get("unit", "") for i in space.values()}
    return None if len(units) > 1 else ([sizes[i] for i in space.values()], units.pop())
