"""What a file says of its pixels: their size, where they lie, how labels were made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_superpixels.io.spatial import Spatial
from napari_superpixels.io.units import short_unit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NO_UNIT = ("", "pixel", "pixels", "reference frame")


@dataclass(frozen=True, slots=True)
class PixelSizes:
    """Sizes of a pixel as a file states them.

    Attributes
    ----------
    sizes : tuple of (float or None)
        Along the axes of space, the last two of which are rows and columns; None where the file
        says nothing.
    units : tuple of str
        Their units, as written there.
    scale_alone : bool
        Whether a scale without a unit says something, as in OME-Zarr.
    """

    sizes: tuple[float | None, ...]
    units: tuple[str, ...]
    scale_alone: bool = False

    def along(self, ndim: int) -> tuple[tuple[float, ...], str | None] | None:
        """Take the size along the last axes.

        Parameters
        ----------
        ndim : int
            2 for rows and columns, 3 with the depth.

        Returns
        -------
        tuple of (tuple of float, str or None), or None
            Sizes and their short unit, None for a scale without a unit; None where one of the
            sizes is missing, or units differ.
        """
        sizes = self.sizes[-ndim:]
        if len(sizes) < ndim:  # a series has no depth
            return None
        known = zip(sizes, self.units[-ndim:], strict=True)
        units = {unit for size, unit in known if size is not None}
        if len(units) != 1 or not all(size and size > 0 for size in sizes):
            return None
        scale = tuple(float(size) for size in sizes if size)
        unit = units.pop()
        if unit in _NO_UNIT:
            return (scale, None) if self.scale_alone and set(scale) != {1.0} else None
        return scale, short_unit(unit)


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What a file says of its pixels.

    Attributes
    ----------
    path : Path
    pixel_sizes : PixelSizes or None
        As it states them.
    is_georeferenced : bool
        Whether it is a raster that lies on the map.
    provenance : dict
        How labels of ours were made; empty where they are not ours.
    """

    path: Path
    pixel_sizes: PixelSizes | None = None
    is_georeferenced: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def pixel_size(self, ndim: int) -> tuple[tuple[float, ...], str | None] | None:
        """Take the stated size along the last axes; see `PixelSizes.along`."""
        return None if self.pixel_sizes is None else self.pixel_sizes.along(ndim)

    def spatial(self, ndim: int) -> Spatial:
        """Say where the pixels lie on the map, or else how large they are.

        Parameters
        ----------
        ndim : int
            2 for the size of a pixel (y, x), 3 for that of a voxel (z, y, x).

        Returns
        -------
        Spatial
            Empty where the file says nothing.

        Raises
        ------
        ExportError
            If the file lies on the map, and cannot be read by GDAL or rasterio is not installed.
        """
        if self.is_georeferenced:
            from napari_superpixels.io.georeference import read_georeference

            return Spatial(read_georeference(self.path))
        known = Spatial.from_dict(self.provenance)
        if known.georeference is not None:
            return known
        stated = self.pixel_size(ndim)
        if stated is not None:
            return Spatial(None, *stated)
        if known.pixel_size is None:
            return known
        size = known.pixel_size[-ndim:]
        return Spatial(None, size, known.unit) if len(size) == ndim else Spatial()
