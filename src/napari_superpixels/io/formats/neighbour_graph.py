"""The graph of neighbours: GraphML, and its edges as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pandas as pd

from napari_superpixels.core.regions.graph import adjacency, border_lengths, border_steps
from napari_superpixels.io.classes import CLASS
from napari_superpixels.io.formats.table import by_frame, measure

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.io.formats.label_image import LabelImage


def edges(label_image: LabelImage) -> pd.DataFrame:
    """Describe each pair of neighbours.

    Parameters
    ----------
    label_image : LabelImage
        Labels, image, pixel size.

    Returns
    -------
    DataFrame
        One row a pair: ``label_a`` < ``label_b``; ``border``, the length along the pixels' edges
        (in a volume the area of the common faces) in ``unit``; and, with an image, ``mean_step``:
        the Euclidean difference over all channels between the pixels on both sides, averaged over
        the border, without pixels where a channel has no value; where there are classes,
        ``class_a`` and ``class_b``. Of frames, one row a frame and
        pair, with ``frame``.
    """
    if label_image.frames:
        return by_frame(label_image, edges)
    pairs, _ = adjacency(label_image.ranks)
    columns = {
        "label_a": label_image.ids[pairs[:, 0] - 1],
        "label_b": label_image.ids[pairs[:, 1] - 1],
        "border": border_lengths(label_image.ranks, pairs, label_image.spacing),
        "unit": np.full(len(pairs), label_image.unit, object),
    }
    if label_image.image is not None:
        known = np.isfinite(label_image.image).all(axis=0)
        ranks = np.where(known, label_image.ranks, 0)
        total = border_steps(ranks, np.where(known, label_image.image, 0.0), pairs)
        count = border_lengths(ranks, pairs, (1,) * ranks.ndim)
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: no step is known
            columns["mean_step"] = total / count
    classes = label_image.columns.of(label_image.ids).get(CLASS)
    if classes is not None:
        columns |= {f"class_{end}": classes[pairs[:, k] - 1] for k, end in enumerate("ab")}
    return pd.DataFrame(columns)


def region_graph(label_image: LabelImage) -> nx.Graph:
    """Build the graph of neighbours.

    Parameters
    ----------
    label_image : LabelImage
        Labels, image, pixel size.

    Returns
    -------
    networkx.Graph
        A node a superpixel, named by its label and with the columns of `table.measure`; an edge a
        pair of neighbours, with ``border`` and ``mean_step`` of `edges`. Of frames, the graphs of
        all, side by side: a node is named by frame and label (``"3:17"``) and has both.
    """
    graph = nx.Graph(unit=label_image.unit)
    if label_image.frames:
        for number, plane in label_image.planes():
            part = region_graph(plane)
            for label in part:
                part.nodes[label].update(frame=number, label=label)
            graph.update(nx.relabel_nodes(part, {label: f"{number}:{label}" for label in part}))
        return graph
    nodes = measure(label_image).drop(columns=["neighbours", "unit"])
    for row in nodes.to_dict("records"):
        graph.add_node(int(row.pop("label")), **{str(name): value for name, value in row.items()})
    for row in edges(label_image).drop(columns="unit").to_dict("records"):
        graph.add_edge(
            int(row.pop("label_a")),
            int(row.pop("label_b")),
            **{str(name): value for name, value in row.items()},
        )
    return graph


def write_graphml(path: Path, label_image: LabelImage) -> None:
    """Write the graph as GraphML.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to describe.
    """
    nx.write_graphml(region_graph(label_image), path)


def write_edges(path: Path, label_image: LabelImage) -> None:
    """Write the edges as CSV.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to describe.
    """
    edges(label_image).to_csv(path, index=False)
