"""What goes wrong while a file is written: a message with a remedy, and no half file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.errors import ExportError, FileExists
from napari_superpixels.io.atomic import atomic_write
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.formats.registry import FORMATS

SUFFIXES = sorted({known.suffixes[0] for known in FORMATS})

# Files may be a little shorter than they have to: what a full disk is to the libraries that write.
FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.georeference import Georeference
import geopandas, pandas, pyarrow.parquet, pyogrio, rasterio.features, roifile, tifffile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
image = np.random.default_rng(0).random((300, 300))
labels = np.arange(300)[:, None] // 15 * 20 + np.arange(300) // 15 + 1
place = Georeference((300, 300), (1, 0, 500_000, 0, -1, 5_800_000), "EPSG:32633", "m")
place = place if {placed} else None
for path in map(Path, sys.argv[1:]):
    export_labels(path, labels, image, place=place)
    size = path.stat().st_size
    path.write_text("mine")
    for limit in (100, size // 2, size - 100, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            export_labels(path, labels, image, place=place, overwrite=True)
        except ExportError as error:
            print(error)
        else:
            print(path, "was written at", limit, "of", size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on file sizes")
@pytest.mark.parametrize("placed", [True, False])
def test_no_half_file_is_left_where_the_disk_is_full(tmp_path, placed):
    paths = [tmp_path / f"out{suffix}" for suffix in SUFFIXES if suffix != ".zarr"]
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(placed=placed), *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    for path in paths:
        failed = [line for line in told if line.startswith(f"{path}: cannot be written (")]
        assert len(failed) == 4, done.stdout
        assert path.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == paths


FULL_ZARR = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import export_labels
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = np.random.default_rng(0)
labels = rng.integers(1, 60_000, (1200, 1300))
for limit in (10, 100, 100, 100, 400, 300_000, 400_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        export_labels(sys.argv[1], labels, labels.astype(np.uint16))
    except ExportError as error:
        print(error)
    else:
        print("was written at", limit)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on file sizes")
def test_an_ome_zarr_on_a_full_disk_leaves_one_message_and_nothing_else(tmp_path):
    path = tmp_path / "out.zarr"
    done = subprocess.run(
        [sys.executable, "-c", FULL_ZARR, str(path)], capture_output=True, text=True, check=True
    )
    told = done.stdout.splitlines()
    assert len(told) == 7
    assert all(line.startswith(f"{path}: cannot be written (File too large)") for line in told)
    assert done.stderr == ""  # such as what zarr was still writing
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_told_with_a_remedy(tmp_path, suffix, monkeypatch):
    labels, path = np.ones((300, 300), int), tmp_path / f"out{suffix}"
    rename = Path.replace if suffix != ".zarr" else Path.rename

    def full(self, target):
        if Path(target) == path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(self, target)

    for name in ("replace", "rename"):
        monkeypatch.setattr(Path, name, full)
    with pytest.raises(ExportError, match=r"out\S+: cannot be written \(No space.*free some space"):
        export_labels(path, labels, labels)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def forbidden():
    """A folder that the process may not write to, also where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)
            Path(name).chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_permission(forbidden, suffix):
    labels = np.ones((30, 30), int)
    words = rf"out{suffix}: cannot be written \(Permission denied\); choose a folder that you may"
    with pytest.raises(ExportError, match=words):
        export_labels(forbidden / f"out{suffix}", labels, labels)
    assert list(forbidden.iterdir()) == []


def test_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=r"t\.csv: .*make the folder first"):
        export_labels(tmp_path / "none" / "t.csv", np.ones((3, 3), int))
    with pytest.raises(ExportError, match=r"t\.csv: .*a part of this name is a file"):
        export_labels(tmp_path / "file" / "t.csv", np.ones((3, 3), int))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_files_and_maps_without_superpixels(tmp_path, suffix):
    path, labels = tmp_path / f"out{suffix}", np.ones((30, 30), int)
    with pytest.raises(
        ValueError, match=r"out\S+: the label map holds no superpixel, all pixels are 0: segment"
    ):
        export_labels(path, labels * 0, labels)
    assert list(tmp_path.iterdir()) == []
    export_labels(path, labels, labels)
    with pytest.raises(FileExists):
        export_labels(path, labels, labels)
    export_labels(path, labels, labels, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_comes_back_where_its_successor_cannot_be_renamed(tmp_path, monkeypatch):
    path = tmp_path / "out.zarr"
    path.mkdir()
    (path / "mine").touch()
    rename = Path.rename

    def fail(self, target):
        if self.parent.name.startswith(".partial") and self.name == path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with (
        pytest.raises(ExportError, match="free some space"),
        atomic_write(path, overwrite=True) as partial,
    ):
        partial.mkdir()
    assert [p.name for p in path.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_a_file(tmp_path):
    (tmp_path / "t.zarr").write_text("no folder")
    export_labels(tmp_path / "t.zarr", np.ones((5, 6), int), overwrite=True)
    assert (tmp_path / "t.zarr").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["t.zarr"]
