"""Where tiles run."""

from __future__ import annotations

import os

from napari_superpixels.params.options import Resources, TilingOptions
from napari_superpixels.tiling.cluster import Engine


def test_workers_keep_memory_between_allocations(monkeypatch):
    """Dask makes glibc hand back each piece at once; then tiles take twice as long."""
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with Engine(TilingOptions(n_workers=1), 0, Resources("cpu")).client() as client:
        (found,) = client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_").values()
        assert found is None
        (threads,) = client.run(os.environ.get, "OMP_NUM_THREADS").values()
        assert threads == "1"  # what else dask sets stays
