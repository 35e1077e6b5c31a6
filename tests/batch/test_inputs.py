"""Which clips are meant, and where each one's results go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from video_cam import UsageError
from video_cam.batch.inputs import clip_id, find_clips, folder_names


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """a/v.mp4, a/w.mp4, b/v.mp4: none of them a video, all of them files."""
    files = [tmp_path / name for name in ("a/v.mp4", "a/w.mp4", "b/v.mp4")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    return files


def test_a_list_of_paths(clips: list[Path], tmp_path: Path) -> None:
    words = tmp_path / "list.txt"
    words.write_text(f"\ufeff# clips of today\n\n{clips[1]}\r\nb/v.mp4\n a/*.mp4 \nb\ngone.mp4\n")
    assert list(find_clips([str(words)])) == [clips[1], clips[2], clips[0], tmp_path / "gone.mp4"]
    assert set(find_clips([str(words)]).values()) == {()}


def test_a_table_of_clips_and_classes(clips: list[Path], tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text(
        'Class, Clip\n"arm wrestling, wrist",a/v.mp4\n,a/w.mp4\n'
        "7,b/v.mp4\ngrow,b/v.mp4\n7,b/v.mp4\n"
    )
    assert find_clips([str(table)]) == {
        clips[0]: ("arm wrestling, wrist",),
        clips[1]: (),
        clips[2]: ("7", "grow"),
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.txt", "\n# nothing\n", "names no clips"),
        ("list.csv", "file name,class\na.mp4,1\n", 'no column "clip"'),
        ("list.csv", "clip,class\n", "names no clips"),
        ("list.csv", "", 'no column "clip"'),
    ],
)
def test_a_list_without_clips(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words):
        find_clips([str(tmp_path / name)])


def test_a_name_that_is_not_there_answers_with_those_like_it(tmp_path: Path) -> None:
    (tmp_path / "dash_right.mp4").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"no such clip: .*did you mean .*/dash_right\.mp4\?$"):
        find_clips([str(tmp_path / "dash_rigth.mp4")])
    with pytest.raises(UsageError, match=r"no such clip: '[^']*'$"):
        find_clips([str(tmp_path / "nowhere" / "dash_right.mp4")])


def test_clips_of_one_name_keep_their_folders_in_any_order_and_run(clips: list[Path]) -> None:
    first, other, second = clips
    long = {clip: f"v-{clip_id(clip)}" for clip in (first, second)}
    assert folder_names([first, other]) == ["v", "w"]
    assert folder_names(clips) == [long[first], "w", long[second]]
    assert folder_names(clips[::-1]) == [long[second], "w", long[first]]
    # The first one was here alone, and has the short name: it keeps it, and nobody else gets it.
    owners = {"v": clip_id(first)}
    assert folder_names([second], owners.get) == [long[second]]
    assert folder_names(clips[::-1], owners.get) == [long[second], "w", "v"]
    # A clip that has a long name keeps it when it comes alone.
    assert folder_names([second], {long[second]: clip_id(second)}.get) == [long[second]]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("new\nline.mp4", "new_line"),
        ("tab\tquote\"'.mp4", "tab_quote_'"),
        (os.fsdecode(b"latin\xe9.mp4"), "latin_"),
        (".hidden.mp4", "_hidden"),
        ("a:b*c?.mp4", "a_b_c_"),
        ("index.html.mp4", "index.html"),
        ("Results.jsonl.mkv", "Results.jsonl"),
        ("x" * 246 + ".mp4", "x" * 200),
        ("é" * 120 + ".mp4", "é" * 100),
    ],
    ids=ascii,
)
def test_a_name_that_makes_no_good_folder_gets_the_clips_id(name: str, folder: str) -> None:
    [found] = folder_names([Path(name)])
    assert found == f"{folder}-{clip_id(name)}"
    assert found.isprintable() and len(found.encode()) < 255


@pytest.mark.parametrize("name", ["-dash.mp4", "sp ace%20'q.mp4", "é.mp4", "a.b.mp4", "<b>&.mp4"])
def test_other_names_stay(name: str) -> None:
    expected = name.removesuffix(".mp4")
    if "<" in name:  # no file system of Windows takes it
        expected = f"_b_&-{clip_id(name)}"
    assert folder_names([Path(name)]) == [expected]
