"""Only files that hold the video themselves are opened."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.media import write_clip
from video_cam import ClipError
from video_cam.video.clip import Clip
from video_cam.video.formats import is_playlist, readable_formats

PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
    "remote.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n"
    "#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile {other}\n",
    "stream.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "dash.mpd": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>{other}</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_not_followed(name: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "other.ts", 5, codec="mpeg2video")
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = PLAYLISTS[name].format(other="other.ts", port=server.getsockname()[1])
        (tmp_path / name).write_text(text)
        with pytest.raises(ClipError, match="a playlist, which is not followed"):
            Clip.open(tmp_path / name)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_name_with_a_pattern_is_one_file(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.tga").write_bytes(bytes(100))
    (tmp_path / "%d.tga").write_text("no picture")
    with pytest.raises(ClipError, match=r"%d.tga: cannot be opened"):
        Clip.open(tmp_path / "%d.tga")


def test_the_whitelist_has_containers_and_nothing_that_opens_something_else() -> None:
    names = set(readable_formats().replace("matroska,webm", "matroska").split(","))
    assert {"mov", "matroska", "avi", "mpegts", "gif"} <= names
    assert not {"concat", "hls", "dash", "sdp", "image2", "lavfi", "rtsp"} & names


def test_a_video_is_no_playlist(tmp_path: Path) -> None:
    assert not is_playlist(write_clip(tmp_path / "a.mp4", 2))
    assert not is_playlist(tmp_path / "gone.m3u8")
