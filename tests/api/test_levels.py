"""One run, every number of superpixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels import SuperpixelParams, get_preset, iter_superpixels
from napari_superpixels.core.regions.merge import merge_tree
from napari_superpixels.errors import InvalidParameter, TooFewPixels
from napari_superpixels.events import drain
from napari_superpixels.io import sample_images


@pytest.fixture(scope="module")
def result():
    params = SuperpixelParams(n_segments=40, iterations=6, label_maps=30, oversegmentation=200)
    return drain(iter_superpixels(sample_images.photo()[:120, :160], params, channel_axis=-1))


@pytest.mark.parametrize("n_segments", [1, 7, 40, 150])
def test_any_number(result, n_segments, assert_superpixels):
    found = result.at(n_segments)
    assert_superpixels(found.labels, n_segments)
    assert found.n_obtained == found.labels.max()
    assert found.params == result.params.replace(n_segments=n_segments)
    assert found.losses == result.losses


def test_the_same_number_is_the_same_result(result):
    np.testing.assert_array_equal(result.at(40).labels, result.labels)
    np.testing.assert_array_equal(result.at(7).at(40).labels, result.labels)


def test_lambda_leaves_fewer_and_smoothness_shortens_borders(result):
    counts = [result.at(lam=lam).n_obtained for lam in (0.0, 1.0, 2.0, 3.0)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == 40

    def border(smoothness):
        labels = result.at(smoothness=smoothness).labels
        return (labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum()

    assert border(2.0) < border(0.15) < border(0.0)


def test_exactly_so_many_may_be_more_than_the_pieces(result):
    assert result.at(40).params.count == "adaptive"
    assert result.n_most == result.levels.tree.n_regions
    more = result.n_most + 1
    with pytest.raises(InvalidParameter, match=f"at most {result.n_most}, the pieces of this run"):
        result.at(more)
    assert result.at(more, count="exact").n_obtained == more
    with pytest.raises(TooFewPixels):
        result.at(result.labels.size + 1, count="exact")


def test_a_level_knows_its_run_and_its_smoothness(result):
    level = result.at(7)
    assert level.run_params == result.params
    assert level.at(5).run_params == result.params
    assert level.at(40).run_params is None
    found = level.provenance()
    assert found["run_parameters"]["n_segments"] == 40
    assert found["border_smoothness"] == pytest.approx(result.levels.auto_smoothness, abs=1e-4)
    assert "border_smoothness" not in result.at(smoothness=0.3).provenance()


@pytest.mark.parametrize("preset", ["balanced", "paper"])
def test_fewer_pieces_than_asked_for(tiles_image, preset):
    params = get_preset(preset).replace(n_segments=300, iterations=4, hidden_channels=(4, 4))
    few = drain(iter_superpixels(tiles_image[:8, :9], params, channel_axis=-1))
    assert few.n_obtained < 300
    np.testing.assert_array_equal(few.at().labels, few.labels)
    np.testing.assert_array_equal(few.at(300, lam=params.lam).labels, few.labels)


def test_a_result_without_levels_says_so(tiles_image):
    single = drain(iter_superpixels(tiles_image, SuperpixelParams(n_segments=1), channel_axis=-1))
    with pytest.raises(ValueError, match="keeps no levels"):
        single.at(2)


def test_levels_are_nested(rng):
    labels = (np.indices((40, 60)) // 5).transpose(1, 2, 0) @ (20, 1) + 1
    _, labels = np.unique(labels, return_inverse=True)
    labels = labels.reshape(40, 60) + 1
    tree = merge_tree(labels, rng.normal(size=(2, 40, 60)).astype(np.float32), 120.0)
    for few, many in ((1, 10), (10, 20), (20, 60), (60, 96)):
        outer, inner = tree.cut(few), tree.cut(many)
        assert (outer.max(), inner.max()) == (few, many)
        for i in range(1, many + 1):
            assert len(np.unique(outer[inner == i])) == 1
