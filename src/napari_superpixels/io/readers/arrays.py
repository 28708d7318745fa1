"""Lazy arrays, and those of NPY files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, Literal

import dask.array as da
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# Of a file that has no tiles of its own.
CHUNK = "16 MiB"
_CHUNK_BYTES = 2**24
# Chunks that are small and more than that are taken together; more than a million of 16 MiB take
# minutes to list, and no file that is not damaged has them.
_MANY_CHUNKS, _MOST_CHUNKS = 10_000, 1_000_000
_TINY_BYTES = 1024
# NumPy parses the headers of its files as Python. Where two threads do so at once, Python 3.11 may
# fail ("AST constructor recursion depth mismatch") if something listens to the garbage collector,
# as dask does.
ONE_NPY_AT_A_TIME = Lock()


def lazy(pixels: Any, chunks: str | Sequence[int]) -> Any:
    """Make a dask array of pixels that are read where they are needed.

    Parameters
    ----------
    pixels : array_like
        Anything that slices, with shape and dtype.
    chunks : str or sequence of int
        Of `dask.array.from_array`; taken together where they are small and many.

    Returns
    -------
    dask array

    Raises
    ------
    ValueError
        If it claims more pixels than any file holds, or is stored in millions of tiny parts.
    """
    shape, dtype = tuple(map(int, pixels.shape)), np.dtype(pixels.dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > _MOST_CHUNKS * _CHUNK_BYTES:
        raise ValueError(f"it claims to hold {' × '.join(map(str, shape))} pixels")
    if not isinstance(chunks, str):
        chunks = [max(1, min(int(n), side)) for n, side in zip(chunks, shape, strict=True)]
        n_chunks = math.prod(-(-side // n) for n, side in zip(chunks, shape, strict=True))
        if n_chunks > _MOST_CHUNKS and n_bytes < n_chunks * _TINY_BYTES:
            raise ValueError(
                f"it is stored in {n_chunks} parts of {' × '.join(map(str, chunks))} pixels, which "
                "take very long to read; store it anew in larger ones"
            )
        if n_chunks > _MANY_CHUNKS and math.prod(chunks) * dtype.itemsize < _CHUNK_BYTES:
            chunks = CHUNK
    return da.from_array(pixels, chunks=chunks)


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
        If it holds Python objects, not numbers, or its header is damaged.
    """
    try:
        with ONE_NPY_AT_A_TIME:
            mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (TokenError, SyntaxError) as error:  # of Python, as which the header is parsed
        raise ValueError("its header is damaged") from error
    except ValueError as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise ValueError("it is no NPY file of numbers") from error
        raise
    if not isinstance(mapped, np.memmap):  # nothing to map: it is empty
        return da.from_array(mapped)
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    pixels = _MappedPixels(path, mapped.dtype, mapped.shape, mapped.offset, order)
    return lazy(pixels, CHUNK)


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
