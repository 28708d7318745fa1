"""Label maps to files that other software reads, whole or not at all."""

from napari_superpixels.io.formats.label_tiff import LABEL_SUFFIXES, save_labels
from napari_superpixels.io.formats.registry import export_labels, format_of
from napari_superpixels.io.provenance import METADATA_KEY, carried, read_provenance

__all__ = [
    "LABEL_SUFFIXES",
    "METADATA_KEY",
    "carried",
    "export_labels",
    "format_of",
    "read_provenance",
    "save_labels",
]
