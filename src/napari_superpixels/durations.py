"""Times in words."""

from __future__ import annotations


def spelled(seconds: float) -> str:
    """Spell how long something takes.

    Parameters
    ----------
    seconds : float
        How long.

    Returns
    -------
    str
        In seconds below two minutes, then in minutes, from two hours on in hours.
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
