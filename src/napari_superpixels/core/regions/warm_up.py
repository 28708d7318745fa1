"""Compile the loops ahead of time: the first time on a machine it takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba.core import event

from napari_superpixels.core.regions.merge import merge_regions
from napari_superpixels.core.regions.refine import refine_boundaries
from napari_superpixels.core.regions.split import split_to_count
from napari_superpixels.events import drain

if TYPE_CHECKING:
    from collections.abc import Callable


def compile_loops(tell: Callable[[], None] | None = None) -> None:
    """Compile, or load from disk, what `postprocess` needs.

    Parameters
    ----------
    tell : callable, optional
        Called once before the first loop is compiled; not at all where they are on disk.
    """
    columns = np.arange(8, dtype=np.float32)
    features = np.broadcast_to(columns, (1, 8, 8)).copy()
    pieces = np.broadcast_to(np.arange(8, dtype=np.int32) // 2 + 1, (8, 8)).copy()
    with event.install_listener("numba:compile", _Told(tell or (lambda: None))):
        pieces = drain(
            refine_boundaries(pieces, features, iterations=1, compactness=0.1, smoothness=0.1)
        )
        merge_regions(split_to_count(pieces, features, 6), features, 2)


class _Told(event.Listener):
    """Tells once that something is compiled."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._is_told = False

    def on_start(self, event: Any) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell()

    def on_end(self, event: Any) -> None:
        """Nothing is told in the end."""
