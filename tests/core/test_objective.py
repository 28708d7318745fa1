"""The equations against hand-computed cases, slow loops and numerical gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from napari_superpixels.core.network import objective as losses


def slow_losses(p, image, reconstruction, lam, sigma, mask):
    """Eqs. (2)-(4) by loops over pixels, from the paper's formulas and nothing else."""
    n, height, width = p.shape
    counted = [(y, x) for y in range(height) for x in range(width) if mask[y, x]]
    area = len(counted)
    entropy = -sum(p[k, y, x] * math.log(p[k, y, x]) for y, x in counted for k in range(n)) / area
    p_mean = [sum(p[k, y, x] for y, x in counted) / area for k in range(n)]
    clustering = entropy + lam * sum(q * math.log(q) for q in p_mean)
    smoothness = 0.0
    for y, x in counted:
        for dy, dx in ((0, 1), (1, 0)):
            v, u = y + dy, x + dx
            if v < height and u < width and mask[v, u]:
                step = sum(abs(p[k, v, u] - p[k, y, x]) for k in range(n))
                contrast = sum((image[c, v, u] - image[c, y, x]) ** 2 for c in range(len(image)))
                smoothness += step * math.exp(-contrast / sigma)
    smoothness /= area
    error = sum(
        (reconstruction[c, y, x] - image[c, y, x]) ** 2
        for y, x in counted
        for c in range(len(image))
    ) / (area * len(image))
    return clustering, smoothness, error


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("n_channels", [1, 3, 5])
def test_equations_match_slow_loops(rng, masked, n_channels):
    logits = torch.tensor(rng.normal(size=(4, 5, 6)))
    log_p = log_softmax(logits, 0)
    image = torch.tensor(rng.normal(size=(n_channels, 5, 6)))
    reconstruction = torch.tensor(rng.normal(size=(n_channels, 5, 6)))
    mask = rng.random((5, 6)) < 0.7 if masked else np.ones((5, 6), bool)
    weight = torch.tensor(mask, dtype=torch.float64) if masked else None
    expected = slow_losses(
        log_p.exp().numpy(), image.numpy(), reconstruction.numpy(), 1.7, 0.9, mask
    )
    assert losses.clustering_loss(log_p, 1.7, weight).item() == pytest.approx(expected[0])
    assert losses.smoothness_loss(log_p, image, 0.9, weight).item() == pytest.approx(expected[1])
    assert losses.reconstruction_loss(reconstruction, image, weight).item() == pytest.approx(
        expected[2]
    )


def test_uniform_probabilities_by_hand():
    log_p = torch.full((4, 2, 3), math.log(1 / 4), dtype=torch.float64)
    # Each pixel has entropy log 4 and so has the mean: log 4 - lam * log 4.
    assert losses.pixel_entropy(log_p).item() == pytest.approx(math.log(4))
    assert losses.marginal_negentropy(log_p).item() == pytest.approx(-math.log(4))
    assert losses.clustering_loss(log_p, 3.0).item() == pytest.approx(-2 * math.log(4))


def test_confident_halves_by_hand():
    # Left half is superpixel 0, right half superpixel 1, nearly surely.
    logits = torch.zeros(2, 2, 4, dtype=torch.float64)
    logits[0, :, :2] = logits[1, :, 2:] = 60.0
    log_p = log_softmax(logits, 0)
    image = torch.zeros(1, 2, 4, dtype=torch.float64)
    image[:, :, 2:] = 2.0
    assert losses.clustering_loss(log_p, 2.0).item() == pytest.approx(-2 * math.log(2))
    # Two pairs of pixels cross the border: each changes P by 2 in L1, weighed by exp(-4 / 8).
    assert losses.smoothness_loss(log_p, image, 8.0).item() == pytest.approx(
        2 * 2 * math.exp(-0.5) / 8
    )


def test_reconstruction_and_total_by_hand():
    image = torch.tensor([[[0.0, 1.0]], [[2.0, 3.0]]])
    reconstruction = torch.tensor([[[1.0, 1.0]], [[2.0, 0.0]]])
    assert losses.reconstruction_loss(reconstruction, image).item() == pytest.approx(10 / 4)
    terms = (torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0))
    assert losses.total_loss(*terms, alpha=2.0, beta=10.0).item() == pytest.approx(35.0)


def test_empty_channels_have_finite_gradients():
    # float32 probabilities underflow to exactly 0 here; entropies must not turn that into NaN.
    logits = torch.zeros(3, 4, 4)
    logits[0] = 300.0
    logits.requires_grad_()
    log_p = log_softmax(logits, 0)
    flat = torch.ones(1, 4, 4)
    loss = losses.clustering_loss(log_p, 2.0) + losses.smoothness_loss(log_p, flat, 1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_right(rng, masked):
    logits = torch.tensor(rng.normal(size=(3, 4, 5)), requires_grad=True)
    image = torch.tensor(rng.normal(size=(2, 4, 5)))
    weight = torch.tensor((rng.random((4, 5)) < 0.8).astype(float)) if masked else None
    reconstruction = torch.tensor(rng.normal(size=(2, 4, 5)), requires_grad=True)

    def total(logits, reconstruction):
        log_p = log_softmax(logits, 0)
        return losses.total_loss(
            losses.clustering_loss(log_p, 2.0, weight),
            losses.smoothness_loss(log_p, image, 0.5, weight),
            losses.reconstruction_loss(reconstruction, image, weight),
            2.0,
            10.0,
        )

    assert torch.autograd.gradcheck(total, (logits, reconstruction))


def test_smoothness_of_a_volume_by_hand_weighs_steps_by_the_area_between_voxels():
    p = torch.full((2, 2, 2, 2), 0.5)
    p[:, 1] = torch.tensor([0.9, 0.1])[:, None, None]  # four steps of 0.8 between the two planes
    image = torch.zeros(1, 2, 2, 2)
    assert losses.smoothness_loss(p.log(), image, 1.0).item() == pytest.approx(4 * 0.8 / 8)
    deep = losses.smoothness_loss(p.log(), image, 1.0, None, (4.0, 0.5, 0.5))
    assert deep.item() == pytest.approx(4 * 0.8 / 8 / 4)
    wide = losses.smoothness_loss(p.log().movedim(1, 2), image, 1.0, None, (4.0, 0.5, 0.5))
    assert wide.item() == pytest.approx(4 * 0.8 / 8 * 2)
