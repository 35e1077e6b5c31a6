"""Networks with several sets of scores: named by ``--output-layout``, or freed by ``--target``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import Run, assert_one_error_line

_FILE = """
from tests.support.output_networks import TwoHeads


def sum_of_heads(outputs):
    return outputs["verb"][:, 0] + outputs["noun"][:, 0]
"""


def _words(clip: Path, folder: Path) -> list[str]:
    (folder / "heads.py").write_text(_FILE)
    return [
        *("--clip", str(clip), "--model", f"{folder / 'heads.py'}:TwoHeads"),
        *(
            "--num-frames",
            "4",
            "--size",
            "16",
            "--align",
            "half-pixel",
            "--no-check",
            "--max-keyframes",
            "1",
        ),
    ]


def test_a_function_frees_the_form_of_the_output(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    words = _words(sample_clip, tmp_path)
    status, _, err = run(*words)
    assert_one_error_line(status, err, 2, "verb (1, 3), noun (1, 5); say which one")
    status, printed, _ = run(*words, "--target", f"{tmp_path / 'heads.py'}:sum_of_heads")
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert status == 0 and "no class is shown" in printed
    assert summary["predictions"] == [] and summary["windows"][0]["class_id"] is None
    assert [target["label"] for target in summary["targets"]] == ["sum_of_heads"]


def test_the_entry_that_is_named(run: Run, out: Path, sample_clip: Path, tmp_path: Path) -> None:
    status, _, err = run(*_words(sample_clip, tmp_path), "--output-layout", "noun:KN")
    assert_one_error_line(status, err, 2, "unknown output layout 'noun:KN': give a letter for each")
    status, printed, _ = run(*_words(sample_clip, tmp_path), "--output-layout", "noun:NK")
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert status == 0 and "class scores from 'noun' as (N, K)" in printed
    assert len(summary["predictions"]) == 5
