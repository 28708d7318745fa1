"""OME-Zarr 0.4 and 0.5: the one place that reads and writes their metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import dask.array as da
import zarr

from napari_superpixels.errors import FileError
from napari_superpixels.io.metadata import FileMetadata, PixelSizes
from napari_superpixels.io.problems import check_level, unless_damaged
from napari_superpixels.io.provenance import of_zarr
from napari_superpixels.io.units import full_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

# Of a group of Zarr 2; groups of Zarr 3 hold 0.5.
_OF_ZARR_2 = "0.4"
_OF_ZARR = (".zgroup", ".zarray", "zarr.json")
_TYPES = {"c": "channel", "t": "time"}
# Pixels along rows and columns of a chunk, and of the coarsest level.
_CHUNK, _SMALLEST = 512, 256


def is_zarr(path: Path) -> bool:
    """Tell whether a folder holds Zarr.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    bool
        True for arrays and groups of Zarr 2 and 3.
    """
    return any((path / name).exists() for name in _OF_ZARR)


def attributes_of(node: Any) -> dict[str, Any]:
    """Take the OME metadata of an open node, which 0.5 keeps under a key of their own."""
    found: dict[str, Any] = node.attrs.asdict()
    return dict(found.get("ome", found))


def holds_labels(path: Path) -> bool:
    """Tell whether a path is an OME-Zarr of labels.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True if it is.
    """
    if not any((path / name).is_file() for name in _OF_ZARR):
        return False
    return "image-label" in attributes_of(zarr.open(path, mode="r"))


# ---- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ZarrImage:
    """A Zarr array, or one level of an OME-Zarr image.

    Attributes
    ----------
    array : dask array
        Pixels, without axes of length 1.
    channel_axis : int or None
        Axis that holds channels.
    axes : str
        A letter for each axis; empty for a plain array.
    metadata : FileMetadata
        Pixel size of the finest level, provenance.
    """

    array: Any
    channel_axis: int | None
    axes: str
    metadata: FileMetadata


def open_zarr(path: Path, level: int) -> ZarrImage:
    """Look at a Zarr; its pixels are read later.

    Parameters
    ----------
    path : Path
        Folder of an array, or of an OME-Zarr image or label image.
    level : int
        Level of its pyramid, 0 for full resolution.

    Returns
    -------
    ZarrImage
        Lazy array, and what the metadata say.

    Raises
    ------
    FileError
        If it is neither, or has no such level.
    """
    if not is_zarr(path):
        raise FileError(f"{path}: is a folder, and holds no Zarr; choose a file")
    node = zarr.open(str(path), mode="r")
    metadata = FileMetadata(path, provenance=unless_damaged(path, of_zarr, node) or {})
    if isinstance(node, zarr.Array):
        check_level(path, level, 1)
        return ZarrImage(da.from_zarr(node), None, "", metadata)
    attributes = attributes_of(node)
    if "multiscales" not in attributes:
        inside = ", ".join(sorted(node.group_keys())) or "none"
        raise FileError(
            f"{path}: is neither a Zarr array nor an OME-Zarr image (it has no “multiscales”); for "
            f"an image inside it, name that folder: {inside}"
        )
    image = attributes["multiscales"][0]
    check_level(path, level, len(image["datasets"]))
    array = da.from_zarr(node[image["datasets"][level]["path"]])
    axes = "".join(_axis_name(axis)[:1] for axis in image["axes"]).upper()
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array = array[tuple(slice(None) if i in kept else 0 for i in range(array.ndim))]
    axes = "".join(axes[i] for i in kept)
    metadata = replace(metadata, pixel_sizes=unless_damaged(path, _pixel_sizes, image))
    return ZarrImage(array, axes.index("C") if "C" in axes else None, axes, metadata)


def _axis_name(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, dict) else axis)


def _pixel_sizes(image: Mapping[str, Any]) -> PixelSizes:
    """Sizes of the finest level along the axes of space."""
    # One scale for all levels, and one for each.
    steps = [*image.get("coordinateTransformations", ())]
    steps += image["datasets"][0].get("coordinateTransformations", ())
    sizes = [1.0] * len(image["axes"])
    for step in steps:
        if step["type"] == "scale":
            sizes = [s * float(k) for s, k in zip(sizes, step["scale"], strict=True)]
    space = {
        i: axis.get("unit", "") if isinstance(axis, dict) else ""
        for i, axis in enumerate(image["axes"])
        if _axis_name(axis) in "zyx"
    }
    return PixelSizes(tuple(sizes[i] for i in space), tuple(space.values()), scale_alone=True)


# ---- writing -----------------------------------------------------------------------------------


def create_level(
    group: Any, level: int, shape: Sequence[int], chunks: Sequence[int], dtype: Any
) -> zarr.Array[Any]:
    """Make the array of a level, in the layout of the group's version.

    Parameters
    ----------
    group : zarr.Group
        Image or label image, open for writing.
    level : int
        Number of the level, which is its name.
    shape, chunks : sequence of int
        Of the array; chunks are at most as large.
    dtype : dtype
        Of the pixels.

    Returns
    -------
    zarr.Array
        To be filled.
    """
    layout = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    array: zarr.Array[Any] = group.create_array(
        str(level),
        shape=tuple(shape),
        chunks=tuple(min(n, chunk) for n, chunk in zip(shape, chunks, strict=True)),
        dtype=dtype,
        **(layout if group.metadata.zarr_format == 2 else {}),
    )
    return array


def write_pyramid(
    group: Any, array: NDArray[np.generic], name: str, axes: str, sizes: Sequence[float], unit: str
) -> None:
    """Write an image and its pyramid: each level keeps every second row and column.

    Parameters
    ----------
    group : zarr.Group
        Where to, open for writing.
    array : ndarray
        Pixels.
    name : str
    axes : str
        A letter for each axis, see `describe`.
    sizes : sequence of float
        Size of a pixel along each axis.
    unit : str
        Of the axes of space.
    """
    chunks = (1,) * (array.ndim - 2) + (_CHUNK, _CHUNK)
    scales: list[list[float]] = []
    step = 1
    while True:
        level = array[..., ::step, ::step]
        _fill(create_level(group, len(scales), level.shape, chunks, level.dtype), level)
        *first, height, width = sizes
        scales.append([*first, height * step, width * step])
        if max(level.shape[-2:]) <= _SMALLEST:
            break
        step *= 2
    describe(group, name, axes, scales, unit)


def _fill(stored: zarr.Array[Any], level: NDArray[np.generic]) -> None:
    """Write chunk by chunk: where one fails, no others are under way, as in one assignment."""
    starts = (range(0, n, chunk) for n, chunk in zip(level.shape, stored.chunks, strict=True))
    for corner in product(*starts):
        chunk = tuple(slice(i, i + n) for i, n in zip(corner, stored.chunks, strict=True))
        stored[chunk] = level[chunk]


def describe(
    group: Any, name: str, axes: str, level_scales: Sequence[Sequence[float]], unit: str | None
) -> None:
    """Write the metadata of a pyramid whose levels ``"0"``, ``"1"``, … keep every second pixel.

    The pixels that are kept stay where they are, so there is no translation.

    Parameters
    ----------
    group : zarr.Group
        Image or label image, open for writing.
    name : str
    axes : str
        A letter for each axis: ``c`` for channels, ``t`` for time, ``z``, ``y``, ``x``.
    level_scales : sequence of sequence of float
        For each level, the size of a pixel along each axis.
    unit : str or None
        Unit of length, such as ``"um"``; left out where it has no name in OME-Zarr.
    """
    spelled = None if unit is None else full_name(unit)
    described: list[dict[str, Any]] = []
    for axis in axes:
        kind = {"name": axis, "type": _TYPES.get(axis, "space")}
        has_unit = axis not in _TYPES and spelled is not None
        described.append(kind | ({"unit": spelled} if has_unit else {}))
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [float(s) for s in scale]}],
        }
        for level, scale in enumerate(level_scales)
    ]
    version = {"version": _OF_ZARR_2} if group.metadata.zarr_format == 2 else {}
    image = version | {
        "name": name,
        "axes": described,
        "datasets": datasets,
        "type": "every second pixel",
    }
    set_attribute(group, "multiscales", [image])


def set_attribute(group: Any, name: str, value: Any) -> None:
    """Write OME metadata where the group's version keeps them.

    Parameters
    ----------
    group : zarr.Group
        Of Zarr 2 (OME-Zarr 0.4) or Zarr 3 (0.5), open for writing.
    name : str
        ``"multiscales"``, ``"image-label"``, ``"labels"``, ``"omero"``.
    value : object
        Plain values; a mapping gets the version that 0.4 wants in it.
    """
    if group.metadata.zarr_format == 2:
        group.attrs[name] = {"version": _OF_ZARR_2, **value} if isinstance(value, dict) else value
        return
    known = dict(group.attrs.get("ome", {"version": "0.5"}))
    group.attrs["ome"] = known | {name: value}
