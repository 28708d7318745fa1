"""Compiled loops do what the plain ones do, on any number of threads, and are compiled once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import ndimage

from napari_superpixels.core.regions import kernels
from napari_superpixels.core.regions.connectivity import connected_pieces
from napari_superpixels.core.regions.limits import Limits
from napari_superpixels.core.regions.merge import merge_order, merge_regions
from napari_superpixels.core.regions.refine import refine_boundaries
from napari_superpixels.core.regions.split import split_to_count
from napari_superpixels.events import drain
from tests.fixtures import plain_regions as plain

REFINE = {"iterations": 12, "compactness": 0.1, "smoothness": 0.15}


@pytest.fixture(params=[(60, 80), (9, 20, 24)], ids=["image", "volume"])
def regions(request, rng):
    """Connected pieces, a corner outside, and features with edges elsewhere."""
    shape = request.param
    blocks = np.indices(shape) // np.reshape((6,) * len(shape), (-1, *(1,) * len(shape)))
    pieces = connected_pieces(np.ravel_multi_index(tuple(blocks), [20] * len(shape)) + 1)
    pieces[tuple(slice(3) for _ in shape)] = 0
    features = ndimage.gaussian_filter(rng.normal(size=(3, *shape)), (0, *(2,) * len(shape)))
    return pieces.astype(np.int32), (features / features.std()).astype(np.float32)


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("is_stretched", [False, True])
def test_refine_is_the_plain_loop(regions, rng, is_frozen, is_stretched):
    labels, features = regions
    frozen = rng.random(labels.shape) < 0.05 if is_frozen else None
    spacing = (1.5, *(1.0,) * (labels.ndim - 1)) if is_stretched else None
    expected = drain(plain.refine(labels, features, **REFINE, frozen=frozen, spacing=spacing))
    assert (expected != labels).mean() > 0.05
    found = refine_boundaries(
        labels, features, **REFINE, limits=Limits(frozen=frozen), spacing=spacing
    )
    np.testing.assert_array_equal(drain(found), expected)


@pytest.mark.parametrize("n_segments", [1, 20])
def test_merge_is_the_plain_loop(regions, n_segments):
    labels, features = regions
    found = merge_order(labels, features, n_segments=n_segments)
    expected = plain.merge_order(labels, features, n_segments, 1, 0.0)
    assert len(found) == labels.max() - n_segments
    assert [step[:2] for step in found] == [step[:2] for step in expected]
    np.testing.assert_allclose([step[2] for step in found], [step[2] for step in expected])


def test_threads_change_nothing(regions):
    labels, features = regions

    def finish(_):
        pieces = split_to_count(labels, features, int(labels.max()) + 50)
        refined = drain(refine_boundaries(pieces, features, **REFINE))
        return refined, merge_order(refined, features)

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(finish, range(8)))
    for labels_of, merges in results[1:]:
        np.testing.assert_array_equal(labels_of, results[0][0])
        assert merges == results[0][1]


def test_images_and_volumes_share_the_compiled_code(rng):
    """One signature each: `compile_loops` compiles all that is needed."""
    for shape in ((12, 14), (5, 8, 9)):
        features = rng.normal(size=(2, *shape)).astype(np.float32)
        pieces = split_to_count(np.ones(shape, np.int64), features, 9)
        limits = Limits((pieces % 2 + 1,), frozen=features[0] > 2)
        refined = drain(refine_boundaries(pieces, features, **REFINE, limits=limits))
        merge_order(refined, features)
        merge_regions(refined, features, 1, limits=limits)
    for loop in (
        kernels.border_moves,
        kernels.move_pixels,
        kernels.merge_greedily,
        kernels.split_greedily,
    ):
        assert len(loop.signatures) == 1, loop


@pytest.mark.slow
def test_what_is_compiled_is_kept_on_disk_and_told_once(tmp_path):
    code = (
        "from napari_superpixels.core.regions.warm_up import compile_loops\n"
        "compile_loops(lambda: print('compiling'))\n"
        "print('ready')\n"
    )
    for expected in ("compiling\nready\n", "ready\n"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"NUMBA_CACHE_DIR": str(tmp_path), "PATH": ""},
        )
        assert done.stdout == expected
