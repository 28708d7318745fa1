"""Changed pixels as text, for the log."""

from __future__ import annotations

import base64
import math
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
    # No run is shorter than a pixel.
    runs = np.frombuffer(_unpacked(patch, 24 * labels.size), "<i8").reshape(-1, 3)
    begins, lengths = runs[:, 0], runs[:, 1]
    ends = np.append(begins[1:], labels.size)
    if (begins < 0).any() or (lengths < 1).any() or (lengths > ends - begins).any():
        raise ValueError("a patch of the log lies outside the labels: it belongs to another map")
    values = runs[:, 2].astype(labels.dtype)
    if (values != runs[:, 2]).any():
        raise ValueError(f"a patch of the log has labels that {labels.dtype} does not hold")
    flat = labels.reshape(-1)
    for begin, length, value in zip(begins.tolist(), lengths.tolist(), values, strict=True):
        flat[begin : begin + length] = value


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


def decode_array(text: str, most: int) -> NDArray[np.int32]:
    """Read what `encode_array` wrote.

    Parameters
    ----------
    text : str
        Text.
    most : int
        How many values there may be.

    Returns
    -------
    ndarray of int32
        The array.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    sides, _, packed = text.partition(":")
    shape = tuple(int(n) for n in sides.split("x"))
    if min(shape) < 1 or math.prod(shape) > most:
        raise ValueError("an array of the log is larger than the labels")
    return np.frombuffer(_unpacked(packed, 4 * most), "<i4").reshape(shape).astype(np.int32)


def _unpacked(text: str, most_bytes: int) -> bytes:
    """Unpack a text of a log, which may be made to fill the memory: no more than so many bytes."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(base64.b64decode(text, validate=True), most_bytes + 1)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"a text of the log cannot be unpacked ({error})") from error
    if len(unpacked) > most_bytes:
        raise ValueError("a text of the log unpacks to more than there are pixels")
    if not unpacker.eof:
        raise ValueError("a text of the log is cut short")
    return unpacked
