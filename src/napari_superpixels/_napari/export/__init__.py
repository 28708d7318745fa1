"""Export of a Labels layer to files."""
