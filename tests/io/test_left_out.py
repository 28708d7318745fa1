"""Pixels that a file itself leaves out: transparency, a mask of its own, and what has no value."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image
from rasterio.enums import ColorInterp, Resampling

from napari_superpixels.cli.main import main
from napari_superpixels.io.images import open_image
from tests.fixtures.files import labels_in

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "12", "--force"]
H, W = 96, 128


@pytest.fixture
def colors(rng):
    # What lies under transparent pixels must not count: it is another picture.
    return rng.integers(1, 255, (H, W, 3)).astype(np.uint8)


@pytest.fixture
def opaque():
    opaque = np.ones((H, W), bool)
    opaque[:30] = opaque[60:70, 40:90] = False
    return opaque


def _raster(path, bands, opaque, *, alpha_band=None, **options):
    """A GeoTIFF of GDAL's, with a mask of its own or with the band `alpha_band` as transparency."""
    size = {"height": H, "width": W, "count": len(bands), "dtype": bands.dtype}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 4e5, 0, -2, 5.8e6)}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", **size, **place, **options) as file,
    ):
        if alpha_band is not None:
            gray = [ColorInterp.gray] + [ColorInterp.undefined] * (len(bands) - 1)
            gray[alpha_band] = ColorInterp.alpha
            file.colorinterp = gray
        else:
            file.write_mask(opaque)
        file.write(bands)


def _write(kind, folder, colors, opaque):
    alpha = (opaque * 255).astype(np.uint8)
    rgba = np.dstack([colors, alpha])
    path = folder / f"{kind}.tif"
    bands = np.moveaxis(colors, -1, 0)
    match kind:
        case "png":
            path = path.with_suffix(".png")
            Image.fromarray(rgba).save(path)
        case "grey-png":
            path = path.with_suffix(".png")
            Image.fromarray(np.dstack([colors[..., 0], alpha])).save(path)
        case "pillow":
            Image.fromarray(rgba).save(path)
        case "tifffile":
            tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"])
        case "planes":
            tifffile.imwrite(
                path,
                np.moveaxis(rgba, -1, 0),
                photometric="rgb",
                planarconfig="separate",
                extrasamples=["unassalpha"],
            )
        case "mask":
            _raster(path, bands, opaque)
        case "tiled mask":
            tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
            _raster(path, bands, opaque, **tiles)
        case "last band":
            _raster(path, np.moveaxis(rgba, -1, 0), opaque, alpha_band=3)
        case "second band":
            mixed = np.stack([bands[0], alpha, bands[1], bands[2]])
            _raster(path, mixed, opaque, alpha_band=1)
    return path


