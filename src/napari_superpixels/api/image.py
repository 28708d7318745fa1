"""From Python: `superpixels` for labels, `iter_superpixels` for progress, `refine` for borders."""

from __future__ import annotations

import gc
import time
import warnings
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.api.result import SuperpixelResult
from napari_superpixels.api.start import Given, start_of
from napari_superpixels.core.device import (
    describe_device,
    is_out_of_memory,
    release_memory,
    resolve_device,
)
from napari_superpixels.core.network.optimize import Optimized, optimize
from napari_superpixels.core.prepare.checks import (
    as_channels,
    check_mask_shape,
    check_spacing,
    is_wanted,
)
from napari_superpixels.core.prepare.prepared_image import PreparedImage, prepare_image
from napari_superpixels.core.regions.limits import Limits
from napari_superpixels.core.regions.postprocess import Levels, find_levels
from napari_superpixels.core.regions.refine import refine_boundaries
from napari_superpixels.core.regions.smoothness import auto_smoothness
from napari_superpixels.core.regions.split import with_background_pieces
from napari_superpixels.errors import LabelsMismatch, NotLabels, OutOfMemory, TooFewPixels
from napari_superpixels.events import Command, FinishReason, Step, drain
from napari_superpixels.params import (
    AUTO,
    DEFAULT_PRESET,
    SuperpixelParams,
    get_preset,
    unknown_name,
)
from napari_superpixels.params.options import ColorOptions
from napari_superpixels.plan.run_plan import ImageFacts, Machine, RunPlan, plan_run

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_superpixels.api.start import Initial
    from napari_superpixels.core.network.warm_start import WarmStart
    from napari_superpixels.core.prepare.scaling import Scaling
    from napari_superpixels.plan.resolution import Factor


# Finishing a large image takes seconds: the consumer hears from it at least so often.
_PAUSE_S = 0.2


def superpixels(
    image: ArrayLike,
    n_segments: int = 100,
    *,
    preset: str = DEFAULT_PRESET,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    spacing: Sequence[float] | None = None,
    device: str = "auto",
    seed: int = 0,
    initial: Initial | None = None,
    objects: ArrayLike | None = None,
    object_walls: str = "hard",
    **overrides: Any,
) -> NDArray[np.int32]:
    """Segment an image into superpixels with a CNN that is optimised on this image alone.

    Parameters
    ----------
    image : array_like
        2D, or a volume if `spacing` has three numbers; one axis more with `channel_axis`. Any real
        dtype. Lazy arrays are computed.
    n_segments : int, default 100
        Upper bound N on the number of superpixels, 1 to 65535.
    preset : {"balanced", "fast", "paper", "paper-no-recon"}
        Where the other parameters come from; see `list_presets`.
    channel_axis : int, optional
        The axis that holds channels; None for a single-channel image. ``-1`` for RGB.
    mask : array_like of bool, shape (H, W) or (D, H, W), optional
        True for pixels to segment.
    nodata : float, optional
        Pixels with this value in every channel are left out, and so are NaNs and infinities.
    spacing : sequence of float, optional
        Height and width of a pixel, or depth, height and width of a voxel, > 0, in any unit: only
        their ratios count. Three numbers say that the image is a volume.
    device : str, default "auto"
        ``auto`` (CUDA, then MPS, then CPU), ``cuda``, ``cuda:1``, ``mps`` or ``cpu``.
    seed : int, default 0
        Seed of the initial weights.
    initial : SuperpixelResult, mapping or array_like of int, optional
        Where to start: an earlier result, labels or scribbles, see `iter_superpixels`.
    objects : array_like of int, shape of the mask, optional
        Objects whose borders no superpixel crosses, see `iter_superpixels`.
    object_walls : {"hard", "soft"}
        Whether never, or at a cost.
    **overrides
        Fields of `SuperpixelParams` that replace those of the preset.

    Returns
    -------
    ndarray of int32, shape (H, W) or (D, H, W)
        Superpixels 1...K, each 4-connected, supervoxels 6-connected; K <= N, or K = N with
        ``count="exact"``. 0 outside the mask. With `objects` or scribbles K may be more than N:
        each takes at least one.

    Raises
    ------
    ValueError
        If the image, the mask or a parameter is unusable; the message says what to do.
    SuperpixelMemoryError
        If memory does not suffice.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> from napari_superpixels import superpixels
    >>> labels = superpixels(astronaut(), n_segments=200, channel_axis=-1)

    A stack of planes, 1.0 µm apart, of pixels of 0.2 µm:

    >>> supervoxels = superpixels(stack, n_segments=500, spacing=(1.0, 0.2, 0.2))  # doctest: +SKIP
    """
    known = SuperpixelParams.__dataclass_fields__
    for name in overrides:
        if name not in known:
            raise unknown_name(name, [*signature(superpixels).parameters, *known])
    params = get_preset(preset).replace(n_segments=n_segments, seed=seed, **overrides)
    steps = iter_superpixels(
        image,
        params,
        channel_axis=channel_axis,
        mask=mask,
        nodata=nodata,
        spacing=spacing,
        device=device,
        initial=initial,
        objects=objects,
        object_walls=object_walls,
    )
    return drain(steps).labels


