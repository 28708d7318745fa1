"""From an image that is ready to what the network takes in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_superpixels.core.prepare.blocks import shrink
from napari_superpixels.core.prepare.scaling import normalise

if TYPE_CHECKING:
    from torch import Tensor

    from napari_superpixels.core.prepare.prepared_image import PreparedImage
    from napari_superpixels.plan.resolution import Factor


def to_tensors(
    prepared: PreparedImage, downscale: Factor, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Build the network's input at the working resolution.

    Parameters
    ----------
    prepared : PreparedImage
    downscale : int or tuple of int, one an axis
        Side of the blocks of pixels that are averaged, >= 1.
    device : torch.device
        Where to put the tensors.

    Returns
    -------
    network_input : Tensor of float32, shape (1, C + 2, h, w) or (1, C + 3, d, h, w)
        Image and coordinates (row and column, in a volume plane first), each channel with mean 0
        and variance 1.
    image : Tensor of float32, shape (C, h, w) or (C, d, h, w)
        The image part.
    weight : Tensor of float32, shape (h, w) or (d, h, w), or None
        1 where a block holds a pixel of the mask; None if all do.
    """
    small = shrink(prepared, downscale)
    counted = np.broadcast_to(small.mask, small.features.shape)
    image = torch.from_numpy(normalise(small.features.astype(np.float64), counted))
    coordinates = torch.stack(
        torch.meshgrid([_standardised(n) for n in small.mask.shape], indexing="ij")
    )
    network_input = torch.cat([image, coordinates])[None].to(device)
    weight = None if small.mask.all() else torch.from_numpy(small.mask).to(device, torch.float32)
    return network_input, network_input[0, : len(image)], weight


def _standardised(n: int) -> Tensor:
    """Positions 0...n-1 with mean 0 and variance 1; a single position is 0."""
    position = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    std = math.sqrt((n * n - 1) / 12)
    return position / (std or 1.0)
