"""How much smaller the network sees an image or a volume."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_superpixels.core.prepare.prepared_image import prepare_image
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.plan.resolution import (
    MIN_PIXELS_PER_SEGMENT,
    finishing_factor,
    working_downscale,
    working_factor,
)

PARAMS = SuperpixelParams()


@given(
    shape=st.tuples(*[st.integers(1, 700)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 10)] * 3),
)
def test_a_volume_becomes_few_blocks_and_no_fewer_than_it_must(shape, spacing):
    sides = working_factor(shape, spacing, PARAMS)
    blocks = [math.ceil(n / side) for n, side in zip(shape, sides, strict=True)]
    assert math.prod(blocks) <= 60_000
    if math.prod(shape) <= 60_000:
        assert sides == (1, 1, 1)
    # No side was enlarged before the smaller ones were, unless those axes were used up.
    for axis in range(3):
        if sides[axis] > 1:
            before = (sides[axis] - 1) * spacing[axis]
            for k in range(3):
                assert before <= sides[k] * spacing[k] or blocks[k] == 1


def test_blocks_of_a_confocal_stack_are_nearly_cubes():
    sides = working_factor((40, 1024, 1024), (2.0, 0.7, 0.7), PARAMS)
    edges = [side * size for side, size in zip(sides, (2.0, 0.7, 0.7), strict=True)]
    assert max(edges) < 1.5 * min(edges)


def test_many_supervoxels_and_small_masks_need_finer_blocks():
    def blocks(factor):
        return math.prod(math.ceil(200 / side) for side in factor)

    shape, spacing = (200, 200, 200), (1.0, 1.0, 1.0)
    many = PARAMS.replace(n_segments=20_000)
    assert blocks(working_factor(shape, spacing, many)) <= 60_000
    assert 200_000 < blocks(finishing_factor(shape, spacing, many)) <= 320_000
    assert 200_000 < blocks(working_factor(shape, spacing, PARAMS, 0.01)) <= 500_000


def test_images_keep_their_factor():
    assert working_factor((300, 500), (1.0, 1.0), PARAMS) == working_downscale((300, 500), PARAMS)


def test_small_images_keep_enough_pixels_for_each_superpixel():
    params = SuperpixelParams(n_segments=100, label_maps=100, downscale=4)
    assert working_downscale((1000, 1000), params) == 4
    factor = working_downscale((100, 100), params)
    assert (100 / factor) ** 2 >= MIN_PIXELS_PER_SEGMENT * 100
    assert working_downscale((3, 3), params) == 1


def test_a_small_mask_is_seen_finely_in_a_large_image():
    params = SuperpixelParams(n_segments=100, label_maps=100, downscale=4)
    mask = np.zeros((400, 400), bool)
    mask[:40, :40] = mask[-40:, -40:] = True
    prepared = prepare_image(np.zeros(mask.shape), mask=mask)
    assert working_downscale(mask.shape, params) == 4
    factor = working_downscale(mask.shape, params, prepared.covered)
    assert mask.sum() / factor**2 >= MIN_PIXELS_PER_SEGMENT * 100
    # A full mask changes nothing; and a tiny one must not make a huge image take all memory.
    assert working_downscale((300, 500), params, 1.0) == working_downscale((300, 500), params)
    assert working_downscale((9000, 9000), params, 1e-6) == 4
