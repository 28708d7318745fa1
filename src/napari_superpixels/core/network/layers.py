"""The network's hidden layer without the tensors that autograd would keep for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# Of instance normalisation, added to the variance; PyTorch's default.
EPS = 1e-5
# Values handled at a time: 1 MB in float32 stays in a core's cache; a GPU wants few, large kernels.
_CPU_CHUNK, _GPU_CHUNK = 2**18, 2**25


def chunk_size(tensor: Tensor) -> int:
    """Return how many values to handle at a time on a tensor's device.

    Parameters
    ----------
    tensor : Tensor
        Where to work.

    Returns
    -------
    int
        Values.
    """
    return _CPU_CHUNK if tensor.device.type == "cpu" else _GPU_CHUNK


def channel_groups(maps: Tensor) -> list[slice]:
    """Divide channels into groups that are handled at a time.

    Parameters
    ----------
    maps : Tensor, shape (N, H, W)
        Where to work.

    Returns
    -------
    list of slice
        Of the first axis, in order; each holds `chunk_size` values at most, or one channel.
    """
    n, height, width = maps.shape
    size = max(1, chunk_size(maps) // (height * width))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def normalise_rectify(x: Tensor, border: int) -> Tensor:
    """Instance normalisation, ReLU and, for a 3x3 convolution to come, a mirrored border.

    Equal to ``relu(instance_norm(x))``, or its `mirror_pad`, but the backward pass needs no tensors
    besides `x` and the result, which the convolutions before and after keep anyway.

    Parameters
    ----------
    x : Tensor, shape (1, C, H, W)
        Output of a convolution; H * W > 1.
    border : {0, 1}
        Width of the mirrored border.

    Returns
    -------
    Tensor, shape (1, C, H + 2 * border, W + 2 * border)
        Input of the next convolution.
    """
    out: Tensor = _NormaliseRectify.apply(x, border)  # type: ignore[no-untyped-call]
    return out


def instance_statistics(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and inverse standard deviation of each map, as instance normalisation has them.

    Parameters
    ----------
    maps : Tensor, shape (N, H, W)
        Any values.

    Returns
    -------
    mean, inv_std : Tensor, shape (N, 1, 1)
        Statistics over the pixels.
    """
    mean = maps.mean((1, 2), keepdim=True)
    # In two passes over values in the cache: faster than torch.var, and as exact.
    variance = (maps - mean).square_().mean((1, 2), keepdim=True)
    return mean, (variance + EPS).rsqrt_()


def _memory_format(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def _inner(padded: Tensor, border: int) -> Tensor:
    return padded[..., 1:-1, 1:-1] if border else padded


def _mirrors(padded: Tensor, border: int) -> list[tuple[Tensor, Tensor]]:
    """Pairs of a border line and the line that it repeats, in the order to fill them."""
    pairs: list[tuple[Tensor, Tensor]] = []
    if not border:
        return pairs
    for dim in (-2, -1):
        n = padded.shape[dim]
        near, far = (2, n - 3) if n > 3 else (1, n - 2)
        pairs += [
            (padded.narrow(dim, edge, 1), padded.narrow(dim, line, 1))
            for edge, line in ((0, near), (n - 1, far))
        ]
    return pairs


class _NormaliseRectify(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, border: int) -> Tensor:
        _, n, height, width = x.shape
        # Sums over many pixels need more than 16 bits.
        exact = torch.promote_types(x.dtype, torch.float32)
        out = torch.empty(
            (1, n, height + 2 * border, width + 2 * border),
            dtype=x.dtype,
            device=x.device,
            memory_format=_memory_format(x),
        )
        inv_std = x.new_empty((n, 1, 1), dtype=exact)
        mean = x.new_empty((n, 1, 1), dtype=exact)
        for c in channel_groups(x[0]):
            values = x[0, c].to(exact)
            mean[c], inv_std[c] = instance_statistics(values)
            centred = (values - mean[c]).clamp_(min=0)
            torch.mul(centred, inv_std[c], out=_inner(out[0, c], border))
            for edge, line in _mirrors(out[0, c], border):
                edge.copy_(line)
        ctx.save_for_backward(x, out, mean, inv_std)
        ctx.border = border
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, out, mean, inv_std = ctx.saved_tensors
        result = torch.empty_like(x)
        for c in channel_groups(x[0]):
            whole = grad[0, c].clone() if ctx.border else grad[0, c]  # autograd's own must stay
            for edge, line in reversed(_mirrors(whole, ctx.border)):
                line += edge
            y = _inner(out[0, c], ctx.border)
            slope = _inner(whole, ctx.border).mul(y > 0)
            offset = slope.mean((1, 2), keepdim=True, dtype=mean.dtype)
            # Where the slope is not 0, y is the normalised value.
            correlation = (slope * y).mean((1, 2), keepdim=True, dtype=mean.dtype)
            torch.sub(x[0, c], mean[c], out=result[0, c])
            result[0, c].mul_(-correlation * inv_std[c]).add_(slope).sub_(offset).mul_(inv_std[c])
        return result, None
