"""Files from strangers: an error line or frames, never a crash, a hang or a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command import BUNDLED, ROOT, results_in
from tests.support.hostile import NUM_MUTANTS, gif, mutants, png_bomb, raw_bomb
from tests.support.loader_child import MEMORY, SECONDS_EACH
from tests.support.media import moving_square, write_clip
from video_cam import ClipError
from video_cam.config import LimitsConfig
from video_cam.video.limits import limited
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe


def load(files: list[Path]) -> list[str]:
    """What a process with little memory and time says of each file."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.loader_child"],
        cwd=ROOT,
        input="".join(f"{file}\n" for file in files),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    said = done.stdout.splitlines()
    assert done.returncode == 0, f"{files[len(said)]}: status {done.returncode}\n{done.stderr}"
    return said


def test_damaged_files_of_many_containers(tmp_path: Path) -> None:
    files = mutants(tmp_path)
    said = load(files)
    assert len(said) == len(files) == NUM_MUTANTS
    tracebacks = [line for line in said if line.startswith("TRACEBACK")]
    assert not tracebacks, "\n".join(tracebacks)
    # Both things happen, or the damage is not of the interesting kind.
    assert min(sum(line.startswith(w) for line in said) for w in ("read", "refused")) > 100


def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    bombs = {
        png_bomb(tmp_path / "still.png"): "100000x100000",
        png_bomb(tmp_path / "still.png.dat"): "",
        raw_bomb(tmp_path / "raw.y4m"): "",
        gif(tmp_path / "wide.gif", 2, 65535, 65535): "",
        gif(tmp_path / "long.gif", 1_000_000): "more than 500000 frames",
    }
    began = time.monotonic()
    for line, words in zip(load(list(bombs)), bombs.values(), strict=True):
        assert line.startswith("refused") and words in line, line
    assert time.monotonic() - began < SECONDS_EACH and MEMORY < 10 << 30


def test_a_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    clip = gif(tmp_path / "short.gif", 40)
    picture = png_bomb(tmp_path / "black.png", 2000, 2000)
    with (
        limited(LimitsConfig(max_frames=39)),
        pytest.raises(ClipError, match="more than 39 frames"),
    ):
        probe(clip)
    with limited(LimitsConfig(max_frames=40)):
        assert probe(clip)[0].num_frames == 40
    with (
        limited(LimitsConfig(max_pixels=3_999_999)),
        pytest.raises(ClipError, match="raise --max-pixel"),
    ):
        probe(picture)
    with limited(LimitsConfig(max_pixels=4_000_000)):
        assert probe(picture)[0].width == 2000


def test_pictures_that_grow_on_the_way_are_left_out(tmp_path: Path) -> None:
    parts = []
    for size in (64, 640):
        pictures = moving_square(10, size, size)
        part = write_clip(tmp_path / f"{size}.ts", pictures, codec="mpeg2video")
        parts.append(part.read_bytes())
    clip = tmp_path / "growing.ts"
    clip.write_bytes(b"".join(parts))

    def num_frames(most: int) -> int:
        with limited(LimitsConfig(max_pixels=most)), FrameReader(clip) as reader:
            return sum(1 for _ in reader)

    assert num_frames(640 * 640) > num_frames(64 * 64) + 5


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
def test_what_a_file_names_is_not_followed(name: str, tmp_path: Path) -> None:
    import socket

    write_clip(tmp_path / "other.ts", 5, codec="mpeg2video")
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = PLAYLISTS[name].format(other="other.ts", port=server.getsockname()[1])
        (tmp_path / name).write_text(text)
        with pytest.raises(ClipError, match="a playlist, which is not followed"):
            probe(tmp_path / name)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_name_with_a_pattern_is_one_file(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.tga").write_bytes(bytes(100))
    (tmp_path / "%d.tga").write_text("no picture")
    with pytest.raises(ClipError, match=r"%d.tga: cannot be opened"):
        probe(tmp_path / "%d.tga")


ODD_NAMES = (
    *("new\nline.mp4", "quote'\"`$(touch x).mp4", "-rf.mp4", "<img src=x onerror=alert(1)>.mp4"),
    *(os.fsdecode(b"latin\xe9.mp4"), "x" * 246 + ".mp4", "é" * 125 + ".mp4", "index.html.mp4"),
)


def test_odd_names_and_labels_with_markup(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ODD_NAMES:
        write_clip(folder / name, 3)
    labels = tmp_path / "labels.txt"
    markup = [
        "<script>alert(1)</script>",
        "$\\frac{1$",
        "a\tb",
        "{{ 7*7 }}",
        "\\",
        "%s",
        "é",
        "x" * 300,
        "&amp;",
    ]
    labels.write_text("\n".join(markup), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_video_cam.py"), "--clip", str(folder), *BUNDLED,
         "--labels", str(labels), "--output-dir", str(out), "--class-id", "0", "1",
         "--max-keyframes", "1"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode(errors="replace")
    assert len(results_in(out)) == len(ODD_NAMES)
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out", "labels.txt"}
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    # Every path is the real one, whatever bytes it is made of.
    assert {Path(row["clip"]) for row in rows} == {folder / name for name in ODD_NAMES}
    for page in out.glob("*/index.html"):
        text = page.read_text("utf-8")
        assert "<script>alert(1)" not in text and "<img src=x" not in text
