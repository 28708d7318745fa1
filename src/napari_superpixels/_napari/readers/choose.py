"""Which reader takes a path, for napari.

napari looks at the ends of names alone before it asks the user which reader shall open a file. So
the manifest claims only names that are ours (“… superpixels.tif”) or that nobody else claims
(.geotiff), and no folders: else every TIFF, or every folder, would raise that question.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import npe2
import tifffile

from napari_superpixels._napari.readers.geotiff import read_geotiffs
from napari_superpixels._napari.readers.own_labels import is_own, read_own
from napari_superpixels.errors import (
    ExportError,
    FileError,
    MissingLibrary,
    SuperpixelError,
    reason_of,
)
from napari_superpixels.io.georeference import is_georeferenced, read_georeference
from napari_superpixels.io.problems import READ_ERRORS, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SUFFIXES = (".tif", ".tiff", ".geotiff", ".gtiff", ".gtif")


def get_reader(path: str | Sequence[str]) -> Callable[..., list[Any]] | None:
    """Take labels of ours and GeoTIFFs; other TIFFs with such a name go on to napari's own reader.

    Parameters
    ----------
    path : str or sequence of str
        What the user opens; a sequence is to become one stack.

    Returns
    -------
    callable or None
        Reads them; None for other kinds of files and folders.
    """
    paths = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(p) for p in path]
    if all(is_own(each) for each in paths):
        return _read_own
    if any(each.is_dir() or each.suffix.lower() not in _SUFFIXES for each in paths):
        return None
    on_map = find_spec("rasterio") is not None and all(_lies_on_map(each) for each in paths)
    return read_geotiffs if on_map else _read_with_napari


def _read_own(path: str | Sequence[str]) -> list[Any]:
    paths = [path] if isinstance(path, str | os.PathLike) else path
    return [read_own(Path(each)) for each in paths]


def _lies_on_map(path: Path) -> bool:
    try:
        return is_georeferenced(path) and bool(read_georeference(path))
    except (ExportError, MissingLibrary):  # ground control points only, say
        return False


def _read_with_napari(path: str | Sequence[str]) -> list[Any]:
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    is_stack = len(paths) > 1
    try:
        return list(npe2.read(paths, stack=is_stack, plugin_name="napari"))
    except READ_ERRORS as error:
        if not is_stack:
            raise _unreadable_tiff(Path(paths[0]), error) from error
        for each in paths:  # the one that cannot be read names itself
            _read_with_napari(each)
        raise FileError(
            f"{paths[0]} and {len(paths) - 1} more cannot be opened as one stack "
            f"({reason_of(error)}): if they differ in size or kind, open them one by one"
        ) from error


def _unreadable_tiff(path: Path, error: Exception) -> SuperpixelError:
    try:
        with tifffile.TiffFile(path):
            return unreadable(path, error)
    except READ_ERRORS as reason:  # napari tries another library then, which says less
        return unreadable(path, reason)
