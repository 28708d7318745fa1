"""Label maps to files that other software reads, whole or not at all."""

from napari_superpixels.export.formats import export_labels, format_of
from napari_superpixels.export.label_files import (
    LABEL_SUFFIXES,
    METADATA_KEY,
    carried,
    read_further,
    read_provenance,
    save_labels,
)
from napari_superpixels.export.whole import ExportError

__all__ = [
    "LABEL_SUFFIXES",
    "METADATA_KEY",
    "ExportError",
    "carried",
    "export_labels",
    "format_of",
    "read_further",
    "read_provenance",
    "save_labels",
]
