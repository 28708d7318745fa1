"""Images that are read window by window, by any process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.base import is_dask_collection as is_dask

from napari_superpixels.core.prepare.checks import as_channels, check_chosen
from napari_superpixels.errors import FileError, reason_of
from napari_superpixels.io.images import ImageFile, open_image
from napari_superpixels.io.problems import READ_ERRORS
from napari_superpixels.plan.tile_grid import spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


# By whether there is a mask already.
_MASKED = {False: "leave them out with a mask", True: "take them out of the mask"}


@dataclass(frozen=True, slots=True, eq=False)
class ImageReader:
    """An image, or a mask, that need not fit into memory.

    Attributes
    ----------
    array : array_like or None
        NumPy, dask, zarr or anything else that slices; None for one from a file.
    path : Path or None
        TIFF, NPY or OME-Zarr; opened where it is read.
    level : int
        Level of a pyramid, 0 for full resolution.
    channel_axis : int or None
        Axis that holds channels.
    channels : tuple of int, or None
        Those that are read, numbered from 0 along their axis; None for all.
    kind : str
        ``"image"`` or ``"mask"``, for messages.
    title : str
        How to call it in messages; empty for the name of its file, or else its kind.
    """

    array: Any = None
    path: Path | None = None
    level: int = 0
    channel_axis: int | None = None
    kind: str = "image"
    channels: tuple[int, ...] | None = None
    title: str = ""

    @property
    def name(self) -> str:
        """How to call it in messages."""
        return self.title or (f"the {self.kind}" if self.path is None else str(self.path))

    def opened(self) -> Any:
        """The array, with nothing read yet."""
        if self.path is None:
            return self.array
        return self.file().as_mask() if self.kind == "mask" else self.file().array

    def file(self) -> ImageFile:
        """Where `path` is not None, the file."""
        assert self.path is not None
        return _opened(self.path, self.level, _state(self.path))

    def with_described_axis(self) -> ImageReader:
        """The same, with the channel axis that the file names."""
        axis = None if self.path is None else self.file().channel_axis
        return replace(self, channel_axis=axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size along the axes that are not channels."""
        shape = self.opened().shape
        return tuple(n for axis, n in enumerate(shape) if axis != self._axis)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the pixels."""
        dtype: np.dtype[Any] = self.opened().dtype
        return dtype

    @property
    def n_channels(self) -> int:
        """Number of channels that are read; 1 without a channel axis."""
        if self.channels is not None:
            return len(self.channels)
        axis = self._axis
        return 1 if axis is None else int(self.opened().shape[axis])

    @property
    def _axis(self) -> int | None:
        return None if self.channel_axis is None else self.channel_axis % self.opened().ndim

    def read(self, window: Sequence[slice], *, masked: bool = False) -> NDArray[Any]:
        """Read a window.

        Parameters
        ----------
        window : sequence of slice
            One for each axis that is not channels.
        masked : bool, default False
            Whether there is a mask already, for the message.

        Returns
        -------
        ndarray
            With the channels where they were.

        Raises
        ------
        FileError
            If it cannot be read; the message names file and window.
        """
        index: list[Any] = list(window)
        if self._axis is not None:
            chosen = slice(None) if self.channels is None else list(self.channels)
            index.insert(self._axis, chosen)
        return self._read(self.opened(), index, window, masked=masked)

    def read_opaque(self, window: Sequence[slice]) -> NDArray[np.bool_]:
        """Read where a window holds an image: neither transparent nor masked by its own file.

        Parameters
        ----------
        window : sequence of slice
            One for each axis that is not channels.

        Returns
        -------
        ndarray of bool
            Of the window's shape.

        Raises
        ------
        FileError
            If it cannot be read; the message names file and window.
        """
        alpha = None if self.path is None else self.file().alpha
        if alpha is None:
            return np.ones([s.stop - s.start for s in window], bool)
        return np.asarray(self._read(alpha, window, window, masked=False) != 0)

    def _read(
        self, array: Any, index: Sequence[Any], window: Sequence[slice], *, masked: bool
    ) -> NDArray[Any]:
        try:
            part = array[tuple(index)]
            # In this thread: on a worker, dask would hand it back to the cluster.
            return np.asarray(part.compute(scheduler="synchronous") if is_dask(part) else part)
        except READ_ERRORS as error:
            remedy = "copy or export it again"
            if self.kind == "image":
                remedy += f", or {_MASKED[masked]}"
            raise FileError(
                f"{self.name}: pixels {spelled(window)} cannot be read ({reason_of(error)}); "
                f"{remedy}"
            ) from error


def open_reader(
    image: Any,
    level: int = 0,
    channel_axis: int | None = None,
    kind: str = "image",
    channels: Sequence[int] | None = None,
) -> ImageReader:
    """Take an array or the name of a file; for a file, its own channel axis unless one is given.

    Parameters
    ----------
    image : array_like, str or Path
        The image or mask.
    level, channel_axis, kind, channels
        As in `ImageReader`.

    Returns
    -------
    ImageReader
        For windows.

    Raises
    ------
    ValueError
        If it is a masked array, its axes or values are not those of an image, or it does not have
        the channels.
    FileError
        If it is a file that cannot be read.
    """
    if isinstance(image, np.ma.MaskedArray):
        raise ValueError(
            f"the {kind} is a masked array: pass its values (image.data), and what counts as a "
            "mask (mask=~image.mask)"
        )
    found = _open_reader(image, level, channel_axis, kind)
    if kind == "image":  # refused here, not by each tile
        like = np.broadcast_to(np.zeros((), found.dtype), found.opened().shape)
        as_channels(like, found.channel_axis)
    if channels is not None:
        check_chosen(channels, found.channel_axis, found.opened().shape)
        found = replace(found, channels=tuple(channels))
    return found


def _open_reader(image: Any, level: int, channel_axis: int | None, kind: str) -> ImageReader:
    if not isinstance(image, str | Path):
        array = image if hasattr(image, "shape") else np.asarray(image)
        return ImageReader(array, None, level, channel_axis, kind)
    found = ImageReader(None, Path(image), level, channel_axis, kind)
    is_known = channel_axis is not None or kind == "mask"
    return found if is_known else found.with_described_axis()


def _state(path: Path) -> tuple[int, ...]:
    """Changes when another file takes the place of this one."""
    if not path.exists():
        return ()
    known = path.stat()
    # Times of a file can be set, as copying does; when that was done cannot (but on Windows).
    return known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns


@lru_cache(maxsize=8)
def _opened(path: Path, level: int, _state: tuple[int, ...]) -> ImageFile:
    image = open_image(path, level)
    image.close()  # it is kept for long; each read opens it
    return image
