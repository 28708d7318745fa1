"""Superpixels of images larger than memory: tiles, numbered over the whole image, as OME-Zarr."""

from __future__ import annotations

import math
import tempfile
import time
from inspect import signature
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import zarr

from napari_superpixels.core.device import describe_device, resolve_device
from napari_superpixels.core.prepare.checks import check_mask_shape
from napari_superpixels.core.prepare.scaling import fit_scaling
from napari_superpixels.errors import DamagedTile, FileExists, RunBrokenOff, TilingError
from napari_superpixels.events import drain
from napari_superpixels.io.atomic import with_remedy
from napari_superpixels.io.images import check_same_grid
from napari_superpixels.io.ome_zarr import holds_labels
from napari_superpixels.io.provenance import read_provenance
from napari_superpixels.io.spatial import Spatial
from napari_superpixels.params import DEFAULT_PRESET, SuperpixelParams, get_preset, unknown_name
from napari_superpixels.params.options import Resources, TilingOptions
from napari_superpixels.plan.memory import tile_memory
from napari_superpixels.plan.tiles import plan_tiles
from napari_superpixels.tiling import tasks
from napari_superpixels.tiling.checkpoint import Checkpoint, checkpoint_path
from napari_superpixels.tiling.cluster import Engine
from napari_superpixels.tiling.identity import differences, with_pixels
from napari_superpixels.tiling.output_lock import only_run
from napari_superpixels.tiling.progress import LOOKING, TileStep, all_done
from napari_superpixels.tiling.reader import open_reader
from napari_superpixels.tiling.relabel import relabel_tiles
from napari_superpixels.tiling.run_spec import RunSpec, Statistics
from napari_superpixels.tiling.tile_pixels import iter_digests, of_all
from napari_superpixels.tiling.tiled_result import TiledResult

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from napari_superpixels.plan.tile_grid import Box, TileGrid

_SMALLEST_LEVEL_PX = 512
_COUNTS = ("n_valid", "n_not_finite", "n_sample")
# Pixels from which the scaling of the colours is found, whatever the size of the image; fewer where
# many channels make so many values of them.
_MOST_SAMPLES, _MOST_VALUES = 2**20, 2**24


