"""The status bar stays out of it while layers are added, removed or chosen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.viewer import Viewer


@contextmanager
def not_described(viewer: Viewer) -> Iterator[None]:
    """Change layers without napari describing what is under the pointer.

    It does so as soon as another layer is active, and napari 0.9 fails to describe a Labels layer
    that has features in a 3D view (“len() of unsized object”); whoever made the layer active would
    be interrupted. The next move of the mouse brings the status bar up to date.

    Parameters
    ----------
    viewer : napari.Viewer
    """
    over = viewer.mouse_over_canvas
    viewer.mouse_over_canvas = False
    try:
        yield
    finally:
        viewer.mouse_over_canvas = over
