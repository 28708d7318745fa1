"""Which image a run is of: it goes on only with the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.errors import FileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.tiling.reader import ImageReader

# Of an image that is not in memory, only these are looked at: squares around the centres of its
# quarters, where maps rarely have no data.
_SAMPLE_PX = 32


def fingerprint(reader: ImageReader) -> dict[str, Any]:
    """Describe an image or a mask, so that another one can be told from it.

    Parameters
    ----------
    reader : ImageReader

    Returns
    -------
    dict
        Plain values. Pixels that cannot be read are None: the file may be mended later.
    """
    known: dict[str, Any] = {
        "name": "" if reader.path is None else str(reader.path.absolute()),
        "level": reader.level,
        "shape": list(reader.shape),
        "dtype": str(reader.dtype),
        "n_channels": reader.n_channels,
        "channels": None if reader.channels is None else list(reader.channels),
    }
    if reader.path is not None and reader.kind == "mask":  # drawn by hand, and perhaps again
        state = reader.path.stat()
        known["state"] = [state.st_size, state.st_mtime_ns]
    if isinstance(reader.array, np.ndarray):
        return known | {"pixels": [_hashed(reader.array)]}
    return known | {"pixels": _samples(reader)}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what two runs do not have in common.

    Parameters
    ----------
    before, now : mapping
        Plain values that decide their results; those under ``"image"`` and ``"mask"`` come from
        `fingerprint`, or are None.

    Returns
    -------
    list of str
        In words, such as ``"n_segments (100, now 200)"``; empty if one run goes on with the other's
        checkpoint.
    """
    found: list[str] = []
    for key in sorted(now):
        one, other = before.get(key), now[key]
        if _agree(one, other):
            continue
        if key in ("image", "mask"):
            found.append(f"{key} {_renamed(one, other)}")
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            found += (
                f"{name} ({_plain(one.get(name))}, now {_plain(other.get(name))})"
                for name in sorted({*one, *other})
                if one.get(name) != other.get(name)
            )
        else:
            found.append(f"{key} ({_plain(one)}, now {_plain(other)})")
    return found


def _renamed(before: Any, now: Any) -> str:
    names = [_name(known) for known in (before, now)]
    return "(other pixels)" if names[0] == names[1] else f"({names[0]}, now {names[1]})"


def _name(known: Any) -> str:
    if not isinstance(known, Mapping):
        return "none"
    return str(known.get("name") or "pixels in memory")


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " × ".join(map(str, value))
    return "none" if value is None else str(value)


def _agree(before: Any, now: Any) -> bool:
    if not (isinstance(before, Mapping) and isinstance(now, Mapping) and "pixels" in now):
        return bool(before == now)
    one, other = dict(before), dict(now)
    some, others = one.pop("pixels"), other.pop("pixels")
    return (
        one == other
        and len(some) == len(others)  # one was in memory, and the other was not
        and all(a == b or None in (a, b) for a, b in zip(some, others, strict=True))
    )


def _samples(reader: ImageReader) -> list[str | None]:
    spans = []
    for n in reader.shape[-2:]:
        centres = (n // 4, 3 * n // 4)
        spans.append([slice(max(0, c - _SAMPLE_PX // 2), c + _SAMPLE_PX // 2) for c in centres])
    depth = [slice(n // 2, n // 2 + 1) for n in reader.shape[:-2]]
    found: list[str | None] = []
    for rows, columns in product(*spans):
        try:
            found.append(_hashed(reader.read([*depth, rows, columns])))
        except FileError:
            found.append(None)
    return found


def _hashed(pixels: NDArray[Any]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).hexdigest()
