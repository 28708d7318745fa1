"""The parameter form: controls generated from SuperpixelParams."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget
from psygnal import Signal

from napari_superpixels._napari.segment.controls.superpixel_size import (
    Extent,
    NumberSlider,
    SuperpixelSize,
)
from napari_superpixels.params import AUTO, PRESETS, SuperpixelParams, get_preset, list_presets

MAIN_FIELDS = ("n_segments", "count", "lam", "refine_smoothness")
ADVANCED_FIELDS = tuple(
    name for name in SuperpixelParams.__dataclass_fields__ if name not in MAIN_FIELDS
)
CUSTOM = "custom"
_IN_WORDS = {"adaptive": "at most", "exact": "exactly"}
# A preset says how, not how many nor where to start.
_KEPT_BY_PRESETS = ("n_segments", "seed")


def make_control(name: str, default: SuperpixelParams) -> ValueWidget[Any]:
    """Make the control of one parameter.

    Parameters
    ----------
    name : str
        Field of `SuperpixelParams`.
    default : SuperpixelParams
        Gives the first value.

    Returns
    -------
    magicgui.widgets.bases.ValueWidget
        Spin box, slider, combo box or text field with label and tooltip.
    """
    info = SuperpixelParams.info(name)
    value = getattr(default, name)
    common: dict[str, Any] = {"name": name, "label": info.label, "tooltip": info.tooltip}
    if info.choices:
        choices = [(_IN_WORDS.get(choice, choice), choice) for choice in info.choices]
        return ComboBox(choices=choices, value=value, **common)
    if isinstance(value, tuple):
        return LineEdit(value=_tuple_text(value), **common)
    assert info.minimum is not None
    assert info.maximum is not None
    assert info.step is not None
    if info.may_be_auto:
        lowest = info.minimum - info.step
        return AutoSpinBox(value, lowest, max=info.maximum, step=info.step, **common)
    bounds: dict[str, Any] = {"min": info.minimum, "max": info.maximum, "step": info.step}
    if isinstance(value, int):
        bounds = {key: int(bound) for key, bound in bounds.items()}
        return SpinBox(value=value, **bounds, **common)
    return FloatSpinBox(value=value, **bounds, **common)


class AutoSpinBox(FloatSpinBox):
    """A spin box for a number, whose lowest step reads ``auto``.

    Parameters
    ----------
    value : float or "auto"
        To begin with.
    lowest : float
        A step below the range of the number.
    **options
        As for `magicgui.widgets.FloatSpinBox`.
    """

    def __init__(self, value: float | str, lowest: float, **options: Any) -> None:
        self._lowest, self._least = lowest, lowest + options["step"]
        super().__init__(min=lowest, **options)
        self.native.setSpecialValueText(AUTO)
        self.set_value(value)
        self.changed.connect(self._snap)

    def get_value(self) -> Any:
        """The number, or ``"auto"``."""
        value = super().get_value()
        return AUTO if value < self._least - 1e-9 else value

    def _snap(self) -> None:
        """Show ``auto`` where a step went below the range of the number."""
        if self.get_value() == AUTO:
            self.set_value(AUTO)

    def set_value(self, value: Any) -> None:
        """Show a number, or ``"auto"``."""
        super().set_value(self._lowest if value == AUTO else value)


def _tuple_text(value: tuple[int, ...]) -> str:
    return ", ".join(str(item) for item in value)


def _from_text(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(item) for item in text.split(","))
    except ValueError:
        raise ValueError(
            f"Network widths must be whole numbers with commas between them, got “{text}”"
        ) from None


class ParameterForm:
    """Preset and parameters as controls, and back as a `SuperpixelParams`.

    Attributes
    ----------
    preset : magicgui.widgets.ComboBox
        A preset's name, or ``custom`` when a value differs from it.
    number : magicgui.widgets.SpinBox
        How many superpixels.
    size : SuperpixelSize
        How wide, instead of how many.
    slider : NumberSlider
        How many, to drag.
    main, advanced : list of magicgui.widgets.bases.ValueWidget
        The other controls, in order.
    changed : psygnal.Signal
        Emitted when any value changed.
    """

    changed = Signal()

    def __init__(self, seed: int = 0) -> None:
        start = get_preset(list_presets()[0]).replace(seed=seed)
        self._start = start
        self.preset = ComboBox(
            name="preset",
            label="Preset",
            choices=[*list_presets(), CUSTOM],
            value=list_presets()[0],
            tooltip="balanced: the best borders, in a second or so. fast: for a first look. paper: "
            "every value as published, full resolution and 1,000 iterations; minutes on a GPU, "
            "about an hour on a CPU. paper-no-recon: the same without reconstruction (β = 0).",
        )
        self._controls = {
            name: make_control(name, start) for name in (*MAIN_FIELDS, *ADVANCED_FIELDS)
        }
        self.number = self._controls["n_segments"]
        assert isinstance(self.number, SpinBox)
        self.size = SuperpixelSize(self.number)
        self.slider = NumberSlider(self.number)
        self.main = [self.preset, *(self._controls[name] for name in MAIN_FIELDS[1:])]
        self.advanced = [self._controls[name] for name in ADVANCED_FIELDS]
        self._updating = False
        self._exact: dict[str, tuple[Any, Any]] = {}
        self.size.changed.connect(self._on_control)
        self.preset.changed.connect(self._on_preset)
        for control in self._controls.values():
            control.changed.connect(self._on_control)

    def control(self, name: str) -> ValueWidget[Any]:
        """The control of one parameter.

        Parameters
        ----------
        name : str
            Field of `SuperpixelParams`.

        Returns
        -------
        magicgui.widgets.bases.ValueWidget
            The control.
        """
        return self._controls[name]

    def params(self) -> SuperpixelParams:
        """Read the parameters.

        Returns
        -------
        SuperpixelParams
            What the controls say.

        Raises
        ------
        ValueError
            If a text field does not parse or a value is out of range.
        """
        values = {}
        for name, control in self._controls.items():
            shown, exact = self._exact.get(name, (None, None))
            values[name] = exact if control.value == shown else control.value
        values["hidden_channels"] = _from_text(values["hidden_channels"])
        return SuperpixelParams(**values)

    def set_params(self, params: SuperpixelParams) -> None:
        """Show parameters, and the preset that they belong to.

        Parameters
        ----------
        params : SuperpixelParams
            What to show.
        """
        self._updating = True
        try:
            for name, control in self._controls.items():
                value = getattr(params, name)
                control.value = _tuple_text(value) if isinstance(value, tuple) else value
                # A spin box rounds to its decimals: what it rounded stays exact until touched.
                if isinstance(value, float):
                    self._exact[name] = (control.value, value)
        finally:
            self._updating = False
        self._show_preset()
        self.changed.emit()

    def fit(self, extent: Extent) -> None:
        """Ask for as many superpixels as suit what is chosen, without telling that they changed.

        Parameters
        ----------
        extent : Extent
            What is to be divided.
        """
        self._updating = True
        self.size.fit(extent)
        self._updating = False

    def reset(self) -> None:
        """Go back to the defaults: ``balanced``, the preferred seed, a number that fits."""
        self.set_params(self._start)
        self.size.propose()
        self.changed.emit()

    def _on_preset(self, name: str) -> None:
        if self._updating or name == CUSTOM:
            return
        kept = {key: self._controls[key].value for key in _KEPT_BY_PRESETS}
        self.set_params(get_preset(name).replace(**kept))

    def _on_control(self) -> None:
        if not self._updating:
            self._show_preset()
            self.changed.emit()

    def _show_preset(self) -> None:
        try:
            name = preset_of(self.params())
        except ValueError:
            name = CUSTOM
        self._updating = True
        self.preset.value = name
        self._updating = False


def preset_of(params: SuperpixelParams) -> str:
    """Find the preset that parameters belong to.

    Parameters
    ----------
    params : SuperpixelParams
        Any parameters.

    Returns
    -------
    str
        A preset's name, or ``custom``; the number of superpixels and the seed do not matter.
    """
    kept = {key: getattr(params, key) for key in _KEPT_BY_PRESETS}
    for name, preset in PRESETS.items():
        if preset.replace(**kept) == params:
            return name
    return CUSTOM
