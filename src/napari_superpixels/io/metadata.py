"""What a file says of its pixels: their size, where they lie, how labels were made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_superpixels.io.problems import unless_damaged
from napari_superpixels.io.spatial import Spatial
from napari_superpixels.io.units import metres, short_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class PixelSizes:
    """Sizes of a pixel as a file states them.

    Attributes
    ----------
    sizes : tuple of (float or None)
        Along the axes of space, the last two of which are rows and columns; None where the file
        says nothing, negative where an axis runs backwards.
    units : tuple of str
        Their units, as written there.
    translation : tuple of float or None
        Where the centre of the first pixel lies, along the same axes, in the same units.
    scale_alone : bool
        Whether a scale without a unit says something, as in OME-Zarr.

    Raises
    ------
    ValueError, TypeError
        If what is stated is no number.
    """

    sizes: tuple[float | None, ...]
    units: tuple[str, ...]
    translation: tuple[float, ...] | None = None
    scale_alone: bool = False

    def __post_init__(self) -> None:
        for value in (*self.sizes, *(self.translation or ())):
            if value is not None and not math.isfinite(float(value)):
                raise ValueError(f"a pixel size of {value}")

    def along(self, ndim: int) -> Spatial | None:
        """Take the size along the last axes.

        Parameters
        ----------
        ndim : int
            2 for rows and columns, 3 with the depth.

        Returns
        -------
        Spatial or None
            Without a unit for a scale alone. Where units differ, all is in that of the columns.
            None where one of the sizes is missing, or units cannot be converted.
        """
        sizes = self.sizes[-ndim:]
        if len(sizes) < ndim:  # a series has no depth
            return None
        signed = [float(size) for size in sizes if size]
        if len(signed) < ndim:
            return None
        units = [unit if metres(unit) else "" for unit in self.units[-ndim:]]
        factors = _factors(units)
        if factors is None:
            return None
        signed = [size * factor for size, factor in zip(signed, factors, strict=True)]
        moved = self.translation and tuple(
            float(n) * factor for n, factor in zip(self.translation[-ndim:], factors, strict=True)
        )
        found = Spatial(
            None,
            tuple(map(abs, signed)),
            short_unit(units[-1]) if units[-1] else None,
            moved if moved and any(moved) else None,
            tuple(size < 0 for size in signed) if min(signed) < 0 else None,
        )
        if found.unit is None and not self.scale_alone:
            return None
        says_nothing = found == Spatial(None, (1.0,) * ndim)
        return None if says_nothing else found


def _factors(units: Sequence[str]) -> list[float] | None:
    """For each unit, how many of the last one it is; None where that is not known."""
    if len(set(units)) == 1:
        return [1.0] * len(units)
    lengths = [metres(unit) for unit in units]
    known = [n for n in lengths if n]
    return [n / known[-1] for n in known] if len(known) == len(lengths) else None


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
    time_step : tuple of (float, str) or None
        Time from one frame to the next, and its unit as written there.
    """

    path: Path
    pixel_sizes: PixelSizes | None = None
    is_georeferenced: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)
    time_step: tuple[float, str] | None = None

    def pixel_size(self, ndim: int) -> Spatial | None:
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
        known = unless_damaged(self.path, Spatial.from_dict, self.provenance) or Spatial()
        if known.georeference is not None:
            return known
        stated = self.pixel_size(ndim)
        known = known.along(ndim)
        if stated is None:
            return known
        if known.unit == stated.unit and stated.translation is None and stated.flipped is None:
            # Our provenance says more than a TIFF for ImageJ can.
            return replace(stated, translation=known.translation, flipped=known.flipped)
        return stated
