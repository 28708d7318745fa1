"""Superpixel quality against a ground truth, and on their own.

Definitions follow D. Stutz, A. Hermans, B. Leibe, "Superpixels: An Evaluation of the
State-of-the-Art", CVIU 166 (2018) 1-27, unless a docstring says otherwise. Label 0 of the
*superpixels* means "outside" and is left out everywhere; in a ground truth 0 is left out too where
``ignore_label=0`` says so. With several annotators, average the figure over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse
from skimage.segmentation import relabel_sequential

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


_HUGE = 2**62


def _label_map(
    labels: ArrayLike, name: str, *, axes: tuple[int, ...] = (2,)
) -> NDArray[np.integer]:
    array = np.asarray(labels)
    if array.ndim not in axes or array.size == 0:
        kind = " or ".join(f"{n}D" for n in axes)
        raise ValueError(f"{name} must be a non-empty {kind} label map, got shape {array.shape}")
    if array.dtype.kind not in "biu":
        raise ValueError(f"{name} must hold integers, got dtype {array.dtype}")
    if array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(f"{name} must hold labels >= 0, got {array.min()}")
    is_huge = array >= _HUGE
    if array.dtype.itemsize == 8 and is_huge.any():  # they get other ids, which int64 can hold
        rest = int(array[~is_huge].max(initial=0))
        array = array.copy()
        array[is_huge] = rest + 1 + np.unique(array[is_huge], return_inverse=True)[1]
    return array.astype(np.int64, copy=False)


def _pair(
    labels: ArrayLike, ground_truth: ArrayLike, ignore_label: int | None
) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.bool_]]:
    a = _label_map(labels, "labels", axes=(2, 3))
    b = _label_map(ground_truth, "ground_truth", axes=(2, 3))
    if a.shape != b.shape:
        raise ValueError(f"labels {a.shape} and ground_truth {b.shape} differ in shape")
    counted = a != 0
    if ignore_label is not None:
        counted &= b != ignore_label
    if not counted.any():
        raise ValueError("no pixel is labelled in both labels and ground_truth")
    return a, b, counted


def _contingency(
    labels: ArrayLike, ground_truth: ArrayLike, ignore_label: int | None
) -> sparse.csr_matrix:
    """Return the overlap in pixels of each superpixel (row) and segment (column)."""
    a, b, counted = _pair(labels, ground_truth, ignore_label)
    # Counted pixels are first numbered 1..n: label ids may be huge and sparse.
    rows = relabel_sequential(a[counted])[0]
    cols = relabel_sequential(b[counted] + 1)[0]
    return sparse.coo_matrix((np.ones(rows.size, np.int64), (rows, cols))).tocsr()


def achievable_segmentation_accuracy(
    labels: ArrayLike, ground_truth: ArrayLike, *, ignore_label: int | None = None
) -> float:
    r"""Accuracy of the best segmentation that merging superpixels could reach (ASA).

    :math:`\mathrm{ASA} = \frac{1}{|I|}\sum_k \max_i |s_k \cap g_i|`
    (M.-Y. Liu et al., "Entropy Rate Superpixel Segmentation", CVPR 2011).

    Parameters
    ----------
    labels : array_like of int, shape (H, W) or (D, H, W)
        Superpixels; 0 is outside.
    ground_truth : array_like of int, shape (H, W) or (D, H, W)
        Segments.
    ignore_label : int, optional
        Ground-truth label that does not count.

    Returns
    -------
    float
        In (0, 1], higher is better.

    Raises
    ------
    ValueError
        If the shapes differ, the dtype is not an integer one, or no pixel counts.
    """
    overlap = _contingency(labels, ground_truth, ignore_label)
    return float(overlap.max(axis=1).sum() / overlap.sum())


def achievable_iou(
    labels: ArrayLike,
    ground_truth: ArrayLike,
    *,
    background: int | None = 0,
    ignore_label: int | None = None,
) -> float:
    """How well objects can be put together from superpixels: mean intersection over union.

    Each superpixel is given to the segment that it shares most with, as for the achievable
    segmentation accuracy. Unlike there each object counts alike, whatever its size.

    Parameters
    ----------
    labels : array_like of int, shape (H, W) or (D, H, W)
        Superpixels; 0 is outside.
    ground_truth : array_like of int, shape (H, W) or (D, H, W)
        Objects, each with a label of its own.
    background : int or None, default 0
        Ground-truth label that is no object; None if all are objects.
    ignore_label : int, optional
        Ground-truth label whose pixels do not count.

    Returns
    -------
    float
        In [0, 1], higher is better: an object that shares no superpixel's largest part counts 0.
        1 where there is no object.

    Raises
    ------
    ValueError
        If the shapes differ, the dtype is not an integer one, or no pixel counts.
    """
    _, truth, counted = _pair(labels, ground_truth, ignore_label)
    overlap = _contingency(labels, ground_truth, ignore_label)[:, 1:]  # its columns count from 1
    owner = np.asarray(overlap.argmax(axis=1)).ravel()
    n_segments = overlap.shape[1]
    size = np.asarray(overlap.sum(axis=0)).ravel()
    given = np.bincount(owner, np.asarray(overlap.sum(axis=1)).ravel(), n_segments)
    common = np.bincount(owner, overlap.max(axis=1).toarray().ravel(), n_segments)
    is_object = np.unique(truth[counted]) != background
    return float(np.mean((common / (size + given - common))[is_object])) if is_object.any() else 1.0


def undersegmentation_error(
    labels: ArrayLike, ground_truth: ArrayLike, *, ignore_label: int | None = None
) -> float:
    r"""Leakage of superpixels over segment borders (UE).

    :math:`\mathrm{UE} = \frac{1}{|I|} \sum_i \sum_{s_k \cap g_i \ne \emptyset}
    \min(|s_k \cap g_i|, |s_k - g_i|)` (P. Neubert, P. Protzel, 2012), the form that Stutz et al.
    recommend because it does not punish one stray pixel with a whole superpixel.

    Parameters
    ----------
    labels : array_like of int, shape (H, W) or (D, H, W)
        Superpixels; 0 is outside.
    ground_truth : array_like of int, shape (H, W) or (D, H, W)
        Segments.
    ignore_label : int, optional
        Ground-truth label that does not count.

    Returns
    -------
    float
        >= 0, lower is better.

    Raises
    ------
    ValueError
        If the shapes differ, the dtype is not an integer one, or no pixel counts.
    """
    overlap = _contingency(labels, ground_truth, ignore_label).tocoo()
    sizes = np.asarray(overlap.sum(axis=1)).ravel()
    leak = np.minimum(overlap.data, sizes[overlap.row] - overlap.data)
    return float(leak.sum() / overlap.sum())


def boundary_mask(labels: ArrayLike) -> NDArray[np.bool_]:
    """Boundary pixels: those that differ from their right or lower neighbour.

    Parameters
    ----------
    labels : array_like of int, shape (H, W)
        Label map.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True on boundary pixels. Its mean is the *boundary share*, what boundary recall costs.
    """
    a = _label_map(labels, "labels")
    mask = np.zeros(a.shape, bool)
    mask[:, :-1] |= a[:, :-1] != a[:, 1:]
    mask[:-1] |= a[:-1] != a[1:]
    return mask


def _within(mask: NDArray[np.bool_], tolerance: int) -> NDArray[np.bool_]:
    if tolerance < 0:
        raise ValueError(f"tolerance must be >= 0 pixels, got {tolerance}")
    size = 2 * tolerance + 1
    return np.asarray(ndimage.maximum_filter(mask, size=size, mode="constant"))


def _matched_share(found: NDArray[np.bool_], reference: NDArray[np.bool_], tolerance: int) -> float:
    n = int(found.sum())
    return float((found & _within(reference, tolerance)).sum() / n) if n else 1.0


def boundary_recall(labels: ArrayLike, ground_truth: ArrayLike, *, tolerance: int = 1) -> float:
    """Share of ground-truth boundary pixels that have a superpixel boundary nearby (BR).

    "Nearby" is inside the square patch of side ``2 * tolerance + 1`` (3x3 by default, as in the
    paper). Boundary pixels are those of `boundary_mask`.

    Parameters
    ----------
    labels : array_like of int, shape (H, W)
        Superpixels.
    ground_truth : array_like of int, shape (H, W)
        Segments.
    tolerance : int, default 1
        Pixels, >= 0.

    Returns
    -------
    float
        In [0, 1], higher is better; 1 where the ground truth has no boundary.

    Raises
    ------
    ValueError
        If the shapes differ, the dtype is not an integer one, or the tolerance is negative.
    """
    a, b = _label_map(labels, "labels"), _label_map(ground_truth, "ground_truth")
    if a.shape != b.shape:
        raise ValueError(f"labels {a.shape} and ground_truth {b.shape} differ in shape")
    return _matched_share(boundary_mask(b), boundary_mask(a), tolerance)


def boundary_precision(labels: ArrayLike, ground_truth: ArrayLike, *, tolerance: int = 1) -> float:
    """Share of superpixel boundary pixels that have a ground-truth boundary nearby.

    Parameters
    ----------
    labels : array_like of int, shape (H, W)
        Superpixels.
    ground_truth : array_like of int, shape (H, W)
        Segments.
    tolerance : int, default 1
        Pixels, >= 0; see `boundary_recall`.

    Returns
    -------
    float
        In [0, 1]; 1 where the superpixels have no boundary. Low by nature for superpixels, which
        oversegment on purpose.

    Raises
    ------
    ValueError
        If the shapes differ, the dtype is not an integer one, or the tolerance is negative.
    """
    return boundary_recall(ground_truth, labels, tolerance=tolerance)


def compactness(labels: ArrayLike) -> float:
    r"""Area-weighted isoperimetric quotient of the superpixels (CO).

    :math:`\mathrm{CO} = \frac{1}{|I|} \sum_k |s_k| \frac{4 \pi |s_k|}{P(s_k)^2}`
    (A. Schick, M. Fischer, R. Stiefelhagen, "Measuring and Evaluating the Compactness of
    Superpixels", ICPR 2012). The perimeter P counts pixel edges that border another label or the
    image frame, so that an a x b rectangle has P = 2 (a + b).

    Parameters
    ----------
    labels : array_like of int, shape (H, W)
        Superpixels; 0 is outside.

    Returns
    -------
    float
        In (0, pi/4]: a square reaches pi/4, the highest that pixel edges allow.

    Raises
    ------
    ValueError
        If there is no labelled pixel or the dtype is not an integer one.
    """
    a = _label_map(labels, "labels")
    if not a.any():
        raise ValueError("labels hold no superpixel (all are 0)")
    ids = relabel_sequential(a)[0]
    framed = np.pad(ids, 1)
    edges = sum(
        (framed[1:-1, 1:-1] != neighbour).astype(np.int64)
        for neighbour in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    )
    area = np.bincount(ids.ravel())[1:]
    perimeter = np.bincount(ids.ravel(), weights=np.asarray(edges).ravel())[1:]
    return float((area * 4 * np.pi * area / perimeter**2).sum() / area.sum())


def explained_variation(
    labels: ArrayLike, image: ArrayLike, *, channel_axis: int | None = None
) -> float:
    r"""Share of the image's variance that superpixel means explain (EV).

    :math:`\mathrm{EV} = \frac{\sum_k |s_k| \|\mu(s_k) - \mu(I)\|^2}{\sum_x \|I(x) - \mu(I)\|^2}`
    (A. P. Moore et al., "Superpixel Lattices", CVPR 2008). Needs no ground truth.

    Parameters
    ----------
    labels : array_like of int, shape (H, W)
        Superpixels; 0 is outside.
    image : array_like, shape (H, W) or with one more axis for channels
        Finite real numbers.
    channel_axis : int, optional
        The axis of `image` that holds channels; None for a single-channel image.

    Returns
    -------
    float
        In [0, 1], higher is better; 1 for a constant image, which needs no explanation.

    Raises
    ------
    ValueError
        If the shapes do not match, there is no labelled pixel, or a labelled pixel is not finite.
    """
    a = _label_map(labels, "labels")
    pixels = np.asarray(image, dtype=np.float64)
    pixels = pixels[..., None] if channel_axis is None else np.moveaxis(pixels, channel_axis, -1)
    if pixels.ndim != 3 or pixels.shape[:2] != a.shape:
        raise ValueError(
            f"image {np.shape(image)} with channel_axis={channel_axis} does not match labels "
            f"{a.shape}"
        )
    inside = a != 0
    if not inside.any():
        raise ValueError("labels hold no superpixel (all are 0)")
    if not np.isfinite(pixels[inside]).all():
        raise ValueError("the image holds NaN or infinite values inside the superpixels")
    values = pixels[inside] - pixels[inside].mean(axis=0)
    ids = relabel_sequential(a[inside])[0] - 1
    area = np.bincount(ids)
    sums = np.stack([np.bincount(ids, weights=channel) for channel in values.T])
    total = float((values**2).sum())
    return float((sums**2 / area).sum() / total) if total > 0 else 1.0
