"""Earlier results of the same pixels: out of sight during a run, and replaced unless edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_superpixels._napari.segment.output_layer import checksum_of, was_edited
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput


class EarlierResults:
    """Finds them when a run starts.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    source : SegmentationInput
        What is to be segmented again.
    keep : bool, default False
        Whether all are kept.

    Attributes
    ----------
    replaced : napari.layers.Labels or None
        The newest, unless somebody has edited it: the next result takes its place.
    """

    def __init__(self, viewer: Viewer, source: SegmentationInput, *, keep: bool = False) -> None:
        self._viewer = viewer
        self._all = results_of(viewer, source)
        newest = self._all[-1] if self._all else None
        self.replaced = None if newest is None or keep or was_edited(newest) else newest
        self._checksum = None if self.replaced is None else checksum_of(self.replaced)
        self._hidden: list[Labels] = []

    def hide(self) -> None:
        """Hide those that are shown: they would shine through the next result."""
        self._hidden = [layer for layer in self._all if layer.visible]
        for layer in self._hidden:
            layer.visible = False

    def show_again(self) -> None:
        """Show what was hidden: there is no other result."""
        for layer in self._hidden:
            if layer in self._viewer.layers:
                layer.visible = True
        self._hidden = []

    def take(self) -> Labels | None:
        """Tell which layer a result takes the place of.

        Returns
        -------
        napari.layers.Labels or None
            None if there is none, or somebody has edited or removed it during the run.
        """
        layer = self.replaced
        if layer is None or layer not in self._viewer.layers or was_edited(layer):
            return None
        return layer if checksum_of(layer) == self._checksum else None


def results_of(viewer: Viewer, source: SegmentationInput) -> list[Labels]:
    """Find the results of the same plane of the same image.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    list of napari.layers.Labels
        From the oldest run to the newest.
    """
    same = [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels)
        and (made := layer.metadata.get(METADATA_KEY, {})).get("source_id") == source.layer_id
        and made.get("source_expression") == source.plane_expression
    ]
    return sorted(same, key=lambda layer: str(layer.metadata[METADATA_KEY].get("created")))