KINDS = (
    *("png", "grey-png", "pillow", "tifffile", "planes"),
    *("mask", "tiled mask", "last band", "second band"),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tiles", [[], ["--tile-size-px", "64"]])
def test_transparent_pixels_have_no_superpixel(
    tmp_path, colors, opaque, kind, tiles, caplog, capsys
):
    path = _write(kind, tmp_path, colors, opaque)
    found = open_image(path)
    expected = colors[..., 0] if kind == "grey-png" else colors
    np.testing.assert_array_equal(found.array, expected)
    with caplog.at_level(logging.WARNING):
        assert main(["segment", str(path), "-o", str(tmp_path / "o.tif"), *QUICK, *tiles]) == 0
    assert "separate images" not in caplog.text
    np.testing.assert_array_equal(labels_in(tmp_path / "o.tif") > 0, opaque)
    assert f"{(~opaque).sum()} pixels left out" in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_under_transparent_pixels_does_not_count(tmp_path, colors, opaque):
    outs = []
    for value in (0, 255):
        other = np.where(opaque[..., None], colors, value).astype(np.uint8)
        path = _write("png", tmp_path, other, opaque)
        outs.append(tmp_path / f"{value}.tif")
        assert main(["segment", str(path), "-o", str(outs[-1]), *QUICK]) == 0
    np.testing.assert_array_equal(*map(labels_in, outs))


@pytest.mark.parametrize("tiles", [[], ["--tile-size-px", "64"]])
def test_a_mask_that_is_given_counts_too(tmp_path, colors, opaque, tiles):
    path = _write("mask", tmp_path, colors, opaque)
    wanted = np.zeros((H, W), np.uint8)
    wanted[:, :100] = 1
    tifffile.imwrite(tmp_path / "given.tif", wanted)
    options = ["--mask", str(tmp_path / "given.tif"), *QUICK, *tiles]
    assert main(["segment", str(path), "-o", str(tmp_path / "o.tif"), *options]) == 0
    np.testing.assert_array_equal(labels_in(tmp_path / "o.tif") > 0, opaque & (wanted > 0))


@pytest.mark.parametrize("mask_has_levels", [True, False])
def test_a_level_has_its_mask(tmp_path, colors, opaque, mask_has_levels):
    path = _write("tiled mask", tmp_path, colors, opaque)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2], Resampling.nearest)
    if not mask_has_levels:
        with tifffile.TiffFile(path) as tiff:
            full = tiff.series[1].asarray()
            levels = [level.asarray() for level in tiff.series[0].levels]
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(levels[0], photometric="rgb", subifds=1, tile=(64, 64))
            tiff.write(levels[1], photometric="rgb", subfiletype=1, tile=(64, 64))
            tiff.write(full, photometric="mask", subfiletype=4)
    found = open_image(path, 1)
    np.testing.assert_array_equal(np.asarray(found.alpha) != 0, opaque[::2, ::2])
    command = ["segment", str(path), "-o", str(tmp_path / "o.tif"), "--level", "1", *QUICK]
    assert main(command) == 0
    np.testing.assert_array_equal(labels_in(tmp_path / "o.tif") > 0, opaque[::2, ::2])


@pytest.mark.slow
def test_frames_have_their_own_transparency(tmp_path, rng, opaque):
    frames = rng.integers(1, 255, (3, H, W, 4)).astype(np.uint8)
    frames[..., 3] = 255
    frames[1, ~opaque, 3] = 0
    path, out = tmp_path / "frames.tif", tmp_path / "o.tif"
    tifffile.imwrite(path, frames, photometric="rgb", extrasamples=["unassalpha"])
    assert main(["segment", str(path), "-o", str(out), "--series", "alone", *QUICK]) == 0
    labels = tifffile.imread(out)
    assert (labels[[0, 2]] > 0).all()
    np.testing.assert_array_equal(labels[1] > 0, opaque)
    assert main(["segment", str(path), "-o", str(out), "--plane", "1", *QUICK]) == 0
    np.testing.assert_array_equal(tifffile.imread(out) > 0, opaque)


@pytest.mark.parametrize("tiles", [[], ["--tile-size-px", "64"]])
@pytest.mark.parametrize("nodata", [[], ["--nodata", "-9999"]])
def test_what_has_no_value_is_left_out(tmp_path, rng, tiles, nodata, capsys):
    values = rng.normal(size=(H, W)).astype(np.float32)
    values[:10], values[10:20] = np.nan, np.inf
    np.save(tmp_path / "a.npy", values)
    command = ["segment", str(tmp_path / "a.npy"), "-o", str(tmp_path / "o.tif")]
    assert main([*command, *QUICK, *tiles, *nodata]) == 0
    np.testing.assert_array_equal(labels_in(tmp_path / "o.tif") > 0, np.isfinite(values))
    assert f"{20 * W} pixels left out" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_a_colour_that_means_transparent(tmp_path, colors, mode):
    path, out = tmp_path / "a.png", tmp_path / "o.tif"
    picture = Image.fromarray(colors).convert(mode)
    key = picture.getpixel((70, 50))
    picture.save(path, transparency=key)
    values = np.asarray(picture)
    hidden = values == key if mode != "RGB" else (values == key).all(axis=-1)
    assert hidden.any()
    assert main(["segment", str(path), "-o", str(out), *QUICK]) == 0
    np.testing.assert_array_equal(labels_in(out) > 0, ~hidden)
    expected = np.asarray(picture.convert("RGB")) if mode == "P" else values
    np.testing.assert_array_equal(open_image(path).read(), expected)
