"""Reader of GeoTIFFs: pixel size, units, nodata, and the place on the map for later exports.

The map's y axis points up and napari's down: layers lie at y = -northing and x = easting, so that
the picture is upright, and rasters in one CRS line up.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_superpixels._napari.input.composite import contrast_of
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.io.formats.geotiff import TAG
from napari_superpixels.io.georeference import (
    Georeference,
    gdal_name,
    georeference_of,
)
from napari_superpixels.io.problems import READ_ERRORS, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

LayerTuple = tuple[Any, dict[str, Any], str]

LARGE = 100_000_000  # pixels, all bands together; more are read when they are shown
_TILE = 2048  # pixels along an edge: what is read at once, and the size of the coarsest level
_UNITS = {"m": "m", "foot": "foot", "US survey foot": "survey_foot", None: "degree"}


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Tell a raster that cannot be read by its name, also when it is read later."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        # GDAL's own words are in the cause, where there is one.
        reason = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise unreadable(path, reason) from error
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def read_geotiffs(path: str | Sequence[str]) -> list[LayerTuple]:
    """Read GeoTIFFs.

    Parameters
    ----------
    path : str or sequence of str
        GeoTIFFs.

    Returns
    -------
    list of (data, dict, str)
        A layer each: “labels” for labels that were exported here, else “image”, in one layer with
        its bands as first axis; colours of 8 bits are RGB. Pixels without data, and those that the
        file's mask or transparency leaves out, are NaN (whole numbers become floats then), except
        in labels and RGB, which is transparent where the file says so. More than 100 megapixels are
        read lazily, on several levels. ``metadata["napari-superpixels"]`` holds place, nodata,
        bands.

    Raises
    ------
    FileError
        If one cannot be read. Pixels that are read later raise it when they are.
    ValueError
        If one holds complex numbers.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else path
    return [_layer(Path(each)) for each in paths]


