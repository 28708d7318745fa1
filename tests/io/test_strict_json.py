"""JSON that every language reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels import errors
from napari_superpixels.io.strict_json import dumps

CASES = [
    (float("nan"), None),
    ((1.0, float("-inf")), [1.0, None]),
    ({"a": {"b": [np.float32("nan"), np.float64(2.5)]}}, {"a": {"b": [None, 2.5]}}),
    (np.array([[1, 2]], np.uint8), [[1, 2]]),
    (np.array([np.inf, 1]), [None, 1.0]),
    ({"n": np.int64(3), "t": np.bool_(True), None: None}, {"n": 3, "t": True, "None": None}),
    (Path("a/b.tif"), str(Path("a/b.tif"))),
    ({1, 2}, [1, 2]),
    (np.nan, None),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=str)
def test_values(value, expected):
    assert json.loads(dumps(value)) == expected
    assert "NaN" not in dumps(value)
    assert "Infinity" not in dumps(value)


def test_errors_with_numbers_that_json_does_not_have():
    error = errors.InvalidParameter("spacing", "> 0", (float("nan"), (float("inf"), 1.0)))
    plain = errors.to_plain(error)
    assert json.loads(dumps(plain)) == plain
    assert plain["data"]["value"] == ["nan", ["inf", 1.0]]
