"""A number that tells the states of a label map apart, followed at the cost of an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit

_MODULUS = 1 << 64


def fingerprint_after(fingerprint: int, edit: LabelEdit, shape: tuple[int, ...]) -> int:
    """Return the fingerprint of a label map after an edit.

    It is a sum over the pixels of a hash of position and label (Zobrist hashing, with sums instead
    of exclusive ors), less that of the map which began with 0. So states that differ have the
    same one with a probability of 2⁻⁶⁴, on whatever way they were reached.

    Parameters
    ----------
    fingerprint : int
        Before the edit.
    edit : LabelEdit
        What changes.
    shape : tuple of int
        Of the label map.

    Returns
    -------
    int
        0 to 2⁶⁴ - 1.
    """
    position = _scrambled(np.ravel_multi_index(edit.indices, shape).astype(np.uint64))
    change = _scrambled(position + _unsigned(edit.new)) - _scrambled(position + _unsigned(edit.old))
    return (fingerprint + int(change.sum(dtype=np.uint64))) % _MODULUS


def _unsigned(labels: NDArray[np.integer]) -> NDArray[np.uint64]:
    return labels.astype(np.int64).view(np.uint64)


def _scrambled(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of SplitMix64 (Steele, Lea and Flood 2014); sums wrap around."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
