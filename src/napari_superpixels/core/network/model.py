"""The convolutional network f_theta: (I, X) -> (P, reconstruction of I)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from napari_superpixels.core.network.layers import normalise_rectify

if TYPE_CHECKING:
    from collections.abc import Sequence


def mirror_pad(x: Tensor, n_axes: int = 2) -> Tensor:
    """Pad the last `n_axes` axes by one mirrored pixel, so that image borders are not special.

    Unlike ``torch.nn.functional.pad(mode="reflect")`` it has a deterministic gradient on every
    device, and an axis of length 1 repeats its only pixel.

    Parameters
    ----------
    x : Tensor, shape (..., H, W)
        Any values.
    n_axes : int, default 2
        Number of axes to pad.

    Returns
    -------
    Tensor, shape (..., H + 2, W + 2)
        Padded values.
    """
    for dim in range(-n_axes, 0):
        n = x.shape[dim]
        inner = 1 if n > 1 else 0
        x = torch.cat([x.narrow(dim, inner, 1), x, x.narrow(dim, n - 1 - inner, 1)], dim)
    return x


class SuperpixelNet(nn.Module):
    """Convolution layers of the paper, of any number and width.

    3x3 convolutions (four in the paper), each with instance normalisation and ReLU, then a 1x1
    convolution to the label maps, which `log_probabilities` turns into probabilities, and one to
    the reconstructed image; together they are the paper's last layer of N + C channels.

    Parameters
    ----------
    n_channels : int
        Image channels C; the network adds the two coordinates by itself expecting them last.
    n_maps : int
        Number of label maps N.
    hidden_channels : sequence of int
        Widths of the 3x3 layers; (32, 64, 128, 256) in the paper.
    generator : torch.Generator
        Source of the initial weights (on the CPU, so that every device starts alike).
    n_axes : {2, 3}
        3 for volumes: the convolutions are then 3x3x3, and there are three coordinates.
    """

    def __init__(
        self,
        n_channels: int,
        n_maps: int,
        hidden_channels: Sequence[int],
        generator: torch.Generator,
        n_axes: int = 2,
    ) -> None:
        super().__init__()
        self.n_axes = n_axes
        conv: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if n_axes == 2 else nn.Conv3d
        widths = [n_channels + n_axes, *hidden_channels]
        # A convolution before an instance norm needs no bias: the norm would remove it.
        self.hidden = nn.ModuleList(
            skip_init(conv, n_in, n_out, 3, bias=False) for n_in, n_out in pairwise(widths)
        )
        self.label_head = skip_init(conv, widths[-1], n_maps, 1)
        self.image_head = skip_init(conv, widths[-1], n_channels, 1)
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator) -> None:
        # PyTorch's own defaults for convolutions, drawn from our generator: the global random
        # state of the user's session is neither read nor changed.
        for conv in [*self.hidden, self.label_head, self.image_head]:
            nn.init.kaiming_uniform_(conv.weight, a=5**0.5, generator=generator)
            if conv.bias is not None:
                bound = conv.in_channels**-0.5
                nn.init.uniform_(conv.bias, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the label maps and the reconstruction.

        Parameters
        ----------
        x : Tensor, shape (1, C + 2, H, W) or (1, C + 3, D, H, W)
            Normalised image and coordinates; more than one pixel.

        Returns
        -------
        maps : Tensor, shape (N, H, W) or (N, D, H, W)
            Label maps before the last instance normalisation; see `log_probabilities`.
        reconstruction : Tensor, shape (C, H, W) or (C, D, H, W)
            Reconstructed image.
        """
        x = mirror_pad(x, self.n_axes)
        for i, conv in enumerate(self.hidden):
            border = int(i + 1 < len(self.hidden))
            if self.n_axes == 2:
                x = normalise_rectify(conv(x), border)
            else:
                x = F.relu(F.instance_norm(conv(x)))
                x = mirror_pad(x, self.n_axes) if border else x
        return _pointwise(self.label_head, x), _pointwise(self.image_head, x)


def _pointwise(conv: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """Do a 1x1 convolution as one matrix product: its gradient needs no copies of the maps."""
    assert conv.bias is not None
    maps = torch.addmm(conv.bias[:, None], conv.weight.flatten(1), x[0].flatten(1))
    return maps.view(-1, *x.shape[2:])


def log_probabilities(maps: Tensor) -> Tensor:
    """Turn label maps into log-probabilities: instance normalisation, then log-softmax.

    Parameters
    ----------
    maps : Tensor, shape (N, H, W) or (N, D, H, W)
        From `SuperpixelNet`.

    Returns
    -------
    Tensor, of the same shape
        Log-probabilities of the superpixels.
    """
    return F.log_softmax(F.instance_norm(maps[None])[0], dim=0)
