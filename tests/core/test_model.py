"""The network's shape, its start and its padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_superpixels.core.network.model import SuperpixelNet, log_probabilities, mirror_pad
from napari_superpixels.params import get_preset


def make(n_channels=3, n_maps=7, widths=(4, 6), seed=0):
    return SuperpixelNet(n_channels, n_maps, widths, torch.Generator().manual_seed(seed))


def test_paper_architecture():
    net = make(3, 100, get_preset("paper").hidden_channels)
    shapes = [tuple(conv.weight.shape) for conv in [*net.hidden, net.label_head, net.image_head]]
    assert shapes == [
        (32, 5, 3, 3),
        (64, 32, 3, 3),
        (128, 64, 3, 3),
        (256, 128, 3, 3),
        (100, 256, 1, 1),
        (3, 256, 1, 1),
    ]


@pytest.mark.parametrize("shape", [(9, 12), (1, 5), (5, 1), (2, 1)])
def test_outputs(shape):
    maps, reconstruction = make()(torch.randn(1, 5, *shape))
    assert maps.shape == (7, *shape)
    assert reconstruction.shape == (3, *shape)
    torch.testing.assert_close(log_probabilities(maps).exp().sum(0), torch.ones(shape))


def test_label_maps_are_instance_normalised():
    # Neither scale nor offset of a map matters: the normalisation before the softmax removes them.
    maps = torch.randn(3, 20, 30)
    changed = maps * torch.tensor([1.0, 50.0, 0.2])[:, None, None] + 7
    torch.testing.assert_close(
        log_probabilities(changed), log_probabilities(maps), atol=1e-3, rtol=1e-3
    )


def test_same_seed_same_weights_and_global_rng_untouched():
    before = torch.get_rng_state()
    first, second, other = make(seed=3), make(seed=3), make(seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.hidden[0].weight, second.hidden[0].weight)
    assert not torch.equal(first.hidden[0].weight, other.hidden[0].weight)


@pytest.mark.parametrize("shape", [(4, 5), (2, 2), (2, 7)])
def test_mirror_pad_is_numpys_reflect(shape):
    x = torch.randn(2, *shape)
    expected = np.pad(x.numpy(), ((0, 0), (1, 1), (1, 1)), mode="reflect")
    np.testing.assert_array_equal(mirror_pad(x).numpy(), expected)


def test_mirror_pad_repeats_a_single_pixel():
    assert torch.equal(mirror_pad(torch.full((1, 1, 1), 3.0)), torch.full((1, 3, 3), 3.0))
