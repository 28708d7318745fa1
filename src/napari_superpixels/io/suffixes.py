"""Ends of file names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TIFF_SUFFIXES = (".tif", ".tiff")
# Versions of OME-Zarr that are written, the default first: it is what most software reads today.
OME_ZARR_VERSIONS = ("0.4", "0.5")
# What `segment` writes into a folder: label files of ours, and what `export` writes.
SEGMENT_FORMATS = (
    *("tif", "png", "npy", "zarr"),
    *("ome.tif", "geojson", "gpkg", "zip", "csv", "parquet", "graphml", "edges.csv"),
)


def is_tiff(path: Path) -> bool:
    """Tell whether a file is a TIFF by its name."""
    return path.suffix.lower() in TIFF_SUFFIXES
