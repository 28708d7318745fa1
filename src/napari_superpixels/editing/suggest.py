"""Suggest classes for superpixels from those that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.editing.session import Session

_TREES = 200


def suggest_classes(
    session: Session, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Learn classes from the superpixels that have one, and predict those of the rest.

    A random forest (Breiman 2001) on the mean and standard deviation of each channel in each
    superpixel. Superpixels locked by hand get no suggestion.

    Parameters
    ----------
    session : Session
        Has statistics and classes.
    seed : int, default 0
        Of the forest.

    Returns
    -------
    ids : ndarray of int64, shape (n,)
        Superpixels without a class.
    categories : ndarray of int64, shape (n,)
        What they might be.
    confidence : ndarray of float64, shape (n,)
        Share of the trees that say so, 0 to 1.

    Raises
    ------
    EditError
        If there is no image, or fewer than two classes have been assigned, or none is missing.
    """
    if session.image is None:
        raise EditError("Suggestions need an image: choose the one under the labels.")
    ids = session.statistics.ids
    facts = session.facts()
    known = facts.category
    open_ = (known == 0) & ~facts.having(Lock.HELD)
    if len(np.unique(known[known > 0])) < 2:
        raise EditError("Assign at least two classes by hand first: suggestions learn from them.")
    if not open_.any():
        raise EditError("Every superpixel has a class or is locked: there is nothing to suggest.")
    # scikit-learn takes a second to load.
    from sklearn.ensemble import RandomForestClassifier

    features = np.nan_to_num(np.hstack([session.statistics.mean(), session.statistics.std()]))
    forest = RandomForestClassifier(_TREES, random_state=seed, class_weight="balanced")
    forest.fit(features[known > 0], known[known > 0])
    shares = forest.predict_proba(features[open_])
    best = shares.argmax(1)
    return ids[open_], forest.classes_[best].astype(np.int64), shares.max(1)
