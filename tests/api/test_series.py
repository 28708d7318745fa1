"""Superpixels that follow their objects."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from skimage.measure import label

from napari_superpixels import SuperpixelParams, get_preset, refine, superpixels
from napari_superpixels.api.series import (
    iter_series,
    keep_ids,
    spelled_problems,
    superpixels_series,
)
from napari_superpixels.errors import FileError, LabelsMismatch
from napari_superpixels.events import drain

FAST = get_preset("fast").replace(n_segments=30, iterations=8)


@pytest.fixture(scope="module")
def movie():
    """Bright squares that move by a pixel a frame, over noise."""
    rng = np.random.default_rng(0)
    frames = rng.normal(20, 2, (4, 60, 80))
    for t in range(4):
        for row, column in ((5, 5), (35, 20), (15, 50)):
            frames[t, row : row + 18, column + t : column + t + 18] += 60
    return frames.astype(np.float32)


def assert_connected(labels):
    assert label(labels, background=0, connectivity=1).max() == len(np.unique(labels[labels > 0]))


def test_ids_stay_with_their_objects(movie):
    labels = drain(iter_series(movie, FAST))
    assert labels.shape == movie.shape
    for frame in labels:
        assert_connected(frame)
    for row, column in ((5, 5), (35, 20), (15, 50)):
        inside = [labels[t, row : row + 18, column + t : column + t + 18] for t in range(4)]
        for t in range(3):
            assert (inside[t] == inside[t + 1]).mean() > 0.8
    assert labels.dtype == np.int32


def test_each_frame_on_its_own_is_the_api(movie):
    labels = drain(iter_series(movie[:2], FAST, follow=False))
    highest = 0
    for t in range(2):
        expected = superpixels(movie[t], 30, preset="fast", iterations=8)
        np.testing.assert_array_equal(labels[t], expected + highest)  # no id comes twice
        highest += expected.max()
    assert highest == labels.max()


def test_the_plain_function_drains_the_generator(movie):
    labels = superpixels_series(movie[:2], 30, preset="fast", iterations=8)
    np.testing.assert_array_equal(labels, drain(iter_series(movie[:2], FAST)))


def test_a_mask_for_each_frame(movie):
    masks = np.zeros((2, 60, 80), bool)
    masks[0, :, :30] = masks[1, :, 40:] = True
    labels = drain(iter_series(movie[:2], FAST, mask=masks))
    np.testing.assert_array_equal(labels > 0, masks)
    with pytest.raises(ValueError, match="the mask has 2 frames, the series has 4"):
        drain(iter_series(movie, FAST, mask=masks))


def test_another_scene_is_segmented_anew_with_other_ids(movie):
    blocks = np.kron(np.random.default_rng(1).uniform(0, 100, (6, 8)), np.ones((10, 10)))
    scene = np.stack([movie[0], blocks])
    steps = [s for s in iter_series(scene, FAST) if s.labels is not None]
    assert [s.is_new for s in steps] == [True, True]
    first, second = (s.labels for s in steps)
    fresh = np.setdiff1d(second, first)
    assert len(fresh) == 0 or fresh.min() > first.max()  # ids of those gone are not used again
    assert_connected(second)


def test_frames_come_one_at_a_time(movie):
    read = []

    def block(part, block_info):
        read.append(block_info[0]["chunk-location"][0])
        return part

    lazy = da.from_array(movie, chunks=(1, 60, 80)).map_blocks(
        block, dtype=movie.dtype, meta=np.empty((0, 0, 0), movie.dtype)
    )
    steps = iter_series(lazy, FAST)
    for step in steps:
        if step.labels is not None:
            break
    assert set(read) == {0}
    steps.close()


def test_pixels_that_come_and_go(movie):
    holes = movie.copy()
    holes[1:3, 40:50, 60:70] = np.nan
    labels = drain(iter_series(holes, FAST))
    np.testing.assert_array_equal(labels == 0, np.isnan(holes))
    mask = np.zeros((60, 80), bool)
    mask[10:50] = True
    labels = drain(iter_series(movie, FAST, mask=mask))
    np.testing.assert_array_equal(labels > 0, np.broadcast_to(mask, labels.shape))


def test_channels(movie):
    stack = np.stack([movie, movie[::-1]], axis=1)
    assert drain(iter_series(stack[:2], FAST, channel_axis=0)).shape == (2, 60, 80)


def test_many_channels(movie):
    rng = np.random.default_rng(0)
    bands = movie[:2, None] * rng.uniform(0.5, 1, (6, 1, 1)) + rng.normal(
        0, 1, (6, *movie[0].shape)
    )
    found = drain(iter_series(bands, FAST.replace(max_channels=2), channel_axis=0))
    np.testing.assert_array_equal(np.unique(found[0]), np.unique(found[1]))  # it followed
    refined = refine(bands[1], found[0], channel_axis=0, max_channels=2, iterations=10)
    np.testing.assert_array_equal(found[1], refined)


def test_frames_on_their_own_have_one_shape_too(movie):
    with pytest.raises(ValueError, match=r"frame 1: .*pixels, the others \(60, 80\)"):
        drain(iter_series([movie[0], movie[1, :50]], FAST, follow=False))


def test_mistakes_name_the_frame(movie):
    with pytest.raises(ValueError, match=r"frame 1: .*pixels"):
        drain(iter_series([movie[0], movie[1][:50]], FAST))
    with pytest.raises(ValueError, match="no frames"):
        drain(iter_series([], FAST))
    with pytest.raises(ValueError, match="renew_above"):
        drain(iter_series(movie, SuperpixelParams(), renew_above=0.5))


class _Broken:
    """Frames of which some cannot be read."""

    def __init__(self, frames, *broken):
        self.frames, self.broken = frames, broken

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, number):
        if number in self.broken:
            raise OSError("page is truncated")
        return self.frames[number]


@pytest.mark.parametrize("follow", [True, False])
def test_frames_that_fail_are_left_out(movie, follow):
    frames = _Broken(movie, 0, 2)
    told = []
    labels = np.zeros(movie.shape, np.int32)
    steps = iter_series(frames, FAST, follow=follow, skip_failing=True, out=labels)
    assert drain(steps, told.append) is labels
    expected = drain(iter_series(movie[1::2], FAST, follow=follow))
    np.testing.assert_array_equal(labels[1::2], expected)
    assert not labels[::2].any()
    problems = {str(step.frame): step.problem for step in told if step.problem}
    reason = "it cannot be read (page is truncated); copy or export it again"
    assert problems == {"0": reason, "2": reason}
    assert (
        spelled_problems(problems | {"3": "too dark"})
        == f"frames 0, 2: {reason}; frame 3: too dark"
    )
    with pytest.raises(FileError, match="frame 0: it cannot be read"):
        drain(iter_series(frames, FAST, follow=follow))
    with pytest.raises(FileError, match="frame 0: it cannot be read"):
        drain(iter_series(_Broken(movie, 0, 1, 2, 3), FAST, follow=follow, skip_failing=True))


def test_ids_are_taken_over_by_overlap():
    before = np.array([[7, 7, 9, 9, 4]], np.int32)
    labels = np.array([[1, 1, 2, 3, 3]], np.int32)
    assert keep_ids(labels, before, 20).tolist() == [[7, 7, 9, 20, 20]] or keep_ids(
        labels, before, 20
    ).tolist() == [[7, 7, 9, 4, 4]]


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("kind", ["stack", "frames", "dask"])
def test_what_masked_arrays_hide_is_left_out(rng, follow, kind):
    movie = rng.normal(size=(3, 40, 50))
    hidden = np.zeros(movie.shape, bool)
    hidden[:, :10] = hidden[2, 20:] = True
    masked = np.ma.masked_array(movie, hidden)
    frames = {"stack": masked, "frames": list(masked), "dask": da.from_array(masked, asarray=False)}
    mask = np.ones((40, 50))
    mask[:, :5] = 0
    quick = {"iterations": 3, "hidden_channels": (4, 4)}
    labels = superpixels_series(frames[kind], 9, follow=follow, mask=mask, **quick)
    np.testing.assert_array_equal(labels > 0, ~hidden & (mask > 0))


@pytest.fixture
def squares(movie):
    """The objects of each frame, numbered anew in each, as an untracked segmentation does."""
    objects = np.zeros(movie.shape, np.uint16)
    for t in range(4):
        for number, (row, column) in enumerate(((5, 5), (35, 20), (15, 50))):
            objects[t, row : row + 18, column + t : column + t + 18] = 10 * t + number + 1
    return objects


@pytest.mark.parametrize("follow", [True, False])
def test_frames_respect_their_own_objects(movie, squares, follow):
    steps = iter_series(movie, FAST, follow=follow, objects=squares)
    seen = []
    labels = drain(steps, lambda step: seen.append(step.is_new))
    assert all(seen)
    for t in range(4):
        assert_connected(labels[t])
        pairs = np.unique(np.stack([labels[t].ravel(), squares[t].ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]  # one object a superpixel
    common = [np.intersect1d(labels[t], labels[t + 1]).size for t in range(3)]
    assert (min(common) > 3) if follow else (max(common) == 0)


def test_one_map_of_objects_is_for_every_frame(movie, squares):
    labels = superpixels_series(movie[:2], 20, preset="fast", iterations=4, objects=squares[0])
    for frame in labels:
        pairs = np.unique(np.stack([frame.ravel(), squares[0].ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_a_frame_without_scribbles_follows(movie):
    scribbles = np.zeros(movie.shape, int)
    scribbles[0, 10:15, 10], scribbles[0, 40, 60:70], scribbles[2, 50, 5:20] = 1, 2, 1
    seen = []
    drain(
        iter_series(movie, FAST, initial=scribbles, renew_above=1e9),
        lambda step: seen.append(step.is_new) if step.step is None else None,
    )
    assert seen == [True, False, True, False]


def test_labels_of_another_number_of_frames(movie, squares):
    with pytest.raises(LabelsMismatch) as caught:
        drain(iter_series(movie, FAST, objects=squares[:3]))
    assert (caught.value.labels, caught.value.image) == ((3, 60, 80), (4, 60, 80))
