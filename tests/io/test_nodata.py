"""What GDAL leaves out of a raster is outside: of images, masks, labels and ground truths."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from napari_superpixels.cli.main import main
from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import FileError
from napari_superpixels.io.images import open_image
from napari_superpixels.io.labels import read_ground_truths, read_labels
from tests.fixtures.files import labels_in

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "12", "--force"]
H, W = 48, 64
OUTSIDE = np.zeros((H, W), bool)
OUTSIDE[:10] = OUTSIDE[20:30, 30:50] = True
UTM = {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 4e5, 0, -2, 5.8e6)}


def write_raster(path, values, *, nodata=None, mask=None, internal=False, **place):
    bands = values if values.ndim == 3 else values[None]
    size = {"count": len(bands), "height": H, "width": W, "dtype": bands.dtype}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal),
        rasterio.open(path, "w", driver="GTiff", nodata=nodata, **size, **(UTM | place)) as file,
    ):
        file.write(bands)
        if mask is not None:
            file.write_mask(~mask)


def write_aux(path, *texts):
    bands = "".join(
        f'<PAMRasterBand band="{i}"><NoDataValue>{text}</NoDataValue></PAMRasterBand>'
        for i, text in enumerate(texts, 1)
    )
    path.with_name(f"{path.name}.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")


# ---- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-9999", -9999),
        (" 0 ", 0),
        ("1e-3", 1e-3),
        ("-3.40282346638529e+38", -3.40282346638529e38),
        ("-9999,0", -9999),
        ("nan", np.nan),
        ("-1.#IND", np.nan),
        ("1.#QNAN", np.nan),
        ("none", None),
        ("n/a", None),
        ("", None),
        ("1,2,3", None),
    ],
)
@pytest.mark.parametrize("is_beside", [False, True])
def test_texts(tmp_path, text, expected, is_beside, caplog):
    path = tmp_path / "a.tif"
    tags = [] if is_beside else [(42113, 2, 0, text, True)]
    tifffile.imwrite(path, np.ones((4, 5), np.float32), extratags=tags)
    if is_beside:
        write_aux(path, text)
    found = open_image(path).nodata
    assert found is expected if expected is None else found == pytest.approx(expected, nan_ok=True)
    assert ("is no number, and is not used" in caplog.text) is (expected is None and text != "")


def test_a_nodata_of_another_type(tmp_path):
    """Metadata may hold anything, as when a number stands where a text belongs."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((4, 5), np.uint8), extratags=[(42113, "H", 3, (1, 2, 3), True)])
    assert open_image(path).nodata is None


def test_bands_with_values_of_their_own_are_told(tmp_path, caplog):
    write_raster(tmp_path / "a.tif", np.ones((2, H, W), np.uint8))
    write_aux(tmp_path / "a.tif", "7", "9")
    assert open_image(tmp_path / "a.tif").nodata == 7
    assert "bands have different nodata values (7, 9)" in caplog.text


# ---- each place, in each use -------------------------------------------------------------------


def write_left_out(kind, folder, values, nodata):
    """A raster that leaves OUTSIDE out."""
    path = folder / f"{kind.replace(' ', '-')}.tif"
    match kind:
        case "value":
            write_raster(
                path, np.where(OUTSIDE, nodata, values).astype(values.dtype), nodata=nodata
            )
        case "value beside":
            write_raster(path, np.where(OUTSIDE, nodata, values).astype(values.dtype))
            write_aux(path, str(nodata))
        case "internal mask":
            write_raster(path, values, mask=OUTSIDE, internal=True)
        case "mask beside":
            write_raster(path, values, mask=OUTSIDE)
            assert path.with_name(f"{path.name}.msk").exists()
    return path


KINDS = ["value", "value beside", "internal mask", "mask beside"]
DTYPES = [(np.uint8, 255), (np.int16, -9999), (np.float32, -3.4028234663852886e38)]


def segmented(tmp_path, image, *options):
    out = tmp_path / "labels.tif"
    assert main(["segment", str(image), "-o", str(out), *options, *QUICK]) == 0
    return labels_in(out) > 0


@pytest.fixture
def plain(tmp_path, rng):
    path = tmp_path / "plain.tif"
    write_raster(path, rng.integers(1, 200, (H, W)).astype(np.uint8))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "nodata"), DTYPES)
def test_it_is_outside_of_an_image_and_of_a_mask(tmp_path, rng, plain, kind, dtype, nodata):
    values = rng.integers(1, 200, (H, W)).astype(dtype)
    path = write_left_out(kind, tmp_path, values, nodata)
    np.testing.assert_array_equal(segmented(tmp_path, path), ~OUTSIDE)
    np.testing.assert_array_equal(segmented(tmp_path, plain, "--mask", str(path)), ~OUTSIDE)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_outside_of_a_mask_of_tiles(tmp_path, plain, kind):
    path = write_left_out(kind, tmp_path, np.ones((H, W), np.int16), -9999)
    out = tmp_path / "labels.zarr"
    tiles = ["--tile-size-px", "64", "--halo-px", "8"]
    assert main(["segment", str(plain), "-o", str(out), "--mask", str(path), *tiles, *QUICK]) == 0
    np.testing.assert_array_equal(labels_in(out) > 0, ~OUTSIDE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "nodata"), DTYPES[1:])
