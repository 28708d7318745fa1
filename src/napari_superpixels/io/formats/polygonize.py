"""Superpixels as polygons along the pixels' edges, with holes and separate parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_superpixels.errors.optional import need

if TYPE_CHECKING:
    from napari_superpixels.io.formats.label_image import LabelImage

Ring = list[tuple[float, float]]
Part = list[Ring]


def polygonize(label_image: LabelImage, extra: str) -> list[list[Part]]:
    """Trace each superpixel.

    Parameters
    ----------
    label_image : LabelImage
        One plane of labels.
    extra : str
        Extra of this package that the format needs, for the message where it is missing.

    Returns
    -------
    list of list of list of list of (float, float)
        For each superpixel, in the order of `LabelImage.ids`: its parts (pixels that share an edge
        belong together), each a closed outer ring and then those of its holes. Points are
        (column, row) of pixels' corners; (0, 0) is the outer corner of the first pixel.

    Raises
    ------
    MissingLibrary
        If rasterio is not installed.
    """
    features: Any = need("rasterio.features", extra)
    parts: list[list[Part]] = [[] for _ in label_image.ids]
    ranks = label_image.ranks
    for shape, rank in features.shapes(ranks, mask=ranks > 0, connectivity=4):
        parts[int(rank) - 1].append(shape["coordinates"])
    return parts
