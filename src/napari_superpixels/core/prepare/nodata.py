"""Pixels whose value means “no data”."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Nothing measures that much, and software prints such values with six digits: -3.40282e+38.
_BEYOND_MEASURE = 1e30
_PRINTED = 1e-5


def is_nodata(values: NDArray[Any], nodata: float) -> NDArray[np.bool_]:
    """Find the pixels without data.

    Parameters
    ----------
    values : ndarray
        Pixels, any real dtype.
    nodata : float
        The value that means it, in the precision of float32 where the pixels are floats, and as
        good as printed with six digits where it is above 1e30.

    Returns
    -------
    ndarray of bool
        Of the same shape; False everywhere where `nodata` is not finite.
    """
    if not np.isfinite(nodata):
        return np.zeros(values.shape, bool)
    if values.dtype.kind != "f":
        return np.asarray(values == nodata)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold
        if abs(nodata) > _BEYOND_MEASURE:
            return np.asarray(np.abs(values / nodata - 1) <= _PRINTED)
        return np.asarray(values.astype(np.float32) == np.float32(nodata))


def spelled(nodata: float) -> str:
    """Write a nodata value as short as it can be without becoming another.

    Parameters
    ----------
    nodata : float
        The value.

    Returns
    -------
    str
        Such as ``"-9999"`` or ``"-3.4028235e+38"``.
    """
    short = f"{nodata:g}"
    if float(short) == nodata:
        return short
    single = np.float32(nodata)
    return str(single if float(single) == nodata else nodata)
