"""Which image a run is of, and how: it goes on only with the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_superpixels.tiling.reader import ImageReader

# In what is known of an image or a mask, what its pixels are, by their digest.
PIXELS = "pixels"


def fingerprint(reader: ImageReader) -> dict[str, Any]:
    """Describe an image or a mask as far as that takes no reading of pixels.

    Parameters
    ----------
    reader : ImageReader

    Returns
    -------
    dict
        Plain values. Neither the name nor the time of a file: a copy is the same image.
    """
    axis = reader.channel_axis
    return {
        "level": reader.level,
        "shape": list(reader.shape),
        "dtype": reader.dtype.name,
        "n_channels": reader.n_channels,
        "channel_axis": None if axis is None else axis % reader.opened().ndim,
        "channels": None if reader.channels is None else list(reader.channels),
    }


def digest(*arrays: NDArray[Any]) -> str:
    """Find what tells arrays from others: a hash of every value, and of the shapes.

    Parameters
    ----------
    *arrays : ndarray

    Returns
    -------
    str
        32 hexadecimal digits; the same for any byte order.
    """
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        found.update(f"{native.dtype}{array.shape}".encode())
        found.update(native.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def joined(digests: Iterable[str]) -> str:
    """Find what tells a sequence of digests from others.

    Parameters
    ----------
    digests : iterable of str

    Returns
    -------
    str
        The digest itself, if there is one only.
    """
    several = list(digests)
    if len(several) == 1:
        return several[0]
    return hashlib.blake2b("".join(several).encode(), digest_size=16).hexdigest()


def with_pixels(identity: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Add what the pixels of an image and its mask are to what else decides a result.

    Parameters
    ----------
    identity : mapping
        Plain values; those of an image under ``"image"``, of a mask, if any, under ``"mask"``.
    digests : mapping
        Under the same names.

    Returns
    -------
    dict
        A copy.
    """
    return dict(identity) | {
        name: dict(identity[name] or {}) | {PIXELS: of_pixels}
        for name, of_pixels in digests.items()
    }


def has_pixels(identity: Mapping[str, Any]) -> bool:
    """Whether `with_pixels` has added the digest of an image."""
    return isinstance(identity.get("image", {}).get(PIXELS), str)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what two runs do not have in common.

    Parameters
    ----------
    before, now : mapping
        Plain values that decide their results. What `now` does not name is not compared; nor are
        pixels, where it does not have their digest.

    Returns
    -------
    list of str
        In words, such as ``"n_segments (100, now 200)"``; empty if one run goes on with the other's
        checkpoint.
    """
    found: list[str] = []
    for key in sorted(now):
        one, other = before.get(key), now[key]
        if key in ("image", "mask", "initial", "objects"):
            found += _of_pixels(key, one, other)
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _each(one, other)
        elif one != other:
            found.append(f"{key} ({_plain(one)}, now {_plain(other)})")
    return found


def _of_pixels(key: str, before: Any, now: Any) -> list[str]:
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        names = ["none" if known is None else "one" for known in (before, now)]
        return [] if before == now else [f"{key} ({names[0]}, now {names[1]})"]
    # Version 0.1 did not note all of them.
    names = [name for name in now if name in before and name != PIXELS]
    other = _each({name: before[name] for name in names}, {name: now[name] for name in names})
    if other:
        return [f"{key} {text}" for text in other]
    is_same = now.get(PIXELS) in (None, before.get(PIXELS))
    return [] if is_same else [other_pixels(key)]


def other_pixels(key: str) -> str:
    """Say that an image, mask or label map has other pixels, as `differences` does."""
    return f"{key} (other pixels)"


def _each(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} ({_plain(before.get(name))}, now {_plain(now.get(name))})"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " × ".join(map(str, value))
    return "none" if value is None else str(value)