def iter_superpixels(
    image: ArrayLike,
    params: SuperpixelParams | None = None,
    *,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    spacing: Sequence[float] | None = None,
    device: str = "auto",
    initial: Initial | None = None,
    objects: ArrayLike | None = None,
    object_walls: str = "hard",
    scaling: Scaling | None = None,
    preview_interval_s: float | None = None,
    memory_limit_gb: float | None = None,
) -> Generator[Step, Command | None, SuperpixelResult]:
    """Segment an image step by step: a generator of `Step` that returns a `SuperpixelResult`.

    Stop iterating (or ``close()``) to cancel: its tensors are freed. ``send(Command.FINISH)`` to
    end early with a valid result from the state so far. Read the result with
    ``result = yield from iter_superpixels(...)`` or from ``StopIteration.value``.

    Parameters
    ----------
    image : array_like
        As for `superpixels`.
    params : SuperpixelParams, optional
        Parameters of the run; the ``balanced`` preset if None.
    channel_axis : int, optional
        The axis that holds channels.
    mask : array_like of bool, shape (H, W) or (D, H, W), optional
        True for pixels to segment.
    nodata : float, optional
        Pixels with this value in every channel are left out, and so are NaNs and infinities.
    spacing : sequence of float, optional
        Height and width of a pixel, or depth, height and width of a voxel, > 0, in any unit: only
        their ratios count. Three numbers say that the image is a volume.
    device : str, default "auto"
        Where to run; see `superpixels`.
    initial : SuperpixelResult, mapping or array_like of int, shape of the mask, optional
        Where the run starts, instead of at random: the result of a run on a similar image with the
        same network, or its ``weights``; or labels that the network imitates first, whole numbers
        from 0 ("no label"). Where at least half of the pixels have a label (superpixels of other
        software, of the frame before), borders begin at theirs and may move, and labels merge to N
        at a cost. Where fewer have one they are scribbles, which hold: all pixels of a scribble
        stay in superpixels of that scribble, and no superpixel joins two. Which label a superpixel
        belongs to is in ``result.table["initial"]``.
    objects : array_like of int, shape of the mask, optional
        Labels of objects (from Cellpose, StarDist, SAM…), whole numbers from 0, which lies outside
        of all. No superpixel crosses the border of one, and each connected part of an object, and
        of what lies between them, holds at least one superpixel. So there may be more than N;
        beyond these, N is what it is without objects. ``result.table["object"]`` tells the object
        of each superpixel. Pieces merge at full resolution then, which takes longer in large
        images. For labels that must not change at all.
    object_walls : {"hard", "soft"}
        With ``"soft"``, merging across the border of an object costs as much as across a strong
        edge, and borders may move to edges nearby: only stronger edges elsewhere override it. There
        are at most N superpixels then, and an object may share one.
    scaling : Scaling, optional
        How to scale the colours, if the image is a part of a larger one; see `core.scaling`.
    preview_interval_s : float, optional
        Attach preview labels to a Step at most so often, in seconds; None for never.
    memory_limit_gb : float, optional
        Refuse a run whose estimate is above this, in GB (10^9 bytes).

    Yields
    ------
    Step
        Iteration, losses, superpixels so far, at times a preview. The last one comes again while
        superpixels are being finished, where that takes long.

    Returns
    -------
    SuperpixelResult
        Labels, counts, losses, seconds, device, parameters.

    Raises
    ------
    ValueError
        If the image, the mask, the device or a parameter is unusable.
    SuperpixelMemoryError
        If memory does not, or did not, suffice. The next run is not affected. Where the memory of a
        GPU runs out, the run begins anew on the CPU, with a warning.
    """
    params = params if params is not None else SuperpixelParams()
    begin = time.perf_counter()
    where = resolve_device(device)
    prepared = prepare_image(
        image,
        channel_axis=channel_axis,
        mask=mask,
        nodata=nodata,
        spacing=spacing,
        colors=params.colors,
        scaling=scaling,
    )
    _check_count(prepared, params, has_mask=mask is not None)
    if prepared.mask.ndim == 3:
        _check_volume(params)
    given = Given(initial=initial, objects=objects, object_walls=object_walls)
    start = start_of(given, prepared)
    facts = ImageFacts(
        shape=prepared.mask.shape,
        n_channels=len(prepared.features),
        spacing=prepared.spacing,
        covered=prepared.covered,
        n_labels=start.network.n_labels,
        has_walls=start.limits.has_walls,
    )

    def optimized_on(device: torch.device) -> Generator[Step, Command | None, Optimized]:
        plan = plan_run(facts, params, Machine(describe_device(device), memory_limit_gb))
        if plan.problem is not None:
            raise plan.problem
        return _guarded(prepared, params, plan, device, preview_interval_s, start.network)

    ran_on = describe_device(where).where
    steps = optimized_on(where)
    labels, optimized, levels = prepared.mask.astype(np.int32), None, None
    if params.n_segments == 1 and start.limits.hard:
        labels, levels = drain(_labels_and_levels(labels, 1, prepared, params, start.limits))
    elif params.n_segments > 1 and prepared.mask.sum() > 1:
        try:
            optimized = yield from steps
        except OutOfMemory as error:
            if error.is_cpu:
                error.has_walls = start.limits.has_walls
                raise
        if optimized is None:
            text = f"{ran_on} ran out of memory"
            warnings.warn(f"{text}: the run begins anew on the CPU", RuntimeWarning, stacklevel=2)
            cpu = resolve_device("cpu")
            ran_on = f"{describe_device(cpu).where}, as {text}"
            optimized = yield from optimized_on(cpu)
        labels, levels = yield from _finished(optimized, prepared, params, start.limits)
    return SuperpixelResult(
        labels=prepared.embed(labels),
        params=params,
        n_obtained=int(labels.max()),
        losses=optimized.losses if optimized else (),
        iterations=optimized.iterations if optimized else 0,
        seconds=time.perf_counter() - begin,
        device=ran_on,
        reason=optimized.reason if optimized else FinishReason.COMPLETED,
        weights=optimized.weights if optimized else {},
        levels=levels,
        given=start.labels,
        started_from=start.about,
    )


