"""Some channels of an image: their numbers as text, and how they are taken out."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def channel_numbers(text: str) -> tuple[int, ...]:
    """Read numbers of channels.

    Parameters
    ----------
    text : str
        Numbers from 0 and ranges of them, such as ``0,2,5-7``.

    Returns
    -------
    tuple of int
        In the same order.

    Raises
    ------
    ValueError
        If it is something else, or has a number twice.
    """
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", part)
        if found is None:
            raise ValueError(
                f"{text!r} is no list of channels: write numbers from 0 on, such as 0,2,5-7"
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"{part.strip()} runs backwards: write {last}-{first}")
        numbers += range(first, last + 1)
    twice = [i for i, n in Counter(numbers).items() if n > 1]
    if twice:
        raise ValueError(f"channel {min(twice)} is given twice")
    return tuple(numbers)


def chosen_channels(array: Any, channel_axis: int | None, channels: Sequence[int] | None) -> Any:
    """Take some channels out of an image; lazily, where it is lazy.

    Parameters
    ----------
    array : ndarray or dask array
    channel_axis : int or None
        Axis that holds channels.
    channels : sequence of int, or None
        Which; None for all.

    Returns
    -------
    ndarray or dask array
        With the channels where they were.

    Raises
    ------
    ValueError
        If it does not have them.
    """
    if channels is None:
        return array
    # Here, so that the command line and the dock start without PyTorch.
    from napari_superpixels.core.prepare.checks import check_chosen

    check_chosen(channels, channel_axis, array.shape)
    assert channel_axis is not None
    index: list[Any] = [slice(None)] * array.ndim
    index[channel_axis] = list(channels)
    return array[tuple(index)]
