"""Time series and stacks of planes: superpixels that follow their objects from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.base import is_dask_collection

from napari_superpixels.api.image import iter_superpixels, refine
from napari_superpixels.api.start import Given
from napari_superpixels.core.prepare.checks import as_channels, is_wanted, unmasked, valid_pixels
from napari_superpixels.errors import (
    FileError,
    LabelsMismatch,
    NothingToSegmentError,
    SuperpixelError,
    reason_of,
)
from napari_superpixels.events import drain
from napari_superpixels.io.problems import READ_ERRORS
from napari_superpixels.metrics import explained_variation
from napari_superpixels.params import DEFAULT_PRESET, SuperpixelParams, get_preset

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import ArrayLike, NDArray

    from napari_superpixels.events import Step

# A superpixel keeps its id if it shares this much with its forerunner (intersection over union).
_SAME_OBJECT = 0.25


@dataclass(frozen=True, slots=True)
class SeriesStep:
    """Progress of a series.

    Attributes
    ----------
    frame, n_frames : int
        Frame that is worked on, from 0, and their number.
    step : Step or None
        Progress within the frame; None once it is done.
    labels : ndarray of int32, shape (H, W), or None
        Superpixels of the frame, once it is done.
    image : ndarray, shape (C, H, W), or None
        The pixels that they are of, channels first.
    is_new : bool
        Whether the frame was segmented anew, and did not follow from the one before.
    error : Exception or None
        What went wrong with the frame.
    problem : str
        Why the frame failed and is left out; empty if it did not.
    """

    frame: int
    n_frames: int
    step: Step | None = None
    labels: NDArray[np.int32] | None = None
    image: NDArray[Any] | None = None
    is_new: bool = True
    problem: str = ""
    error: Exception | None = None


def iter_series(
    frames: Any,
    params: SuperpixelParams | None = None,
    *,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    device: str = "auto",
    follow: bool = True,
    renew_above: float = 1.25,
    memory_limit_gb: float | None = None,
    skip_failing: bool = False,
    out: NDArray[np.int32] | None = None,
    initial: ArrayLike | None = None,
    objects: ArrayLike | None = None,
    object_walls: str = "hard",
) -> Generator[SeriesStep, None, NDArray[np.int32]]:
    """Segment each frame of a series.

    With `follow`, a frame starts from the superpixels of the one before: their borders move to the
    edges of the new frame, and their ids stay with their objects. Where they fit too badly, or
    other pixels count than before, the frame is segmented anew, and superpixels that share most
    with one of the frame before take over its id. Ids of superpixels that are gone are not used
    again, so they are not in sequence. Without, each frame has ids that no other has. A frame
    without a pixel to segment is 0; the one after it follows from the one before it.

    Parameters
    ----------
    frames : sequence of array_like
        The frames, along the first axis; one is read at a time, so a dask array will do. What
        masked arrays hide is left out.
    params : SuperpixelParams, optional
        Parameters of each frame; the ``balanced`` preset if None.
    channel_axis : int, optional
        The axis of one frame that holds channels.
    mask : array_like of bool, shape (H, W) or (T, H, W), optional
        True for pixels to segment, in every frame or frame by frame.
    nodata : float, optional
        Pixels with this value in every channel are left out, and so are NaNs and infinities.
    device : str, default "auto"
        Where to run; see `superpixels`.
    follow : bool, default True
        Whether frames follow from each other; else each is segmented on its own.
    renew_above : float, default 1.25
        Segment anew where the variance within superpixels, as a share of the frame's, is this many
        times that of the last frame that was segmented anew. 1 or more.
    memory_limit_gb : float, optional
        Refuse a frame whose estimate is above this.
    skip_failing : bool, default False
        Leave frames that fail 0, and go on.
    out : ndarray of int32, shape (T, H, W), optional
        Zeros, which become the result; so a caller who stops has what is done.
    initial : array_like of int, shape (H, W) or (T, H, W), optional
        Labels or scribbles to start from, in every frame or frame by frame, see `iter_superpixels`.
        A frame that has some is segmented anew; one that has none follows, or starts at random.
    objects : array_like of int, shape (H, W) or (T, H, W), optional
        Objects that superpixels respect, see `iter_superpixels`. Each frame is segmented anew then;
        superpixels keep the ids of those that they share most with all the same.
    object_walls : {"hard", "soft"}
        See `iter_superpixels`.

    Yields
    ------
    SeriesStep
        Progress; for each frame that is done one with its labels, for each that is left out one
        with its problem.

    Returns
    -------
    ndarray of int32, shape (T, H, W)
        Superpixels of all frames; 0 outside.

    Raises
    ------
    ValueError, SuperpixelError
        If a frame (with `skip_failing`, every frame) is unusable or cannot be read, which the
        message says, or none has a pixel to segment.
    """
    params = params or SuperpixelParams()
    if not renew_above >= 1:
        raise ValueError(f"renew_above must be 1 or more, got {renew_above}")
    n_frames = len(frames)
    if n_frames == 0:
        raise ValueError("the series has no frames")
    masks = None if mask is None else np.asarray(mask)
    if masks is not None and masks.ndim == 3 and len(masks) != n_frames:
        raise ValueError(f"the mask has {len(masks)} frames, the series has {n_frames}")
    starts = _Starts(initial, objects, object_walls, n_frames)
    result = np.zeros((n_frames, 0, 0), np.int32) if out is None else out
    before: NDArray[np.int32] | None = None
    failure: Exception | None = None
    highest = 0
    allowed = 0.0
    for number in range(n_frames):
        mask = masks[number] if masks is not None and masks.ndim == 3 else masks
        labels, is_new = None, True
        try:
            frame = _read(frames, number)
            channels = as_channels(frame, channel_axis)
            shown = unmasked(frame, channel_axis, 2)
            if shown is not None:
                mask = shown if mask is None else shown & is_wanted(np.asarray(mask))
            shape = channels.shape[1:]
            if not result.size:
                result = np.zeros((n_frames, *shape), np.int32)
            if shape != result.shape[1:]:
                raise ValueError(f"has {shape} pixels, the others {result.shape[1:]}")
            given = starts.of(number)
            is_free = given.initial is None and given.objects is None
            if follow and before is not None and is_free:
                labels = _followed(frame, before, params, channel_axis, mask, nodata)
            if labels is not None and _residual(labels, frame, channel_axis) <= allowed:
                is_new = False
            else:
                steps = iter_superpixels(
                    frame,
                    params,
                    channel_axis=channel_axis,
                    mask=mask,
                    nodata=np.nan if nodata is None else nodata,
                    device=device,
                    memory_limit_gb=memory_limit_gb,
                    initial=given.initial,
                    objects=given.objects,
                    object_walls=given.object_walls,
                )
                labels = yield from _with_frame(steps, number, n_frames)
                allowed = renew_above * _residual(labels, frame, channel_axis)
                if follow and before is not None:
                    labels = keep_ids(labels, before, highest + 1)
                elif not follow:
                    labels[labels > 0] += highest
        except NothingToSegmentError:
            labels, is_new = np.zeros(shape, np.int32), False
        except (ValueError, SuperpixelError) as error:
            failure = failure or _of_frame(number, error)
            if not skip_failing:
                raise failure from error
            yield SeriesStep(number, n_frames, is_new=False, problem=str(error), error=error)
            continue
        highest = max(highest, int(labels.max()))
        result[number] = labels
        if labels.any():
            before = labels
        yield SeriesStep(number, n_frames, None, labels, channels, is_new)
    if before is None:
        raise failure or NothingToSegmentError("no frame has a pixel to segment")
    return result


class _Starts:
    """What each frame starts from."""

    def __init__(
        self,
        initial: ArrayLike | None,
        objects: ArrayLike | None,
        object_walls: str,
        n_frames: int,
    ) -> None:
        self._walls = object_walls
        self._initial = None if initial is None else np.asarray(initial)
        self._objects = None if objects is None else np.asarray(objects)
        for role, labels in (("initial", self._initial), ("objects", self._objects)):
            if labels is not None and labels.ndim == 3 and len(labels) != n_frames:
                raise LabelsMismatch(role, labels.shape, (n_frames, *labels.shape[1:]))

    def of(self, number: int) -> Given:
        initial = frame_of(self._initial, number)
        if initial is not None and not initial.any():
            initial = None
        return Given(
            initial=initial,
            objects=frame_of(self._objects, number),
            object_walls=self._walls,
        )


def frame_of(labels: NDArray[Any] | None, number: int) -> NDArray[Any] | None:
    """Take what belongs to a frame.

    Parameters
    ----------
    labels : ndarray, shape (H, W) or (T, H, W), or None
        For every frame, or frame by frame.
    number : int
        The frame.

    Returns
    -------
    ndarray, shape (H, W), or None
    """
    return labels if labels is None or labels.ndim == 2 else labels[number]


def _read(frames: Any, number: int) -> NDArray[Any]:
    """A frame, a masked one as it is."""
    try:
        frame = frames[number]
        frame = frame.compute() if is_dask_collection(frame) else frame
        return frame if isinstance(frame, np.ma.MaskedArray) else np.asarray(frame)
    except READ_ERRORS as error:
        raise FileError(
            f"it cannot be read ({reason_of(error)}); copy or export it again"
        ) from error


def _of_frame(number: int, error: Exception) -> Exception:
    """The same error, naming the frame."""
    kind = ValueError if isinstance(error, ValueError) else type(error)
    return kind(f"frame {number}: {error}")


def spelled_problems(problems: dict[str, str], nouns: str = "frames") -> str:
    """Say which frames failed and why, those with the same reason together.

    Parameters
    ----------
    problems : dict of str to str
        Reasons by the name of the frame, such as ``"7"``.
    nouns : str, default "frames"
        What they are.

    Returns
    -------
    str
        Such as ``"frames 3, 7: it cannot be read (...); frame 9: ..."``.
    """
    names: dict[str, list[str]] = {}
    for name, reason in problems.items():
        names.setdefault(reason, []).append(name)
    return "; ".join(
        f"{nouns if len(same) > 1 else nouns[:-1]} {', '.join(same)}: {reason}"
        for reason, same in names.items()
    )


def superpixels_series(
    frames: Any,
    n_segments: int = 100,
    *,
    preset: str = DEFAULT_PRESET,
    seed: int = 0,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    device: str = "auto",
    follow: bool = True,
    initial: ArrayLike | None = None,
    objects: ArrayLike | None = None,
    object_walls: str = "hard",
    **overrides: Any,
) -> NDArray[np.int32]:
    """Segment each frame of a time series, or each plane of a stack.

    Parameters
    ----------
    frames : sequence of array_like
        The frames, along the first axis.
    n_segments : int, default 100
        Upper bound on the number of superpixels of a frame, 1 to 65535.
    preset : {"balanced", "fast", "paper", "paper-no-recon"}
        Where the other parameters come from; see `list_presets`.
    seed : int, default 0
        Seed of the initial weights.
    channel_axis, mask, nodata, device, follow, initial, objects, object_walls
        As for `iter_series`.
    **overrides
        Fields of `SuperpixelParams` that replace those of the preset.

    Returns
    -------
    ndarray of int32, shape (T, H, W)
        Superpixels of all frames; 0 outside.

    Raises
    ------
    ValueError
        If a frame or a parameter is unusable; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_superpixels import superpixels_series
    >>> movie = np.random.default_rng(0).normal(size=(3, 60, 80))
    >>> labels = superpixels_series(movie, n_segments=20)
    """
    params = get_preset(preset).replace(n_segments=n_segments, seed=seed, **overrides)
    steps = iter_series(
        frames,
        params,
        channel_axis=channel_axis,
        mask=mask,
        nodata=nodata,
        device=device,
        follow=follow,
        initial=initial,
        objects=objects,
        object_walls=object_walls,
    )
    return drain(steps)


def _with_frame(
    steps: Generator[Step, Any, Any], number: int, n_frames: int
) -> Generator[SeriesStep, None, NDArray[np.int32]]:
    try:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                labels: NDArray[np.int32] = end.value.labels
                return labels
            yield SeriesStep(number, n_frames, step)
    finally:
        steps.close()


def _followed(
    frame: NDArray[Any],
    before: NDArray[np.int32],
    params: SuperpixelParams,
    channel_axis: int | None,
    mask: ArrayLike | None,
    nodata: float | None,
) -> NDArray[np.int32] | None:
    """The superpixels of the frame before, on this one; None where other pixels count."""
    channels = as_channels(frame, channel_axis)
    valid = valid_pixels(
        channels, [] if mask is None else [mask], np.nan if nodata is None else nodata
    )
    if not np.array_equal(valid, before > 0):
        return None
    found = refine(
        frame,
        before,
        channel_axis=channel_axis,
        compactness=params.refine_compactness,
        smoothness=params.refine_smoothness,
        iterations=max(params.refine_iterations, 1),
        color_space=params.color_space,
        max_channels=params.max_channels,
    )
    return found.astype(np.int32, copy=False)


def _residual(labels: NDArray[np.int32], frame: NDArray[Any], channel_axis: int | None) -> float:
    """Variance within superpixels, as a share of the frame's."""
    return 1 - explained_variation(labels, frame, channel_axis=channel_axis)


