"""Where tiles run."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import zarr
from distributed import Client

from napari_superpixels.errors import MissingLibrary, RunBrokenOff, TilingError
from napari_superpixels.events import drain
from napari_superpixels.params.options import Resources, TilingOptions
from napari_superpixels.tiling import cluster as tiles_cluster
from napari_superpixels.tiling import progress
from napari_superpixels.tiling.cluster import Engine
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.quick import FAST


def test_a_cluster_needs_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    engine = Engine(TilingOptions(scheduler="tcp://127.0.0.1:9"), 0, Resources("cpu"))
    with pytest.raises(MissingLibrary) as caught, engine.client():
        pass
    assert caught.value.extra == "cluster"


# What cannot be imported on a server, or by the workers of a cluster.
WITHOUT_GUI = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"napari", "qtpy", "magicgui", "superqt", "distributed",
                                      "vispy", "npe2", "psygnal"}:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)

sys.meta_path.insert(0, Blocked())
import numpy as np
from napari_superpixels import superpixels, superpixels_tiled
from napari_superpixels.cli.main import main

image = np.load("image.npy")
quick = {"iterations": 4, "hidden_channels": (4, 4), "refine_iterations": 2}
assert superpixels(image, 20, channel_axis=-1, **quick).max() > 1
assert superpixels_tiled(image, 60, channel_axis=-1, tile_size_px=64, **quick).max() > 1
options = ["--channel-axis", "-1", "--n-segments", "20", "--iterations", "4", "--quiet"]
assert main(["segment", "image.npy", "-o", "one.tif", *options]) == 0
assert main(["segment", "image.npy", "-o", "tiles.zarr", "--tile-size-px", "64", *options]) == 0
assert main(["export", "one.tif", "-o", "table.csv", "copy.zarr"]) == 0
assert main(["evaluate", "one.tif", "tiles.zarr"]) == 0
assert main(["segment", "image.npy", "-o", "no.zarr", "--scheduler", "tcp://h:9", *options]) == 1
"""


@pytest.mark.slow
def test_command_and_api_need_no_gui_and_no_cluster(tmp_path, image):
    np.save(tmp_path / "image.npy", image)
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_GUI], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert 'pip install "napari-superpixels[cluster]"' in run.stderr


@pytest.fixture
def cluster():
    """A Dask cluster in this process, with one worker."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster


def steps_of(image, tmp_path, cluster, **options):
    options |= {"channel_axis": -1, "tile_size_px": 64, "halo_px": 32}
    options["scheduler"] = cluster.scheduler_address
    return iter_superpixels_tiled(image, tmp_path / "out.zarr", 60, FAST, **options)


@pytest.mark.slow
def test_the_death_of_the_only_worker_is_told(image, tmp_path, cluster, expected, monkeypatch):
    monkeypatch.setattr(tiles_cluster, "_LOOK_S", 0.1)
    notes = []

    def watch(step):
        if step.phase == "segmenting tiles" and step.done >= 2 and not notes:
            cluster.scale(0)
        if step.note:
            notes.append(step.note)
            cluster.scale(1)

    result = drain(steps_of(image, tmp_path, cluster), watch)
    assert "has no workers any more: start one with “dask worker " in notes[0]
    np.testing.assert_array_equal(zarr.open_array(result.path / "0", mode="r")[:], expected)


@pytest.mark.slow
def test_where_no_worker_comes_the_run_ends(image, tmp_path, cluster, expected, monkeypatch):
    monkeypatch.setattr(tiles_cluster, "_LOOK_S", 0.1)
    monkeypatch.setattr(progress, "PATIENCE_S", 1)

    def stop(step):
        if step.phase == "segmenting tiles" and step.done >= 2:
            cluster.scale(0)

    with pytest.raises(RunBrokenOff, match=r"nothing was done: .* has no workers any more"):
        drain(steps_of(image, tmp_path, cluster), stop)
    cluster.scale(1)
    result = drain(steps_of(image, tmp_path, cluster, resume=True))
    np.testing.assert_array_equal(zarr.open_array(result.path / "0", mode="r")[:], expected)


# Loaded by Python before anything else.
BLOCK = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "napari_superpixels":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


@pytest.mark.slow
def test_a_worker_that_lacks_the_package_is_named(image, tmp_path, cluster):
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(BLOCK)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address]
    worker = subprocess.Popen(
        [*command, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "python")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=60)
        with pytest.raises(TilingError, match=r"lack this package: tcp://\S+ \(No module named"):
            drain(steps_of(image, tmp_path, cluster))
    finally:
        worker.kill()
        worker.wait()
    assert not (tmp_path / "out.zarr.partial").exists()
