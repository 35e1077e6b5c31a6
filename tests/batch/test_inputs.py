"""Which clips are meant, and the names of their result folders."""

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


def test_clips_of_a_list(clips: list[Path], tmp_path: Path) -> None:
    words = tmp_path / "list.txt"
    words.write_text(f"{clips[1]}\nb/v.mp4\na/*.mp4\nb\nmissing.mp4\n")
    expected = [clips[1], clips[2], clips[0], tmp_path / "missing.mp4"]
    assert list(find_clips([str(words)])) == expected
    assert set(find_clips([str(words)]).values()) == {()}


def test_classes_of_a_list(clips: list[Path], tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("clip,class\na/v.mp4,run\na/w.mp4,\nb/v.mp4,7\nb/v.mp4,grow\nb/v.mp4,7\n")
    assert find_clips([str(table)]) == {
        clips[0]: ("run",),
        clips[1]: (),
        clips[2]: ("7", "grow"),
    }


def test_files_folders_and_globs_each_clip_once(clips: list[Path], tmp_path: Path) -> None:
    (tmp_path / "a/notes.md").touch()
    patterns = [str(tmp_path / "b" / "*.mp4"), str(tmp_path / "a"), str(clips[2])]
    assert list(find_clips(patterns)) == [clips[2], clips[0], clips[1]]


def test_a_folder_of_numbered_images_is_one_clip(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"f_{index}.png").touch()
    assert list(find_clips([str(tmp_path)])) == [tmp_path]
    (tmp_path / "v.mp4").touch()  # then its files are clips
    assert len(find_clips([str(tmp_path)])) == 4


@pytest.mark.parametrize(
    ("name", "words"), [("empty", "holds no clips"), ("*.mkv", "no such clip")]
)
def test_a_pattern_without_clips(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=words):
        find_clips([str(tmp_path / name)])


def test_a_folder_of_folders_is_answered_with_a_pattern(clips: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a pattern such as") as error:
        find_clips([str(tmp_path)])
    pattern = str(error.value).rsplit("such as ", 1)[1].strip("'")
    assert sorted(find_clips([pattern])) == sorted(clips)


def test_a_missing_clip_is_answered_with_similar_names(tmp_path: Path) -> None:
    (tmp_path / "dash_right.mp4").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"no such clip: .*did you mean .*/dash_right\.mp4\?$"):
        find_clips([str(tmp_path / "dash_rigth.mp4")])
    with pytest.raises(UsageError, match=r"no such clip: '[^']*'$"):
        find_clips([str(tmp_path / "nowhere" / "dash_right.mp4")])


def test_clips_of_one_name_keep_their_folders_in_any_order_of_clips_and_runs(
    clips: list[Path],
) -> None:
    first, other, second = clips
    long_name = {clip: f"v-{clip_id(clip)}" for clip in (first, second)}
    assert folder_names([first, other]) == ["v", "w"]
    assert folder_names(clips) == [long_name[first], "w", long_name[second]]
    assert folder_names(clips[::-1]) == [long_name[second], "w", long_name[first]]
    # The first clip came alone before and has the short name: it keeps it, and no other gets it.
    owners = {"v": clip_id(first)}
    assert folder_names([second], owners.get) == [long_name[second]]
    assert folder_names(clips[::-1], owners.get) == [long_name[second], "w", "v"]
    # A clip that has a long name keeps it when it comes alone.
    assert folder_names([second], {long_name[second]: clip_id(second)}.get) == [long_name[second]]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("new\nline.mp4", "new_line"),
        ("tab\tquote\"'.mp4", "tab_quote_'"),
        (os.fsdecode(b"latin\xe9.mp4"), "latin_"),
        (".hidden.mp4", "_hidden"),
        ("a:b*c?.mp4", "a_b_c_"),
        ("index.html.mp4", "index.html"),
        ("index_data.mp4", "index_data"),
        ("Results.jsonl.mkv", "Results.jsonl"),
        ("x" * 246 + ".mp4", "x" * 200),
        ("é" * 120 + ".mp4", "é" * 100),
    ],
    ids=ascii,
)
def test_the_id_is_added_where_a_stem_is_not_allowed(name: str, folder: str) -> None:
    [found] = folder_names([Path(name)])
    assert found == f"{folder}-{clip_id(name)}"
    assert found.isprintable() and len(found.encode()) < 255


@pytest.mark.parametrize("name", ["-dash.mp4", "sp ace%20'q.mp4", "é.mp4", "a.b.mp4", "<b>&.mp4"])
def test_other_stems_are_kept(name: str) -> None:
    expected = name.removesuffix(".mp4")
    if "<" in name:  # not allowed on Windows
        expected = f"_b_&-{clip_id(name)}"
    assert folder_names([Path(name)]) == [expected]


@pytest.mark.parametrize(
    "name", ["...mp4", "a.b.mp4", "-dash.mp4", "sp ace%20'q.mp4", "é.mp4", ".."]
)
def test_every_folder_is_inside_the_output_folder(name: str, tmp_path: Path) -> None:
    [folder] = folder_names([tmp_path / name])
    assert (tmp_path / "out" / folder).resolve().parent == (tmp_path / "out").resolve()
