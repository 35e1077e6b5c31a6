"""NumPy archives of maps."""

from __future__ import annotations

import json

import numpy as np

from video_cam.export import to_npz
from video_cam.export.map_volume import MapVolume, Sampling
from video_cam.export.results import find_results


def test_archives_hold_the_volumes_of_all_maps(run_folder, output) -> None:
    to_npz(run_folder, output, every=2, max_side=32)
    files = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.npz"))
    in_folder = ["0_ant_late_gradcam.npz", "1_bee_early-1_gradcam.npz"]
    assert files == [f"{clip}/{name}" for clip in ("one", "two") for name in in_folder]
    result = find_results(run_folder / "two")[0]
    volume = MapVolume(result, 1, Sampling("source", 2, 32))
    with np.load(output / files[3]) as archive:
        assert archive["values"].dtype == np.float32
        np.testing.assert_array_equal(
            archive["values"], [volume.frame(position) for position in range(3)]
        )
        np.testing.assert_array_equal(archive["frame_indices"], [0, 2, 4])
        np.testing.assert_allclose(archive["pts_seconds"], [0, 0.08, 0.16])
        np.testing.assert_array_equal(archive["y_pixels"], 2 * np.arange(24) + 0.5)
        assert archive["covered"].all() and archive["peak"] == volume.peak
        meta = json.loads(str(archive["meta"]))
    assert (meta["label"], meta["layer"], meta["class_id"]) == ("bee", "early/1", 1)
    assert meta["seen_box"] == [12, 4, 52, 44]
