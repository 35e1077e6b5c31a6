"""A path is opened as a file whatever its name; what is no clip is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import media
from tests.support.media import read_frames
from video_cam.config import LimitsConfig
from video_cam.errors import ClipError
from video_cam.video.clip import Clip
from video_cam.video.container import open_video


def not_a_clip(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "clip.mp4"
    if kind == "text":
        path.write_text("this is no video\n" * 50)
    elif kind == "empty":
        path.touch()
    elif kind == "sound":
        media.write_sound(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "moving text":
        path = path.with_suffix(".nfo")
        path.write_text("".join(f"{i}\n" for i in range(1000)))
    elif kind == "broken picture":
        path = path.with_suffix(".png")
        path.write_bytes(b"\x89PNG\r\n\x1a\n no more")
    elif kind == "network":
        path = path.with_suffix(".m3u8")
        path.write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    elif kind == "device":
        path = Path("/dev/zero")
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("empty", "is empty"),
        ("text", "not a video"),
        ("moving text", "not a video"),
        ("sound", "only audio"),
        ("folder", "no images in it"),
        ("broken picture", "not an image"),
        ("network", "a playlist, which is not followed"),
        ("device", "not a regular file"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(tmp_path, kind, message) -> None:
    path = not_a_clip(tmp_path, kind)
    for use in (Clip.open, lambda p: list(read_frames(p))):
        with pytest.raises(ClipError, match=message) as caught:
            use(path)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "100%.mp4",
        "%03d.mp4",
        "-i.mp4",
        "a:b.mp4",
        "http:.mp4",
        "concat:x|y.mp4",
        "two\nlines.mp4",
        "Zürich 日本.mp4",
        "[1]*?.mp4",
        "no_suffix",
    ],
)
def test_a_file_may_have_any_name(tmp_path, monkeypatch, name) -> None:
    media.write_clip(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert Clip.open(name).info.num_frames == 3
    assert len(list(read_frames(tmp_path / name))) == 3


def test_an_error_names_an_unprintable_path_on_one_line(tmp_path) -> None:
    with pytest.raises(ClipError, match=r"two\\nlines\.mp4': no such file"):
        Clip.open(tmp_path / "two\nlines.mp4")


def test_a_cover_picture_is_not_the_video(tmp_path) -> None:
    import av

    sound = media.write_sound(tmp_path / "sound.m4a")
    picture = media.write_clip(
        tmp_path / "cover.mov", [media.corners()], codec="png", pix_fmt="rgb24"
    )
    path = tmp_path / "song.mp4"
    with (
        av.open(str(sound)) as source,
        av.open(str(picture)) as cover,
        av.open(str(path), "w") as out,
    ):
        copies = {}
        for container in (source, cover):
            stream = container.streams[0]
            copies[container] = out.add_stream_from_template(stream)
        copies[cover].disposition = av.stream.Disposition.attached_pic
        for container, copied in copies.items():
            for packet in container.demux(container.streams[0]):
                if packet.size:
                    packet.stream = copied
                    out.mux(packet)
    with pytest.raises(ClipError, match="only audio; a clip needs moving pictures"):
        Clip.open(path)


def test_packets_and_damage_are_counted(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 10, options={"g": "1"})
    media.damage_packets(path, [4])
    with open_video(path, LimitsConfig(), num_threads=1) as source:
        frames = list(source.frames())
        assert (len(frames), source.num_damaged, source.num_hidden) == (9, 1, 0)
        assert source.declared_size == (64, 48)


@pytest.mark.parametrize(("name", "can_seek"), [("a.mp4", True), ("a.mkv", True), ("a.ts", False)])
def test_seeking_starts_at_the_key_frame_before(tmp_path, name, can_seek) -> None:
    path = media.write_clip(
        tmp_path / name, 40, options={"g": "10", "bf": "0", "sc_threshold": "0"}
    )
    with open_video(path, LimitsConfig()) as source:
        ticks = source.zero_ticks + round(25 / 25 / source.time_base)
        assert source.seek(ticks) == can_seek
        first = next(iter(source.frames()))
        seconds = (first.pts - source.zero_ticks) * source.time_base
        assert seconds == (pytest.approx(20 / 25) if can_seek else 0)
