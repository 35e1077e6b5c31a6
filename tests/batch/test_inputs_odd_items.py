"""An odd item of a list fails alone; by itself on the command line it is a wrong argument."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import video_cam
from tests.support.command import BUNDLED, Run, assert_one_error_line, records_in, results_in
from tests.support.explainers import FixedExplainer
from tests.support.media import write_clip
from video_cam import Classifier, UsageError
from video_cam.batch.clip_paths import clips_at
from video_cam.batch.inputs import clip_id, find_clips
from video_cam.batch.jobs import DONE, FAILED, plan_jobs
from video_cam.batch.run_config import RunConfig
from video_cam.batch.runner import ClipRunner
from video_cam.config import RenderConfig

QUICK = (*BUNDLED, "--max-keyframes", "1", "--align", "receptive-field", "--detail", "none")


def broken_link(folder: Path) -> str:
    (folder / "broken.mp4").symlink_to("nowhere.mp4")
    return "broken.mp4"


def link_to_itself(folder: Path) -> str:
    (folder / "itself.mp4").symlink_to("itself.mp4")
    return "itself.mp4"


def folder_of_odd_name(folder: Path) -> str:
    (folder / "empty [1]").mkdir()
    return "empty [1]"


# Makes the item in a folder and returns its line in a list; the words of the error of its record;
# those of the error where it is given by itself, None where it cannot be.
ODD_ITEMS: dict[str, tuple[Callable[[Path], str], str, str | None]] = {
    "missing": (lambda _: "gone.mp4", "no such file", "no such clip"),
    "missing, brackets": (lambda _: "gone [abc].mp4", "no such file", "no such clip"),
    "glob without a match": (lambda _: "*.mkv", "no such file", "no such clip"),
    "broken link": (broken_link, "a link to a file that does not exist", "leads nowhere"),
    "link to itself": (link_to_itself, "Too many levels of symbolic links", "leads nowhere"),
    "empty folder": (folder_of_odd_name, "no images in it", "holds no clips"),
    "NUL byte": (lambda _: "a\0b.mp4", "no such file", None),
    "long name": (lambda _: "x" * 300 + ".mp4", "File name too long", "no such clip"),
    "long path": (lambda _: "y/" * 3000 + "v.mp4", "File name too long", "no such clip"),
    "below a file": (lambda _: "good.mp4/v.mp4", "no such file", "no such clip"),
    "drive of Windows": (lambda _: r"C:\clips\v.mp4", "no such file", "no such clip"),
    "bytes": (lambda _: os.fsdecode(b"\xe9\xff.mp4"), "no such file", "no such clip"),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good clip, whose name is a pattern too."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "good [x].mp4", 4)
    return folder


@pytest.fixture(scope="module")
def explainer(bundled: Classifier, clips: Path) -> FixedExplainer:
    return FixedExplainer(
        video_cam.explain(clips / "good [x].mp4", bundled, check=False, align="receptive-field")
    )


@pytest.fixture
def folder(clips: Path, tmp_path: Path) -> Path:
    """As ``clips``, for one test."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good [x].mp4").write_bytes((clips / "good [x].mp4").read_bytes())
    return tmp_path / "in"


def run_list(path: Path, explainer: FixedExplainer, out: Path) -> dict[str, tuple[str, str | None]]:
    """The clips of a list one after another: name -> status and error."""
    runner = ClipRunner(
        RunConfig(output_dir=str(out), render=RenderConfig(max_keyframes=1)), explainer
    )
    records = [runner.run(job) for job in plan_jobs(find_clips([str(path)]), runner.store)]
    return {Path(record.clip).name: (record.status, record.error) for record in records}


@pytest.mark.parametrize("name", ODD_ITEMS)
def test_an_odd_item_of_a_list_fails_alone(
    name: str, folder: Path, explainer: FixedExplainer, out: Path
) -> None:
    make, words, _ = ODD_ITEMS[name]
    line = os.fsencode(make(folder))
    for suffix, header in ((".txt", b""), (".csv", b"clip\n")):
        (folder / f"list{suffix}").write_bytes(header + line + b"\ngood [x].mp4\n")
        ended = run_list(folder / f"list{suffix}", explainer, out)
        assert ended.pop("good [x].mp4")[1] is None
        [(status, error)] = ended.values()
        assert status == FAILED and error is not None
        assert words in error and error.isprintable() and len(error) < 10_000


