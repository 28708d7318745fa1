"""One row a superpixel: size, place, perimeter, values, neighbours; as CSV and Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.measure import regionprops

from napari_superpixels.core.regions.graph import adjacency
from napari_superpixels.errors.optional import need

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.io.formats.label_image import LabelImage

PERCENTILES = (5, 50, 95)


def measure(label_image: LabelImage) -> pd.DataFrame:
    """Describe each superpixel.

    Lengths and areas are in the unit of the pixel size, or in pixels where it is unknown.

    Parameters
    ----------
    label_image : LabelImage
        Labels, image, pixel size.

    Returns
    -------
    DataFrame
        One row a superpixel, in ascending order of ``label``:

        - ``area_px`` pixels and ``area``; of a volume ``volume_px`` voxels and ``volume``;
        - ``centroid_y``, ``centroid_x`` (and ``centroid_z``): mean index of the pixels times the
          pixel size, so that the centre of the first pixel is 0, as in scikit-image and napari;
        - ``bbox_y_min``, ``bbox_y_max``, …: first index, and one after the last, times the size;
        - ``perimeter`` (2D): `skimage.measure.perimeter` (a line through the centres of border
          pixels) times the pixel size; empty where pixels are not square;
        - ``unit`` of all these;
        - ``map_x``, ``map_y`` where the labels lie on a map: the centroid there;
        - ``mean NAME``, ``std NAME`` (population), ``p5 NAME``, ``p50 NAME``, ``p95 NAME`` of each
          channel; NaN and infinite values are left out;
        - ``class``, ``lock`` and columns of others, where they are known; one that has the name of
          another is called ``NAME (own)``;
        - ``neighbours``: labels that share a pixel's edge (a voxel's face), separated by ``;``.

        Of frames, one row a frame and superpixel, with the number of the frame in ``frame``.
    """
    if label_image.frames:
        return by_frame(label_image, measure)
    columns: dict[str, object] = {"label": label_image.ids}
    columns |= _geometry(label_image)
    if label_image.image is not None:
        for name, channel in zip(label_image.channel_names, label_image.image, strict=True):
            columns |= _values(label_image, name, channel)
    known = label_image.columns.of(label_image.ids)
    taken = {name.casefold() for name in (*columns, "neighbours", "geometry", "frame", "fid")}
    for name, values in known.items():
        if name in columns and name.startswith("mean "):
            continue  # a layer's table has means of its channels too
        own = name
        while own.casefold() in taken:  # as GeoPackage compares them
            own = f"{own} (own)"
        taken.add(own.casefold())
        columns[own] = values
    columns["neighbours"] = _neighbours(label_image)
    return pd.DataFrame(columns)


def by_frame(
    label_image: LabelImage, describe: Callable[[LabelImage], pd.DataFrame]
) -> pd.DataFrame:
    """Describe each frame on its own.

    Parameters
    ----------
    label_image : LabelImage
        Frames.
    describe : callable
        Makes the table of one.

    Returns
    -------
    DataFrame
        The tables, one below the other, with the number of the frame (from 0) in ``frame``.
    """
    tables = []
    for number, plane in label_image.planes():
        tables.append(describe(plane))
        tables[-1].insert(0, "frame", number)
    return pd.concat(tables, ignore_index=True)


def _geometry(label_image: LabelImage) -> dict[str, object]:
    ranks, spacing, axes = label_image.ranks, label_image.spacing, label_image.axes
    size = "area" if ranks.ndim == 2 else "volume"
    index = np.arange(1, len(label_image.ids) + 1)
    pixels = np.bincount(ranks.ravel())[1:]
    columns: dict[str, object] = {f"{size}_px": pixels, size: pixels * label_image.pixel_content}
    centroid = np.array(ndimage.center_of_mass(np.ones(ranks.shape, bool), ranks, index)).T
    boxes = ndimage.find_objects(ranks)
    for axis, (name, step) in enumerate(zip(axes, spacing, strict=True)):
        columns[f"centroid_{name}"] = centroid[axis] * step
        columns[f"bbox_{name}_min"] = np.array([box[axis].start for box in boxes]) * step
        columns[f"bbox_{name}_max"] = np.array([box[axis].stop for box in boxes]) * step
    if ranks.ndim == 2:
        is_square = np.allclose((spacing[1], np.sqrt(label_image.pixel_content)), spacing[0])
        perimeter = np.array([region.perimeter for region in regionprops(ranks)])
        columns["perimeter"] = perimeter * (spacing[0] if is_square else np.nan)
    columns["unit"] = label_image.unit
    if label_image.georeference is not None:
        a, b, c, d, e, f = label_image.georeference.transform
        y, x = centroid[-2:] + 0.5  # of the map, pixels have corners
        columns |= {"map_x": a * x + b * y + c, "map_y": d * x + e * y + f}
    return columns


def _values(label_image: LabelImage, name: str, channel: NDArray[np.generic]) -> dict[str, object]:
    inside = (label_image.ranks > 0) & np.isfinite(channel)
    rank, value = label_image.ranks[inside] - 1, channel[inside].astype(np.float64)
    n = len(label_image.ids)
    count = np.bincount(rank, minlength=n)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: no value is known
        mean = np.bincount(rank, value, n) / count
        variance = np.bincount(rank, (value - mean[rank]) ** 2, n) / count
    columns: dict[str, object] = {f"mean {name}": mean, f"std {name}": np.sqrt(variance)}
    ordered = np.append(value[np.lexsort((value, rank))], np.nan)
    first = np.cumsum(count) - count
    for percent in PERCENTILES:
        # As np.percentile: linear between the two nearest of the ordered values.
        position = (count - 1).clip(0) * (percent / 100)
        below = np.floor(position).astype(np.int64)
        above = np.minimum(below + 1, (count - 1).clip(0))
        low, high = ordered[first + below], ordered[first + above]
        between = low + (high - low) * (position - below)
        columns[f"p{percent} {name}"] = np.where(count > 0, between, np.nan)
    return columns


def _neighbours(label_image: LabelImage) -> list[str]:
    pairs, _ = adjacency(label_image.ranks)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    names = label_image.ids[both[:, 1] - 1].astype(str)
    ends = np.searchsorted(both[:, 0], np.arange(2, len(label_image.ids) + 1))
    return [";".join(part) for part in np.split(names, ends)]


def write_csv(path: Path, label_image: LabelImage) -> None:
    """Write the table as CSV (UTF-8, a comma, a point).

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to describe.
    """
    measure(label_image).to_csv(path, index=False)


def write_parquet(path: Path, label_image: LabelImage) -> None:
    """Write the table as Parquet.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to describe.

    Raises
    ------
    ExportError
        If pyarrow is not installed.
    """
    need("pyarrow", "export")
    measure(label_image).to_parquet(path, engine="pyarrow", index=False)