@dataclass(frozen=True, slots=True)
class _Raster:
    """What decides how a file is read."""

    path: Path
    place: Georeference
    bands: tuple[str, ...]
    numbers: tuple[int, ...]
    alpha: int | None
    dtype: np.dtype[Any]
    nodata: float | None
    has_gaps: bool
    is_rgb: bool
    is_masked_rgb: bool
    is_labels: bool
    overviews: tuple[int, ...]

    @classmethod
    def open(cls, path: Path) -> _Raster:
        import rasterio
        from rasterio.enums import ColorInterp, MaskFlags

        with _named(path), rasterio.open(gdal_name(path)) as raster:
            place = georeference_of(raster)
            assert place is not None
            rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            colors = dict(zip(raster.indexes, raster.colorinterp, strict=True))
            # Transparency is no band: it says where the others have no data.
            alphas = [i for i, kind in colors.items() if kind == ColorInterp.alpha]
            alpha = alphas[0] if alphas and len(colors) > 1 else None
            shown = {i: kind for i, kind in colors.items() if i != alpha}
            names = (raster.descriptions[i - 1] or f"band {i}" for i in shown)
            flags = [raster.mask_flag_enums[i - 1] for i in shown]
            is_rgb = tuple(shown.values()) == rgb and set(raster.dtypes) == {"uint8"}
            return cls(
                path,
                place,
                tuple(names),
                tuple(shown),
                alpha,
                np.result_type(*(raster.dtypes[i - 1] for i in shown)),
                raster.nodata,
                bool(alpha) or any(MaskFlags.all_valid not in of_band for of_band in flags),
                is_rgb,
                is_rgb and any(MaskFlags.per_dataset in of_band for of_band in flags),
                raster.tags().get(TAG) == "labels",
                tuple(raster.overviews(1)),
            )

    @property
    def planes(self) -> int:
        return len(self.bands) + self.is_masked_rgb

    @property
    def has_nans(self) -> bool:
        return self.has_gaps and not self.is_rgb and not self.is_labels

    @property
    def out_dtype(self) -> np.dtype[Any]:
        return np.result_type(self.dtype, np.float32) if self.has_nans else self.dtype

    def read(self, top: int, left: int, bottom: int, right: int, step: int) -> NDArray[Any]:
        """Bands, rows and columns of every `step`-th pixel of a window; RGB may have an alpha."""
        import rasterio
        from rasterio.windows import Window

        window = Window(left, top, right - left, bottom - top)
        size = (-(-(bottom - top) // step), -(-(right - left) // step))
        options = {"window": window, "out_shape": (len(self.bands), *size)}
        with _named(self.path), rasterio.open(gdal_name(self.path)) as raster:
            if not self.has_nans:
                found = np.asarray(raster.read(self.numbers, **options), self.out_dtype)
                if not self.is_masked_rgb:
                    return found
                alpha = raster.dataset_mask(window=window, out_shape=size)
                return np.concatenate([found, alpha[None]])
            masked = raster.read(self.numbers, masked=True, **options)
            found = np.asarray(masked.astype(self.out_dtype).filled(np.nan))
            if self.alpha is not None:  # GDAL masks by it only where it is the last of few bands
                alpha = raster.read(self.alpha, window=window, out_shape=size)
                found[:, alpha == 0] = np.nan
            return found

    def whole(self) -> NDArray[Any]:
        height, width = self.place.shape
        return self.read(0, 0, height, width, 1)

    def sample(self) -> NDArray[Any]:
        """Some values, for the contrast."""
        height, width = self.place.shape
        return self.read(0, 0, height, width, max(1, max(height, width) // 512))

    def lazy(self, step: int) -> da.Array:
        height, width = self.place.shape
        sides = [-(-side // step) for side in (height, width)]
        chunks = da.core.normalize_chunks((_TILE, _TILE), shape=sides)
        bands = self.planes
        blocks: da.Array = da.map_blocks(
            partial(_read_block, self, step),
            chunks=((bands,), *chunks),
            dtype=self.out_dtype,
            meta=np.empty((0, 0, 0), self.out_dtype),
        )
        return blocks


def _read_block(raster: _Raster, step: int, block_info: Any = None) -> NDArray[Any]:
    _, rows, columns = block_info[None]["array-location"]
    height, width = raster.place.shape
    bottom, right = min(rows[1] * step, height), min(columns[1] * step, width)
    return raster.read(rows[0] * step, columns[0] * step, bottom, right, step)


def _layer(path: Path) -> LayerTuple:
    raster = _Raster.open(path)
    if raster.dtype.kind == "c":
        raise ValueError(
            f"{path.name} holds complex numbers, as radar images do: save their magnitude as a "
            "raster of its own"
        )
    n = len(raster.bands)
    if n * raster.place.shape[0] * raster.place.shape[1] > LARGE:
        levels: Any = [_arrange(raster, raster.lazy(step)) for step in _steps(raster)]
        data = levels if len(levels) > 1 else levels[0]
    else:
        data = _arrange(raster, raster.whole())
    has_band_axis = n > 1 and not raster.is_rgb
    options: dict[str, Any] = {
        "name": path.stem,
        **spatial_of(raster.place, has_band_axis=has_band_axis),
        "metadata": {
            METADATA_KEY: {
                "place": asdict(raster.place),
                "nodata": raster.nodata,
                "bands": list(raster.bands),
            }
        },
    }
    if raster.is_labels:
        return data, options, "labels"
    if raster.is_rgb:
        options["rgb"] = True
    else:
        options["contrast_limits"] = contrast_of(raster.sample())
    return data, options, "image"


def _arrange(raster: _Raster, bands: Any) -> Any:
    if raster.is_rgb:
        return bands.transpose(1, 2, 0)
    return bands[0] if len(raster.bands) == 1 else bands


def _steps(raster: _Raster) -> list[int]:
    """Of the levels: 1, and those of the file's own overviews, or else powers of 2."""
    if raster.overviews:
        return [1, *raster.overviews]
    steps = [1]
    while max(raster.place.shape) / steps[-1] > _TILE:
        steps.append(steps[-1] * 2)
    return steps


def spatial_of(place: Georeference, *, has_band_axis: bool) -> dict[str, Any]:
    """Say where a layer lies.

    Parameters
    ----------
    place : Georeference
        Where the raster lies on the map.
    has_band_axis : bool
        Whether the layer's first axis is bands.

    Returns
    -------
    dict
        scale, translate, units and axis labels; for a raster that is turned, an affine as well.
    """
    a, b, c, d, e, f = place.transform
    linear = np.array([[-e, -d], [b, a]])  # from (row, column) to (-northing, easting)
    # A layer's origin is the centre of its first pixel; a map's transform starts from its corner.
    origin = linear.sum(1) / 2 + (-f, c)
    scale = np.hypot(*linear)
    turn = linear / scale
    unit = _UNITS.get(place.unit, "pixel")
    extra = 1 if has_band_axis else 0
    spatial: dict[str, Any] = {
        "scale": (1.0,) * extra + tuple(scale),
        "units": ("pixel",) * extra + (unit, unit),
        "axis_labels": ("band",) * extra + ("y", "x"),
    }
    if np.allclose(turn, np.eye(2)):
        return spatial | {"translate": (0.0,) * extra + tuple(origin)}
    affine = np.eye(3 + extra)
    affine[extra:-1, extra:-1] = turn
    affine[extra:-1, -1] = origin
    return spatial | {"affine": affine}
