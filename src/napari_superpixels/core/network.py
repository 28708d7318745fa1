"""The convolutional network f_theta: (I, X) -> (P, reconstruction of I)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

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
    """Five convolution layers, as in the paper.

    Four 3x3 convolutions, each with instance normalisation and ReLU, then a 1x1 convolution to
    ``n_segments + n_channels`` maps: the first ``n_segments`` are instance-normalised and become
    probabilities by a softmax, the others reconstruct the image.

    Parameters
    ----------
    n_channels : int
        Image channels C; the network adds the two coordinates by itself expecting them last.
    n_segments : int
        Upper bound N on the number of superpixels.
    hidden_channels : sequence of int
        Widths of the 3x3 layers; (32, 64, 128, 256) in the paper.
    generator : torch.Generator
        Source of the initial weights (on the CPU, so that every device starts alike).
    """

    def __init__(
        self,
        n_channels: int,
        n_segments: int,
        hidden_channels: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        widths = [n_channels + 2, *hidden_channels]
        # A convolution before an instance norm needs no bias: the norm would remove it.
        self.hidden = nn.ModuleList(
            skip_init(nn.Conv2d, n_in, n_out, 3, bias=False) for n_in, n_out in pairwise(widths)
        )
        self.head = skip_init(nn.Conv2d, widths[-1], n_segments + n_channels, 1)
        self.n_segments = n_segments
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator) -> None:
        # PyTorch's own defaults for convolutions, drawn from our generator: the global random
        # state of the user's session is neither read nor changed.
        for conv in [*self.hidden, self.head]:
            nn.init.kaiming_uniform_(conv.weight, a=5**0.5, generator=generator)
        bound = self.head.in_channels**-0.5
        assert self.head.bias is not None
        nn.init.uniform_(self.head.bias, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute log-probabilities and the reconstruction.

        Parameters
        ----------
        x : Tensor, shape (1, C + 2, H, W)
            Normalised image and coordinates; H * W > 1.

        Returns
        -------
        log_p : Tensor, shape (N, H, W)
            Log-probabilities of the superpixels.
        reconstruction : Tensor, shape (C, H, W)
            Reconstructed image.
        """
        for conv in self.hidden:
            x = F.relu(F.instance_norm(conv(mirror_pad(x))))
        out = self.head(x)
        logits = F.instance_norm(out[:, : self.n_segments])
        return F.log_softmax(logits[0], dim=0), out[0, self.n_segments :]
