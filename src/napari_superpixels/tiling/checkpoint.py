"""What a tiled run keeps on disk until it is done, so that it can go on after a break."""

from __future__ import annotations

import glob
import json
import math
import os
import pickle
import shutil
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import zarr

from napari_superpixels.errors import (
    DamagedTile,
    ForeignFolder,
    TilingError,
    UnfinishedRun,
    reason_of,
)
from napari_superpixels.io.atomic import exchange, not_written
from napari_superpixels.io.ome_zarr import axes_of, create_level, describe, set_attribute
from napari_superpixels.io.provenance import METADATA_KEY
from napari_superpixels.io.readers.arrays import ONE_NPY_AT_A_TIME
from napari_superpixels.plan.tile_grid import common, inside
from napari_superpixels.tiling.identity import differences, with_pixels
from napari_superpixels.tiling.segment_tile import TileLabels
from napari_superpixels.tiling.tile_pixels import of_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_superpixels.io.spatial import Spatial
    from napari_superpixels.plan.tile_grid import Box, Tile
    from napari_superpixels.tiling.reader import ImageReader
    from napari_superpixels.tiling.run_spec import RunSpec, Statistics

_JOB, _IDENTITY, _STATISTICS, _STOP = "job.pickle", "job.json", "statistics.pickle", "stop"
# Folders of a file a tile.
_OF_TILES = ("scan", "tiles", "ids", "written")
# What a file raises that was cut off, or holds something else.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError)
_DIGEST = "_digest"

# Runs whose workers are threads of this process; other processes read them from the folder.
_IN_PROCESS: dict[str, RunSpec] = {}


@dataclass(frozen=True, slots=True, eq=False)
class TileMerges:
    """What numbering needs to know of a tile; see `TileLabels`.

    Attributes
    ----------
    n : int
        How many superpixels it has.
    merges : ndarray of int32, shape (m, 2)
        Which could merge.
    costs : ndarray of float64, shape (m,)
        What each merge costs.
    """

    n: int
    merges: NDArray[np.int32]
    costs: NDArray[np.float64]


def checkpoint_path(output: Path) -> Path:
    """Name the folder in which a run keeps what is done until it is whole.

    Parameters
    ----------
    output : Path
        What the run writes.

    Returns
    -------
    Path
        Beside it, or beside what it is a link to.
    """
    if output.is_symlink():
        output = output.resolve()
    return output.with_name(f"{output.name}.partial")


def step_between(below: Sequence[int], here: Sequence[int]) -> list[int]:
    """Every how many pixels, along each axis, one level of a pyramid takes of the one below."""
    return [math.ceil(b / h) for b, h in zip(below, here, strict=True)]


