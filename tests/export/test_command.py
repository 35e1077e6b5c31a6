"""The command ``export``: its lines, its exit status, packages that are missing."""

from __future__ import annotations

import inspect
import shutil
import sys

import numpy as np
import pytest

import run_video_cam
from tests.support.command import assert_one_error_line
from video_cam import export as export_package
from video_cam.cli.export import parser
from video_cam.export.export_folder import MARKER


@pytest.fixture
def export(capsys):
    def run(*words: object) -> tuple[int, list[str], str]:
        status = run_video_cam.main(["export", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err

    return run


def test_options_reach_the_files(export, run_folder, output) -> None:
    words = ("--map", 1, "--every", 3, "--max-side", 16, "--output", output)
    status, said, errors = export("npz", run_folder, *words)
    assert (status, errors, said) == (0, "", [f"2 clips; see {output}"])
    [path] = (output / "two").iterdir()
    with np.load(path) as archive:
        assert archive["values"].shape == (2, 12, 16)


def test_a_note_is_told_unless_quiet(export, run_folder, output) -> None:
    pytest.importorskip("nibabel", reason="nibabel is not installed")
    _, said, _ = export("nifti", run_folder / "one", "--output", output)
    assert said[0].startswith("note: the source's pixel spacing is not known")
    assert said[1] == f"1 clip; see {output}"
    words = ("--spacing", 0.5, 0.5, "--output", output, "--quiet")
    assert export("nifti", run_folder, *words)[:2] == (0, [])


def test_a_clip_that_is_left_out_is_told_in_the_exit_status(
    export, run_folder, output, tmp_path
) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    (copy / "two" / "explanation.npz").write_bytes(b"PK")
    status, said, errors = export("npz", copy, "--grid", "cells", "--output", output)
    assert (status, said) == (1, [f"1 clip, 1 left out; see {output}"])
    assert errors.startswith("error: two: ") and errors.count("\n") == 1
    assert sorted(path.name for path in output.iterdir()) == [MARKER, "one"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("npz", "missing"), "no such folder"),
        (("wandb", "missing"), "no such folder"),
        (("npz", "run", "--every", "0"), "every 0 must be above 0"),
        (("npz", "run", "--grid", "cells", "--max-side", "9"), "max_side is for the grid source"),
    ],
)
def test_wrong_arguments_are_one_line(words, told, run_folder, output, capsys) -> None:
    given = [str(run_folder) if word == "run" else word for word in words]
    more = ["--output", str(output)] if words[0] == "npz" else []
    status = run_video_cam.main(["export", *given, *more])
    assert_one_error_line(status, capsys.readouterr().err, 2, told)
    assert not output.exists()


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [
        ("nifti", "nibabel", "nibabel"),
        ("coco", "pycocotools", "pycocotools"),
        ("rerun", "rerun", "rerun"),
        ("fiftyone", "fiftyone", "fiftyone"),
        ("wandb", "wandb", "wandb"),
        ("mlflow", "mlflow", "mlflow"),
    ],
)
def test_a_missing_package_is_one_line(kind, module, package, run_folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    status = run_video_cam.main(["export", kind, str(run_folder)])
    expected = f"{package} is not installed: pip install 'video-cam[{kind}]'"
    assert_one_error_line(status, capsys.readouterr().err, 2, expected)


@pytest.mark.parametrize("words", [["--help"], ["coco", "--help"]])
def test_help(words, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        run_video_cam.main(["export", *words])
    assert "Exit status: 0 done, 1 a clip was left out" in " ".join(capsys.readouterr().out.split())


def test_a_run_of_mlflow_is_made(export, run_folder, tmp_path, monkeypatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    before = mlflow.get_tracking_uri()
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    try:
        status, said, _ = export("mlflow", run_folder / "one", "--project", "test")
        [run] = mlflow.search_runs(experiment_names=["test"], output_format="list")
    finally:
        mlflow.set_tracking_uri(before)
    assert status == 0 and f"logged to run {run.info.run_id}" in said[-1]
    assert run.data.metrics == {
        "video_cam/one/score/ant": pytest.approx(0.4),
        "video_cam/one/score/bee": pytest.approx(0.25),
    }


@pytest.mark.parametrize("kind", ["npz", "nifti", "coco", "rerun", "fiftyone"])
def test_defaults_are_those_of_the_function(kind) -> None:
    function = getattr(export_package, f"to_{kind}")
    parameters = inspect.signature(function).parameters
    given = vars(parser().parse_args([kind, "results"]))
    for name in ("format", "quiet", "results"):
        del given[name]
    assert given.keys() == parameters.keys() - {"results", "reporter"}
    for name, value in given.items():
        if parameters[name].default is not inspect.Parameter.empty:
            assert value == parameters[name].default, name
