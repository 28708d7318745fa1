"""The convolutional network f_theta: (I, X) -> (P, reconstruction of I)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from napari_superpixels.core.layers import normalise_rectify

if TYPE_CHECKING:
    from collections.abc import Sequence


def mirror_pad(x: Tensor) -> Tensor:
    """Pad the last two axes by one mirrored pixel, so that image borders are not special.

    Unlike ``torch.nn.functional.pad(mode="reflect")`` it has a deterministic gradient on every
    device, and an axis of length 1 repeats its only pixel.

    Parameters
    ----------
    x : Tensor, shape (..., H, W)
        Any values.

    Returns
    -------
    Tensor, shape (..., H + 2, W + 2)
        Padded values.
    """
    for dim in (-2, -1):
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
    """

    def __init__(
        self,
        n_channels: int,
        n_maps: int,
        hidden_channels: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        widths = [n_channels + 2, *hidden_channels]
        # A convolution before an instance norm needs no bias: the norm would remove it.
        self.hidden = nn.ModuleList(
            skip_init(nn.Conv2d, n_in, n_out, 3, bias=False) for n_in, n_out in pairwise(widths)
        )
        self.label_head = skip_init(nn.Conv2d, widths[-1], n_maps, 1)
        self.image_head = skip_init(nn.Conv2d, widths[-1], n_channels, 1)
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
        x : Tensor, shape (1, C + 2, H, W)
            Normalised image and coordinates; H * W > 1.

        Returns
        -------
        maps : Tensor, shape (N, H, W)
            Label maps before the last instance normalisation; see `log_probabilities`.
        reconstruction : Tensor, shape (C, H, W)
            Reconstructed image.
        """
        x = mirror_pad(x)
        for i, conv in enumerate(self.hidden):
            x = normalise_rectify(conv(x), border=int(i + 1 < len(self.hidden)))
        return _pointwise(self.label_head, x), _pointwise(self.image_head, x)


def _pointwise(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Do a 1x1 convolution as one matrix product: its gradient needs no copies of the maps."""
    assert conv.bias is not None
    maps = torch.addmm(conv.bias[:, None], conv.weight.flatten(1), x[0].flatten(1))
    return maps.view(-1, *x.shape[2:])


def log_probabilities(maps: Tensor) -> Tensor:
    """Turn label maps into log-probabilities: instance normalisation, then log-softmax.

    Parameters
    ----------
    maps : Tensor, shape (N, H, W)
        From `SuperpixelNet`.

    Returns
    -------
    Tensor, shape (N, H, W)
        Log-probabilities of the superpixels.
    """
    return F.log_softmax(F.instance_norm(maps[None])[0], dim=0)
