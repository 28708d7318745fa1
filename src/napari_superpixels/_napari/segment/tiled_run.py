"""Runs in tiles, for the worker: from layers of any size to labels in an OME-Zarr."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import zarr
from scipy import ndimage

from napari_superpixels._napari.input.mask import lazy_mask_of
from napari_superpixels.core.regions.graph import table_of_tiles
from napari_superpixels.io.georeference import Georeference

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.params.options import Resources
    from napari_superpixels.plan.run_plan import TileNeeds
    from napari_superpixels.tiling.progress import TileStep
    from napari_superpixels.tiling.tiled_result import TiledResult

# Labels up to here, in pixels, become a layer in memory, which can be edited (536 MB as int32).
MOST_EDITABLE = 2**27
_NO_PADDING = ((0, 0), (0, 0))
# Side of what is read at once for the table.
_BLOCK_PX = 2048


def iter_needs(
    source: SegmentationInput, params: SuperpixelParams, resources: Resources
) -> Generator[None, None, TileNeeds]:
    """Estimate what `segment_tiles` will need, by a trial on a small part of the image.

    Parameters
    ----------
    source : SegmentationInput
        One plane.
    params : SuperpixelParams
    resources : Resources
        Where to run, and memory that tiles may take together.

    Yields
    ------
    None
        After each iteration of the trial.

    Returns
    -------
    TileNeeds
        Tiles, memory, disk, time.
    """
    from napari_superpixels.params.options import PixelOptions, TilingOptions
    from napari_superpixels.tiling.estimate import iter_estimate

    pixels = PixelOptions(channel_axis=source.read_axis, nodata=source.nodata)
    n = params.n_segments
    return (
        yield from iter_estimate(source.lazily(), n, params, pixels, TilingOptions(), resources)
    )


def segment_tiles(
    source: SegmentationInput,
    params: SuperpixelParams,
    device: str,
    memory_limit_gb: float | None,
    output: Path,
) -> Generator[TileStep, None, TiledResult]:
    """Segment a plane tile by tile; a run to the same file that was stopped goes on.

    Parameters
    ----------
    source : SegmentationInput
        One plane.
    params : SuperpixelParams
    device : str
        Where to run.
    memory_limit_gb : float or None
        Memory that tiles may take together.
    output : Path
        OME-Zarr to write; replaced if it is there.

    Yields
    ------
    TileStep
        Several times a second.

    Returns
    -------
    TiledResult
        What was written.

    Raises
    ------
    TilingError
        If tiles failed, or there is a run with other parameters to go on with.
    ValueError
        If the image or a parameter is unusable.
    """
    from napari_superpixels.tiling.checkpoint import checkpoint_path
    from napari_superpixels.tiling.run import iter_superpixels_tiled

    unit = source.placement.unit
    return (
        yield from iter_superpixels_tiled(
            source.lazily(),
            output,
            params.n_segments,
            params,
            channel_axis=source.read_axis,
            mask=lazy_mask_of(source),
            nodata=source.nodata,
            pixel_size=source.placement.spacing,
            unit=None if unit == "pixel" else unit,
            place=_place(source),
            device=device,
            memory_limit_gb=memory_limit_gb,
            resume=checkpoint_path(output).exists(),
            overwrite=True,
        )
    )


def _place(source: SegmentationInput) -> dict[str, Any] | None:
    """Where on the map the labels in the file lie; the layer may be larger."""
    if source.place is None or source.region is None or source.placement.padding == _NO_PADDING:
        return source.place
    part = Georeference.from_dict(source.place).window(source.region.rows, source.region.columns)
    return asdict(part)


def labels_of(path: Path) -> NDArray[np.int32] | list[Any]:
    """Read the labels of a tiled run.

    Parameters
    ----------
    path : Path
        OME-Zarr.

    Returns
    -------
    ndarray of int32, shape (H, W), or list of dask.array.Array
        In memory; or lazy, with all levels of the pyramid, if they are more than `MOST_EDITABLE`.
    """
    group = zarr.open_group(path, mode="r")
    levels = [da.from_zarr(group[name]) for name in sorted(group.array_keys(), key=int)]
    if levels[0].size > MOST_EDITABLE:
        return levels
    labels: NDArray[np.int32] = np.asarray(levels[0].astype(np.int32))
    return labels


def table(
    source: SegmentationInput, labels: NDArray[np.int32], n: int
) -> dict[str, NDArray[np.generic]]:
    """Describe each superpixel; the image is read block by block, and only where it has some.

    Parameters
    ----------
    source : SegmentationInput
        What was segmented.
    labels : ndarray of int32, shape (H, W)
        Superpixels 1...n.
    n : int
        How many there are.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        See `superpixel_table`.
    """
    return table_of_tiles(
        _blocks(source, labels),
        n,
        channel_names=source.channel_names,
        pixel_area=source.placement.pixel_area,
    )


def _blocks(
    source: SegmentationInput, labels: NDArray[np.int32]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.generic]]]:
    from napari_superpixels.core.prepare.checks import as_channels

    image, axis = source.lazily(), source.read_axis
    height, width = labels.shape
    for row in range(0, height, _BLOCK_PX):
        for column in range(0, width, _BLOCK_PX):
            block = labels[row : row + _BLOCK_PX, column : column + _BLOCK_PX]
            for used in ndimage.find_objects((block > 0).astype(np.uint8)):
                index = [
                    slice(start + s.start, start + s.stop)
                    for start, s in zip((row, column), used, strict=True)
                ]
                if axis is not None:
                    index.insert(axis, slice(None))
                yield block[used], as_channels(np.asarray(image[tuple(index)]), axis)