@pytest.mark.parametrize("name", [name for name, item in ODD_ITEMS.items() if item[2]])
def test_an_odd_item_by_itself_is_a_wrong_argument(name: str, folder: Path) -> None:
    make, _, words = ODD_ITEMS[name]
    with pytest.raises(UsageError, match=words) as caught:
        find_clips([str(folder / make(folder))])
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose content may not be listed, also where the tests have root's rights."""
    folder = tmp_path / "closed"
    folder.mkdir()
    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, partial(_refuse, folder, getattr(os, name)))
    return folder


def _refuse(folder: Path, function: Callable[..., Any], path: Any = ".") -> Any:
    if path == folder or path == str(folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return function(path)


def test_a_folder_that_may_not_be_read(
    closed: Path, explainer: FixedExplainer, clips: Path, out: Path
) -> None:
    with pytest.raises(UsageError, match="closed' cannot be read: Permission denied"):
        find_clips([str(closed)])
    (closed.parent / "list.txt").write_text(f"closed\n{clips / 'good [x].mp4'}\n")
    ended = run_list(closed.parent / "list.txt", explainer, out)
    assert ended["good [x].mp4"][0] == DONE
    assert ended["closed"][0] == FAILED and "Permission denied" in (ended["closed"][1] or "")


def test_odd_items_in_a_folder_and_of_a_pattern_fail_alone(
    folder: Path, explainer: FixedExplainer
) -> None:
    for make in (broken_link, link_to_itself, folder_of_odd_name):
        make(folder)
    expected = ["broken.mp4", "good [x].mp4", "itself.mp4"]
    assert [clip.name for clip in find_clips([str(folder)])] == expected
    assert [clip.name for clip in clips_at(str(folder / "*.mp4"))] == expected
    assert [clip.name for clip in clips_at(str(folder / "*"))] == [
        "broken.mp4",
        "empty [1]",
        *expected[1:],
    ]


def test_a_name_with_brackets_is_that_file(folder: Path) -> None:
    """Its name as a pattern matches another file."""
    good = folder / "good [x].mp4"
    (folder / "good x.mp4").touch()
    (folder / "part [1]").mkdir()
    (folder / "part [1]" / "v.mp4").touch()
    (folder / "part [1]" / "list.txt").write_text("*.mp4\n../good [x].mp4\n")
    assert clips_at(str(good)) == [good]
    assert good in find_clips([str(folder)])
    inside = [folder / "part [1]" / "v.mp4"]
    assert clips_at(str(folder / "part [1]")) == inside
    assert clips_at(str(folder / "part [1]" / "*.mp4")) == inside
    found = find_clips([str(folder / "part [1]" / "list.txt")])
    assert list(found) == [*inside, folder / "part [1]" / ".." / "good [x].mp4"]
    assert clips_at(str(folder / "good [a-x].mp4")) == [folder / "good x.mp4"]


def test_a_folder_that_contains_itself_gives_each_clip_once(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "v.mp4").touch()
    (folder / "deep" / "again").symlink_to(folder)
    expected = [folder / "deep" / "v.mp4", folder / "good [x].mp4"]
    assert clips_at(str(folder / "**" / "*.mp4")) == expected


def test_the_id_of_a_clip_that_cannot_exist(folder: Path) -> None:
    link_to_itself(folder)
    ids = {clip_id(folder / name) for name in ("itself.mp4", "a\0b.mp4", "a\0/b.mp4", "x" * 5000)}
    assert len(ids) == 4


def test_the_command_does_the_rest_of_the_list(run: Run, folder: Path, out: Path) -> None:
    lines = [make(folder) for make, _, _ in ODD_ITEMS.values()]
    text = "\n".join([*lines, "good [x].mp4"])
    (folder / "list.txt").write_bytes(os.fsencode(text))
    status, _, err = run("--clip", folder / "list.txt", *QUICK)
    assert status == 1 and "Traceback" not in err
    assert len(err.splitlines()) == len(lines) + 1  # one for each, and one for the counts
    assert results_in(out) == ["good [x]"]
    records = records_in(out)
    assert [record["status"] for record in records] == [FAILED] * len(lines) + [DONE]
    status, _, err = run("--clip", folder / "broken.mp4", *BUNDLED)
    assert_one_error_line(status, err, 2, "leads nowhere")
