"""Label maps to files that other software reads, whole or not at all."""

from napari_superpixels.io.formats.label_tiff import (
    LABEL_SUFFIXES,
    METADATA_KEY,
    carried,
    read_further,
    read_provenance,
    save_labels,
)
from napari_superpixels.io.formats.registry import export_labels, format_of

__all__ = [
    "LABEL_SUFFIXES",
    "METADATA_KEY",
    "carried",
    "export_labels",
    "format_of",
    "read_further",
    "read_provenance",
    "save_labels",
]
