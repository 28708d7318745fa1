"""Libraries that only some users need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from napari_superpixels.errors import MissingLibrary


def need(module: str, extra: str) -> Any:
    """Import a library that an extra of this package installs.

    Parameters
    ----------
    module : str
        What to import, such as ``"rasterio.features"``.
    extra : str
        Name of the extra, such as ``"geo"``.

    Returns
    -------
    module
        Imported.

    Raises
    ------
    MissingLibrary
        If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise  # it is there, and lacks something itself
        raise MissingLibrary(library, extra) from error
