"""Ctrl+C while something is written: it ends the command, and nothing is lost; links stay."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.cli.main import main
from napari_superpixels.errors import FileExists
from napari_superpixels.io.atomic import atomic_write
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.labels import read_labels

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and links of POSIX")


def make(path, kind, content):
    """A file or folder with some content."""
    if kind == "file":
        path.write_text(content)
    else:
        path.mkdir()
        (path / "content").write_text(content)


def content_of(path):
    return (path if path.is_file() else path / "content").read_text()


@pytest.mark.parametrize("before", ["file", "folder", None])
@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("after_the_call", [False, True])
@pytest.mark.parametrize("step", range(3))
def test_interrupted_at_a_rename(tmp_path, monkeypatch, before, new, after_the_call, step):
    if before == "folder" and new == "file":
        pytest.skip("refused")
    path = tmp_path / "out.zarr"
    if before:
        make(path, before, "old")
    originals = {name: getattr(Path, name) for name in ("rename", "replace")}
    calls = []

    def interrupted(name):
        def call(self, target):
            calls.append(name)
            now = len(calls) == step + 1
            if now and not after_the_call:
                raise KeyboardInterrupt
            result = originals[name](self, target)
            if now:
                raise KeyboardInterrupt
            return result

        return call

    with monkeypatch.context() as patched:
        for name in originals:
            patched.setattr(Path, name, interrupted(name))
        try:
            with atomic_write(path, overwrite=True) as partial:
                make(partial, new, "new")
        except KeyboardInterrupt:
            assert len(calls) > step
        else:
            assert len(calls) <= step
    if before:
        assert content_of(path) in ("old", "new")
    if path.exists():  # and nothing else, but what was put aside where the new one is in place
        others = [p for p in tmp_path.iterdir() if p != path]
        assert content_of(path) == "new" or others == []
        assert all(content_of(p) == "old" for p in others)
    else:
        assert list(tmp_path.iterdir()) == []


def test_interrupted_twice_the_old_is_kept_aside(tmp_path, monkeypatch):
    path = tmp_path / "out.zarr"
    make(path, "folder", "old")
    rename, calls = Path.rename, []

    def interrupted(self, target):
        calls.append(target)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt), atomic_write(path, overwrite=True) as partial:
            make(partial, "folder", "new")
    (kept,) = tmp_path.iterdir()
    assert content_of(kept) == "old"


# A signal that comes while Zarr's own threads write, as often as there are chunks to write.
ZARR = """
import os, signal, sys, threading
import numpy as np
from zarr.storage import LocalStore
from napari_superpixels.cli.main import main

write, n_written = LocalStore.set, 0

async def set(self, key, value):
    global n_written
    n_written += 1
    if n_written == int(sys.argv[1]):
        signal.raise_signal(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    await write(self, key, value)

LocalStore.set = set
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(["export", "labels.npy", "-o", "out.zarr", "other.csv", "--force"]))
"""


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize("exists", [True, False])
def test_ctrl_c_while_a_zarr_is_written_ends_the_command(tmp_path, n, exists):
    labels = np.random.default_rng(0).integers(1, 60_000, (1200, 1300))
    np.save(tmp_path / "labels.npy", labels)
    old = np.ones((20, 20), int)
    if exists:
        export_labels(tmp_path / "out.zarr", old)
    done = subprocess.run(
        [sys.executable, "-c", ZARR, str(n)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 130, done.stderr
    told = "napari-superpixels: interrupted; nothing was left under a final name\n"
    assert done.stderr == told
    assert done.stdout == ""
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == (["labels.npy", "out.zarr"] if exists else ["labels.npy"])
    if exists:
        np.testing.assert_array_equal(read_labels(tmp_path / "out.zarr").labels, old)


@pytest.mark.parametrize("n_before", [0, 1, 2, 5])
def test_what_is_written_is_told(tmp_path, monkeypatch, capsys, n_before):
    np.save(tmp_path / "labels.npy", np.ones((20, 30), int))
    names = ["a.csv", "b.tif", "c.ome.tif", "d.edges.csv", "e.graphml"]
    written = [str(tmp_path / name) for name in names[:n_before]]
    from napari_superpixels.io.formats import registry

    write = registry.write

    def interrupted(path, *arguments, **options):
        if path.name == "last.tif":
            raise KeyboardInterrupt
        write(path, *arguments, **options)

    monkeypatch.setattr(registry, "write", interrupted)
    outputs = [*written, str(tmp_path / "last.tif")]
    assert main(["export", str(tmp_path / "labels.npy"), "-o", *outputs]) == 130
    told = capsys.readouterr().err
    assert ("nothing was left" in told) == (n_before == 0)
    assert [name for name in written if name in told] == written[:3]
    assert ("and 2 more" in told) == (n_before == 5)


def test_a_batch_that_is_interrupted_tells_what_is_done(tmp_path, monkeypatch, capsys, rng):
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", rng.integers(0, 255, (40, 50)).astype(np.uint8))
    from napari_superpixels.cli import segment

    once = segment._segment_at_once

    def interrupted(found, *arguments):
        if found.path.name == "b.npy":
            raise KeyboardInterrupt
        return once(found, *arguments)

    monkeypatch.setattr(segment, "_segment_at_once", interrupted)
    quick = ["--n-segments", "9", "--iterations", "4", "--hidden-channels", "4", "4", "--quiet"]
    assert main(["segment", str(tmp_path), "-o", f"{tmp_path}/out/", *quick]) == 130
    told = capsys.readouterr().err
    assert f"written before that: {tmp_path / 'out' / 'a_superpixels.tif'}" in told


@POSIX
@pytest.mark.parametrize("suffix", [".tif", ".csv", ".zarr"])
def test_what_a_link_names_is_replaced_and_the_link_stays(tmp_path, suffix):
    disk = tmp_path / "disk"
    disk.mkdir()
    target, link = disk / f"kept{suffix}", tmp_path / f"out{suffix}"
    link.symlink_to(target)
    labels = np.arange(1, 31).reshape(5, 6)
    with pytest.raises(FileExists):  # a link that leads nowhere, as well
        export_labels(link, labels)
    assert not target.exists()
    for _ in range(2):
        export_labels(link, labels, overwrite=True)
        assert link.is_symlink()
        assert link.readlink() == target
        assert [path.name for path in disk.iterdir()] == [target.name]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", link.name]
    if suffix != ".csv":
        np.testing.assert_array_equal(read_labels(target).labels, labels)


def _export_until(interrupt, path, labels):
    while interrupt:
        export_labels(path, labels, overwrite=True)


@POSIX
def test_a_signal_in_a_thread_of_zarr_is_no_error_of_the_disk(tmp_path):
    """The writer's own threads end before the folder that they write to is removed."""
    labels = np.random.default_rng(0).integers(1, 60_000, (1200, 1300))
    interrupt = [True]

    def handler(*_):
        if interrupt:
            interrupt.clear()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        with pytest.raises(KeyboardInterrupt):
            _export_until(interrupt, tmp_path / "out.zarr", labels)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [p.name for p in tmp_path.iterdir() if p.name != "out.zarr"] == []