class Checkpoint:
    """Files of a tiled run. Each appears under its name when it is whole.

    Parameters
    ----------
    path : Path
        The folder; all workers must see it under this path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def identity_for(self, spec: RunSpec, *, resume: bool) -> dict[str, Any]:
        """Check that a run may begin or go on here; nothing is written.

        Whether the pixels are the same is seen when they are read, see `tasks.scan`.

        Parameters
        ----------
        spec : RunSpec
        resume : bool
            Whether to go on with an earlier run.

        Returns
        -------
        dict
            What decides its result, for `begin`.

        Raises
        ------
        TilingError
            If there is another run in the folder, or this one and it is not to go on.
        """
        identity = spec.identity()
        file = self.path / _IDENTITY
        if self.path.exists() and self.path.stat().st_uid != _uid_of_new_files(self.path.parent):
            raise ForeignFolder(str(self.path))
        if file.exists():
            if not resume:
                raise UnfinishedRun(str(self.path))
            other = differences(self.saved_identity(), identity)
            if other:
                raise UnfinishedRun(str(self.path), tuple(other))
        return identity

    def begin(
        self, spec: RunSpec, identity: Mapping[str, Any], *, in_process: bool = False
    ) -> list[Path]:
        """Make the folder, or go on with what is there.

        Parameters
        ----------
        spec : RunSpec
        identity : mapping
            From `identity_for`.
        in_process : bool, default False
            All that work on the run are threads of this process.

        Returns
        -------
        list of Path
            Files of tiles that were damaged; they are deleted, to be made again.

        Raises
        ------
        TilingError
            If it cannot be written.
        """
        is_new = not self.path.exists()
        try:
            self._fill(spec, identity, in_process=in_process)
            return [] if is_new else self._delete_damaged()
        except OSError as error:
            if is_new:
                shutil.rmtree(self.path, ignore_errors=True)
            raise TilingError(str(not_written(self.path, error))) from error

    def _fill(self, spec: RunSpec, identity: Mapping[str, Any], *, in_process: bool) -> None:
        # Workers run what is pickled in it.
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        (self.path / _STOP).unlink(missing_ok=True)
        for name in _OF_TILES:
            (self.path / name).mkdir(exist_ok=True)
        spec = replace(
            spec, image=self._on_disk(spec.image), mask=spec.mask and self._on_disk(spec.mask)
        )
        _IN_PROCESS.pop(self._key, None)
        if in_process:
            _IN_PROCESS[self._key] = spec
        else:
            with whole_file(self.path / _JOB) as partial:
                partial.write_bytes(cloudpickle.dumps(spec))
        with whole_file(self.path / _IDENTITY) as partial:
            partial.write_text(json.dumps(identity, indent=1), "utf-8")

    def _delete_damaged(self) -> list[Path]:
        """Delete files that were cut off, as by a machine that went down."""
        files = [file for name in _OF_TILES for file in sorted((self.path / name).glob("[!.]*"))]
        damaged = [file for file in files if not zipfile.is_zipfile(file)]
        for file in damaged:
            file.unlink()
        return damaged

    def _on_disk(self, reader: ImageReader) -> ImageReader:
        """An array in memory as a file, of which each process maps the parts that it needs."""
        if reader.path is not None:  # workers may have been started in another folder
            return replace(reader, path=reader.path.absolute())
        if not isinstance(reader.array, np.ndarray):
            return reader
        file = self.path.absolute() / f"{reader.kind}.npy"
        with whole_file(file) as partial:
            np.save(partial, reader.array)
        return replace(reader, array=None, path=file, title=reader.name)

    def saved_identity(self) -> dict[str, Any]:
        """What decides the result of the run."""
        identity: dict[str, Any] = json.loads((self.path / _IDENTITY).read_text("utf-8"))
        return identity

    def spec(self) -> RunSpec:
        """The run."""
        here = _IN_PROCESS.get(self._key)
        return here if here is not None else _unpickled(self.path / _JOB)

    @property
    def _key(self) -> str:
        return str(self.path.absolute())

    def close(self) -> None:
        """Let go of the run: nobody works on it any more."""
        _IN_PROCESS.pop(self._key, None)

    def stop(self) -> None:
        """Ask workers to give up their tiles."""
        (self.path / _STOP).touch()

    def check(self) -> None:
        """Raise `TilingError` if workers are asked to give up."""
        if (self.path / _STOP).exists():
            raise TilingError("the run was stopped")

    def file(self, kind: str, tile: Tile) -> Path:
        """Where a tile keeps what it has: ``scan``, ``tiles``, ``ids`` or ``written``."""
        return self.path / kind / f"{tile.name}.npz"

    def save(self, kind: str, tile: Tile, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays of a tile."""
        with whole_file(self.file(kind, tile)) as partial:
            np.savez_compressed(partial, allow_pickle=False, **dict(arrays))

    def load(self, kind: str, tile: Tile, *names: str) -> dict[str, NDArray[Any]]:
        """Read arrays of a tile; those with these names, or all."""
        file = self.file(kind, tile)
        try:
            with ONE_NPY_AT_A_TIME, np.load(file) as stored:
                return {name: stored[name] for name in names or stored}
        except _DAMAGE as error:
            file.unlink(missing_ok=True)
            raise DamagedTile(str(file), reason_of(error)) from error

    def save_scan(
        self, tile: Tile, arrays: Mapping[str, NDArray[Any]], digests: Mapping[str, str]
    ) -> None:
        """Keep what was found in the pixels of a tile, and what tells them from others."""
        named = {f"{name}{_DIGEST}": np.array(digest) for name, digest in digests.items()}
        self.save("scan", tile, dict(arrays) | named)

    def digests(self, tile: Tile) -> dict[str, str]:
        """What tells the pixels of a tile from others, as `save_scan` has kept it."""
        stored = self.load("scan", tile)
        names = [name for name in stored if name.endswith(_DIGEST)]
        return {name.removesuffix(_DIGEST): str(stored[name]) for name in names}

    def save_statistics(self, statistics: Statistics) -> None:
        """Keep what is known of the whole image."""
        with whole_file(self.path / _STATISTICS) as partial:
            partial.write_bytes(pickle.dumps(statistics))

    def statistics(self) -> Statistics:
        """What is known of the whole image."""
        known: Statistics = _unpickled(self.path / _STATISTICS)
        return known

    def create_levels(self, shapes: Sequence[tuple[int, ...]], chunks: tuple[int, ...]) -> None:
        """Make the arrays of the pyramid, where they are not there yet."""
        root = zarr.open_group(self.labels, mode="a", zarr_format=2)
        if "0" not in root:  # what an earlier run has written has got its final name
            for file in (self.path / "written").iterdir():
                file.unlink()
        for level, shape in enumerate(shapes):
            if str(level) not in root:
                create_level(root, level, shape, chunks, np.uint32)

    @property
    def labels(self) -> Path:
        """OME-Zarr that becomes the result."""
        return self.path / "labels.zarr"

    def level(self, level: int) -> zarr.Array[Any]:
        """An array of the pyramid."""
        return zarr.open_array(self.labels / str(level), mode="r+")

    def describe(
        self,
        name: str,
        provenance: Mapping[str, Any],
        spatial: Spatial,
    ) -> None:
        """Write the metadata that make the labels an OME-Zarr."""
        root = zarr.open_group(self.labels, mode="a", zarr_format=2)
        arrays = [self.level(level) for level in range(len(list(root.array_keys())))]
        factors = [(1.0,) * arrays[0].ndim]
        for below, here in pairwise(arrays):
            steps = step_between(below.shape, here.shape)
            factors.append(tuple(s * k for s, k in zip(factors[-1], steps, strict=True)))
        describe(root, name, axes_of("zyx"[-arrays[0].ndim :], spatial), factors)
        set_attribute(root, "image-label", {})
        digests = of_all(self.digests(tile) for tile in self.spec().grid.tiles.values())
        run = with_pixels(self.saved_identity(), digests)
        root.attrs[METADATA_KEY] = dict(provenance) | {"run": run}

    def finish(self, output: Path) -> None:
        """Give the labels their final name, in place of what has it, and delete the folder.

        A process that is killed in between leaves a run that can go on.
        """
        aside = Path(tempfile.mkdtemp(prefix="replaced-", dir=self.path))
        exchange(self.labels, output, aside / output.name)
        self.delete()

    def delete(self) -> None:
        """Delete the folder; under another name, so that it is there as a whole or not at all."""
        prefix = f".{self.path.name}-deleted-"
        away = Path(tempfile.mkdtemp(prefix=prefix, dir=self.path.parent))
        self.path.rename(away / self.path.name)
        # Others are of runs that were killed here.
        for folder in self.path.parent.glob(f"{glob.escape(prefix)}*"):
            shutil.rmtree(folder)

    def is_of(self, spec: RunSpec) -> bool:
        """Whether the folder holds what another attempt at this very run left."""
        return (self.path / _IDENTITY).exists() and not differences(
            self.saved_identity(), spec.identity()
        )

    def save_labels(self, tile: Tile, result: TileLabels) -> None:
        """Keep the superpixels of a tile."""
        box = np.array([(s.start, s.stop) for s in result.box], np.int64)
        arrays: dict[str, NDArray[Any]] = {
            "box": box,
            "labels": result.labels,
            "n": np.array(result.n),
            "merges": result.merges,
            "costs": result.costs,
        }
        self.save("tiles", tile, arrays)

    def load_labels(self, tile: Tile) -> TileLabels:
        """Read the superpixels of a tile."""
        stored = self.load("tiles", tile)
        box = tuple(slice(start, stop) for start, stop in stored["box"].tolist())
        n = int(stored["n"])
        return TileLabels(box, stored["labels"], n, stored["merges"], stored["costs"])

    def load_merges(self, tile: Tile) -> TileMerges:
        """Read how many superpixels a tile has and which could merge, but not where they are."""
        stored = self.load("tiles", tile, "n", "merges", "costs")
        return TileMerges(int(stored["n"]), stored["merges"], stored["costs"])

    def compose(self, spec: RunSpec, index: tuple[int, ...], box: Box) -> NDArray[np.uint32]:
        """Put together the numbered labels of a tile and its neighbours.

        Parameters
        ----------
        spec : RunSpec
        index : tuple of int
        box : tuple of slice
            Within its core, or a few pixels more.

        Returns
        -------
        ndarray of uint32
            Labels in the box.
        """
        composed = np.zeros([s.stop - s.start for s in box], np.uint32)
        for near in (index, *spec.grid.around(index)):
            other = spec.grid.tiles[near]
            part = self.load_labels(other)
            shared = common(part.box, box)
            if shared is not None:
                labels = self.load("ids", other)["ids"][part.labels[inside(shared, part.box)]]
                view = composed[inside(shared, box)]
                view[labels > 0] = labels[labels > 0]
        return composed


def _uid_of_new_files(folder: Path) -> int:
    """Whose they are: not always the process's user, on shared disks."""
    with tempfile.TemporaryFile(dir=folder) as new:
        return os.fstat(new.fileno()).st_uid


def _unpickled(file: Path) -> Any:
    return _unpickled_once(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _unpickled_once(file: Path, _stamp: int) -> Any:
    return pickle.loads(file.read_bytes())


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name; the file takes its own when the block ends well."""
    handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
