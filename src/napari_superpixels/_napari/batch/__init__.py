"""Segmentation of many files in a process of its own."""
