"""napari-superpixels export of labels that have classes."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_superpixels.cli.main import main
from napari_superpixels.editing.actions.operations import assign, lock
from napari_superpixels.editing.corrected_file import write_corrected
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from napari_superpixels.io.formats import export_labels

CLASSES = [
    {"number": 2, "name": "nucleus", "color": [1.0, 0.0, 0.0]},
    {"number": 3, "name": "debris", "color": [0.0, 0.0, 1.0]},
]


@pytest.fixture
def corrected(tmp_path, labels):
    """As the correction dock saves it: 5 is a nucleus, 70 debris and locked."""
    session = Session(labels)
    plane = Scope.whole(2)
    for position, category in (((0, 0), 2), ((0, 10), 3)):
        session.commit(session.build(assign, plane, positions=[position], category=category))
    session.commit(session.build(lock, plane, positions=[(0, 10)], on=True))
    path = tmp_path / "corrected.tif"
    write_corrected(path, session, {"classes": CLASSES})
    return path


def test_a_corrected_file_gives_its_classes_and_locks(tmp_path, corrected, capsys):
    assert main(["export", str(corrected), "-o", str(tmp_path / "t.csv")]) == 0
    assert "t.csv: 4 superpixels" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    found = dict(zip(table["class"], table["lock"], strict=True))
    assert found == {"nucleus": "free", "debris": "held", "": "free"}
    assert table["class"].tolist().count("") == 2


def test_one_class_and_one_object_a_class(tmp_path, corrected, labels):
    assert (
        main(["export", str(corrected), "--of-class", "debris", "-o", str(tmp_path / "d.tif")]) == 0
    )
    written = tifffile.imread(tmp_path / "d.tif")
    np.testing.assert_array_equal(written > 0, labels == 70)
    outputs = [str(tmp_path / name) for name in ("m.png", "m.geojson", "m.tif")]
    assert main(["export", str(corrected), "--dissolve-classes", "-o", *outputs]) == 0
    expected = np.select([labels == 5, labels == 70], [2, 3], 0)
    with Image.open(outputs[0]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), expected)
    assert sorted(geopandas.read_file(outputs[1])["class"]) == ["debris", "nucleus"]
    # What was exported is a source as good.
    assert main(["export", outputs[2], "-o", str(tmp_path / "again.csv")]) == 0
    assert pd.read_csv(tmp_path / "again.csv")["class"].tolist() == ["nucleus", "debris"]


def test_what_is_not_there_is_said(tmp_path, corrected, labels, capsys):
    out = str(tmp_path / "t.csv")
    assert main(["export", str(corrected), "--of-class", "cell", "-o", out]) == 1
    assert "there is no class “cell”: choose one of nucleus, debris" in capsys.readouterr().err
    export_labels(tmp_path / "bare.tif", labels)
    assert main(["export", str(tmp_path / "bare.tif"), "--dissolve-classes", "-o", out]) == 1
    assert "no superpixel has a class yet" in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()
    with pytest.raises(SystemExit):
        main(["export", str(corrected), "--of-class", "x", "--dissolve-classes", "-o", out])
