"""The Labels layer of a result: data, place, colours, features, provenance."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Labels

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels._napari.segment.worker import Delivery

_UNTOUCHED = {"class": "", "lock": "free", "fragments": 0}
_NOT_IN_MEMORY = "not in memory"


def new_layer(
    source: SegmentationInput, labels: NDArray[np.int32] | list[Any], name: str, highest: int = 0
) -> Labels:
    """Make the layer of a run: its preview, which `finish_layer` turns into the result.

    Parameters
    ----------
    source : SegmentationInput
        What is being segmented.
    labels : ndarray of int32, shape of the source, or list of array_like
        Labels; or levels of labels that are not in memory.
    name : str
        Name of the layer.
    highest : int, default 0
        Largest label that it must hold later.

    Returns
    -------
    napari.layers.Labels
        In the place of its source.
    """
    if isinstance(labels, list):
        data: Any = [source.placement.expand(level) for level in labels]
    else:
        data = as_layer_data(source, labels, highest)
    is_pyramid = isinstance(labels, list)
    spatial = source.placement.spatial
    return Labels(data, name=name, multiscale=is_pyramid, **spatial)


def as_layer_data(
    source: SegmentationInput, labels: NDArray[np.int32], highest: int = 0
) -> NDArray[np.integer]:
    """Give labels the axes of their source and the dtype that draws fast.

    Parameters
    ----------
    source : SegmentationInput
        What was segmented.
    labels : ndarray of int32, shape of the source
        Labels.
    highest : int, default 0
        Largest label that they must hold later.

    Returns
    -------
    ndarray of uint16, or of int32 above 65535
        Data of a Labels layer.
    """
    highest = max(highest, int(labels.max(initial=0)))
    dtype = np.uint16 if highest < 2**16 else np.int32
    return np.ascontiguousarray(source.placement.expand(labels).astype(dtype))


def finish_layer(layer: Labels, delivery: Delivery, name: str) -> None:
    """Put a finished run into its layer and unlock it, with an empty undo history.

    The layer gets a feature row per superpixel, and the run's provenance in
    ``metadata["napari-superpixels"]``.

    Parameters
    ----------
    layer : napari.layers.Labels
        From `new_layer`.
    delivery : Delivery
    name : str
        Name to give the layer.
    """
    layer.name = name
    if isinstance(delivery.labels, list):
        layer.metadata = {METADATA_KEY: provenance(delivery) | {"checksum": _NOT_IN_MEMORY}}
        layer.editable = False
        return
    _fill(layer, delivery)
    layer.selected_label = 1


def update_layer(layer: Labels, delivery: Delivery, before: Delivery) -> None:
    """Put other superpixels of the same run into its layer, and leave the rest as it is.

    Parameters
    ----------
    layer : napari.layers.Labels
        As `before` was delivered, see `is_as_delivered`.
    delivery : Delivery
        What it gets. Colours that the user has chosen stay.
    before : Delivery
        What it holds.
    """
    mode, label = layer.mode, layer.selected_label
    if delivery.colormap is not None and layer.colormap == before.colormap:
        layer.colormap = delivery.colormap
    _fill(layer, delivery)
    layer.mode, layer.selected_label = mode, label


def _fill(layer: Labels, delivery: Delivery) -> None:
    assert not isinstance(delivery.labels, list)
    data = as_layer_data(delivery.request.source, delivery.labels)
    layer.data = data
    layer.features = _features(delivery)
    made = provenance(delivery) | {"checksum": checksum(data), "columns": list(layer.features)}
    layer.metadata = layer.metadata | {METADATA_KEY: made}
    # Off and on: that empties the undo history, which reaches back into the preview.
    layer.editable = False
    layer.editable = True


def _features(delivery: Delivery) -> pd.DataFrame:
    """The table of a run; the ids are in `label` too, where other plugins look for them."""
    table = pd.DataFrame(delivery.table)
    table.insert(1, "label", table["index"])
    return table


def provenance(delivery: Delivery) -> dict[str, Any]:
    """How a result was made, as plain values.

    Parameters
    ----------
    delivery : Delivery

    Returns
    -------
    dict
        Parameters, preset, source, counts, device, time, versions; region, nodata and place on the
        map, where there are such.
    """
    source = delivery.request.source
    known: dict[str, Any] = {} if source.place is None else {"place": source.place}
    if delivery.request.tiled_output is not None:
        known["file"] = str(delivery.request.tiled_output)
    series = {Mode.EACH: "alone", Mode.SERIES: "follow"}.get(source.mode)
    if series is not None:
        known["series"] = series
        known["stack"] = [[axis, str(role)] for axis, role in source.stack]
    if source.channels is not None:
        known["channels"] = list(source.channels)
    if source.start is not None:
        layer = source.start.labels.layer_name
        known["start"] = {"kind": str(source.start.kind), "layer": layer}
    if source.region is not None:
        known["region"] = source.region.as_plain()
    if np.isfinite(source.nodata):
        known["nodata"] = source.nodata
    return (
        delivery.result.provenance()
        | known
        | {
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "preset": delivery.request.preset,
            "mode": str(source.mode),
            "source_layer": source.layer_name,
            "source_id": source.layer_id,
            "source_expression": source.plane_expression,
            "channel_axis": source.channel_axis,
            "source_layers": [
                {
                    "name": part.layer_name,
                    "id": part.layer_id,
                    "channel_axis": part.layer_channel_axis,
                }
                for part in (source, *source.further)
            ],
        }
    )


def checksum(data: NDArray[np.integer]) -> int:
    """Fingerprint of a layer's data, to tell whether it was edited since.

    Parameters
    ----------
    data : ndarray of int
        Data of a Labels layer.

    Returns
    -------
    int
        CRC-32.
    """
    return zlib.crc32(np.ascontiguousarray(data).tobytes())


def checksum_of(layer: Labels) -> int | str:
    """Fingerprint of a layer of ours.

    Parameters
    ----------
    layer : napari.layers.Labels

    Returns
    -------
    int or str
        The same as long as nobody edits it.
    """
    # Labels that are read from their file, level by level, cannot be edited.
    return _NOT_IN_MEMORY if layer.multiscale else checksum(np.asarray(layer.data))


def is_as_delivered(layer: Labels, delivery: Delivery) -> bool:
    """Whether a layer may still be edited, and holds the labels and the table of a run.

    Parameters
    ----------
    layer : napari.layers.Labels
        A layer of ours.
    delivery : Delivery
        What was put into it last.

    Returns
    -------
    bool
        False after an edit, and where there are classes, locks or columns of others.
    """
    if not layer.editable or was_edited(layer):
        return False
    return bool(layer.features.equals(_features(delivery)))


def was_edited(layer: Labels) -> bool:
    """Whether a result layer holds more than what the run delivered.

    Parameters
    ----------
    layer : napari.layers.Labels
        A layer of ours.

    Returns
    -------
    bool
        True after any edit that was not undone, and where the table has got columns since, such
        as classes.
    """
    known = layer.metadata.get(METADATA_KEY, {})
    made = known.get("checksum")
    if made is None or checksum_of(layer) != made:
        return True
    more = set(layer.features) - set(known.get("columns", layer.features))
    # The correction dock adds its columns to whatever it shows, with these values to begin with.
    return any(
        name not in _UNTOUCHED or any(layer.features[name] != _UNTOUCHED[name]) for name in more
    )
