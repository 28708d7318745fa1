"""Regions of a label map: adjacency graph, connectivity, split, merge, refine."""
