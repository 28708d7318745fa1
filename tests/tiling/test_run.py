"""Tiled runs: one map without seams, whatever runs it; killed runs go on."""

from __future__ import annotations

import errno
import os

import dask.array as da
import numpy as np
import psutil
import pytest
import tifffile
import zarr
from distributed import LocalCluster
from skimage.measure import label

from napari_superpixels import metrics, superpixels
from napari_superpixels.errors import FileExists, RunBrokenOff, SuperpixelError, TilingError
from napari_superpixels.events import drain
from napari_superpixels.tiling import checkpoint, tasks
from napari_superpixels.tiling import cluster as engine
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.quick import FAST


def assert_superpixels(labels, n_segments, outside=None):
    """Ids 1...K ≤ N, each 4-connected, 0 exactly outside."""
    ids = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
    assert len(ids) <= n_segments
    assert label(labels, background=0, connectivity=1).max() == len(ids)
    np.testing.assert_array_equal(
        labels == 0, np.zeros(labels.shape, bool) if outside is None else outside
    )


@pytest.mark.slow
def test_one_map_over_all_tiles(image, segment):
    labels, result = segment(image, channel_axis=-1)
    assert_superpixels(labels, 60)
    assert (result.n_tiles, result.n_obtained) == (12, labels.max())
    assert result.device.startswith("cpu (")
    assert result.n_obtained > 40
    truth = (np.mgrid[:150, :210][0] // 23) * 10 + np.mgrid[:150, :210][1] // 31
    whole = superpixels(image, 60, preset="fast", iterations=10, channel_axis=-1)
    accuracy = metrics.achievable_segmentation_accuracy
    assert accuracy(labels, truth) > accuracy(whole, truth) - 0.03


def test_borders_do_not_follow_tile_edges(image, segment):
    flat = np.random.default_rng(1).normal(0, 1, image.shape[:2])  # nothing but noise
    labels, result = segment(flat, n_segments=120)
    assert_superpixels(labels, 120)
    across = labels[:, 1:] != labels[:, :-1]
    edges = across[:, result.tile_px[1] - 1 :: result.tile_px[1]]
    assert edges.mean() < across.mean() + 3 * across.mean(axis=0).std()


@pytest.mark.slow
def test_another_image_in_the_same_place(image, segment):
    segment(image, channel_axis=-1)
    other = image[::-1].copy()
    labels, _ = segment(other, channel_axis=-1, overwrite=True)
    expected, _ = segment(other, "expected.zarr", channel_axis=-1)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.slow
def test_relative_names_and_workers_in_another_folder(image, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("image.npy", image)
    from distributed import Client, LocalCluster

    environment = {"processes": True, "n_workers": 1, "threads_per_worker": 1}
    with LocalCluster(**environment, dashboard_address="127.0.0.1:0") as cluster:
        with Client(cluster, set_as_default=False) as client:
            client.run(os.chdir, "/")
        steps = iter_superpixels_tiled(
            "image.npy", "out.zarr", 60, FAST, channel_axis=-1, tile_size_px=64, halo_px=32,
            scheduler=cluster.scheduler_address,
        )  # fmt: skip
        result = drain(steps)
    np.testing.assert_array_equal(zarr.open_array(result.path / "0", mode="r")[:], expected)


def test_no_workers(image, segment):
    with pytest.raises(ValueError, match="n_workers must be 1 or more"):
        segment(image, channel_axis=-1, n_workers=0)


@pytest.mark.slow
def test_same_result_from_threads_and_processes(image, segment, expected):
    labels, _ = segment(image, channel_axis=-1, n_workers=2)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dask", "zarr", "tif", "npy", "ome-zarr"])
def test_lazy_images(image, segment, tmp_path, kind, expected):
    path = tmp_path / f"image.{kind}"
    axis = -1
    if kind == "dask":
        lazy = da.from_array(image, chunks=(50, 60, 3))
    elif kind == "zarr":
        lazy = zarr.create_array(path, data=image, chunks=(40, 40, 3))
    elif kind == "tif":
        tifffile.imwrite(path, image, tile=(64, 64), compression="lzw", photometric="rgb")
        lazy, axis = path, None
    elif kind == "npy":
        np.save(path, image)
        lazy = path
    else:
        root = zarr.open_group(path, mode="w")
        root.create_array("full", data=np.moveaxis(image, -1, 0), chunks=(1, 64, 64))
        axes = [{"name": n} for n in "cyx"]
        root.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "full"}]}]
        lazy, axis = path, None
    labels, _ = segment(lazy, channel_axis=axis)
    if kind == "ome-zarr":  # channels first are no colours
        expected, _ = segment(np.moveaxis(image, -1, 0), "expected.zarr", channel_axis=0)
    np.testing.assert_array_equal(labels, expected)


