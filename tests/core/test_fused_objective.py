"""The lean loss and hidden layer against the plain formulas and numerical gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_superpixels.core.network import layers
from napari_superpixels.core.network import objective as losses
from napari_superpixels.core.network.fused_objective import image_edges, label_loss
from napari_superpixels.core.network.layers import normalise_rectify
from napari_superpixels.core.network.model import log_probabilities, mirror_pad

SHAPES = [(5, 7, 9), (1, 4, 4), (3, 1, 8), (4, 8, 1), (20, 33, 41)]


def plain(maps, image, lam, alpha, sigma, weight):
    log_p = log_probabilities(maps)
    clustering = losses.clustering_loss(log_p, lam, weight)
    smoothness = losses.smoothness_loss(log_p, image, sigma, weight)
    return clustering + alpha * smoothness, clustering, smoothness


def example(shape, masked, dtype, seed=0):
    g = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape, dtype=dtype, generator=g).requires_grad_()
    image = 0.5 * torch.randn((3, *shape[1:]), dtype=dtype, generator=g)
    weight = (torch.rand(shape[1:], generator=g) > 0.3).to(dtype) if masked else None
    return maps, image, weight


# One row at a time, a few, all at once: the strips must not show.
@pytest.mark.parametrize("chunk", [1, 300, 2**18])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradient_equal_the_plain_formulas(monkeypatch, shape, masked, chunk):
    monkeypatch.setattr(layers, "_CPU_CHUNK", chunk)
    maps, image, weight = example(shape, masked, torch.float64)
    expected = plain(maps, image, 1.7, 2.0, 0.9, weight)
    got = label_loss(maps, image_edges(image, 0.9, weight), 1.7, 2.0, weight)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    gradient = [torch.autograd.grad(loss, maps)[0] for loss in (got.objective, expected[0])]
    torch.testing.assert_close(*gradient, rtol=1e-8, atol=1e-12)


def test_unequal_spacing_equals_the_plain_formulas():
    maps, image, weight = example((4, 8, 9), True, torch.float64)
    spacing = (2.0, 0.5)
    expected = losses.smoothness_loss(log_probabilities(maps), image, 0.9, weight, spacing)
    got = label_loss(maps, image_edges(image, 0.9, weight, spacing), 1.7, 2.0, weight)
    torch.testing.assert_close(got.smoothness, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_single_precision_agrees_to_1e5(masked):
    maps, image, weight = example((100, 60, 90), masked, torch.float32)
    expected = plain(maps, image, 2.0, 2.0, 8.0, weight)
    got = label_loss(maps, image_edges(image, 8.0, weight), 2.0, 2.0, weight)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    ours, theirs = (torch.autograd.grad(loss, maps)[0] for loss in (got.objective, expected[0]))
    assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.mark.parametrize("masked", [False, True])
def test_numerical_gradient(masked):
    maps, image, weight = example((3, 4, 5), masked, torch.float64)
    edges = image_edges(image, 0.9, weight)
    torch.autograd.gradcheck(lambda m: label_loss(m, edges, 2.0, 2.0, weight).objective, maps)


def test_empty_and_sure_labels_stay_finite():
    # After normalisation one map has a spike of 30 and the softmax is 0 to the last bit elsewhere.
    maps = torch.zeros(4, 30, 30)
    maps[0, 3, 3] = 1e6
    maps[1, :, :15] = 1e6
    maps.requires_grad_()
    loss = label_loss(maps, image_edges(torch.zeros(1, 30, 30), 8.0), 2.0, 2.0).objective
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("chunk", [1, 2**18])
@pytest.mark.parametrize("border", [0, 1])
@pytest.mark.parametrize("shape", [*SHAPES, (2, 2, 2), (2, 3, 2)])
def test_hidden_layer_equals_the_plain_one(monkeypatch, shape, border, chunk):
    monkeypatch.setattr(layers, "_CPU_CHUNK", chunk)
    x = example(shape, False, torch.float64)[0]
    expected = F.relu(F.instance_norm(x[None]))
    expected = mirror_pad(expected) if border else expected
    got = normalise_rectify(x[None], border)
    torch.testing.assert_close(got, expected)
    direction = torch.randn(got.shape, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad((y * direction).sum(), x)[0] for y in (got, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_hidden_layer_numerical_gradient():
    x = example((2, 4, 5), False, torch.float64)[0]
    torch.autograd.gradcheck(lambda x: normalise_rectify(x[None], 1), x)


def test_hidden_layer_keeps_the_memory_format_and_16_bit_precision():
    x = example((8, 30, 40), False, torch.float32)[0].detach()[None]
    expected = normalise_rectify(x, 1)
    last = normalise_rectify(x.to(memory_format=torch.channels_last), 1)
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected)
    half = normalise_rectify(x.bfloat16() + 100, 1)  # a mean that 8 bits would swallow
    assert half.dtype == torch.bfloat16
    expected = normalise_rectify((x.bfloat16() + 100).float(), 1)
    torch.testing.assert_close(half.float(), expected, atol=0.02, rtol=0.02)
