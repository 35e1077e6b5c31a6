"""The command with a process for the network and others that read and draw for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.command import BUNDLED, ROOT, records_in, results_in
from tests.support.media import write_clip
from video_cam import Explanation
from video_cam.batch import local
from video_cam.batch.jobs import DONE

FAULTY = ROOT / "tests" / "support" / "faulty"
WORDS = ("--model", "motion3d", "--align", "receptive-field", "--max-keyframes", 1, "--no-check")


def test_results_are_those_of_one_process(run, out: Path, tmp_path: Path, monkeypatch) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in "ab":
        write_clip(clips / f"{name}.mp4", 4)
    (clips / "c.mp4").write_text("no video")
    whole = tmp_path / "whole"
    assert run("--clip", clips, *WORDS)[0] == 1
    out.rename(whole)
    monkeypatch.setattr(local, "leaves_cores_idle", lambda place: True)
    # Workers are threads here, and Matplotlib draws in one thread at a time.
    status, said, errors = run("--clip", clips, *WORDS, "--cpu-actors", 1)
    assert status == 1 and "the network on cpu; 1 process reads and draws for it" in said
    assert said.count("model motion3d") == 1
    assert errors.splitlines()[-1] == f"error: 1 of 3 clips failed: {clips / 'c.mp4'}"
    assert results_in(out) == ["a", "b"]
    for name in "ab":
        ours, theirs = (Explanation.load(one / name / "explanation.npz") for one in (out, whole))
        assert [m.values.tobytes() for m in ours.maps] == [m.values.tobytes() for m in theirs.maps]
    # Finished clips are skipped, unless they are to be computed again.
    again = ("--clip", clips, *WORDS, "--cpu-actors", 1)
    assert run(*again)[1].count("finished before") == 2
    assert run(*again, "--overwrite")[1].count("finished before") == 0
    states = [record["status"] for record in records_in(out) if "c.mp4" not in record["clip"]]
    assert states == [DONE] * 4


# The command, for which the processor is a GPU.
PRETENDING = """
import sys
from video_cam.batch import local
from video_cam.cli.main import run_process
local.leaves_cores_idle = lambda place: True
sys.exit(run_process())
"""


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs: one that nobody waits for is listed after its end."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_processes_that_die_and_hang_and_an_interrupt(run, out: Path, tmp_path: Path) -> None:
    """What was finished before the interrupt is what one process makes of it."""
    clips, whole = tmp_path / "clips", tmp_path / "whole"
    clips.mkdir()
    names = ["1 drawing worker dies once", "2 fine"]
    for name in ("0 hangs", *names):
        write_clip(clips / f"{name}.mp4", 4)
    words = ("--clip", clips, *BUNDLED, "--align", "receptive-field", "--check")
    words = (*words, "--max-keyframes", 1, "--cpu-actors", 2)
    assert run(*words)[0] == 0
    out.rename(whole)
    process = subprocess.Popen(
        [sys.executable, "-c", PRETENDING, *map(str, words), "--output-dir", str(out)],
        env=os.environ | {"PYTHONPATH": f"{FAULTY}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stdout is not None and process.stderr is not None
        said = []
        while sum("index.html" in line for line in said) < 2 and (
            line := process.stdout.readline()
        ):
            said.append(line)
        children = psutil.Process(process.pid).children()
        workers = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        os.kill(process.pid, signal.SIGINT)  # while a processor hangs
        said += process.stdout.readlines()
        errors = process.stderr.read()
    assert errors == "error: interrupted: clips that were not finished left nothing behind\n"
    assert process.returncode == 130 and said[-1].startswith("2 done, 1 not tried")
    assert len(workers) == 3 and not any(map(is_alive, workers))
    assert results_in(out) == names
    files = {path.relative_to(out) for path in out.glob("[12]*/**/*") if path.is_file()}
    assert files == {one.relative_to(whole) for one in whole.glob("[12]*/**/*") if one.is_file()}
    timed = ("summary.json", "explanation.npz", "index.html")  # with seconds in them
    for file in files:
        if file.name not in timed:
            assert (out / file).read_bytes() == (whole / file).read_bytes(), file
    assert not list(out.glob(".*.partial"))
    # The clip whose drawing died was explained once: opened beside the network for its check.
    opened = (clips / "1 drawing worker dies once.mp4.opened").read_text()
    assert opened.count("network") == 1