def test_mask_nodata_and_nan(image, segment):
    grey = image[..., 0].astype(np.float32)
    grey[20:60, 100:130] = -7
    grey[100:110, 10:20] = np.nan
    mask = np.ones(grey.shape, np.uint8)
    mask[:, :15] = 0
    labels, _ = segment(grey, mask=mask, nodata=-7)
    outside = (mask == 0) | (grey == -7) | np.isnan(grey)
    assert_superpixels(labels, 60, outside)
    with pytest.raises(ValueError, match=r"of the image are NaN or infinite.*nodata=nan"):
        segment(grey, "nan.zarr")
    with pytest.raises(ValueError, match="differ in shape"):
        segment(grey, "mask.zarr", mask=mask[1:])
    with pytest.raises(ValueError, match="no pixel is left"):
        segment(np.full((90, 90), 3.0), "nothing.zarr", nodata=3)


def test_result_is_ome_zarr_with_a_pyramid(segment):
    _, result = segment(
        np.random.default_rng(0).normal(size=(600, 130)), pixel_size=(0.5, 0.25), unit="um"
    )
    root = zarr.open_group(result.path, mode="r")
    scales = root.attrs["multiscales"][0]
    assert [a["unit"] for a in scales["axes"]] == ["micrometer"] * 2
    shown = [d["coordinateTransformations"][0]["scale"] for d in scales["datasets"]]
    assert shown == [[0.5, 0.25], [1.0, 0.5]]
    np.testing.assert_array_equal(root["1"][:], root["0"][::2, ::2])
    assert root.attrs["napari-superpixels"]["n_obtained"] == result.n_obtained
    assert not result.path.with_name("out.zarr.partial").exists()


def test_levels_of_a_narrow_image(segment):
    image = np.random.default_rng(0).integers(0, 255, (3, 1100), np.uint8)
    _, result = segment(image, pixel_size=(1, 2), n_segments=30)
    datasets = zarr.open_group(result.path, mode="r").attrs["multiscales"][0]["datasets"]
    scales = [level["coordinateTransformations"][0]["scale"] for level in datasets]
    assert scales == [[1, 2], [2, 4], [4, 8]]


def test_exact_count(image, segment):
    labels, _ = segment(image, n_segments=70, channel_axis=-1, params=FAST.replace(count="exact"))
    assert labels.max() == 70


def broken(image, row):
    """A dask image of which one chunk cannot be read."""

    def block(part, block_info):
        if block_info[0]["chunk-location"][0] == row:
            raise OSError("chunk is truncated")
        return part

    lazy = da.from_array(image, chunks=(75, 210, 3))
    return lazy.map_blocks(block, dtype=image.dtype, meta=np.empty((0, 0, 0), image.dtype))


def test_what_a_mask_does_not_leave_out_is_to_be_taken_out_of_it(image, segment):
    mask = np.ones(image.shape[:2], bool)
    with pytest.raises(TilingError, match=r"copy or export it again, or take them out of the mask"):
        segment(broken(image, 1), channel_axis=-1, mask=mask)


def test_failed_tiles_are_told_and_the_others_kept(image, segment, tmp_path, monkeypatch, expected):
    with pytest.raises(
        TilingError, match=r"pixels .* cannot be read \(chunk is truncated\).*resume"
    ):
        segment(broken(image, 1), channel_axis=-1)
    assert not (tmp_path / "out.zarr").exists()
    scans = list((tmp_path / "out.zarr.partial" / "scan").glob("*.npz"))
    assert len(scans) == 4  # the first row of tiles
    labels, _ = segment(da.from_array(image), channel_axis=-1, resume=True)  # mended
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.slow
def test_full_disk_in_the_end(image, segment, tmp_path, monkeypatch, expected):
    def full(self, output):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.Checkpoint, "finish", full)
        with pytest.raises(RunBrokenOff) as caught:
            segment(image, channel_axis=-1)
        assert caught.value.reason.startswith("No space left on device; free some space, or write")
        assert caught.value.folder.endswith("out.zarr.partial")
    labels, _ = segment(image, channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)


def test_full_disk(image, segment, tmp_path, monkeypatch, expected):
    save, n_saved = np.savez_compressed, []

    def full(path, **arrays):
        n_saved.append(path)
        if len(n_saved) > 15:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, **arrays)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.np, "savez_compressed", full)
        with pytest.raises(TilingError, match="No space left on device; free some space, or write"):
            segment(image, channel_axis=-1)
    assert not list(tmp_path.rglob(".partial-*"))
    with monkeypatch.context() as patched:  # told before anything is started
        patched.setattr("napari_superpixels.tiling.run.Engine", None)
        with pytest.raises(TilingError, match=r"was not finished.*resume"):
            segment(image, channel_axis=-1)
    with pytest.raises(TilingError, match=r"was not finished.*resume"):
        segment(image, channel_axis=-1)
    with pytest.raises(TilingError, match=r"differs in n_segments \(60, now 61\); go on with"):
        segment(image, channel_axis=-1, n_segments=61, resume=True)
    labels, _ = segment(image, channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)


