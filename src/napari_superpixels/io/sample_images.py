"""Sample images that need no download.

The photograph and the histology section are real and ship with scikit-image; the others are
synthetic, made here from a fixed seed, and say so in their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage import data, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUCLEI_PIXEL_UM = 0.325
NUCLEI_3D_UM = (1.0, 0.4, 0.4)
RASTER_PIXEL_M = 10.0
TIME_SERIES_PIXEL_UM = 0.65


def photo() -> NDArray[np.uint8]:
    """Photograph of a cup of coffee (scikit-image's ``coffee``; Rachel Michetti, CC0).

    Returns
    -------
    ndarray of uint8, shape (400, 600, 3)
        RGB.
    """
    return np.asarray(data.coffee())


def histology() -> NDArray[np.uint8]:
    """Colonic glands, haematoxylin and DAB (scikit-image's ``immunohistochemistry``).

    Returns
    -------
    ndarray of uint8, shape (512, 512, 3)
        RGB. From the Center for Microscopy And Molecular Imaging (CMMI), no known restrictions.
    """
    return np.asarray(data.immunohistochemistry())


def _ellipse_mask(
    shape: tuple[int, int], center: NDArray[np.floating], radii: NDArray[np.floating], angle: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, cols = draw.ellipse(center[0], center[1], radii[0], radii[1], shape=shape, rotation=angle)
    return rows, cols


def nuclei(seed: int = 0) -> NDArray[np.uint16]:
    """Synthetic fluorescence: nuclei, cytoplasm and spots with blur, background and shot noise.

    Parameters
    ----------
    seed : int, default 0
        Seed of the random generator.

    Returns
    -------
    ndarray of uint16, shape (3, 384, 384)
        Channels (DNA, cytoplasm, spots) of a 16-bit camera with 12 bits in use; pixels of
        `NUCLEI_PIXEL_UM`.
    """
    rng = np.random.default_rng(seed)
    shape = (384, 384)
    dna, cytoplasm, spots = (np.zeros(shape) for _ in range(3))
    centers = _spread(rng, shape, n=60, distance=36)
    for center in centers:
        radii, angle = rng.uniform(9, 15, 2), rng.uniform(0, np.pi)
        cytoplasm[_ellipse_mask(shape, center, radii * rng.uniform(1.5, 2.0), angle)] += (
            rng.uniform(0.4, 1.0)
        )
        nucleus = _ellipse_mask(shape, center, radii, angle)
        dna[nucleus] = np.maximum(dna[nucleus], rng.uniform(0.5, 1.0))
        for _ in range(rng.integers(0, 6)):
            row, col = (center + rng.normal(0, 8, 2)).astype(int)
            if 0 <= row < shape[0] and 0 <= col < shape[1]:
                spots[row, col] += rng.uniform(20, 60)
    texture = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    dna *= 1 + 1.5 * texture
    photons = np.stack(
        [
            900 * ndimage.gaussian_filter(dna, 1.2) + 40,
            500 * ndimage.gaussian_filter(cytoplasm, 2.5) + 60,
            700 * ndimage.gaussian_filter(spots, 1.3) / 8 + 30,
        ]
    )
    counts = rng.poisson(photons) * 2.5 + rng.normal(100, 5, photons.shape)
    return counts.clip(0, 4095).astype(np.uint16)


def nuclei_3d(seed: int = 0) -> NDArray[np.uint16]:
    """Synthetic confocal stack: nuclei with blur along the axis, fading with depth, shot noise.

    Parameters
    ----------
    seed : int, default 0
        Seed of the random generator.

    Returns
    -------
    ndarray of uint16, shape (24, 160, 160)
        Planes of a 16-bit camera, `NUCLEI_3D_UM` apart along each axis.
    """
    rng = np.random.default_rng(seed)
    shape, size = (24, 160, 160), np.array(NUCLEI_3D_UM)
    places = np.moveaxis(np.indices(shape), 0, -1) * size
    dna = np.zeros(shape)
    extent = tuple(np.array(shape) * size)
    for center in _spread(rng, extent, n=40, distance=9):
        inside = (((places - center) / rng.uniform(3.5, 5.5, 3)) ** 2).sum(-1) < 1
        dna[inside] = rng.uniform(0.5, 1.0)
    dna *= 1 + 0.8 * ndimage.gaussian_filter(rng.normal(size=shape), (1, 2, 2))
    fading = np.linspace(1, 0.5, shape[0])[:, None, None]
    photons = 300 * fading * ndimage.gaussian_filter(dna, (1.0, 1.2, 1.2)) + 20
    counts = rng.poisson(photons) * 2.5 + rng.normal(100, 5, shape)
    return counts.clip(0, 4095).astype(np.uint16)


def _spread(
    rng: np.random.Generator, shape: tuple[float, ...], n: int, distance: float
) -> NDArray[np.float64]:
    """Random points at least `distance` apart (fewer than `n` if they do not fit)."""
    points: list[NDArray[np.float64]] = []
    for _ in range(50 * n):
        point = rng.uniform(np.zeros(len(shape)), shape)
        if all(np.linalg.norm(point - other) >= distance for other in points):
            points.append(point)
            if len(points) == n:
                break
    return np.array(points)


def raster(seed: int = 0) -> NDArray[np.float32]:
    """Synthetic multispectral raster: fields, forest, water and roads, with a nodata border.

    Parameters
    ----------
    seed : int, default 0
        Seed of the random generator.

    Returns
    -------
    ndarray of float32, shape (6, 400, 480)
        Reflectance in blue, green, red, near infrared and two short-wave infrared bands; NaN
        outside the tilted swath. Pixels of `RASTER_PIXEL_M`.
    """
    rng = np.random.default_rng(seed)
    shape = (400, 480)
    # Reflectance of crop, stubble, bare soil, meadow, forest, water, road in the six bands.
    spectra = np.array(
        [
            [0.04, 0.08, 0.05, 0.45, 0.22, 0.10],
            [0.10, 0.15, 0.20, 0.30, 0.36, 0.28],
            [0.12, 0.16, 0.22, 0.28, 0.38, 0.36],
            [0.05, 0.10, 0.07, 0.36, 0.26, 0.14],
            [0.02, 0.05, 0.03, 0.30, 0.14, 0.06],
            [0.06, 0.05, 0.03, 0.02, 0.01, 0.01],
            [0.14, 0.15, 0.17, 0.20, 0.24, 0.22],
        ]
    )
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    # Fields are the Voronoi cells of random points, in a city-block metric that squares them.
    seeds = rng.uniform((0, 0), shape, (70, 2))
    distance = np.abs(rows[..., None] - seeds[:, 0]) + np.abs(cols[..., None] - seeds[:, 1])
    field = distance.argmin(-1)
    cover = rng.integers(0, 4, len(seeds))[field]
    relief = ndimage.gaussian_filter(rng.normal(size=shape), 28)
    relief /= relief.std()
    cover[relief > 1.1] = 4
    river = np.abs(rows - 190 - 60 * np.sin(cols / 75) - 0.12 * cols) < 8
    cover[river] = 5
    nearest_two = np.partition(distance, 1, axis=-1)
    cover[(nearest_two[..., 1] - nearest_two[..., 0] < 3) & (cover < 4)] = 6
    image = spectra[cover]
    shade = rng.normal(1, 0.08, len(seeds))[field] * (1 + 0.06 * relief)
    image = image * shade[..., None] + rng.normal(0, 0.006, image.shape)
    image = ndimage.gaussian_filter(image, (0.7, 0.7, 0)).clip(0.001, 1)
    image[(cols < 0.18 * (shape[0] - rows)) | (cols > shape[1] - 0.18 * rows)] = np.nan
    return np.moveaxis(image, -1, 0).astype(np.float32)


def time_series(seed: int = 0, n_frames: int = 6) -> NDArray[np.uint8]:
    """Synthetic time series: bright cells that drift and grow.

    Parameters
    ----------
    seed : int, default 0
        Seed of the random generator.
    n_frames : int, default 6
        Number of frames.

    Returns
    -------
    ndarray of uint8, shape (n_frames, 256, 256)
        Frames; pixels of `TIME_SERIES_PIXEL_UM`.
    """
    rng = np.random.default_rng(seed)
    shape = (256, 256)
    centers = _spread(rng, shape, n=30, distance=34)
    radii = rng.uniform(7, 11, (len(centers), 2))
    angles = rng.uniform(0, np.pi, len(centers))
    bright = rng.uniform(0.5, 1.0, len(centers))
    drift = rng.normal(0, 1.5, centers.shape)
    frames = []
    for t in range(n_frames):
        frame = np.full(shape, 0.12)
        for center, radius, angle, level, step in zip(
            centers + t * drift, radii * (1 + 0.06 * t), angles, bright, drift, strict=True
        ):
            turned = angle + 0.04 * t * np.sign(step[0])
            frame[_ellipse_mask(shape, center, radius, turned)] = level
        frame = ndimage.gaussian_filter(frame, 1.5) + rng.normal(0, 0.04, shape)
        frames.append((frame.clip(0, 1) * 255).astype(np.uint8))
    return np.stack(frames)
