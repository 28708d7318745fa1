"""Labels, beside their image where there is one, as OME-Zarr."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_superpixels.io.formats.label_tiff import LABELS, METADATA_KEY
from napari_superpixels.io.metres import in_metres
from napari_superpixels.io.ngff import VERSION, has_unit, multiscales

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from numpy.typing import NDArray
    from zarr.abc.buffer import Buffer

    from napari_superpixels.io.formats.label_image import Subject

_CHUNK, _SMALLEST = 512, 256  # pixels along rows and columns: of a chunk, of the coarsest level
_COLORS = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")


def write_zarr(path: Path, subject: Subject) -> None:
    """Write OME-Zarr 0.4 with a pyramid: each level keeps every second row and column.

    The pixel size is in metres where the format does not have its unit, and without a unit where
    it is no number of metres. The image is the root and the labels are ``labels/superpixels``;
    without an image, the labels are the root.

    Parameters
    ----------
    path : Path
        Folder to write.
    subject : Subject
        What to write.
    """
    if not has_unit(subject.unit):
        subject = in_metres(subject)
    root = zarr.open_group(_Store(path), mode="w", zarr_format=2)
    if subject.image is None:
        _write_levels(root, subject.labels, LABELS, subject)
        _mark_as_labels(root, subject, {})
        return
    # One channel needs no axis: image and labels then have the same axes.
    image = subject.image[0] if len(subject.image) == 1 else subject.image
    if image.dtype == bool:
        image = image.astype(np.uint8)
    _write_levels(root, image, path.stem, subject)
    if len(subject.image) > 1:
        root.attrs["omero"] = {"version": VERSION, "channels": _channels(subject)}
    labels = root.create_group("labels")
    labels.attrs["labels"] = [LABELS]
    group = labels.create_group(LABELS)
    _write_levels(group, subject.labels, LABELS, subject)
    _mark_as_labels(group, subject, {"source": {"image": "../../"}})


def _mark_as_labels(group: Any, subject: Subject, more: dict[str, Any]) -> None:
    group.attrs["image-label"] = {"version": VERSION, **more}
    if subject.provenance:
        group.attrs[METADATA_KEY] = json.loads(json.dumps(dict(subject.provenance), default=str))


def _write_levels(group: Any, array: NDArray[np.generic], name: str, subject: Subject) -> None:
    axes, spacing = subject.axes, list(subject.spacing)
    if array.ndim > subject.labels.ndim:
        at = int(axes[0] == "t")  # NGFF orders time, channels, space
        array = np.moveaxis(array, 0, at)
        axes = f"{axes[:at]}c{axes[at:]}"
        spacing.insert(at, 1.0)
    chunks = (1,) * (array.ndim - 2) + (_CHUNK, _CHUNK)
    scales: list[list[float]] = []
    step = 1
    while True:
        level = array[..., ::step, ::step]
        stored = group.create_array(
            str(len(scales)),
            shape=level.shape,
            chunks=tuple(min(n, chunk) for n, chunk in zip(level.shape, chunks, strict=True)),
            dtype=level.dtype,
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        _fill(stored, level)
        *first, height, width = spacing
        scales.append([*first, height * step, width * step])
        if max(level.shape[-2:]) <= _SMALLEST:
            break
        step *= 2
    group.attrs["multiscales"] = multiscales(name, axes, scales, subject.unit)


def _fill(stored: zarr.Array[Any], level: NDArray[np.generic]) -> None:
    """Write chunk by chunk: where one fails, no others are under way, as in one assignment."""
    starts = (range(0, n, chunk) for n, chunk in zip(level.shape, stored.chunks, strict=True))
    for corner in product(*starts):
        chunk = tuple(slice(i, i + n) for i, n in zip(corner, stored.chunks, strict=True))
        stored[chunk] = level[chunk]


class _Store(LocalStore):
    """Writes one file after another, and none after one that failed.

    Zarr writes some files side by side. On a full disk the second would appear after the error of
    the first is told, in a folder that is being removed.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._turn = asyncio.Lock()
        self._failure: OSError | None = None

    async def set(self, key: str, value: Buffer) -> None:
        await self._in_turn(super().set(key, value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        await self._in_turn(super().set_if_not_exists(key, value))

    async def _in_turn(self, writing: Coroutine[Any, Any, None]) -> None:
        async with self._turn:
            if self._failure is not None:
                writing.close()
                raise self._failure
            try:
                await writing
            except OSError as error:
                self._failure = error
                raise


def _channels(subject: Subject) -> list[dict[str, Any]]:
    assert subject.image is not None
    described = []
    for i, (name, channel) in enumerate(zip(subject.channel_names, subject.image, strict=True)):
        finite = channel[np.isfinite(channel)].astype(np.float64)
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        window = {"min": low, "max": high, "start": low, "end": high}
        color = _COLORS[i % len(_COLORS)]
        described.append({"label": name, "color": color, "active": True, "window": window})
    return described
