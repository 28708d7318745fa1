"""The command as a user types it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
import zarr

from napari_superpixels import SuperpixelParams, get_preset, metrics, superpixels
from napari_superpixels.cli.main import main
from napari_superpixels.io.formats import read_provenance
from tests.fixtures.files import labels_in

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]


def test_segment_is_the_api(tmp_path, photo, tiles_image, capsys):
    out = tmp_path / "labels.tif"
    assert main(["segment", str(photo), "-o", str(out), "--seed", "3", *QUICK]) == 0
    expected = superpixels(
        tiles_image, 9, channel_axis=-1, seed=3, iterations=4, hidden_channels=(4, 4)
    )
    np.testing.assert_array_equal(labels_in(out), expected)
    printed = capsys.readouterr().out
    assert f"{expected.max()} superpixels of 9 asked for" in printed
    provenance = read_provenance(out)
    params = SuperpixelParams.from_dict(provenance["parameters"])
    assert params == get_preset("balanced").replace(
        n_segments=9, seed=3, iterations=4, hidden_channels=(4, 4)
    )
    assert provenance["source"] == "photo.png"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".npy", ".tif"])
def test_every_input_format(tmp_path, tiles_image, suffix):
    path = tmp_path / f"in{suffix}"
    extra = []
    if suffix == ".npy":
        np.save(path, tiles_image)
        extra = ["--channel-axis", "-1"]
    elif suffix == ".tif":
        tifffile.imwrite(path, tiles_image, photometric="rgb")
    else:
        iio.imwrite(path, tiles_image)
    out = tmp_path / "out.npy"
    assert main(["segment", str(path), "-o", str(out), *extra, *QUICK]) == 0
    assert labels_in(out).shape == (48, 64)


def test_refuses_to_overwrite_unless_forced(tmp_path, photo, capsys):
    out = tmp_path / "labels.tif"
    out.write_bytes(b"precious")
    assert main(["segment", str(photo), "-o", str(out), *QUICK]) == 1
    assert out.read_bytes() == b"precious"
    assert "exists already; use --force" in capsys.readouterr().err
    assert main(["segment", str(photo), "-o", str(out), "--force", *QUICK]) == 0
    assert labels_in(out).max() > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.png", "-o", "out.tif"], "no.png: no such file"),
        (["{photo}", "-o", "out.jpg"], "write labels as one of .tif"),
        (["{photo}", "{photo}", "-o", "out.tif"], "several images need a folder"),
        (["{photo}", "{photo}", "-o", "out/"], "photo.png would both be written to out"),
        (["{photo}", "-o", "no/such/out.tif"], "no such folder"),
        (["{photo}", "-o", "bad.toml/out.tif"], "bad.toml: is a file; choose a folder"),
        (["text.npy", "-o", "out.tif"], "(its content is no picture of a kind that is known)"),
        (["text.png", "-o", "out.tif"], "(its content is no picture of a kind that is known)"),
        (["line.npy", "-o", "out.tif"], "got 1 (9,): it has no rows and columns"),
        (["plane.npy", "-o", "out.tif", "--channel-axis", "0"], "none of its axes holds channels"),
        (["{photo}", "-o", "out.tif", "--lam", "7"], " --lam must be 0 to 3"),
        (["{photo}", "-o", "out.zarr", "--workers", "0"], " --workers must be 1 or more"),
        (["{photo}", "-o", "out.zarr", "--n-segments", "0"], " --n-segments must be 1 to"),
        (["{photo}", "-o", "out.tif", "--params", "bad.toml"], "bad.toml: lam must be 0 to 3"),
        (["{photo}", "-o", "out.tif", "--device", "tpu"], "unknown device 'tpu'"),
        (["{photo}", "-o", "out.tif", "--params", "no.toml"], "no.toml: no such file"),
        (["{photo}", "-o", "out.tif", "--mask", "no.tif"], "no.tif: no such file"),
        (
            ["{photo}", "-o", "out.tif", "--memory-limit-gb", "0.001"],
            "more than the memory limit of 0.001 GB",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, photo, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("[superpixels]\nlam = 9.0\n")
    for name in ("text.npy", "text.png"):
        (tmp_path / name).write_text("Dear colleague, here is the image.")
    np.save(tmp_path / "line.npy", np.arange(9))
    np.save(tmp_path / "plane.npy", np.ones((9, 9)))
    code = main(["segment", *(a.format(photo=photo) for a in arguments)])
    complaint = capsys.readouterr().err
    assert code == 1
    assert message in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("arguments", [[], ["segment"], ["segment", "a", "--nope"], ["paint"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_parameter_file_and_flags(tmp_path, photo):
    SuperpixelParams(lam=1.5, n_segments=5, iterations=3, hidden_channels=(4,)).save(
        tmp_path / "p.toml"
    )
    out = tmp_path / "o.tif"
    arguments = ["--params", str(tmp_path / "p.toml"), "--n-segments", "7", "--quiet"]
    assert main(["segment", str(photo), "-o", str(out), *arguments]) == 0
    used = read_provenance(out)["parameters"]
    assert (used["lam"], used["n_segments"], used["iterations"]) == (1.5, 7, 3)


def test_mask_and_nodata(tmp_path):
    image = np.random.default_rng(0).uniform(1, 2, (20, 30)).astype(np.float32)
    image[:3] = -9999
    mask = np.zeros((20, 30), np.uint8)
    mask[:, 5:] = 7
    tifffile.imwrite(tmp_path / "i.tif", image)
    tifffile.imwrite(tmp_path / "m.tif", mask)
    out = tmp_path / "o.tif"
    extra = ["--mask", str(tmp_path / "m.tif"), "--nodata", "-9999"]
    assert main(["segment", str(tmp_path / "i.tif"), "-o", str(out), *extra, *QUICK]) == 0
    np.testing.assert_array_equal(labels_in(out) > 0, (mask > 0) & (image > 0))


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}, {}])
@pytest.mark.parametrize("axis", ["Z", "T"])
@pytest.mark.parametrize("n", [3, 5])
def test_a_stack_is_explained_and_a_plane_chosen(tmp_path, capsys, rng, options, axis, n):
    stack = rng.integers(0, 65535, (n, 20, 30), dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "z.tif",
        stack,
        photometric="minisblack",
        metadata={"axes": f"{axis}YX"},
        **options,
    )
    command = ["segment", str(tmp_path / "z.tif"), "-o", str(tmp_path / "o.tif"), *QUICK]
    assert main(command) == 1
    complaint = capsys.readouterr().err
    assert f"z.tif: it is a stack with the axes {axis} ({n}), Y (20), X (30)" in complaint
    assert "choose one plane with --plane, take all with --series, all as one" in complaint
    assert main([*command, "--plane", "5"]) == 1
    assert f"--plane takes 0 to {n - 1}; got 5" in capsys.readouterr().err
    assert main([*command, "--plane", "2"]) == 0
    expected = superpixels(stack[2], 9, iterations=4, hidden_channels=(4, 4))
    np.testing.assert_array_equal(labels_in(tmp_path / "o.tif"), expected)
    assert main([*command, "--channel-axis", "0", "--force"]) == 0
    expected = superpixels(stack, 9, channel_axis=0, iterations=4, hidden_channels=(4, 4))
    np.testing.assert_array_equal(labels_in(tmp_path / "o.tif"), expected)


def test_an_array_of_unknown_axes_is_explained(tmp_path, capsys, rng):
    for shape, wanted in (
        ((3, 20, 30), "or that it is a volume, with --volume; or choose one plane of a stack with"),
        ((2, 3, 20, 30), "must have 2 axes, got 4 (2, 3, 20, 30): choose one plane of a stack"),
    ):
        np.save(tmp_path / "a.npy", rng.random(shape))
        command = ["segment", str(tmp_path / "a.npy"), "-o", str(tmp_path / "o.tif"), *QUICK]
        assert main(command) == 1
        assert wanted in capsys.readouterr().err


def test_a_plane_of_a_stack_with_channels(tmp_path, capsys, rng):
    stack = rng.integers(0, 255, (4, 3, 20, 30), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "t.tif", stack, imagej=True, metadata={"axes": "TCYX"})
    out = tmp_path / "o.tif"
    command = ["segment", str(tmp_path / "t.tif"), "-o", str(out), *QUICK]
    assert main(command) == 1
    assert "a stack with the axes T (4), C (3), Y (20), X (30)" in capsys.readouterr().err
    assert main([*command, "--plane", "2"]) == 0
    expected = superpixels(stack[2], 9, channel_axis=0, iterations=4, hidden_channels=(4, 4))
    np.testing.assert_array_equal(labels_in(out), expected)


def test_an_input_is_never_overwritten(photo, capsys):
    before = photo.read_bytes()
    assert main(["segment", str(photo), "-o", str(photo), "--force", *QUICK]) == 1
    assert "is an input" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_an_error_of_pytorch_ends_one_image_only(tmp_path, photo, monkeypatch, capsys):
    from napari_superpixels.core.network import optimize

    real, calls = optimize._Run._iterate, []

    def failing_once(*args):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("broken kernel")
        return real(*args)

    monkeypatch.setattr(optimize._Run, "_iterate", failing_once)
    other = tmp_path / "other.png"
    iio.imwrite(other, np.zeros((20, 20), np.uint8))
    assert main(["segment", str(photo), str(other), "-o", f"{tmp_path}/out/", *QUICK]) == 1
    assert "photo.png: broken kernel" in capsys.readouterr().err
    assert (tmp_path / "out" / "other_superpixels.tif").is_file()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_an_interrupted_run_leaves_no_half_file(tmp_path, photo):
    import pty
    import termios

    command = [sys.executable, "-m", "napari_superpixels.cli.main", "segment", str(photo)]
    command += ["-o", str(tmp_path / "out.tif"), "--iterations", "100000"]
    terminal, its_end = pty.openpty()  # the progress bar shows in a terminal only
    termios.tcsetwinsize(its_end, (24, 120))
    process = subprocess.Popen(
        command,
        stderr=its_end,
        # A shell that puts the tests into the background makes them ignore Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(its_end)
    try:
        seen = b""
        while b"superpixels=" not in seen:
            seen += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
    os.set_blocking(terminal, False)
    seen += os.read(terminal, 65536)
    os.close(terminal)
    assert b"interrupted" in seen
    assert b"Traceback" not in seen
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photo.png"]


def test_evaluate(tmp_path, tiles_image, photo, capsys):
    truth = np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1) + 1
    labels = np.arange(6).reshape(3, 2).repeat(16, 0).repeat(32, 1) + 1
    np.save(tmp_path / "l.npy", labels)
    np.save(tmp_path / "t.npy", truth)
    arguments = ["evaluate", str(tmp_path / "l.npy"), str(tmp_path / "t.npy")]
    assert main([*arguments, "--json", "--image", str(photo)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["superpixels"] == 6
    assert figures["achievable segmentation accuracy"] == pytest.approx(0.5)
    assert figures["boundary recall"] == metrics.boundary_recall(labels, truth)
    assert 0 < figures["explained variation"] < 1
    assert main(arguments) == 0
    assert "achievable segmentation accuracy   0.5000" in capsys.readouterr().out


def test_evaluate_averages_annotators(tmp_path, capsys):
    labels = np.array([[1, 1, 2, 2]])
    cell = np.empty((1, 2), object)
    cell[0, 0] = {"Segmentation": np.array([[1, 1, 2, 2]], np.uint16)}
    cell[0, 1] = {"Segmentation": np.array([[1, 2, 3, 4]], np.uint16)}
    scipy.io.savemat(tmp_path / "t.mat", {"groundTruth": cell})
    np.save(tmp_path / "l.npy", labels)
    assert main(["evaluate", str(tmp_path / "l.npy"), str(tmp_path / "t.mat"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["achievable segmentation accuracy"] == pytest.approx((1 + 0.5) / 2)
    assert figures["ground truths"] == 2


def test_evaluate_says_what_does_not_fit(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.ones((3, 3), int))
    np.save(tmp_path / "b.npy", np.ones((4, 3), int))
    assert main(["evaluate", str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]) == 1
    assert "differ in shape" in capsys.readouterr().err
    np.save(tmp_path / "stack.npy", np.ones((2, 3, 3), int))
    assert main(["evaluate", str(tmp_path / "stack.npy"), str(tmp_path / "a.npy")]) == 1
    assert "is a stack of 2 planes; write the one to measure with" in capsys.readouterr().err


def test_evaluate_reads_what_is_written(tmp_path, rng, capsys):
    labels = rng.permutation(300 * 300).reshape(300, 300) + 1
    np.save(tmp_path / "l.npy", labels)
    for name in ("imagej.tif", "l.zarr"):  # above 65535, TIFF for ImageJ holds floats
        written = str(tmp_path / name)
        assert main(["export", str(tmp_path / "l.npy"), "-o", written]) == 0
        truth = written if name == "l.zarr" else str(tmp_path / "l.npy")
        assert main(["evaluate", written, truth, "--json"]) == 0
        figures = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert figures["superpixels"] == 90_000
        assert figures["achievable segmentation accuracy"] == 1


def test_info(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in ("torch", "napari-superpixels", "cpu: ", "GB free", "auto picks"):
        assert word in printed


def test_help_lists_every_parameter(capsys):
    with pytest.raises(SystemExit) as end:
        main(["segment", "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    for name in SuperpixelParams.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in printed


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_help_on_a_terminal_without_greek_letters(encoding):
    command = [sys.executable, "-m", "napari_superpixels.cli.main", "segment", "--help"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"--hidden-channels" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["follow", "alone"])
def test_series(tmp_path, tiles_image, capsys, mode):
    stack = tmp_path / "stack.tif"
    frames = np.stack([np.roll(tiles_image[..., 0], t, axis=1) for t in range(3)])
    tifffile.imwrite(stack, frames, imagej=True, metadata={"axes": "TYX"})
    out = tmp_path / "out.tif"
    assert main(["segment", str(stack), "-o", str(out), "--series", mode, *QUICK]) == 0
    labels = tifffile.imread(out)
    assert labels.shape == frames.shape
    assert "3 frames" in capsys.readouterr().out
    if mode == "alone":
        expected = superpixels(frames[1], 9, iterations=4, hidden_channels=(4, 4))
        np.testing.assert_array_equal(labels[1], expected + labels[0].max())
    assert main(["segment", str(stack), "-o", str(tmp_path / "o.png"), "--series", mode]) == 1
    assert "o.png: this format holds one plane, not a stack" in capsys.readouterr().err
    assert main(["segment", str(stack), "-o", str(tmp_path / "o.tif")]) == 1
    assert "take all with --series" in capsys.readouterr().err


def test_series_in_every_format_that_holds_one_and_a_photo_among_them(tmp_path, tiles_image):
    frames = np.stack([tiles_image[..., 0]] * 2)
    about = {"axes": "TYX", "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, resolution=(4, 2), metadata=about)
    tifffile.imwrite(tmp_path / "b.tif", tiles_image, photometric="rgb")
    kinds = ["tif", "npy", "zarr", "ome.tif", "csv", "parquet", "graphml", "edges.csv"]
    out = tmp_path / "out"
    command = ["segment", str(tmp_path / "*.tif"), "-o", f"{out}/", "--series", "follow", *QUICK]
    assert main([*command, "--format", *kinds]) == 0
    assert len(list(out.iterdir())) == 2 * len(kinds)
    labels = np.load(out / "a_superpixels.npy")
    with tifffile.TiffFile(out / "a_superpixels.ome.tif") as tiff:
        assert tiff.series[0].axes == "TYX"
        np.testing.assert_array_equal(tiff.asarray(), labels)
    np.testing.assert_array_equal(zarr.open(out / "a_superpixels.zarr")["0"][:], labels)
    table = pd.read_csv(out / "a_superpixels.csv")
    for number, frame in enumerate(labels):
        rows = table[table["frame"] == number]
        np.testing.assert_array_equal(rows["area_px"], np.bincount(frame.ravel())[rows["label"]])
        expected = [frames[number][frame == label].mean() for label in rows["label"]]
        np.testing.assert_allclose(rows["mean intensity"], expected)
    np.testing.assert_allclose(table["area"], table["area_px"] / 8)
    assert np.load(out / "b_superpixels.npy").shape == tiles_image.shape[:2]
    # And from the labels, which say that they are frames.
    for name in ("a_superpixels.tif", "a_superpixels.ome.tif"):
        again = ["export", str(out / name), "--image", str(tmp_path / "a.tif")]
        assert main([*again, "-o", str(tmp_path / "t.csv"), "--force"]) == 0
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), table)


@pytest.mark.slow
def test_frames_that_fail_are_listed_and_the_others_done(tmp_path, tiles_image, capsys):
    frames = np.stack([tiles_image[..., 0]] * 4)
    options = {"compression": "zlib", "photometric": "minisblack", "metadata": {"axes": "TYX"}}
    for name in ("good", "bad"):
        tifffile.imwrite(tmp_path / f"{name}.tif", frames, **options)
    with tifffile.TiffFile(tmp_path / "bad.tif") as tiff:
        begin, size = (tiff.pages[1].dataoffsets[0], tiff.pages[1].databytecounts[0])
    with (tmp_path / "bad.tif").open("r+b") as file:
        file.seek(begin)
        file.write(b"x" * size)
    out = tmp_path / "out"
    command = ["segment", str(tmp_path / "*.tif"), "-o", f"{out}/", "--series", "alone", *QUICK]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "1 of 2 images failed" in error
    assert "bad.tif: 1 of 4 frames failed, the others are in" in error
    assert "frame 1: it cannot be read" in error
    incomplete = out / "bad_superpixels.incomplete.tif"
    assert {path.name for path in out.iterdir()} == {"good_superpixels.tif", incomplete.name}
    assert [bool(frame.all()) for frame in tifffile.imread(incomplete)] == [True, False, True, True]
    # What failed is done again once it is mended, the rest is not.
    shutil.copy(tmp_path / "good.tif", tmp_path / "bad.tif")
    assert main(command) == 0
    assert "1 of 2 were done already" in capsys.readouterr().out
    assert tifffile.imread(out / "bad_superpixels.tif").all()


def test_the_pixel_size_of_a_series_reaches_exports_of_its_planes(tmp_path, tiles_image):
    stack, labels, table = (tmp_path / name for name in ("stack.tif", "labels.tif", "t.csv"))
    frames = np.stack([tiles_image[..., 0]] * 2)
    about = {"axes": "TYX", "unit": "um"}
    tifffile.imwrite(stack, frames, imagej=True, resolution=(4, 2), metadata=about)
    assert main(["segment", str(stack), "-o", str(labels), "--series", "alone", *QUICK]) == 0
    assert main(["export", str(labels), "-o", str(table), "--plane", "1"]) == 0
    found = pd.read_csv(table)
    np.testing.assert_allclose(found["area"], found["area_px"] / 8)
    assert set(found["unit"]) == {"um"}


def test_volume(tmp_path, rng, capsys):
    stack, out = tmp_path / "stack.tif", tmp_path / "out.tif"
    voxels = rng.integers(0, 255, (6, 20, 24)).astype(np.uint8)
    size = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(stack, voxels, imagej=True, resolution=(2, 2), metadata=size)
    command = ["segment", str(stack), "-o", str(out), *QUICK]
    assert main([*command, "--volume"]) == 0
    quick = {"iterations": 4, "hidden_channels": (4, 4)}
    expected = superpixels(voxels, 9, spacing=(2.0, 0.5, 0.5), **quick)
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    assert "supervoxels of 9 asked for" in capsys.readouterr().out
    assert read_provenance(out)["pixel_size"] == [2.0, 0.5, 0.5]
    assert read_provenance(out)["spacing"] == [2.0, 0.5, 0.5]
    assert main([*command, "--spacing", "1", "1", "1", "--force"]) == 0
    expected = superpixels(voxels, 9, spacing=(1, 1, 1), **quick)
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    np.save(tmp_path / "bare.npy", voxels)
    bare = ["segment", str(tmp_path / "bare.npy"), "-o", str(tmp_path / "b.npy"), *QUICK]
    assert main([*bare, "--volume"]) == 0
    assert "taken for a cube; see --spacing" in capsys.readouterr().err
    assert main([*command, "--volume", "--tile-size-px", "64", "--force"]) == 1
    assert "--volume does not work in tiles: leave out their options" in capsys.readouterr().err
    assert main([*command, "--spacing", "0", "1", "1", "--force"]) == 1
    assert "three (depth, height and width of a voxel)" in capsys.readouterr().err


def test_json_is_for_scripts(tmp_path, photo, capsys):
    (tmp_path / "b.png").write_bytes(b"no picture")
    command = ["segment", str(photo), str(tmp_path / "b.png"), "-o", f"{tmp_path}/out/", *QUICK]
    assert main([*command, "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["state"] for line in lines] == ["done", "failed"]
    assert lines[0]["written"] == [str(tmp_path / "out" / "photo_superpixels.tif")]
    assert "b.png: cannot be read" in lines[1]["text"]
    assert {line["total"] for line in lines} == {2}
    main([*command, "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[0])["state"] == "skipped"


def test_a_mask_of_another_shape_is_named(tmp_path, photo, capsys):
    np.save(tmp_path / "mask.npy", np.ones((5, 6), np.uint8))
    command = ["segment", str(photo), "--mask", str(tmp_path / "mask.npy"), *QUICK]
    for output in ("o.tif", "o.zarr"):
        assert main([*command, "-o", str(tmp_path / output)]) == 1
        complaint = capsys.readouterr().err
        assert f"the mask {tmp_path / 'mask.npy'} (5, 6) and the image (48, 64) differ" in complaint
        assert not (tmp_path / output).exists()
        assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("output", ["o.tif", "o.zarr"])
def test_a_raster_of_nothing_but_nodata(tmp_path, capsys, output):
    empty = tmp_path / "empty.tif"
    nodata = (42113, "s", 0, "7", True)  # as GDAL writes it
    values = np.full((3, 20, 30), 7, np.uint8)
    tifffile.imwrite(empty, values, photometric="rgb", planarconfig="separate", extratags=[nodata])
    assert main(["segment", str(empty), "-o", str(tmp_path / output), *QUICK]) == 1
    assert f"{empty}: no pixel is left to segment" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["empty.tif"]


def test_transparency_of_another_shape_is_not_called_a_mask_file(tmp_path, capsys):
    path = tmp_path / "image.png"
    iio.imwrite(path, np.full((8, 9, 4), 255, np.uint8))
    assert main(["segment", str(path), "--channel-axis", "0", "-o", str(tmp_path / "l.tif")]) == 1
    error = capsys.readouterr().err
    words = "its own transparency or mask (8, 9) and the image (9, 3) differ in shape"
    assert f"image.png: {words}" in error
