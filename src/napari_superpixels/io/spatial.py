"""What a file says of where it comes from: its place on the map, or else its pixel size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from napari_superpixels.io.formats.label_tiff import read_provenance
from napari_superpixels.io.georeference import Place, is_placed, read_place
from napari_superpixels.io.pixel_size import read_pixel_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of the pixels of an image.

    Attributes
    ----------
    place : Place or None
        Where they lie on the map.
    pixel_size : tuple of float or None
        Size along each axis, where there is no place.
    unit : str or None
        Unit of `pixel_size`; None where that is a scale without a unit.
    """

    place: Place | None = None
    pixel_size: tuple[float, ...] | None = None
    unit: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without those that are not known."""
        return {name: value for name, value in asdict(self).items() if value}

    def at(self, shape: tuple[int, int], smaller: tuple[int, int]) -> Origin:
        """Describe a smaller copy of the image.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of the image.
        smaller : tuple of int
            Those of the copy.

        Returns
        -------
        Origin
            The same area, with larger pixels.
        """
        if self.place is not None:
            return Origin(self.place.at(smaller))
        if self.pixel_size is None:
            return self
        *depth, height, width = self.pixel_size
        rows, columns = shape[0] / smaller[0], shape[1] / smaller[1]
        return Origin(None, (*depth, height * rows, width * columns), self.unit)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Origin:
        """Take it from a label file's provenance or a layer's metadata.

        Parameters
        ----------
        known : mapping
            Plain values: place, or pixel_size and unit, if it has one; others do not count.

        Returns
        -------
        Origin
            Empty where there are none.
        """
        if known.get("place"):
            return cls(Place.from_dict(known["place"]))
        if known.get("pixel_size"):
            return cls(None, tuple(map(float, known["pixel_size"])), known.get("unit"))
        return cls()


def holds_frames(path: Path) -> bool:
    """Tell whether the labels in a file of ours were segmented frame by frame.

    Parameters
    ----------
    path : Path
        Any label file.

    Returns
    -------
    bool
        As its provenance says; False where there is none.
    """
    return "series" in read_provenance(path)


def read_origin(path: Path, ndim: int) -> Origin:
    """Read what a file says.

    Parameters
    ----------
    path : Path
        Any image or label file.
    ndim : int
        2 for the size of a pixel (y, x), 3 for that of a voxel (z, y, x).

    Returns
    -------
    Origin
        From the tags of a GeoTIFF, from OME-TIFF, OME-Zarr or ImageJ, or from the provenance that
        labels of this package have; empty where there is none of these.

    Raises
    ------
    ExportError
        If it is a GeoTIFF and rasterio is not installed.
    """
    if is_placed(path):
        return Origin(read_place(path))
    known = read_provenance(path)
    if known.get("place"):
        return Origin.from_dict(known)
    stated = read_pixel_size(path, ndim)
    if stated is not None:
        return Origin(None, *stated)
    found = Origin.from_dict(known)
    if found.pixel_size is None:
        return found
    size = found.pixel_size[-ndim:]
    return Origin(None, size, found.unit) if len(size) == ndim else Origin()
