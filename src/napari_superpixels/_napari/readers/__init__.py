"""Readers of GeoTIFFs and of labels of ours, for napari."""
