"""NIfTI volumes, read by nibabel."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.export.conftest import explanation_of
from tests.support.media import write_clip
from video_cam.errors import UsageError
from video_cam.export import to_nifti, to_npz
from video_cam.export.nifti_volume import FRAMES_FILE, NO_SPACING
from video_cam.layers.alignment import CellCentres
from video_cam.rendering.renderer import render

nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
MAP = "0_ant_late_gradcam"


def test_a_volume_has_the_archives_values_and_true_sizes(run_folder, output, tmp_path) -> None:
    to_npz(run_folder / "one", tmp_path / "npz", maps=[0])
    exported = to_nifti(run_folder / "one", output, maps=[0], spacing=(0.5, 0.25))
    assert exported.notes == ()
    image = nibabel.load(output / "one" / f"{MAP}.nii.gz")
    with np.load(tmp_path / "npz" / "one" / f"{MAP}.npz") as archive:
        values, peak = archive["values"], archive["peak"]
    assert image.shape == (64, 48, 1, 6)
    np.testing.assert_array_equal(image.get_fdata()[:, :, 0].transpose(2, 1, 0), values)
    np.testing.assert_allclose(image.header.get_zooms(), (0.25, 0.5, 1, 0.04), rtol=1e-6)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    np.testing.assert_allclose(image.affine @ [63, 47, 0, 1], [-15.75, -23.5, 0, 1])
    assert image.header["cal_max"] == pytest.approx(float(peak))
    side = json.loads((output / "one" / f"{MAP}.json").read_text())
    assert side["pixel_spacing_mm"] == [0.5, 0.25]
    assert side["pts_seconds"] == pytest.approx([0.04 * i for i in range(6)])


def test_volumes_of_every_grid_lie_over_the_frames(run_folder, output, tmp_path) -> None:
    """A point in mm has the same value on each grid: that of linear interpolation between cells."""
    for name, options in (("cells", {"grid": "cells"}), ("coarse", {"max_side": 16})):
        to_nifti(run_folder / "one", tmp_path / name, maps=[0], **options)
    exported = to_nifti(run_folder / "one", output, maps=[0], with_frames=True)
    assert exported.notes == (NO_SPACING,)
    fine = nibabel.load(output / "one" / f"{MAP}.nii.gz")
    frames = nibabel.load(output / "one" / FRAMES_FILE)
    np.testing.assert_array_equal(frames.affine, fine.affine)
    assert frames.shape == fine.shape and frames.get_data_dtype() == np.uint8
    # The white square of frame 5: rows 12 to 19, columns 15 to 22.
    picture = np.asarray(frames.dataobj)[:, :, 0, 5].T
    assert picture[13:19, 16:22].min() > 200 > 150 > picture[13:19, 26:].max()
    for name in ("cells", "coarse"):
        other = nibabel.load(tmp_path / name / "one" / f"{MAP}.nii.gz")
        for i, j in np.ndindex(other.shape[:2]):
            x, y, _, _ = np.linalg.solve(fine.affine, other.affine @ [i, j, 0, 1])
            if not (12 < x < 51 and 4 < y < 43):  # beside what the network saw
                continue
            left, top = int(x), int(y)
            around = fine.get_fdata()[left : left + 2, top : top + 2, 0, 3]
            across, down = x - left, y - top
            weights = np.outer([1 - across, across], [1 - down, down])
            value = other.get_fdata()[i, j, 0, 3]
            assert (around * weights).sum() == pytest.approx(value, abs=0.03)


def test_cells_at_uneven_steps_have_no_affine(tmp_path, output) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 6)
    explanation = explanation_of(clip)
    cells = CellCentres(np.array([0.5, 2.5]), np.array([4.5, 14.5]), np.array([2.0, 8.0, 17.0]))
    series = replace(explanation.maps[0], centres=cells)
    render(clip, replace(explanation, maps=(series,)), tmp_path / "clip")
    with pytest.raises(UsageError, match="not evenly spaced"):
        to_nifti(tmp_path / "clip", output, grid="cells")


@pytest.mark.parametrize("spacing", [(0, 1), (1, float("inf"))])
def test_wrong_spacing(spacing, run_folder, output) -> None:
    with pytest.raises(UsageError, match="must be above 0, in mm"):
        to_nifti(run_folder, output, spacing=spacing)
