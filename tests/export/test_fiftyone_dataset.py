"""Datasets of FiftyOne, in the database that its settings name."""

from __future__ import annotations

import secrets

import cv2
import numpy as np
import pytest

from video_cam.errors import UsageError
from video_cam.export import to_fiftyone
from video_cam.export.results import find_results
from video_cam.rendering.heat import HeatMapper

fo = pytest.importorskip("fiftyone", reason="fiftyone is not installed")
PyMongoError = pytest.importorskip("pymongo.errors").PyMongoError


@pytest.fixture
def name():
    """Of a dataset, removed after the test."""
    made = f"video_cam test {secrets.token_hex(4)}"
    try:
        fo.dataset_exists(made)
    except (OSError, RuntimeError, PyMongoError) as error:
        pytest.skip(f"FiftyOne has no database: {error!r}")
    yield made
    if fo.dataset_exists(made):
        fo.delete_dataset(made)


def test_samples_have_labels_spans_and_heat_maps(run_folder, output, name) -> None:
    to_fiftyone(run_folder, output, name=name, every=2)
    dataset = fo.load_dataset(name)
    assert dataset.persistent and dataset.media_type == "video"
    one, two = dataset
    assert one.filepath.endswith("one.mp4") and one.metadata.total_frame_count == 6
    assert (one.prediction.label, one.ground_truth.label, one.correct) == ("ant", "bee", False)
    assert one.prediction.confidence == pytest.approx(0.4)
    assert two.ground_truth is None and two.correct is None
    assert [c.label for c in one.predictions.classifications] == ["ant", "cat", "bee"]
    spans = [(d.label, list(d.support)) for d in one.windows.detections]
    assert spans == [("ant", [1, 4]), ("cat", [3, 6])]
    [event] = one.events.detections  # frames 2 to 4 of 25 per second begin in 0.05 to 0.2 s
    assert (event.label, list(event.support)) == ("bee", [3, 5]) and two.events is None
    assert not dataset.has_sample_field("explained") and not dataset.has_sample_field("scenes")
    result = find_results(run_folder / "two")[0]
    assert [number for number, frame in two.frames.items() if frame["heat_1"]] == [1, 3, 5]
    heat = two.frames[3]["heat_1"]
    assert (heat.label, heat.layer, heat.range) == ("bee", "early/1", [0, 255])
    picture = cv2.imread(heat.map_path, cv2.IMREAD_UNCHANGED)
    mapper = HeatMapper(result.maps[1], result.explanation.geometry, "video")
    assert picture.shape == (48, 64)
    np.testing.assert_allclose(picture[4:44, 12:52] / 255, mapper.heat(2), atol=0.003)
    assert two.frames[4]["mass_1"] == pytest.approx(result.maps[1].mass[3])


def test_the_folder_can_be_loaded_elsewhere(run_folder, output, name) -> None:
    to_fiftyone(run_folder, output, name=name)
    fo.delete_dataset(name)
    copy = fo.Dataset.from_dir(
        str(output / "dataset"), dataset_type=fo.types.FiftyOneDataset, name=name
    )
    assert len(copy) == 2 and copy.first().frames[6]["heat_0"].method == "gradcam"


def test_a_dataset_is_replaced_only_where_asked_for(run_folder, output, name) -> None:
    to_fiftyone(run_folder, output, name=name)
    with pytest.raises(UsageError, match="or --overwrite to replace it"):
        to_fiftyone(run_folder / "one", output, name=name)
    assert len(fo.load_dataset(name)) == 2
    to_fiftyone(run_folder / "one", output, name=name, overwrite=True)
    assert len(fo.load_dataset(name)) == 1
