"""Changed pixels as text, for the log."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit


def encode_patch(edit: LabelEdit, shape: Sequence[int]) -> str:
    """Write the new labels of an edit as text.

    Parameters
    ----------
    edit : LabelEdit
        Edit.
    shape : sequence of int
        Shape of the label map.

    Returns
    -------
    str
        Runs of pixels of one label in raster order, as (start, length, label) int64 triples,
        compressed by zlib, in base 64.
    """
    flat = np.ravel_multi_index(edit.indices, tuple(shape))
    order = np.argsort(flat, kind="stable")
    flat, new = flat[order], edit.new[order].astype(np.int64)
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(flat) != 1) | (np.diff(new) != 0)]))
    lengths = np.diff(np.append(begins, len(flat)))
    runs = np.stack([flat[begins], lengths, new[begins]], axis=1).astype("<i8")
    return base64.b64encode(zlib.compress(runs.tobytes())).decode("ascii")


def apply_patch(labels: NDArray[np.integer], patch: str) -> None:
    """Write a patch into a label map.

    Parameters
    ----------
    labels : ndarray of int
        C-contiguous; changed in place.
    patch : str
        From `encode_patch`.

    Raises
    ------
    ValueError
        If the text is no patch, or is one of a larger label map.
    """
    try:
        runs = np.frombuffer(zlib.decompress(base64.b64decode(patch)), "<i8").reshape(-1, 3)
    except zlib.error as error:
        raise ValueError(f"a patch of the log cannot be read ({error})") from error
    if len(runs) and (runs[:, 0] + runs[:, 1]).max() > labels.size:
        raise ValueError("a patch of the log lies outside the labels: it belongs to another map")
    flat = labels.reshape(-1)
    for start, length, label in runs.tolist():
        flat[start : start + length] = label


def encode_array(array: NDArray[np.integer]) -> str:
    """Write a small array of integers as text.

    Parameters
    ----------
    array : ndarray of int
        Values of at most 2^31 - 1.

    Returns
    -------
    str
        Shape and int32 values, compressed by zlib, in base 64.
    """
    shape = "x".join(map(str, array.shape))
    packed = zlib.compress(np.ascontiguousarray(array, "<i4").tobytes())
    return f"{shape}:{base64.b64encode(packed).decode('ascii')}"


def decode_array(text: str) -> NDArray[np.int32]:
    """Read what `encode_array` wrote.

    Parameters
    ----------
    text : str
        Text.

    Returns
    -------
    ndarray of int32
        The array.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    shape, _, packed = text.partition(":")
    try:
        values = np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<i4")
    except zlib.error as error:
        raise ValueError(f"an array of the log cannot be read ({error})") from error
    return values.reshape([int(n) for n in shape.split("x")]).astype(np.int32)
