"""Controls and parameters say the same."""

from __future__ import annotations

import pytest
from magicgui.widgets import ComboBox

from napari_superpixels._napari.segment.controls.parameter_form import (
    CUSTOM,
    ParameterForm,
    preset_of,
)
from napari_superpixels.params import AUTO, SuperpixelParams, get_preset, list_presets


@pytest.fixture
def form(qapp):
    return ParameterForm()


def test_starts_with_balanced_and_the_preferred_seed(qapp):
    form = ParameterForm(seed=7)
    assert form.preset.value == "balanced"
    assert form.params() == get_preset("balanced").replace(seed=7)


@pytest.mark.parametrize("preset", list_presets())
def test_presets_change_all_but_number_and_seed(form, preset):
    form.control("n_segments").value = 321
    form.control("seed").value = 2**32 - 1
    form.preset.value = preset
    assert form.params() == get_preset(preset).replace(n_segments=321, seed=2**32 - 1)
    assert form.preset.value == preset


def test_a_changed_value_makes_it_custom_and_back(form):
    form.control("beta").value = 3.0
    assert form.preset.value == CUSTOM
    form.control("beta").value = 10.0
    assert form.preset.value == "balanced"


def test_values_between_the_steps_survive(form):
    params = SuperpixelParams(lam=1.23456, sigma=0.0123, learning_rate=1.51e-3 / 2)
    form.set_params(params)
    assert form.params() == params
    form.control("lam").value = 2.0
    assert form.params() == params.replace(lam=2.0)


def test_reset(form):
    form.set_params(get_preset("paper").replace(n_segments=7))
    form.reset()
    assert form.params() == SuperpixelParams()


def test_every_control_explains_itself_and_knows_its_range(form):
    for name in SuperpixelParams.__dataclass_fields__:
        control, info = form.control(name), SuperpixelParams.info(name)
        assert control.tooltip == info.tooltip
        assert control.label == info.label
        if hasattr(control, "max") and not isinstance(control, ComboBox):
            lowest = info.minimum - info.step if info.may_be_auto else info.minimum
            assert (control.min, control.max) == (pytest.approx(lowest), info.maximum)


def test_smoothness_is_auto_or_a_number(form):
    control = form.control("refine_smoothness")
    assert (control.value, control.native.text()) == (AUTO, AUTO)
    control.native.stepUp()
    assert control.value == 0
    control.native.stepUp()
    assert form.params().refine_smoothness == pytest.approx(0.05)
    assert form.preset.value == "custom"
    control.value = AUTO
    assert form.params() == SuperpixelParams()
    control.value = 0.03
    control.native.stepDown()  # below 0 there is only auto
    assert (control.value, control.native.text()) == (AUTO, AUTO)
    form.set_params(SuperpixelParams(refine_smoothness=0.123))
    assert form.params().refine_smoothness == 0.123


@pytest.mark.parametrize("text", ["", "32;32", "a", "32,,32"])
def test_bad_widths_are_told(form, text):
    form.control("hidden_channels").value = text
    with pytest.raises(ValueError, match="whole numbers with commas"):
        form.params()
    assert form.preset.value == CUSTOM


def test_changed_is_emitted_once_for_a_preset(form):
    seen = []
    form.changed.connect(lambda: seen.append(1))
    form.preset.value = "paper"
    assert len(seen) == 1


def test_preset_of(qapp):
    assert preset_of(get_preset("fast").replace(seed=4, n_segments=9)) == "fast"
    assert preset_of(get_preset("fast").replace(alpha=9.0)) == CUSTOM