def _check_count(prepared: PreparedImage, params: SuperpixelParams, *, has_mask: bool) -> None:
    if prepared.n_regions > params.n_segments:
        where = "of the mask" if has_mask else "with a mask"
        raise ValueError(
            f"the pixels to segment lie in {prepared.n_regions} separate regions, which need at "
            f"least as many superpixels, but only {params.n_segments} are asked for: ask for more, "
            f"or leave small regions out {where}"
        )
    n_pixels = int(prepared.mask.sum())
    if params.count == "exact" and params.n_segments > n_pixels:
        raise TooFewPixels(params.n_segments, n_pixels)


def _check_volume(params: SuperpixelParams) -> None:
    for name, value, remedy in (
        ("downscale", 1, "the working resolution of a volume follows from its size"),
        ("oversegmentation", 0, "supervoxels are merged from smaller pieces"),
        ("label_maps", 0, "each label map takes the memory of a volume"),
    ):
        if getattr(params, name) == value:
            raise ValueError(
                f"{name}={value}, as in the paper, is for 2D images: {remedy}. Use the balanced "
                "or fast preset"
            )


def _guarded(
    prepared: PreparedImage,
    params: SuperpixelParams,
    plan: RunPlan,
    device: torch.device,
    preview_interval_s: float | None,
    start: WarmStart,
) -> Generator[Step, Command | None, Optimized]:
    """Run the loop; turn any backend's out-of-memory error into ours."""
    try:
        return (
            yield from optimize(
                prepared,
                params,
                device,
                plan=plan,
                preview_interval_s=preview_interval_s,
                start=start,
            )
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        # The traceback's frames hold tensors: they must go before memory is given back.
        error.__traceback__ = None
    gc.collect()
    release_memory(device)
    info = describe_device(device)
    raise OutOfMemory(str(info), plan.needed_bytes, info.is_cpu)


def _finished(
    optimized: Optimized, prepared: PreparedImage, params: SuperpixelParams, limits: Limits
) -> Generator[Step, Command | None, tuple[NDArray[np.int32], Levels]]:
    """Finish; where that takes long, repeat the last Step now and then so that one can cancel."""
    n_winners = len(np.unique(optimized.winners[optimized.winners > 0]))
    done = optimized.iterations
    last = Step(done, done, optimized.losses[-1], n_winners)
    told = time.monotonic()
    pauses = _labels_and_levels(optimized.winners, optimized.factor, prepared, params, limits)
    while True:
        try:
            next(pauses)
        except StopIteration as end:
            found: tuple[NDArray[np.int32], Levels] = end.value
            return found
        if time.monotonic() - told > _PAUSE_S:
            yield last
            told = time.monotonic()


def _labels_and_levels(
    winners: NDArray[np.integer],
    factor: Factor,
    prepared: PreparedImage,
    params: SuperpixelParams,
    limits: Limits,
) -> Generator[None, None, tuple[NDArray[np.int32], Levels]]:
    levels = yield from find_levels(winners, prepared, factor, params, limits)
    return (yield from levels.superpixels(params)), levels


def refine(
    image: ArrayLike,
    labels: ArrayLike,
    *,
    keep_background: bool = True,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    spacing: Sequence[float] | None = None,
    compactness: float = 0.1,
    smoothness: float | str = AUTO,
    iterations: int = 4,
    color_space: str = "auto",
    max_channels: int = 32,
) -> NDArray[np.integer]:
    """Move the borders of any labels to the image's edges.

    Pixels on a border join the neighbouring label that they fit best in colour and position; each
    label keeps its id and at least one pixel, and a connected label stays connected. No network
    is involved.

    Parameters
    ----------
    image : array_like
        As for `superpixels`.
    labels : array_like of int, shape (H, W) or (D, H, W)
        Labels from anywhere.
    keep_background : bool, default True
        Pixels of label 0 stay 0, so that borders move between labels only. With False the
        background is a region like others, whose borders move too: for objects that lie apart,
        such as masks of cells.
    channel_axis : int, optional
        The axis that holds channels; None for a single-channel image. ``-1`` for RGB.
    mask : array_like of bool, shape of `labels`, optional
        True for pixels whose label may change.
    nodata : float, optional
        Pixels with this value in every channel keep their label, and so do NaNs and infinities.
    spacing : sequence of float, optional
        Size of a pixel along each axis, see `superpixels`; three numbers for a volume.
    compactness : float, default 0.1
        Weight of the distance to the label's centre, 0 to 100, no unit; higher gives rounder ones.
    smoothness : float or "auto", default "auto"
        Weight of the border's length, 0 to 100, no unit. Higher gives straighter borders and fewer
        border pixels, lower follows every detail. ``"auto"`` is 0.15, up to 1 in an image with much
        noise.
    iterations : int, default 4
        Largest number of rounds, 0 to 1000: a border moves by at most one pixel in each, so that
        labels of many colours stay near what they were.
    color_space : {"auto", "lab", "channels"}
        See `SuperpixelParams`.
    max_channels : int, default 32
        More channels than this are reduced to so many principal components, 0 to 65535; 0 keeps
        all.

    Returns
    -------
    ndarray, shape of `labels`
        Refined labels, of the dtype that was given.

    Raises
    ------
    ValueError
        If the image, the labels or a parameter is unusable; the message says what to do.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> from skimage.segmentation import slic
    >>> from napari_superpixels import refine
    >>> labels = refine(astronaut(), slic(astronaut(), 200, start_label=1), channel_axis=-1)
    """
    for name, value in (
        ("compactness", compactness),
        ("smoothness", smoothness),
        ("iterations", iterations),
    ):
        SuperpixelParams.check(f"refine_{name}", value, called=name)
    SuperpixelParams.check("color_space", color_space)
    given = np.asarray(labels)
    if given.dtype.kind not in "iu":
        raise NotLabels("labels", f"values of the type {given.dtype}")
    n_axes = len(check_spacing(spacing))
    plane = as_channels(image, channel_axis, n_axes=n_axes).shape[1:]
    if given.shape != plane:
        raise LabelsMismatch("labels", given.shape, plane)
    if mask is not None:
        check_mask_shape(np.shape(mask), plane)
    is_label = given != 0
    if not is_label.any():
        return given.copy()
    inside = is_label if keep_background else np.ones(given.shape, bool)
    prepared = prepare_image(
        image,
        channel_axis=channel_axis,
        mask=inside if mask is None else inside & is_wanted(np.asarray(mask)),
        nodata=np.nan if nodata is None else nodata,
        spacing=spacing,
        colors=ColorOptions(color_space=color_space, max_channels=max_channels),
    ).balanced()
    features = np.zeros((len(prepared.features), *plane), np.float32)
    features[:, *prepared.window] = prepared.features
    frozen = inside.copy()  # pixels without a value stay, and keep their label in one piece
    frozen[prepared.window] &= ~prepared.mask
    ids = np.unique(given[is_label])
    numbered = ((np.searchsorted(ids, given) + 1) * is_label).astype(np.int32)
    if not keep_background:
        numbered = with_background_pieces(numbered, prepared.spacing)
    refined = drain(
        refine_boundaries(
            numbered,
            features,
            iterations=iterations,
            compactness=compactness,
            smoothness=auto_smoothness(prepared) if smoothness == AUTO else float(smoothness),
            limits=Limits(frozen=frozen),
            spacing=prepared.spacing,
        )
    )
    # What is above the labels is background.
    of_label = np.zeros(int(refined.max()) + 1, given.dtype)
    of_label[1 : len(ids) + 1] = ids
    return of_label[refined]
