"""Labels, beside their image where there is one, as OME-Zarr."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import zarr
from zarr.storage import LocalStore

from napari_superpixels.io.ome_zarr import axes_of, set_attribute, write_pyramid
from napari_superpixels.io.provenance import LABELS, METADATA_KEY
from napari_superpixels.io.strict_json import dumps
from napari_superpixels.io.units import full_name

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from numpy.typing import NDArray
    from zarr.abc.buffer import Buffer

    from napari_superpixels.io.formats.label_image import LabelImage

_COLORS = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")


def write_zarr(path: Path, label_image: LabelImage) -> None:
    """Write OME-Zarr with a pyramid: each level keeps every second row and column.

    Labels with an image become the image, with the labels in ``labels/superpixels``; labels
    alone become a label image.

    Parameters
    ----------
    path : Path
        Folder to write.
    label_image : LabelImage
        What to write, in the version that it asks for. A unit that OME-Zarr does not have becomes
        metres, where its length is known.
    """
    label_image = label_image.in_known_unit(full_name)
    store = _Store(path)
    # Ctrl+C reaches this thread while Zarr's go on: they would write into a folder that is being
    # removed. In a thread of its own, the writing can be waited for.
    with ThreadPoolExecutor(1, "zarr") as thread:
        writing = thread.submit(_write, store, path.stem, label_image)
        try:
            writing.result()
        except BaseException:
            store.give_up()
            raise


def _write(store: _Store, name: str, label_image: LabelImage) -> None:
    is_old = label_image.ome_zarr_version == "0.4"
    root = zarr.open_group(store, mode="w", zarr_format=2 if is_old else 3)
    if label_image.image is None:
        _write_levels(root, label_image.labels, LABELS, label_image)
        _mark_as_labels(root, label_image, {})
        return
    # One channel needs no axis: image and labels then have the same axes.
    one = len(label_image.image) == 1
    image = label_image.image[0] if one else label_image.image
    if image.dtype == bool:
        image = image.astype(np.uint8)
    _write_levels(root, image, name, label_image)
    if not one:
        set_attribute(root, "omero", {"channels": _channels(label_image)})
    labels = root.create_group("labels")
    set_attribute(labels, "labels", [LABELS])
    group = labels.create_group(LABELS)
    _write_levels(group, label_image.labels, LABELS, label_image)
    _mark_as_labels(group, label_image, {"source": {"image": "../../"}})


def _mark_as_labels(group: Any, label_image: LabelImage, more: dict[str, Any]) -> None:
    columns = label_image.columns
    known = columns.class_of(label_image.ids)
    if columns.classes:
        more["colors"] = [
            {"label-value": label, "rgba": [*found.rgb, 255]}
            for label, found in zip(label_image.ids.tolist(), known, strict=True)
            if found is not None
        ]
    values = columns.of(label_image.ids)
    if values:
        rows = pd.DataFrame(values | {"label-value": label_image.ids}).to_dict("records")
        more["properties"] = json.loads(dumps(rows))
    set_attribute(group, "image-label", more)
    if label_image.provenance:
        plain = json.loads(json.dumps(dict(label_image.provenance), default=str))
        group.attrs[METADATA_KEY] = plain


def _write_levels(
    group: Any, array: NDArray[np.generic], name: str, label_image: LabelImage
) -> None:
    axes = axes_of(label_image.axes, label_image.spatial, label_image.time_step)
    if array.ndim > label_image.labels.ndim:
        at = int(axes.letters[0] == "t")  # NGFF orders time, channels, space
        array, axes = np.moveaxis(array, 0, at), axes.with_channels(at)
    write_pyramid(group, array, name, axes)


class _Store(LocalStore):
    """Writes one file after another, and none after one that failed.

    Zarr writes some files side by side. On a full disk the second would appear after the error of
    the first is told, in a folder that is being removed.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._turn = asyncio.Lock()
        self._failure: OSError | None = None

    def give_up(self) -> None:
        """Write nothing more."""
        self._failure = self._failure or InterruptedError("nobody waits for it")

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


def _channels(label_image: LabelImage) -> list[dict[str, Any]]:
    assert label_image.image is not None
    described = []
    for i, (name, channel) in enumerate(
        zip(label_image.channel_names, label_image.image, strict=True)
    ):
        finite = channel[np.isfinite(channel)].astype(np.float64)
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        window = {"min": low, "max": high, "start": low, "end": high}
        color = _COLORS[i % len(_COLORS)]
        described.append({"label": name, "color": color, "active": True, "window": window})
    return described
