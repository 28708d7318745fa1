"""The pixel size in metres, for formats that do not have its unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_superpixels.errors.optional import need

if TYPE_CHECKING:
    from napari_superpixels.io.formats.label_image import Subject

# As maps, and napari, call units that OME and NGFF do not have.
_METRES = dict.fromkeys(("us survey foot", "survey_foot", "us_survey_foot"), 1200 / 3937)


def in_metres(subject: Subject) -> Subject:
    """Convert the pixel size.

    Parameters
    ----------
    subject : Subject
        What is to be written.

    Returns
    -------
    Subject
        The same with its pixel size in metres; unchanged where its unit is not known to be a
        number of them.
    """
    factor = _METRES.get(subject.unit.lower()) or _by_map(subject)
    if factor is None or subject.pixel_size is None:
        return subject
    return replace(subject, pixel_size=tuple(n * factor for n in subject.pixel_size), unit="m")


def _by_map(subject: Subject) -> float | None:
    """Metres of the map's unit, if it is what the pixel size is given in."""
    place = subject.place
    if place is None or place.crs is None or place.unit != subject.unit:
        return None
    need("rasterio", "geo")
    from rasterio.crs import CRS

    factor: float = CRS.from_wkt(place.crs).linear_units_factor[1]
    return factor
