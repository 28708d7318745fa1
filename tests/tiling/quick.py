"""Parameters for tiles that take a moment."""

from napari_superpixels.params import get_preset

FAST = get_preset("fast").replace(iterations=10)
FAST_FIELDS = {"preset": "fast", "iterations": 10}
