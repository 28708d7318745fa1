"""“Open superpixels or GeoTIFF…” in napari's menu, whatever the files are called."""

from pathlib import Path

import napari.viewer
from napari.layers import Layer
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog

from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.readers.choose import get_reader
from napari_superpixels.errors import SuperpixelError


# The annotations stay real types: napari injects the viewer by them.
def open_files(viewer: napari.viewer.Viewer) -> None:
    """Ask for TIFFs and open them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """
    names, _ = QFileDialog.getOpenFileNames(
        None, "Open superpixels or GeoTIFFs", "", "TIFF (*.tif *.tiff *.geotiff *.gtiff *.gtif)"
    )
    open_paths(viewer, [Path(name) for name in names])


def open_folder(viewer: napari.viewer.Viewer) -> None:
    """Ask for an OME-Zarr and open its superpixels.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """
    name = QFileDialog.getExistingDirectory(None, "Open superpixels of an OME-Zarr (.zarr)")
    open_paths(viewer, [Path(name)] if name else [])


def open_paths(viewer: napari.viewer.Viewer, paths: list[Path]) -> None:
    """Open files, and say which cannot be.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    paths : list of Path
        TIFFs, and OME-Zarrs with labels of ours.
    """
    for path in paths:
        read = get_reader(str(path))
        if read is None:
            show_error(
                f"{path} holds no superpixels of this plugin: drop other images onto napari, and "
                "give a folder that was exported as .zarr"
            )
            continue
        try:
            for data, options, kind in read(str(path)):
                viewer.add_layer(Layer.create(data, options, kind))
        except SuperpixelError as error:
            show_error(text_of(error))
