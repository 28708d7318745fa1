"""“Copy as Python”: the call that repeats a run."""

from __future__ import annotations

from dataclasses import fields, replace
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.mask import is_of_slices, mask_as_python
from napari_superpixels._napari.input.region import LabelMask
from napari_superpixels._napari.input.start import StartKind
from napari_superpixels._napari.segment.controls.parameter_form import CUSTOM
from napari_superpixels.params import DEFAULT_PRESET, SuperpixelParams, get_preset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Layer

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput


def as_python(
    source: SegmentationInput,
    params: SuperpixelParams,
    preset: str,
    device: str,
    *,
    tiled: bool = False,
    run_params: SuperpixelParams | None = None,
) -> str:
    """Write the Python that repeats a run in napari's console.

    Parameters
    ----------
    source : SegmentationInput
        What is segmented.
    params : SuperpixelParams
    preset : str
        The preset that they belong to, or ``custom``.
    device : str
        Where to run.
    tiled : bool, default False
        Whether it is done in tiles.
    run_params : SuperpixelParams, optional
        Of the run, where its result was asked for another number, lambda or smoothness since.

    Returns
    -------
    str
        Code that needs ``viewer``, leaves ``labels``, and adds them as a layer.
    """
    if run_params is not None:
        return _level_of_a_run(source, params, run_params, device) + _added(source)
    base = DEFAULT_PRESET if preset == CUSTOM else preset
    default = get_preset(base)
    mask = mask_as_python(source)
    if source.start is not None and source.start.kind == StartKind.REFINE:
        return _refined(source, params) + _added(source)
    function = "superpixels"
    channel_axis, special = source.read_axis, []
    if source.mode == Mode.VOLUME:
        special = [f"spacing={tuple(map(float, source.placement.spacing))}"]
    elif source.n_stack:
        function = "superpixels_series"
        channel_axis, special = source.frame_axis, [f"follow={source.mode == Mode.SERIES}"]
    elif tiled:
        function = "superpixels_tiled"
    arguments = [
        "image",
        f"n_segments={params.n_segments}",
        f"preset={base!r}",
        f"seed={params.seed}",
        *_changed(params, default),
        f"channel_axis={channel_axis}",
        *special,
        *(["mask=mask"] if mask else []),
        _nodata(source),
        *_start_arguments(source),
        f"device={device!r}",
    ]
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return (
        f"import numpy as np\nfrom napari_superpixels import {function}\n\n"
        f"{_image(source)}"
        f"{mask}"
        f"{_as_frames(source)}"
        f"{_start(source)}"
        f"labels = {function}(\n{lines})\n"
        f"{_added(source)}"
    )


def _refined(source: SegmentationInput, params: SuperpixelParams) -> str:
    """Code that moves the borders of the labels that are started from."""
    mask = mask_as_python(source)
    arguments = [
        "image",
        "given_labels",
        "keep_background=False",
        f"channel_axis={source.read_axis}",
        *(["mask=mask"] if mask else []),
        _nodata(source),
        f"smoothness={params.refine_smoothness!r}",
    ]
    if source.mode == Mode.VOLUME:
        arguments.append(f"spacing={tuple(map(float, source.placement.spacing))}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return (
        f"import numpy as np\nfrom napari_superpixels import refine\n\n{_image(source)}{mask}"
        f"{_as_frames(source)}{_start(source)}labels = refine(\n{lines})\n"
    )


def _start(source: SegmentationInput) -> str:
    """Code that leaves the labels that are started from in ``given_labels``."""
    if source.start is None:
        return ""
    code = source.start.as_python(source, "given_labels")
    if source.mode in (Mode.EACH, Mode.SERIES):
        code += "given_labels = given_labels.reshape(-1, *given_labels.shape[-2:])\n"
    return code


def _start_arguments(source: SegmentationInput) -> list[str]:
    if source.start is None:
        return []
    if source.start.walls is None:
        return ["initial=given_labels"]
    return ["objects=given_labels", f"object_walls={source.start.walls!r}"]


def as_script(code: str, layers: Sequence[Layer]) -> str:
    """Make a script of code for napari's console.

    Parameters
    ----------
    code : str
        From `as_python`.
    layers : sequence of napari.layers.Layer
        Those that it reads.

    Returns
    -------
    str
        Code that opens the files, or samples, of the layers first, and shows napari at the end. For
        a layer without a file, it ends with what is to be added.
    """
    lines = ["import napari", "", "viewer = napari.Viewer()"]
    opened = []
    for layer in layers:
        found = layer.source
        if found.path is not None:
            reader = f", plugin={found.reader_plugin!r}" if found.reader_plugin else ""
            lines_of = [f"viewer.open({str(found.path)!r}{reader})"]
        elif found.sample is not None:
            lines_of = [f"viewer.open_sample({found.sample[0]!r}, {found.sample[1]!r})"]
        else:
            text = f"Add the pixels of “{layer.name}” here, as a layer of that name."
            lines_of = [
                f"if {layer.name!r} not in viewer.layers:",
                f"    raise SystemExit({text!r})",
            ]
        if lines_of not in opened:
            opened.append(lines_of)
            lines += lines_of
    return "\n".join([*lines, "", code.rstrip(), "", "napari.run()", ""])


