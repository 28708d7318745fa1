"""Which pixels of a raster have no data, as GDAL writes it into files and beside them."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_superpixels.io.problems import unless_damaged

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?")
# As the C libraries of Windows print what is no number.
_NO_NUMBER = re.compile(r"[-+]?1[.,]#(IND|QNAN|SNAN)", re.IGNORECASE)
_log = logging.getLogger(__name__)


def parse_nodata(text: Any, path: Path) -> float | None:
    """Read the number that a text of GDAL holds.

    Parameters
    ----------
    text : object
        Usually a str: ``"-9999"``, ``"nan"``, ``"-1.#IND"``, ``"-9999,0"``.
    path : Path
        The file, for the log.

    Returns
    -------
    float or None
        None, with a warning in the log, where it holds no number (``"none"``).
    """
    stated = str(text).strip("\0 \t\r\n")
    if _NO_NUMBER.match(stated):
        return float("nan")
    try:
        return float(stated)
    except ValueError:
        number = _NUMBER.fullmatch(stated)
    if number is not None:
        return float(stated.replace(",", "."))
    if stated:
        _log.warning("%s: its nodata value “%.40s” is no number, and is not used", path, stated)
    return None


def nodata_beside(path: Path) -> float | None:
    """Read the nodata value that GDAL keeps in a file of its own, ``X.tif.aux.xml``.

    Parameters
    ----------
    path : Path
        The raster.

    Returns
    -------
    float or None
        Of the first band that has one; None where none has.
    """
    beside = Path(f"{path}.aux.xml")
    if not beside.is_file():
        return None
    texts: Sequence[str] = unless_damaged(beside, _texts_in, beside) or ()
    if len(set(texts)) > 1:
        _log.warning(
            "%s: bands have different nodata values (%s); that of the first is used for all",
            beside,
            ", ".join(texts),
        )
    return parse_nodata(texts[0], beside) if texts else None


def _texts_in(path: Path) -> list[str]:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    return [found.text or "" for found in root.findall("PAMRasterBand/NoDataValue")]


def mask_beside(path: Path) -> Path | None:
    """Find the mask that GDAL keeps in a file of its own, ``X.tif.msk``.

    Parameters
    ----------
    path : Path
        The raster.

    Returns
    -------
    Path or None
        A TIFF whose pixels are 0 where the raster has none.
    """
    beside = Path(f"{path}.msk")
    return beside if beside.is_file() else None
