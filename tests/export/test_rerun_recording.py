"""Recordings, read by Rerun's own reader."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from video_cam.export import to_rerun
from video_cam.export.results import find_results

pytest.importorskip("rerun", reason="rerun-sdk is not installed")


@pytest.fixture(scope="module")
def recording(run_folder, tmp_path_factory):
    """Entity -> column -> values, of the recording of a clip."""
    from rerun.chunk import RrdReader

    folder = tmp_path_factory.mktemp("rerun") / "out"
    to_rerun(run_folder, folder, every=2)
    assert sorted(p.name for p in folder.rglob("*.rrd")) == ["one.rrd", "two.rrd"]
    entities: dict[str, dict[str, list]] = {}
    for chunk in RrdReader(folder / "one" / "one.rrd").stream().to_chunks():
        columns = entities.setdefault(chunk.entity_path, {})
        for name, column in chunk.to_record_batch().to_pydict().items():
            columns.setdefault(name, []).extend(column)
    return entities


def column(recording, entity: str, component: str) -> list:
    [name] = [name for name in recording[entity] if name.split(":")[-1] == component]
    return recording[entity][name]


def test_frames_have_index_and_time(recording) -> None:
    assert column(recording, "/clip", "frame") == [0, 2, 4]
    seconds = [one.total_seconds() for one in column(recording, "/clip", "time")]
    assert seconds == pytest.approx([0, 0.08, 0.16])


def test_scores_mass_and_cells_are_those_of_the_maps(recording, run_folder) -> None:
    result = find_results(run_folder / "one")[0]
    maps = result.maps
    for number in (0, 1):
        mass = np.concatenate(column(recording, f"/mass/{number}", "scalars"))
        np.testing.assert_allclose(mass, maps[number].mass[::2])
        scores = np.concatenate(column(recording, f"/scores/{number}", "scalars"))
        target = maps[number].series.target
        np.testing.assert_allclose(scores, maps.score_curves([target])[0][::2])
    assert len(column(recording, "/maps/0", "data")) == 3


def test_heat_covers_what_the_network_saw(recording) -> None:
    picture = decoded(column(recording, "/clip/heat_0", "blob")[1])
    assert picture.shape == (48, 64, 4)
    ys, xs = np.nonzero(picture[:, :, 3])
    assert xs.min() >= 12 and xs.max() < 52 and ys.min() >= 4 and ys.max() < 44
    frame = decoded(column(recording, "/clip", "blob")[1])
    assert frame.shape == (48, 64, 3) and frame[15, 9].min() > 180


def decoded(blob) -> np.ndarray:
    data = np.frombuffer(bytes(np.concatenate(blob).astype(np.uint8)), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
