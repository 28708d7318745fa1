"""NPY files, in memory or mapped."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import dask.array as da
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Of a file that has no tiles of its own.
CHUNK = "16 MiB"
# NumPy parses the headers of its files as Python. Where two threads do so at once, Python 3.11 may
# fail ("AST constructor recursion depth mismatch") if something listens to the garbage collector,
# as dask does.
ONE_NPY_AT_A_TIME = Lock()


def open_npy(path: Path) -> Any:
    """Open an NPY file; its pixels are read later.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dask array
        Of which each process maps the parts that it needs.

    Raises
    ------
    ValueError
        If it holds Python objects, not numbers.
    """
    try:
        with ONE_NPY_AT_A_TIME:
            mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise ValueError("it is no NPY file of numbers") from error
        raise
    if not isinstance(mapped, np.memmap):  # nothing to map: it is empty
        return da.from_array(mapped)
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    pixels = _MappedPixels(path, mapped.dtype, mapped.shape, mapped.offset, order)
    return da.from_array(pixels, chunks=CHUNK)


@dataclass(frozen=True, slots=True)
class _MappedPixels:
    """Pixels in one piece of a file, mapped only while some of them are read.

    Dask would copy a mapped array as a whole, and hand that copy to each worker.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    order: Literal["C", "F"]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        return np.array(
            np.memmap(self.path, self.dtype, "r", self.offset, self.shape, self.order)[index]
        )
