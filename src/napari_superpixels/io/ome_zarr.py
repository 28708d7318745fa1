"""OME-Zarr 0.4 and 0.5: the one place that reads and writes their metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import zarr

from napari_superpixels.errors import FileError
from napari_superpixels.io.metadata import FileMetadata, PixelSizes
from napari_superpixels.io.problems import check_level, unless_damaged
from napari_superpixels.io.provenance import of_zarr
from napari_superpixels.io.readers.arrays import lazy
from napari_superpixels.io.units import full_name, time_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.io.spatial import Spatial

# Of a group of Zarr 2; groups of Zarr 3 hold 0.5.
_OF_ZARR_2 = "0.4"
_OF_ZARR = (".zgroup", ".zarray", "zarr.json")
_TYPES = {"c": "channel", "t": "time"}
_FIRST_AXES = "tczyx"
_SPACE = ("z", "y", "x")
# Where an axis has no type: names that files of Zarr use.
_BY_NAME = {
    **{"t": "T", "time": "T"},
    **dict.fromkeys(("c", "channel", "channels", "band", "bands"), "C"),
}
_STARTS = (("scale", 1.0), ("translation", 0.0))
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
    node: Any = zarr.open(str(path), mode="r")
    attributes = attributes_of(node)
    if attributes.get("bioformats2raw.layout") and "0" in node:
        node = node["0"]  # the first of its images
        attributes = attributes_of(node)
    metadata = FileMetadata(path, provenance=unless_damaged(path, of_zarr, node) or {})
    if isinstance(node, zarr.Array):
        check_level(path, level, 1)
        array, axes = _arranged(lazy(node, node.chunks), _axes_of_array(node))
        return ZarrImage(array, _channel_axis(axes), axes, metadata)
    if "multiscales" not in attributes:
        inside = ", ".join(sorted(node.keys())) or "none"
        raise FileError(
            f"{path}: is neither a Zarr array nor an OME-Zarr image (it has no “multiscales”); for "
            f"an image inside it, name one of the folders in it: {inside}"
        )
    image = attributes["multiscales"][0]
    if not image["datasets"]:
        raise ValueError("it names no pixels")
    check_level(path, level, len(image["datasets"]))
    stored = node[image["datasets"][level]["path"]]
    # The first two versions do not name the axes.
    described = image.get("axes") or _FIRST_AXES[-stored.ndim :]
    axes = _letters(described)
    if len(axes) != stored.ndim:
        raise ValueError(f"it names {len(axes)} axes, and has {stored.ndim}")
    if not _are_distinct(axes):
        raise ValueError("it gives two axes the same name")
    array, kept = _arranged(lazy(stored, stored.chunks), axes)
    metadata = replace(
        metadata,
        pixel_sizes=unless_damaged(path, _pixel_sizes, image, described, axes),
        time_step=unless_damaged(path, _time_step, image, described, axes),
    )
    return ZarrImage(array, _channel_axis(kept), kept, metadata)


def _axes_of_array(array: zarr.Array[Any]) -> str:
    """Letters of the axes that an array names, as xarray does; empty unless they are known."""
    metadata: Any = array.metadata
    names = metadata.dimension_names if metadata.zarr_format == 3 else None
    described: Any = names or array.attrs.asdict().get("_ARRAY_DIMENSIONS") or ()
    axes = _letters(described)
    known = len(axes) == array.ndim and {"Y", "X"} <= {*axes} and _are_distinct(axes)
    return axes if known else ""


def _are_distinct(axes: str) -> bool:
    """Whether no known axis occurs twice."""
    return all(axes.count(letter) <= 1 for letter in "TCZYX")


def _letters(described: Sequence[Any]) -> str:
    """A letter for each axis, as tifffile names them: by its type, or else by its name."""
    letters = []
    for axis in described:
        name = str(axis["name"] if isinstance(axis, dict) else axis).lower()
        kind = axis.get("type") if isinstance(axis, dict) else None
        if kind in ("time", "channel") or (kind is None and name in _BY_NAME):
            letters.append(_BY_NAME.get(name) if kind is None else kind[0].upper())
        elif name in _SPACE:
            letters.append(name.upper())
        else:
            letters.append("?" if kind == "space" else "Q")
    # Axes of space with names of their own are depth, rows and columns in the order of the file.
    free = [letter for letter in "ZYX" if letter not in letters]
    unnamed = [i for i, letter in enumerate(letters) if letter == "?"]
    if len(unnamed) > len(free):
        raise ValueError("it has more than three axes of space")
    for i, letter in zip(unnamed, free[len(free) - len(unnamed) :], strict=True):
        letters[i] = letter
    return "".join(map(str, letters))


def _space_axes(axes: str) -> list[int]:
    """Numbers of the axes of space, in the order of depth, rows, columns."""
    return [axes.index(letter) for letter in "ZYX" if letter in axes]


def _arranged(array: Any, axes: str) -> tuple[Any, str]:
    """Drop axes of length 1, and bring those of space into the order of depth, rows, columns."""
    if not axes:
        return array, axes
    order = iter(_space_axes(axes))
    turned = [next(order) if a in "ZYX" else i for i, a in enumerate(axes)]
    if turned != sorted(turned):
        array, axes = array.transpose(turned), "".join(axes[i] for i in turned)
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array = array[tuple(slice(None) if i in kept else 0 for i in range(array.ndim))]
    return array, "".join(axes[i] for i in kept)


def _channel_axis(axes: str) -> int | None:
    return axes.index("C") if "C" in axes else None


def _steps(image: Mapping[str, Any], kind: str, start: float, n: int) -> list[float]:
    """Put the scales, or the translations, of the finest level along its axes together."""
    # One scale for all levels comes after that of each.
    steps = [*image["datasets"][0].get("coordinateTransformations", ())]
    steps += image.get("coordinateTransformations", ())
    found = [start] * n
    for step in steps:
        if step["type"] == "scale":
            found = [a * float(b) for a, b in zip(found, step["scale"], strict=True)]
        elif step["type"] == "translation" and kind == "translation":
            found = [a + float(b) for a, b in zip(found, step["translation"], strict=True)]
    return found


def _pixel_sizes(image: Mapping[str, Any], described: Sequence[Any], axes: str) -> PixelSizes:
    """Sizes of the finest level along the axes of space."""
    sizes, moved = (_steps(image, kind, start, len(axes)) for kind, start in _STARTS)
    space = _space_axes(axes)
    return PixelSizes(
        tuple(sizes[i] for i in space),
        tuple(_unit(described[i]) for i in space),
        tuple(moved[i] for i in space),
        scale_alone=True,
    )


def _time_step(
    image: Mapping[str, Any], described: Sequence[Any], axes: str
) -> tuple[float, str] | None:
    """Time between frames of the finest level, and its unit, empty where none is stated."""
    if "T" not in axes:
        return None
    at = axes.index("T")
    step, unit = _steps(image, *_STARTS[0], len(axes))[at], _unit(described[at])
    return (step, unit) if step > 0 and (unit or step != 1) else None


def _unit(axis: Any) -> str:
    return str(axis.get("unit") or "") if isinstance(axis, dict) else ""


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


@dataclass(frozen=True, slots=True)
class Axes:
    """Axes of an image, as OME-Zarr describes them.

    Attributes
    ----------
    letters : str
        One for each axis: ``t`` time, ``c`` channels, ``z``, ``y``, ``x``.
    steps : tuple of float
        For each, the size of a pixel, negative where it runs backwards, or the time step.
    unit : str or None
        Unit of length, such as ``"um"``; left out where it has no name in OME-Zarr.
    translation : tuple of float or None
        For each, where the first pixel lies.
    time_unit : str or None
        Of the time step.
    """

    letters: str
    steps: tuple[float, ...]
    unit: str | None = None
    translation: tuple[float, ...] | None = None
    time_unit: str | None = None

    def with_channels(self, at: int) -> Axes:
        """Put an axis of channels before the axis `at`."""
        moved = self.translation

        def put(values: tuple[float, ...], value: float) -> tuple[float, ...]:
            return (*values[:at], value, *values[at:])

        return replace(
            self,
            letters=f"{self.letters[:at]}c{self.letters[at:]}",
            steps=put(self.steps, 1.0),
            translation=None if moved is None else put(moved, 0.0),
        )


def axes_of(letters: str, spatial: Spatial, time_step: tuple[float, str] | None = None) -> Axes:
    """Describe axes.

    Parameters
    ----------
    letters : str
        See `Axes`; without channels.
    spatial : Spatial
        Along the last of them; 1 pixel where it knows no size.
    time_step : tuple of (float, str), optional
        Time from one frame to the next, if the first axis is time.

    Returns
    -------
    Axes
    """
    n = len(letters)
    steps = [1.0] * n
    for i, size in enumerate(reversed(spatial.pixel_size or ())):
        steps[n - 1 - i] = size
    for i, is_flipped in enumerate(reversed(spatial.flipped or ())):
        steps[n - 1 - i] *= -1 if is_flipped else 1
    moved = spatial.translation
    time_unit = None
    if letters[0] == "t" and time_step is not None:
        steps[0], time_unit = time_step
    return Axes(
        letters,
        tuple(steps),
        spatial.unit,
        None if moved is None else (0.0,) * (n - len(moved)) + tuple(moved),
        time_unit,
    )


def write_pyramid(group: Any, array: NDArray[np.generic], name: str, axes: Axes) -> None:
    """Write an image and its pyramid: each level keeps every second row and column.

    Parameters
    ----------
    group : zarr.Group
        Where to, open for writing.
    array : ndarray
        Pixels.
    name : str
    axes : Axes
        Of its axes.
    """
    chunks = (1,) * (array.ndim - 2) + (_CHUNK, _CHUNK)
    factors: list[tuple[float, ...]] = []
    step = 1
    while True:
        level = array[..., ::step, ::step]
        _fill(create_level(group, len(factors), level.shape, chunks, level.dtype), level)
        factors.append((*(1.0,) * (array.ndim - 2), step, step))
        if max(level.shape[-2:]) <= _SMALLEST:
            break
        step *= 2
    describe(group, name, axes, factors)


def _fill(stored: zarr.Array[Any], level: NDArray[np.generic]) -> None:
    """Write chunk by chunk: where one fails, no others are under way, as in one assignment."""
    starts = (range(0, n, chunk) for n, chunk in zip(level.shape, stored.chunks, strict=True))
    for corner in product(*starts):
        chunk = tuple(slice(i, i + n) for i, n in zip(corner, stored.chunks, strict=True))
        stored[chunk] = level[chunk]


def describe(group: Any, name: str, axes: Axes, factors: Sequence[Sequence[float]]) -> None:
    """Write the metadata of a pyramid whose levels are ``"0"``, ``"1"``, ….

    The pixels that coarser levels keep stay where they are, so they have the same translation.

    Parameters
    ----------
    group : zarr.Group
        Image or label image, open for writing.
    name : str
    axes : Axes
        Of the finest level.
    factors : sequence of sequence of float
        For each level, how many pixels of the finest one a pixel is long, along each axis.
    """
    units = {"time": axes.time_unit and time_name(axes.time_unit)}
    units["space"] = axes.unit and full_name(axes.unit)
    described: list[dict[str, Any]] = []
    for axis in axes.letters:
        kind = _TYPES.get(axis, "space")
        unit = units.get(kind)
        described.append({"name": axis, "type": kind} | ({"unit": unit} if unit else {}))
    moved = axes.translation
    translation = [] if moved is None else [{"type": "translation", "translation": [*moved]}]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [float(a * b) for a, b in zip(axes.steps, factor, strict=True)],
                },
                *translation,
            ],
        }
        for level, factor in enumerate(factors)
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