def test_a_stopped_run_goes_on(image, segment, tmp_path, monkeypatch, expected):
    segmented = []
    original = tasks.segment_tile
    monkeypatch.setattr(
        tasks, "segment_tile", lambda *a, **k: segmented.append(a[3].index) or original(*a, **k)
    )
    steps = iter_superpixels_tiled(
        image, tmp_path / "out.zarr", 60, FAST, channel_axis=-1, tile_size_px=64, halo_px=32
    )
    for step in steps:
        if step.phase == "segmenting tiles" and step.done >= 3:
            break
    steps.close()
    done = set(segmented)
    assert 3 <= len(done) < 12
    finished = {
        tuple(map(int, f.stem.split("-")))
        for f in (tmp_path / "out.zarr.partial" / "tiles").glob("*.npz")
    }
    segmented.clear()
    labels, _ = segment(image, channel_axis=-1, resume=True)
    assert not finished & set(segmented)  # a tile is segmented once
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(image, tmp_path, expected):
    options = {"channel_axis": -1, "tile_size_px": 64, "halo_px": 32, "n_workers": 2}
    steps = iter_superpixels_tiled(image, tmp_path / "out.zarr", 60, FAST, **options)
    killed = []

    def kill_one(step):
        if step.phase == "segmenting tiles" and step.done >= 2 and not killed:
            workers = [
                child
                for child in psutil.Process().children()
                if "spawn_main" in " ".join(child.cmdline())
            ]
            killed.append(workers[0])
            killed[0].kill()

    result = drain(steps, kill_one)
    assert killed
    np.testing.assert_array_equal(zarr.open_array(result.path / "0", mode="r")[:], expected)


@pytest.mark.slow
def test_a_running_cluster(image, segment, expected):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        labels, _ = segment(image, channel_axis=-1, scheduler=cluster.scheduler_address)
    np.testing.assert_array_equal(labels, expected)


def test_no_such_scheduler(image, segment, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "_TIMEOUT_S", 1)
    with pytest.raises(TilingError, match="does not answer"):
        segment(image, channel_axis=-1, scheduler="tcp://127.0.0.1:9")
    assert not list(tmp_path.iterdir())  # nothing that would stand in the way of the next try


def test_a_scheduler_without_workers(image, segment, monkeypatch):
    monkeypatch.setattr(engine, "_WORKERS_TIMEOUT_S", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        pytest.raises(TilingError, match="has no workers: start one"),
    ):
        segment(image, channel_axis=-1, scheduler=cluster.scheduler_address)


def test_the_number_asked_for_is_among_the_parameters(image, segment):
    _, result = segment(image, channel_axis=-1, n_segments=45)
    assert result.provenance()["parameters"]["n_segments"] == 45


def test_a_worker_without_gpu(image, segment, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises((SuperpixelError, ValueError), match="CUDA"):
        segment(image, channel_axis=-1, device="cuda")


@pytest.mark.slow
def test_an_existing_output_stays(image, segment, tmp_path):
    segment(image, channel_axis=-1)
    with pytest.raises(FileExists):
        segment(image, channel_axis=-1)
    segment(image, channel_axis=-1, overwrite=True)


@pytest.mark.slow
def test_many_channels_become_the_same_few_in_all_tiles(image, segment):
    rng = np.random.default_rng(0)
    bands = np.tensordot(rng.normal(size=(20, 3)), image[:90, :130].astype(float), (1, 2))
    bands += rng.normal(0, 5, bands.shape)
    few = FAST.replace(max_channels=3)
    one, _ = segment(bands, "threads.zarr", channel_axis=0, params=few)
    assert_superpixels(one, 60)
    two, _ = segment(bands, "processes.zarr", channel_axis=0, params=few, n_workers=2)
    np.testing.assert_array_equal(one, two)
    truth = (np.mgrid[:90, :130][0] // 23) * 10 + np.mgrid[:90, :130][1] // 31
    options = {"preset": "fast", "iterations": 10, "max_channels": 3}
    whole = superpixels(bands, 60, channel_axis=0, **options)
    accuracy = metrics.achievable_segmentation_accuracy
    assert accuracy(one, truth) > accuracy(whole, truth) - 0.03


@pytest.mark.slow
def test_chosen_channels_of_an_array(image, segment):
    bands = np.moveaxis(image, -1, 0)
    expected, _ = segment(bands[[2, 0]], "expected.zarr", channel_axis=0)
    for name, source in (("numpy", bands), ("dask", da.from_array(bands, chunks=(1, 64, 64)))):
        chosen, result = segment(source, f"{name}.zarr", channel_axis=0, channels=[2, 0])
        np.testing.assert_array_equal(chosen, expected)
        assert result.provenance()["channels"] == [2, 0]
    for channels, message in (([3], "0 to 2; 3 cannot"), ([1, 1], "chosen twice"), ([], "none")):
        with pytest.raises(ValueError, match=message):
            segment(bands, "no.zarr", channel_axis=0, channels=channels)
