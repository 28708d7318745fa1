"""Blocks of pixels, the network's input made of them, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_superpixels.core.network.tensors import to_tensors
from napari_superpixels.core.prepare.blocks import enlarge
from napari_superpixels.core.prepare.prepared_image import prepare_image

CPU = torch.device("cpu")


@pytest.mark.parametrize("downscale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(17, 23), (4, 4), (5, 1)])
def test_tensors_are_normalised_at_every_resolution(rng, shape, downscale):
    prepared = prepare_image(rng.random((2, *shape)), channel_axis=0)
    network_input, image, weight = to_tensors(prepared, downscale, CPU)
    small = tuple(-(-n // downscale) for n in shape)
    assert network_input.shape == (1, 4, *small)
    assert weight is None
    torch.testing.assert_close(network_input[0, :2], image)
    for channel in network_input[0]:
        if channel.numel() > 1 and channel.var() > 0:
            assert channel.mean().item() == pytest.approx(0, abs=1e-5)
            assert channel.var(unbiased=False).item() == pytest.approx(1, abs=1e-4)


def test_masked_pixels_do_not_leak_into_block_means():
    image = np.ones((4, 4))
    image[:, 2:] = 3
    mask = np.ones((4, 4), bool)
    mask[0, 0] = mask[3, 3] = False
    _, blocks, weight = to_tensors(prepare_image(image, mask=mask), 2, CPU)
    assert weight is None  # every block holds a pixel of the mask
    assert blocks[0, 0, 0].item() == pytest.approx(blocks[0, 1, 0].item(), abs=1e-6)
    assert blocks[0, 0, 1].item() == pytest.approx(blocks[0, 1, 1].item(), abs=1e-6)


def test_enlarging_repeats_pixels_inside_the_mask():
    mask = np.ones((5, 3), bool)
    mask[4, 0] = False
    large = enlarge(np.array([[1, 2], [3, 4], [5, 6]], np.int32), mask, 2)
    assert large.dtype == np.int32
    np.testing.assert_array_equal(large, [[1, 1, 2], [1, 1, 2], [3, 3, 4], [3, 3, 4], [0, 5, 6]])
