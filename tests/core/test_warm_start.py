"""Labels to start from at the resolution that the network sees."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_superpixels.core.network.warm_start import imitation_loss, shrink_labels


@given(
    labels=hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.integers(0, 3),
    ),
    factor=st.integers(1, 5),
)
def test_each_block_gets_its_most_frequent_label(labels, factor):
    small = shrink_labels(labels, factor)
    assert small.shape == tuple(-(-n // factor) for n in labels.shape)
    for (row, col), got in np.ndenumerate(small):
        block = labels[row * factor : (row + 1) * factor, col * factor : (col + 1) * factor]
        counts = np.bincount(block[block > 0], minlength=1)
        assert got == counts.argmax()  # the lowest of equals; 0 where there is none


def test_one_labelled_pixel_is_enough_to_start_from():
    labels = np.zeros((48, 64), np.int64)
    labels[0, 0] = 1
    small = torch.from_numpy(shrink_labels(labels, 4))
    assert imitation_loss(torch.zeros(1, *small.shape), small).isfinite()


def test_pixels_without_a_label_do_not_count():
    log_p = torch.log(torch.tensor([[[0.5, 0.1]], [[0.5, 0.9]]]))
    loss = imitation_loss(log_p, torch.tensor([[0, 2]]))
    torch.testing.assert_close(loss, -torch.log(torch.tensor(0.9)))