def iter_superpixels_tiled(
    image: Any,
    output: str | Path,
    n_segments: int | None = None,
    params: SuperpixelParams | None = None,
    *,
    channel_axis: int | None = None,
    channels: Sequence[int] | None = None,
    level: int = 0,
    mask: Any = None,
    nodata: float | None = None,
    tile_size_px: int | None = None,
    halo_px: int | None = None,
    pixel_size: Sequence[float] | None = None,
    unit: str | None = None,
    translation: Sequence[float] | None = None,
    flipped: Sequence[bool] | None = None,
    place: Mapping[str, Any] | None = None,
    device: str = "auto",
    scheduler: str | None = None,
    n_workers: int | None = None,
    memory_limit_gb: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Generator[TileStep, None, TiledResult]:
    """Segment an image tile by tile, into an OME-Zarr label image.

    Superpixels cross the edges of tiles. The result depends on the image, the parameters, the tile
    size and the kind of device only, not on how many workers there are. Until it is done,
    everything is kept in the folder ``OUTPUT.partial``; a run that was stopped or killed goes on
    from there with ``resume=True``.

    Parameters
    ----------
    image : array_like, str or Path
        NumPy, dask or zarr array, or the name of a TIFF, NPY or OME-Zarr. Only the parts that are
        needed are read.
    output : str or Path
        Folder to write, ``NAME.zarr``.
    n_segments : int, optional
        Upper bound N on the number of superpixels of the whole image, up to 2³²-1; that of
        `params` if None.
    params : SuperpixelParams, optional
        The other parameters; the ``balanced`` preset if None.
    channel_axis : int, optional
        Axis of the channels; for a file, where it does not say.
    channels : sequence of int, optional
        Those to segment by, numbered from 0 along their axis; all if None.
    level : int, default 0
        Level of a pyramid.
    mask : array_like, str or Path, optional
        Pixels to segment are not 0.
    nodata : float, optional
        Pixels with this value in every channel are left out; NaN leaves out NaNs and infinities.
    tile_size_px, halo_px : int, optional
        Size of the tiles, and of what they see around them; chosen from `params` if None.
    pixel_size : sequence of float, optional
        Size of a pixel along each axis that is not channels, for the OME-Zarr.
    unit : str, optional
        Its unit, such as ``"um"``.
    translation, flipped : sequence, optional
        See `export_labels`.
    place : mapping, optional
        Where on the map the labels lie, as plain values of `io.georeference.Georeference`; noted
        in the file, so that exports of it know.
    device : str, default "auto"
        Where tiles run, see `superpixels`.
    scheduler : str, optional
        Address of a Dask scheduler; its workers must see `image` and `output` as they are named.
    n_workers : int, optional
        Processes to start on this machine (in a script, under ``if __name__ == "__main__":``);
        threads of this process if None, as many as there are cores and memory holds tiles.
    memory_limit_gb : float, optional
        Memory that threads may take together, in GB (10⁹ bytes); what is free if None.
    resume : bool, default False
        Go on with a run that was not finished; if `output` is of this run, nothing is left to do.
    overwrite : bool, default False
        Replace `output`, if it is an OME-Zarr of labels.

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
        If tiles failed: the message says which and why; the others are kept. If there is an
        unfinished run that is not to go on, or another run is at work (`OutputTaken`).
    FileExists
        If `output` exists and is not to be replaced.
    MissingLibrary
        If Dask's scheduler is not installed, for clusters.
    ValueError
        If the image, the mask or a parameter is unusable.
    FileError
        If a file cannot be read.
    """
    begin = time.perf_counter()
    params = params or SuperpixelParams()
    output = Path(output)
    is_link = output.is_symlink()
    if is_link:  # what it names is replaced, not the link
        output = output.resolve()
    reader = open_reader(image, level, channel_axis, channels=channels)
    wanted = None if mask is None else open_reader(mask, kind="mask")
    if wanted is not None:
        check_mask_shape(wanted.opened().shape, reader.shape)
        if wanted.path and reader.path:
            check_same_grid(wanted.file().metadata, reader.file().metadata)
    for path in [s.path.resolve() for s in (reader, wanted) if s and s.path]:
        if output.resolve() in (path, *path.parents):
            raise TilingError(f"{output}: holds an input; write the labels to another folder")
    wanted_n = params.n_segments if n_segments is None else n_segments
    tiling = TilingOptions(
        tile_size_px=tile_size_px, halo_px=halo_px, n_workers=n_workers, scheduler=scheduler
    )
    grid = plan_tiles(reader.shape, wanted_n, params, tile_size_px, halo_px)
    spec = RunSpec(reader, wanted, nodata, grid, wanted_n, params, device)

    def result(n_obtained: int) -> TiledResult:
        where = scheduler or describe_device(resolve_device(device)).where
        return TiledResult(
            path=output,
            params=params,
            n_requested=wanted_n,
            n_obtained=n_obtained,
            n_tiles=len(grid),
            tile_px=grid.tile_px,
            halo_px=grid.halo_px,
            seconds=time.perf_counter() - begin,
            device=where,
            channels=reader.channels,
        )

    checkpoint = Checkpoint(checkpoint_path(output))
    tile = tile_memory(grid, (reader.n_channels, reader.dtype.itemsize), wanted_n, params)
    threads = torch.get_num_threads()
    with only_run(output):
        done = (yield from _finished(output, spec)) if resume else None
        if done is not None:
            if checkpoint.is_of(spec):  # killed when all but tidying up was done
                checkpoint.delete()
            return result(done["n_obtained"])
        if (output.exists() or (is_link and not checkpoint.path.exists())) and not overwrite:
            raise FileExists(str(output))
        if output.exists() and not holds_labels(output):
            raise TilingError(
                f"{output}: is no OME-Zarr of labels, and is not replaced; choose another name"
            )
        identity = checkpoint.identity_for(spec, resume=resume)  # before workers are started
        engine = Engine(tiling, tile, Resources(device, memory_limit_gb))
        try:
            with engine.client() as client:
                # Not before: a scheduler may not answer.
                damaged = checkpoint.begin(spec, identity, in_process=engine.is_in_process)
                for file in damaged:
                    yield TileStep(LOOKING, 0, len(grid), f"{file}: was damaged, and is made again")
                try:
                    n = yield from _run(client, checkpoint, engine.watch(client))
                except (GeneratorExit, KeyboardInterrupt):
                    checkpoint.stop()
                    raise
            found = result(n)
            known = {} if place is None else {"place": dict(place)}
            size = {"pixel_size": pixel_size, "translation": translation, "flipped": flipped}
            spatial = Spatial.from_dict(size | {"unit": unit})
            checkpoint.describe(output.stem, found.provenance() | known, spatial)
            checkpoint.finish(output)
        except OSError as error:
            raise RunBrokenOff(with_remedy(error), str(checkpoint.path)) from error
        except DamagedTile as error:
            raise RunBrokenOff(error.problem(), str(checkpoint.path)) from error
        finally:
            checkpoint.close()
            torch.set_num_threads(threads)  # threads of this process were told to use one
    return found


# Where the labels are returned, there is nothing to resume, to replace or to place.
_OPTIONS_IN_MEMORY = set(signature(iter_superpixels_tiled).parameters) - {
    "output",
    "params",
    "pixel_size",
    "unit",
    "translation",
    "flipped",
    "place",
    "resume",
    "overwrite",
}


def superpixels_tiled(
    image: Any,
    n_segments: int = 100,
    *,
    preset: str = DEFAULT_PRESET,
    seed: int = 0,
    **options: Any,
) -> NDArray[np.int32]:
    """Segment an image tile by tile, and return the labels.

    They must fit into memory; the image need not. Files on the way are in the system's folder for
    temporary ones.

    Parameters
    ----------
    image : array_like, str or Path
        As for `iter_superpixels_tiled`.
    n_segments : int, default 100
        Upper bound N on the number of superpixels of the whole image, up to 2³²-1.
    preset : {"balanced", "fast", "paper", "paper-no-recon"}
        Where the other parameters come from; see `list_presets`.
    seed : int, default 0
        Seed of the initial weights.
    **options
        Other arguments of `iter_superpixels_tiled`, besides those of its output and
        `params`; and fields of `SuperpixelParams` that replace those of the preset.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Superpixels 1...K, each 4-connected; 0 outside the mask.

    Raises
    ------
    TilingError
        If tiles failed; nothing is kept.
    ValueError
        If the image, the mask or a parameter is unusable.
    FileError
        If a file cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_superpixels import superpixels_tiled
    >>> image = np.random.default_rng(0).normal(size=(300, 400))
    >>> labels = superpixels_tiled(image, 120, preset="fast", tile_size_px=160, n_workers=2)
    """
    fields = SuperpixelParams.__dataclass_fields__
    known = {*_OPTIONS_IN_MEMORY, *fields}
    for name in options:
        if name not in known:
            raise unknown_name(name, ["n_segments", "preset", *sorted(known)])
    replaced = {name: options.pop(name) for name in tuple(options) if name in fields}
    params = get_preset(preset).replace(seed=seed, **replaced)
    with tempfile.TemporaryDirectory(prefix="superpixels-") as folder:
        output = Path(folder) / "labels.zarr"
        result = drain(iter_superpixels_tiled(image, output, n_segments, params, **options))
        labels = zarr.open_array(result.path / "0", mode="r")
        return np.asarray(labels[:]).astype(np.int32)


def _finished(output: Path, spec: RunSpec) -> Generator[TileStep, None, dict[str, Any] | None]:
    """Provenance of the labels that are there; None if they are not of this run."""
    provenance = read_provenance(output) if output.is_dir() else {}
    before, identity = provenance.get("run"), spec.identity()
    if before is None or differences(before, identity):
        return None
    digests = []
    for of_tile in iter_digests(spec):
        digests.append(of_tile)
        yield TileStep("comparing with what is there", len(digests), len(spec.grid))
    is_same = not differences(before, with_pixels(identity, of_all(digests)))
    return provenance if is_same else None


def _run(
    client: Any, checkpoint: Checkpoint, watch: Callable[[int], str]
) -> Generator[TileStep, None, int]:
    spec = checkpoint.spec()
    grid, folder = spec.grid, str(checkpoint.path.absolute())
    every = list(grid.tiles)
    futures: dict[Any, Future[Any]] = {
        index: client.submit(tasks.scan, folder, index, pure=False) for index in every
    }
    yield from all_done(LOOKING, futures, checkpoint, watch)
    try:
        checkpoint.save_statistics(_statistics(checkpoint, spec))
    except ValueError:  # with other options it is another run: nothing here is of use to it
        checkpoint.delete()
        raise
    futures = {}
    for index, tile in grid.tiles.items():
        earlier = [futures[i] for i in tile.earlier]
        futures[index] = client.submit(tasks.segment, folder, index, *earlier, pure=False)
    yield from all_done("segmenting tiles", futures, checkpoint, watch)
    n = relabel_tiles(checkpoint, spec)
    shapes = _pyramid(grid)
    checkpoint.create_levels(shapes, grid.tile_px)
    futures = {
        index: client.submit(tasks.write, folder, index, pure=False) for index in sorted(every)
    }
    yield from all_done("writing labels", futures, checkpoint, watch)
    for level, shape in list(enumerate(shapes))[1:]:
        parts = list(_boxes(shape, grid.tile_px))
        futures = {
            i: client.submit(tasks.shrink, folder, level, box, pure=False)
            for i, box in enumerate(parts)
        }
        yield from all_done("writing the pyramid", futures, checkpoint, watch)
    return n


def _statistics(checkpoint: Checkpoint, spec: RunSpec) -> Statistics:
    tiles = spec.grid.tiles.values()
    counts = [checkpoint.load("scan", tile, *_COUNTS) for tile in tiles]
    n_valid, n_lost, n_sampled = (sum(int(of_tile[name]) for of_tile in counts) for name in _COUNTS)
    if n_lost and spec.mask is None and spec.nodata is None:
        raise ValueError(
            f"{n_lost} pixels of {spec.image.name} are NaN or infinite: pass a mask that leaves "
            "them out, or nodata=nan"
        )
    if n_valid == 0:
        raise ValueError(
            f"{spec.image.name}: no pixel is left to segment; all are NaN, nodata or outside the "
            "mask"
        )
    most = min(_MOST_SAMPLES, -(-_MOST_VALUES // spec.image.n_channels))
    step = -(-n_sampled // most)
    # Copied, so that of each tile only the pixels that are kept stay in memory.
    samples = [
        checkpoint.load("scan", tile, "sample")["sample"][:, ::step].copy() for tile in tiles
    ]
    sample = np.concatenate(samples, axis=1)[:, None]
    axis = spec.image.channel_axis
    if axis is None:
        sample, axis = sample[0], None
    elif axis % len(spec.image.opened().shape) == len(spec.image.shape):
        sample, axis = np.moveaxis(sample, 0, -1), -1
    else:
        axis = 0
    scaling = fit_scaling(
        sample,
        channel_axis=axis,
        nodata=spec.nodata,
        color_space=spec.params.color_space,
        outliers=spec.params.outliers,
        max_channels=spec.params.max_channels,
    )
    return Statistics(n_valid, scaling)


def _pyramid(grid: TileGrid) -> list[tuple[int, ...]]:
    """Shapes of the levels: rows and columns are halved until they are few."""
    shapes = [grid.shape]
    while max(shapes[-1][-2:]) > _SMALLEST_LEVEL_PX:
        *depth, height, width = shapes[-1]
        shapes.append((*depth, math.ceil(height / 2), math.ceil(width / 2)))
    return shapes


def _boxes(shape: Sequence[int], chunks: Sequence[int]) -> Iterable[Box]:
    starts = (range(0, n, c) for n, c in zip(shape, chunks, strict=True))
    for corner in product(*starts):
        yield tuple(slice(i, min(i + c, n)) for i, c, n in zip(corner, chunks, shape, strict=True))