def _added(source: SegmentationInput) -> str:
    """Code that adds the labels as a layer, in the place of the image."""
    placement = source.placement
    order = np.argsort(placement.axes).tolist()
    text = f"data = np.asarray(labels).reshape({source.shape})\n"
    if placement.padding != ((0, 0), (0, 0)):
        text += f"data = np.pad(data, {((0, 0),) * source.n_stack + placement.padding})\n"
    if order != sorted(order):
        text += f"data = data.transpose({order})\n"
    if placement.singleton_axes:
        text += f"data = np.expand_dims(data, {placement.singleton_axes})\n"
    spatial = placement.spatial
    values = {
        "scale": np.asarray(spatial["scale"]).tolist(),
        "translate": np.asarray(spatial["translate"]).tolist(),
        "rotate": np.asarray(spatial["rotate"]).tolist(),
        "shear": np.asarray(spatial["shear"]).tolist(),
        "affine": np.asarray(spatial["affine"].affine_matrix).tolist(),
        "units": [str(unit) for unit in spatial["units"]],
        "axis_labels": list(spatial["axis_labels"]),
    }
    arguments = "".join(f"    {name}={value!r},\n" for name, value in values.items())
    name = f"{source.layer_name} superpixels"
    return f"{text}viewer.add_labels(\n    data,\n    name={name!r},\n{arguments})\n"


def _level_of_a_run(
    source: SegmentationInput, params: SuperpixelParams, of_run: SuperpixelParams, device: str
) -> str:
    """Code that repeats the run, and asks it for the other superpixels."""
    mask = mask_as_python(source)
    values = [f"n_segments={of_run.n_segments}", f"seed={of_run.seed}"]
    values += _changed(of_run, SuperpixelParams())
    arguments = [
        "image",
        f"SuperpixelParams({', '.join(values)})",
        f"channel_axis={source.read_axis}",
        *(["mask=mask"] if mask else []),
        _nodata(source),
        *_start_arguments(source),
        f"device={device!r}",
    ]
    if source.mode == Mode.VOLUME:
        arguments.append(f"spacing={tuple(map(float, source.placement.spacing))}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return (
        f"import numpy as np\nfrom napari_superpixels import SuperpixelParams, iter_superpixels\n"
        "from napari_superpixels.events import drain\n\n"
        f"{_image(source)}"
        f"{mask}"
        f"{_as_frames(source)}"
        f"{_start(source)}"
        f"result = drain(iter_superpixels(\n{lines}))\n"
        f"labels = result.at(\n    {params.n_segments},\n    lam={params.lam!r},\n"
        f"    smoothness={params.refine_smoothness!r},\n    count={params.count!r},\n).labels\n"
    )


def _changed(params: SuperpixelParams, default: SuperpixelParams) -> list[str]:
    """Arguments for what differs from a preset, but for the number and the seed."""
    return [
        f"{f.name}={value!r}"
        for f in fields(params)
        if (value := getattr(params, f.name)) != getattr(default, f.name)
        and f.name not in ("n_segments", "seed")
    ]


def _nodata(source: SegmentationInput) -> str:
    return "nodata=" + (repr(source.nodata) if isfinite(source.nodata) else 'float("nan")')


def renamed(source: SegmentationInput, names: Mapping[str, str]) -> SegmentationInput:
    """Use the names that layers have now.

    Parameters
    ----------
    source : SegmentationInput
        What was segmented.
    names : mapping of str to str
        Names of the layers that there are, by identity.

    Returns
    -------
    SegmentationInput
        The same; layers that are gone keep their names.
    """
    region = source.region
    if region is not None and isinstance(region.mask, LabelMask):
        mask = region.mask
        name = names.get(mask.layer_id, mask.layer_name)
        region = replace(region, mask=replace(mask, layer_name=name))
    start = source.start
    if start is not None:
        name = names.get(start.labels.layer_id, start.labels.layer_name)
        start = replace(start, labels=replace(start.labels, layer_name=name))
    return replace(
        source,
        start=start,
        layer_name=names.get(source.layer_id, source.layer_name),
        further=tuple(renamed(other, names) for other in source.further),
        region=region,
    )


def _as_frames(source: SegmentationInput) -> str:
    """Code that gives image and mask the axes that the function takes."""
    if source.mode == Mode.VOLUME and mask_as_python(source):
        return f"mask = np.broadcast_to(mask, {source.shape})\n"
    if source.mode == Mode.VOLUME or not source.n_stack:
        return ""
    text = ""
    if source.further:
        text += f"image = np.moveaxis(image, 0, {source.n_stack})\n"
    if source.n_stack > 1:
        text += f"image = image.reshape(-1, *image.shape[{source.n_stack}:])\n"
        if is_of_slices(source):
            text += "mask = mask.reshape(-1, *mask.shape[-2:])\n"
    return text


def _image(source: SegmentationInput) -> str:
    """Code that leaves the pixels in ``image``."""
    if not source.further:
        return f"image = {_pixels(source)}\n"
    layers = "".join(f"    {_channels_first(s)},\n" for s in (source, *source.further))
    return f"image = np.concatenate([\n{layers}])\n"


def _channels_first(source: SegmentationInput) -> str:
    pixels = _pixels(source) if source.channels else f"np.asarray({_pixels(source)})"
    if source.channel_axis is None:
        return f"{pixels}[None]"
    return f"np.moveaxis({pixels}, {source.channel_axis}, 0)"


def _pixels(source: SegmentationInput) -> str:
    pixels = f"viewer.layers[{source.layer_name!r}].data{source.expression}"
    if source.channels is None:
        return pixels
    return f"np.take({pixels}, {list(source.channels)}, axis={source.channel_axis})"