def test_it_is_0_in_labels_and_ground_truths(tmp_path, kind, dtype, nodata):
    ids = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((16, 16))).astype(dtype)
    path = write_left_out(kind, tmp_path, ids, nodata)
    expected = np.where(OUTSIDE, 0, ids)
    np.testing.assert_array_equal(read_labels(path).labels, expected)
    np.testing.assert_array_equal(read_ground_truths(path), [expected])
    for pair in ((path, path), (path, tmp_path / "truth.tif")):
        write_raster(tmp_path / "truth.tif", ids.astype(np.int32))
        assert main(["evaluate", *map(str, pair)]) == 0
        assert main(["evaluate", *map(str, reversed(pair))]) == 0


def test_labels_of_r_are_floats_with_nan(tmp_path):
    ids = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((16, 16))).astype(np.float32)
    write_raster(tmp_path / "a.tif", np.where(OUTSIDE, np.nan, ids), nodata=float("nan"))
    found = read_labels(tmp_path / "a.tif").labels
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, np.where(OUTSIDE, 0, ids))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_sidecars_of_pictures(tmp_path, rng, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(rng.integers(1, 99, (H, W)).astype(np.uint8)).save(path)
    tifffile.imwrite(tmp_path / f"a{suffix}.msk", (~OUTSIDE * 255).astype(np.uint8))
    write_aux(path, "12")
    with open_image(path) as image:
        assert image.nodata == 12
        np.testing.assert_array_equal(np.asarray(image.alpha) != 0, ~OUTSIDE)


def test_a_mask_of_another_raster_is_told(tmp_path, plain):
    tifffile.imwrite(f"{plain}.msk", np.ones((5, 5), np.uint8))
    with pytest.raises(FileError, match="belongs to another raster"):
        open_image(plain)


# ---- masks of other kinds ----------------------------------------------------------------------


def _masks(folder):
    inside = ~OUTSIDE
    index = Image.fromarray(inside.astype(np.uint8), "P")
    index.putpalette([200, 10, 10, 0, 0, 0])  # black stands for inside
    yield "palette.png", index
    yield "palette.tif", index
    yield "black-and-white.png", Image.fromarray(inside)
    yield "rgb.png", Image.fromarray(np.dstack([inside * 255] * 3).astype(np.uint8))
    red = np.zeros((H, W, 3), np.uint8)
    red[inside, 0] = 200
    yield "red.png", Image.fromarray(red)
    alpha = np.full((H, W, 4), 255, np.uint8)
    alpha[OUTSIDE, 3] = 0
    yield "transparent.png", Image.fromarray(alpha)


def test_masks_that_are_pictures(tmp_path, plain):
    for name, picture in _masks(tmp_path):
        picture.save(tmp_path / name)
        found = segmented(tmp_path, plain, "--mask", str(tmp_path / name))
        np.testing.assert_array_equal(found, ~OUTSIDE, err_msg=name)


def test_bands_are_no_mask(tmp_path, plain, capsys):
    write_raster(tmp_path / "bands.tif", np.ones((6, H, W), np.uint8))
    command = ["segment", str(plain), "-o", str(tmp_path / "l.tif")]
    assert main([*command, "--mask", str(tmp_path / "bands.tif"), *QUICK]) == 1
    assert "bands.tif: has 6 channels, and a mask has none" in capsys.readouterr().err


@pytest.mark.parametrize("tiles", [[], ["--tile-size-px", "64"]])
@pytest.mark.parametrize(
    "place",
    [
        {"transform": rasterio.Affine(2, 0, 4e5 + 60, 0, -2, 5.8e6)},
        {"transform": rasterio.Affine(2.2, 0, 4e5, 0, -2.2, 5.8e6)},
        {"transform": rasterio.Affine(2, 0, 4e5, 0, 2, 5.8e6)},
        {"crs": "EPSG:32634"},
    ],
)
def test_a_mask_that_lies_elsewhere_is_told(tmp_path, plain, capsys, place, tiles):
    write_raster(tmp_path / "mask.tif", np.ones((H, W), np.uint8), **place)
    command = [
        "segment",
        str(plain),
        "-o",
        str(tmp_path / ("l.zarr" if tiles else "l.tif")),
        *tiles,
    ]
    assert main([*command, "--mask", str(tmp_path / "mask.tif"), *QUICK]) == 1
    assert "and lies elsewhere on the map: bring it onto the same grid" in capsys.readouterr().err


def test_a_mask_that_is_off_by_rounding_lies_here(tmp_path, plain):
    place = {"transform": rasterio.Affine(2, 0, 4e5 + 0.01, 0, -2, 5.8e6 - 0.01)}
    write_raster(tmp_path / "mask.tif", np.ones((H, W), np.uint8), **place)
    assert segmented(tmp_path, plain, "--mask", str(tmp_path / "mask.tif")).all()


def test_names_that_gdal_takes_for_something_else(tmp_path, plain, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("zip:x.tif", "s3:z.tif"):
        plain.with_name(name).write_bytes(plain.read_bytes())
        assert main(["segment", name, "-o", f"{name}.labels.tif", *QUICK]) == 0
        with rasterio.open(tmp_path / f"{name}.labels.tif") as labels:
            assert labels.transform == UTM["transform"]


def test_whole_numbers_have_no_nodata_in_floats():
    assert not is_nodata(np.ones(3, np.uint8), np.nan).any()
