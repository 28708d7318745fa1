"""What the first run of a process would wait for, done ahead."""

from __future__ import annotations

import warnings

from napari_superpixels.api.image import superpixels
from napari_superpixels.core.regions.warm_up import compile_loops


def warm_up(device: str = "cpu") -> None:
    """Compile and load what a run needs.

    Parameters
    ----------
    device : str, default "cpu"
        PyTorch's name. A small run loads the libraries of a GPU, which takes seconds; a CPU has
        nothing to load but the compiled loops.
    """
    compile_loops()
    if device == "cpu":
        return
    image = [[i % 9 * j % 7 for i in range(64)] for j in range(64)]
    with warnings.catch_warnings():
        # Of a card that is full: nobody has asked for a run yet.
        warnings.simplefilter("ignore", RuntimeWarning)
        superpixels(image, 9, device=device)