def keep_ids(
    labels: NDArray[np.int32], before: NDArray[np.int32], next_id: int
) -> NDArray[np.int32]:
    """Give superpixels the ids of those that they share most with.

    Pairs take each other in the order of their intersection over union, the largest first.

    Parameters
    ----------
    labels : ndarray of int32
        Superpixels 1...K.
    before : ndarray of int32
        Superpixels of the frame before, with any ids.
    next_id : int
        First id for those that have no forerunner.

    Returns
    -------
    ndarray of int32
        The same superpixels.
    """
    both = (labels > 0) & (before > 0)
    pairs, common = np.unique(np.stack([labels[both], before[both]]), axis=1, return_counts=True)
    area = np.bincount(labels.ravel())
    ids, counts = np.unique(before, return_counts=True)
    area_before = counts[np.searchsorted(ids, pairs[1])]
    share = common / (area[pairs[0]] + area_before - common)
    new_ids = np.zeros(len(area), np.int32)
    taken: set[int] = set()
    for k in np.argsort(-share, kind="stable").tolist():
        mine, theirs = int(pairs[0, k]), int(pairs[1, k])
        if share[k] < _SAME_OBJECT:
            break
        if new_ids[mine] == 0 and theirs not in taken:
            new_ids[mine] = theirs
            taken.add(theirs)
    fresh = np.flatnonzero((new_ids == 0) & (np.arange(len(area)) > 0) & (area > 0))
    new_ids[fresh] = np.arange(next_id, next_id + len(fresh))
    return new_ids[labels]
