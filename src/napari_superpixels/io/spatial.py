"""Where pixels lie on the map, or else how large they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_superpixels.io.georeference import Georeference

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names of the fields in our files and in the metadata of layers.
_KEYS = {"georeference": "place"}


@dataclass(frozen=True, slots=True)
class Spatial:
    """Where pixels lie on the map, or else how large they are.

    Attributes
    ----------
    georeference : Georeference or None
        CRS and transform.
    pixel_size : tuple of float or None
        Size along each axis, where there is no georeference.
    unit : str or None
        Unit of `pixel_size`; None where that is a scale without a unit.
    translation : tuple of float or None
        Where the centre of the first pixel lies, along the same axes, in the same unit; None where
        it lies at the origin.
    flipped : tuple of bool or None
        Which of the axes run backwards; None where none does.
    """

    georeference: Georeference | None = None
    pixel_size: tuple[float, ...] | None = None
    unit: str | None = None
    translation: tuple[float, ...] | None = None
    flipped: tuple[bool, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without those that are not known."""
        return {_KEYS.get(name, name): value for name, value in asdict(self).items() if value}

    def resampled(self, shape: tuple[int, int], smaller: tuple[int, int]) -> Spatial:
        """Describe a smaller copy of the image.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of the image.
        smaller : tuple of int
            Those of the copy.

        Returns
        -------
        Spatial
            The same area, with larger pixels.
        """
        if self.georeference is not None:
            return Spatial(self.georeference.resampled(smaller))
        if self.pixel_size is None:
            return self
        *depth, height, width = self.pixel_size
        rows, columns = shape[0] / smaller[0], shape[1] / smaller[1]
        return replace(self, pixel_size=(*depth, height * rows, width * columns))

    def along(self, ndim: int) -> Spatial:
        """Take the size along the last axes.

        Parameters
        ----------
        ndim : int
            2 for rows and columns, 3 with the depth.

        Returns
        -------
        Spatial
            Empty where less is known.
        """
        if len(self.pixel_size or ()) < ndim:
            return Spatial()
        last = {
            name: values[-ndim:]
            for name in ("pixel_size", "translation", "flipped")
            if (values := getattr(self, name)) is not None
        }
        return replace(self, **last)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Spatial:
        """Take it from a label file's provenance or a layer's metadata.

        Parameters
        ----------
        known : mapping
            Plain values: place, or pixel_size and unit, if it has one; others do not count.

        Returns
        -------
        Spatial
            Empty where there are none.
        """
        if known.get("place"):
            return cls(Georeference.from_dict(known["place"]))
        if not known.get("pixel_size"):
            return cls()
        moved, flipped = known.get("translation"), known.get("flipped")
        return cls(
            None,
            tuple(map(float, known["pixel_size"])),
            known.get("unit"),
            tuple(map(float, moved)) if moved else None,
            tuple(map(bool, flipped)) if flipped else None,
        )
