"""The segmentation dock: form, run, worker, result."""
