"""Images larger than memory: tiles without seams, on one machine or a Dask cluster."""
