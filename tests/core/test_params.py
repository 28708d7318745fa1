"""Parameters: ranges, variants, files."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_superpixels import refine
from napari_superpixels.params import (
    DEFAULT_PRESET,
    PRESETS,
    SuperpixelParams,
    get_preset,
    list_presets,
)

FIELDS = list(SuperpixelParams.__dataclass_fields__)
NUMBERS = [name for name in FIELDS if SuperpixelParams.info(name).minimum is not None]
params_strategy = st.builds(
    SuperpixelParams,
    n_segments=st.integers(1, 65535),
    lam=st.floats(0, 3),
    alpha=st.floats(0, 100),
    sigma=st.floats(0.01, 1e4),
    seed=st.integers(0, 2**32 - 1),
    hidden_channels=st.lists(st.integers(1, 4096), min_size=1, max_size=5).map(tuple),
    color_space=st.sampled_from(["auto", "lab", "channels"]),
    outliers=st.sampled_from(["clip", "keep"]),
    max_channels=st.integers(0, 65535),
)


@settings(max_examples=50, deadline=None)
@given(params=params_strategy)
def test_dict_json_and_toml_give_back_the_same(params, tmp_path_factory):
    assert SuperpixelParams.from_dict(params.to_dict()) == params
    assert SuperpixelParams.from_json(params.to_json()) == params
    path = tmp_path_factory.mktemp("params") / "run.toml"
    params.save(path)
    assert SuperpixelParams.load(path) == params


@pytest.mark.parametrize("name", NUMBERS)
def test_ranges_are_enforced_and_told(name):
    info = SuperpixelParams.info(name)
    for bad in (info.minimum - 1, info.maximum * 2 + 1):
        default = getattr(get_preset("paper"), name)
        value = (int(bad),) if isinstance(default, tuple) else type(default)(bad)
        with pytest.raises(ValueError, match=rf"{name} must be .* to "):
            SuperpixelParams().replace(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_segments", 10.0, TypeError),
        ("n_segments", True, TypeError),
        ("n_segments", "10", TypeError),
        ("lam", float("nan"), ValueError),
        ("color_space", "hsv", ValueError),
        ("hidden_channels", (), TypeError),
        ("hidden_channels", [], TypeError),
        ("hidden_channels", [3.5], TypeError),
        ("hidden_channels", 32, TypeError),
        ("hidden_channels", (32, 0), ValueError),
        ("lambda", 1, ValueError),
    ],
)
def test_wrong_values(name, value, error):
    with pytest.raises(error):
        SuperpixelParams().replace(**{name: value})


def test_numpy_numbers_become_plain_ones():
    params = SuperpixelParams(n_segments=np.int64(7), lam=np.float32(1.5))
    assert type(params.n_segments) is int
    assert type(params.lam) is float
    assert SuperpixelParams.from_json(params.to_json()) == params


def test_a_list_of_widths_is_a_tuple_of_widths():
    assert SuperpixelParams(hidden_channels=[3, 4]) == SuperpixelParams(hidden_channels=(3, 4))
    assert hash(SuperpixelParams(hidden_channels=[3, 4]))


def test_the_nearest_name_is_suggested():
    with pytest.raises(ValueError, match=r"'iteration': did you mean 'iterations'\?"):
        SuperpixelParams().replace(iteration=3)
    with pytest.raises(ValueError, match=r"'qqq'; known are n_segments, count, lam"):
        SuperpixelParams().replace(qqq=3)


def test_every_field_explains_itself():
    for name in FIELDS:
        info = SuperpixelParams.info(name)
        assert info.label
        assert len(info.tooltip) > 30
        assert info.range_text


def test_presets():
    assert list_presets()[0] == DEFAULT_PRESET == "balanced"
    assert get_preset("balanced") == SuperpixelParams()
    assert set(PRESETS) == {"balanced", "fast", "paper", "paper-no-recon"}
    assert signature(refine).parameters["max_channels"].default == SuperpixelParams().max_channels
    assert get_preset("paper").max_channels == get_preset("paper-no-recon").max_channels == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml at all", "not a TOML parameter file"),
        ("x = 1", r"no \[superpixels\] table"),
        ("[superpixels]\nlam = 9.0", "lam must be 0 to 3"),
        ("[superpixels]\nfoo = 9.0", "unknown parameter 'foo'"),
    ],
)
def test_bad_files_are_told_in_words(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        SuperpixelParams.load(path)


def test_bad_json():
    with pytest.raises(ValueError, match="JSON object"):
        SuperpixelParams.from_json("[1]")


def test_frozen():
    with pytest.raises(AttributeError):
        SuperpixelParams().lam = 1.0  # type: ignore[misc]


def test_many_superpixels_need_no_more_label_maps():
    # Pieces come from splitting: maps in proportion to N once took 23 GB for N = 20,000.
    params = SuperpixelParams(n_segments=20_000)
    assert params.n_label_maps == params.label_maps
    assert params.n_pieces(1_000_000) == 40_000
    assert get_preset("paper").replace(n_segments=20_000).n_label_maps == 20_000


def test_pieces_are_in_proportion_to_superpixels_where_the_image_is_large():
    def pieces(n_segments, n_pixels, preset="balanced"):
        return get_preset(preset).replace(n_segments=n_segments).n_pieces(n_pixels)

    photograph, mosaic = 38_640, 463_000
    assert [pieces(n, photograph) for n in (100, 400, 1500)] == [1500, 1600, 4000]
    assert [pieces(n, mosaic) for n in (100, 400, 1200, 3000)] == [1500, 6000, 11_575, 11_575]
    assert [pieces(n, mosaic, "fast") for n in (100, 1200)] == [600, 7200]
    assert pieces(1200, mosaic, "paper") == 0
