"""The folder of an export: whole or not at all, outside of results, never over foreign files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.export.conftest import explanation_of
from tests.support.media import write_clip
from tests.support.reporting import RecordingReporter
from video_cam.config import RenderConfig
from video_cam.errors import ClipError, UsageError
from video_cam.export import to_npz
from video_cam.export.export_folder import MARKER, export_with
from video_cam.export.results import find_results
from video_cam.rendering.renderer import render_with
from video_cam.video.clip import Clip


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


class OneBadClip:
    """A format whose second clip cannot be written."""

    format = "text"

    def __init__(self) -> None:
        self.notes: list[str] = ["twice", "twice"]

    def add(self, result, folder) -> None:
        (folder / "begun.txt").touch()
        if result.name == "two":
            raise ClipError("cannot be read")

    def finish(self, folder) -> None:
        (folder / "all.txt").touch()


def test_a_clip_that_fails_is_left_out_and_told(run_folder, output) -> None:
    reporter = RecordingReporter()
    exported = export_with(OneBadClip(), run_folder, output, reporter=reporter)
    assert names(output) == ["all.txt", MARKER, "one/begun.txt"]
    assert (exported.clips, exported.left_out) == (("one",), {"two": "cannot be read"})
    assert exported.notes == ("twice",)
    assert reporter.messages == [("error", "two: cannot be read")]
    assert json.loads((output / MARKER).read_text())["left_out"] == {"two": "cannot be read"}


def test_without_a_reporter_it_raises_and_leaves_the_earlier_export(run_folder, output) -> None:
    to_npz(run_folder, output, grid="cells")
    before = names(output)
    with pytest.raises(ClipError, match="cannot be read"):
        export_with(OneBadClip(), run_folder, output)
    assert names(output) == before
    assert [path.name for path in output.parent.iterdir()] == ["out"]


def test_an_earlier_export_is_replaced_and_other_folders_are_not(run_folder, output) -> None:
    to_npz(run_folder, output, grid="cells")
    to_npz(run_folder / "one", output, grid="cells", maps=[1])
    assert names(output) == [MARKER, "one/1_bee_early-1_gradcam.npz"]
    (output / MARKER).unlink()
    with pytest.raises(UsageError, match=r"holds no export\.json .* choose another --output"):
        to_npz(run_folder, output, grid="cells")


def test_an_export_does_not_go_into_results(run_folder) -> None:
    with pytest.raises(UsageError, match="lies in the results"):
        to_npz(run_folder, run_folder / "one" / "npz")


def test_the_default_folder_has_the_names_of_results_and_format(
    run_folder, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = to_npz(run_folder / "one", grid="cells").folder
    assert folder == Path("exports/one-npz") and folder.is_dir()


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("missing", "no such folder"),
        (".", "holds no results of video_cam"),
        ("s3://bucket/run", "is an address"),
    ],
)
def test_folders_without_results(folder, words, tmp_path, output) -> None:
    (tmp_path / "other").mkdir()
    given = folder if "://" in folder else tmp_path / folder
    with pytest.raises(UsageError, match=words):
        to_npz(given, output)
    assert not output.exists()


def test_a_map_that_the_results_lack(run_folder, output) -> None:
    with pytest.raises(UsageError, match="there is no map 2: the results have 2"):
        to_npz(run_folder, output, maps=[0, 2])


def test_damaged_results_are_one_line(run_folder, tmp_path, output) -> None:
    copy = shutil.copytree(run_folder / "one", tmp_path / "copy")
    (copy / "explanation.npz").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"explanation\.npz"):
        to_npz(copy, output)


def test_a_clip_that_was_replaced_is_refused(tmp_path: Path) -> None:
    clip, folder = write_clip(tmp_path / "v.mp4", 6), tmp_path / "v"
    render_with(Clip.open(clip), explanation_of(clip), folder, RenderConfig(max_keyframes=1))
    [result] = find_results(folder)
    assert result.clip.info.num_frames == 6
    clip.write_bytes(clip.read_bytes() + b"\0")
    [result] = find_results(folder)
    with pytest.raises(UsageError, match="has changed since it was explained"):
        _ = result.clip
