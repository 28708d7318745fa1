"""Where tiles run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_superpixels.errors import MissingLibrary
from napari_superpixels.params.options import Resources, TilingOptions
from napari_superpixels.tiling.cluster import Engine


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
