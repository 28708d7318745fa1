"""Colours of a result layer: neighbouring superpixels look different."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, label_colormap
from skimage.color import rgb2lab

from napari_superpixels.core.regions.graph import contrasting_colors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PALETTE_SIZE = 64


def neighbour_colormap(labels: NDArray[np.integer]) -> CyclicLabelColormap:
    """Make a colormap in which neighbouring superpixels differ.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Superpixels 1...K.

    Returns
    -------
    napari.utils.colormaps.CyclicLabelColormap
        One colour per label; ids that an edit adds take colours from the start again.
    """
    palette = np.asarray(label_colormap(_PALETTE_SIZE).colors)[1:]
    rows = contrasting_colors(labels, rgb2lab(palette[:, :3]))
    transparent = np.zeros((1, 4), palette.dtype)
    # With a single superpixel the colormap still needs a second colour to be cyclic.
    colors = palette[rows] if len(rows) > 1 else palette[:2]
    return CyclicLabelColormap(colors=np.concatenate([transparent, colors]))
