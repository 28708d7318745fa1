"""Numbers of things and durations, as messages write them."""

from __future__ import annotations


def counted(n: int, thing: str) -> str:
    """Say how many things there are: "1 superpixel", "2 superpixels"."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def duration(seconds: float) -> str:
    """Write a duration in seconds below two minutes, then in minutes, from two hours on in hours.

    Parameters
    ----------
    seconds : float
        Duration, at least 0.

    Returns
    -------
    str
        Such as ``"4.2 s"``, ``"75 s"``, ``"12 min"``, ``"2.5 h"``.
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def gigabytes(n_bytes: float) -> str:
    """Write a size with one decimal: "1.5 GB", of 10⁹ bytes."""
    return f"{n_bytes / 1e9:.1f} GB"
