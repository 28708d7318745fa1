"""``segment --channels``: bands of a multi-band TIFF, at once, in tiles and in series."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels import superpixels
from napari_superpixels.cli.main import main
from napari_superpixels.io.formats import read_provenance
from tests.fixtures.files import labels_in

RUN = {"iterations": 4, "hidden_channels": (4, 4)}
QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]


@pytest.fixture
def bands(rng):
    """Eight bands of 16 bits, 40 × 60, of which only 2 and 5 to 7 show an object."""
    image = rng.normal(3000, 100, (8, 40, 60))
    image[[2, 5, 6, 7], 10:30, 20:45] += 1500
    return image.astype(np.uint16)


@pytest.fixture(params=["planes", "pixels", "tiles"])
def path(request, tmp_path, bands):
    """The TIFF, with its bands stored one after the other, by pixel, or by pixel in tiles."""
    path = tmp_path / "bands.tif"
    if request.param == "planes":
        tifffile.imwrite(path, bands, photometric="minisblack", metadata={"axes": "CYX"})
    else:
        tile = (16, 16) if request.param == "tiles" else None
        tifffile.imwrite(
            path, np.moveaxis(bands, 0, -1), photometric="minisblack", planarconfig="contig",
            tile=tile, metadata={"axes": "YXS"},
        )  # fmt: skip
    return path


@pytest.mark.slow
def test_chosen_bands_are_those_of_the_array(tmp_path, path, bands):
    out = tmp_path / "o.tif"
    command = ["segment", str(path), "-o", str(out), "--color-space", "channels", *QUICK]
    assert main([*command, "--channels", "2,5-7"]) == 0
    expected = superpixels(bands[[2, 5, 6, 7]], 9, channel_axis=0, **RUN)
    np.testing.assert_array_equal(labels_in(out), expected)
    assert read_provenance(out)["channels"] == [2, 5, 6, 7]
    assert main([*command, "--channels", "4", "--force"]) == 0
    expected = superpixels(bands[4:5], 9, channel_axis=0, **RUN)
    np.testing.assert_array_equal(labels_in(out), expected)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["zarr", "tif"])
def test_chosen_bands_in_tiles(tmp_path, path, bands, suffix):
    small = tmp_path / "small.tif"
    axes = {"axes": "CYX"}
    tifffile.imwrite(small, bands[[5, 2]], photometric="minisblack", metadata=axes)
    tiles = ["--tile-size-px", "32", "--halo-px", "16", "--color-space", "channels", *QUICK]
    outs = [tmp_path / f"{name}.{suffix}" for name in ("chosen", "expected")]
    assert main(["segment", str(path), "-o", str(outs[0]), "--channels", "5,2", *tiles]) == 0
    assert main(["segment", str(small), "-o", str(outs[1]), *tiles]) == 0
    if suffix == "zarr":
        np.testing.assert_array_equal(*(zarr.open_array(o / "0", mode="r")[:] for o in outs))
        assert zarr.open_group(outs[0], mode="r").attrs["napari-superpixels"]["channels"] == [5, 2]
    else:
        np.testing.assert_array_equal(*map(labels_in, outs))
        assert read_provenance(outs[0])["channels"] == [5, 2]


@pytest.mark.slow
def test_other_channels_are_another_run(tmp_path, path, capsys, monkeypatch):
    tiles = ["--tile-size-px", "32", "--halo-px", "16", *QUICK]
    command = ["segment", str(path), "-o", str(tmp_path / "o.zarr"), *tiles]

    def fail(*_arguments):
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr("napari_superpixels.tiling.tasks.segment", fail)
        assert main([*command, "--channels", "2,5"]) == 1
    capsys.readouterr()
    assert main([*command, "--channels", "2,6", "--resume"]) == 1
    assert "image" in capsys.readouterr().err
    assert main([*command, "--channels", "2,5", "--resume"]) == 0


def test_chosen_bands_of_a_series(tmp_path, rng):
    stack = rng.integers(0, 60000, (2, 5, 20, 30), dtype=np.uint16)
    path, out = tmp_path / "t.tif", tmp_path / "o.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TCYX"})
    command = ["segment", str(path), "-o", str(out), "--channels", "1,4", *QUICK]
    assert main([*command, "--series", "alone"]) == 0
    highest = 0
    for labels, frame in zip(tifffile.imread(out), stack, strict=True):
        expected = superpixels(frame[[1, 4]], 9, channel_axis=0, nodata=np.nan, **RUN)
        np.testing.assert_array_equal(labels, expected + highest)
        highest += expected.max()
    assert read_provenance(out)["channels"] == [1, 4]
    assert main([*command, "--plane", "1", "--force"]) == 0
    expected = superpixels(stack[1, [1, 4]], 9, channel_axis=0, **RUN)
    np.testing.assert_array_equal(labels_in(out), expected)


@pytest.mark.parametrize("extra", [[], ["--tile-size-px", "32"]])
@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("8", "the image has the channels 0 to 7; 8 cannot be chosen"),
        ("0,7-9", "the image has the channels 0 to 7; 8, 9 cannot be chosen"),
    ],
)
def test_channels_that_are_not_there(tmp_path, bands, capsys, chosen, message, extra):
    path = tmp_path / "b.tif"
    tifffile.imwrite(path, bands, photometric="minisblack", metadata={"axes": "CYX"})
    command = ["segment", str(path), "-o", str(tmp_path / "o.tif"), *extra, *QUICK]
    assert main([*command, "--channels", chosen]) == 1
    assert f"b.tif: {message}" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["b.tif"]


@pytest.mark.parametrize("extra", [[], ["--tile-size-px", "32"]])
def test_no_axis_to_choose_from(tmp_path, bands, capsys, extra):
    path = tmp_path / "grey.tif"
    tifffile.imwrite(path, bands[0])
    command = ["segment", str(path), "-o", str(tmp_path / "o.tif"), *extra, *QUICK]
    assert main([*command, "--channels", "0"]) == 1
    told = capsys.readouterr().err
    assert "channels are chosen, but none of the axes (40, 60) is known to hold channels" in told
    assert "--channel-axis 0" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,,2", "is no list of channels: write numbers from 0 on, such as 0,2,5-7"),
        ("red", "is no list of channels"),
        ("", "is no list of channels"),
        ("1.5", "is no list of channels"),
        ("0-123456789", "is no list of channels"),
        ("7-5", "7-5 runs backwards: write 5-7"),
        ("0,2,1-3", "channel 2 is given twice"),
    ],
)
def test_wrong_lists_exit_with_2(tmp_path, capsys, text, message):
    with pytest.raises(SystemExit) as stop:
        main(["segment", "a.tif", "-o", str(tmp_path / "o.tif"), "--channels", text])
    assert stop.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def spoil(path, page):
    """Overwrite the pixels of a page of a compressed TIFF."""
    with tifffile.TiffFile(path) as tiff:
        where, n_bytes = tiff.pages[page].dataoffsets[0], tiff.pages[page].databytecounts[0]
    with path.open("r+b") as file:
        file.seek(where)
        file.write(b"\xff" * n_bytes)


@pytest.mark.parametrize(
    ("axes", "option"), [("CYX", ["--channels", "2,5"]), ("ZYX", ["--plane", "5"])]
)
def test_only_what_is_chosen_is_read(tmp_path, bands, capsys, axes, option):
    path, out = tmp_path / "bands.tif", tmp_path / "o.tif"
    kind = {"photometric": "minisblack", "metadata": {"axes": axes}}
    tifffile.imwrite(path, bands, compression="zlib", ome=True, **kind)
    spoil(path, 3)
    command = ["segment", str(path), "-o", str(out), *QUICK]
    assert main(command + option) == 0
    assert labels_in(out).max() > 1
    out.unlink()
    spoil(path, 5)
    assert main(command + option) == 1
    message = capsys.readouterr().err
    assert message.count(str(path)) == 1
    assert "may be damaged" in message
    assert not out.exists()
