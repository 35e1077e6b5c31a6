"""Runs of Weights & Biases and MLflow, kept in folders, read back by the tools themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.export.conftest import explanation_of
from tests.support.explanations import hostile_explanation
from tests.support.media import write_clip
from video_cam.errors import UsageError
from video_cam.export import log_to_mlflow, log_to_wandb


class RecordingRun:
    """A run of W&B that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict, int | None]] = []

    def log(self, values, step=None) -> None:
        self.calls.append((values, step))


@pytest.fixture
def wandb_run(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(project="test", mode="offline", dir=str(tmp_path)) as run:
        yield run


def test_wandb_gets_files_and_scores_of_a_run(run_folder, wandb_run, tmp_path) -> None:
    log_to_wandb(wandb_run, run_folder, tag="cam", more={"epoch": 3})
    summary = dict(wandb_run.summary)
    assert summary["cam/one/score/ant"] == pytest.approx(0.4)
    assert summary["cam/two/score/bee"] == pytest.approx(0.25)
    assert summary["epoch"] == 3
    media = Path(wandb_run.dir) / "media"
    kept = {
        path.relative_to(media).parent.as_posix() + "/" + path.name.partition("_")[0]
        for path in media.rglob("*.*")
    }
    assert {"videos/cam/two/video", "images/cam/one/keyframes", "images/cam/two/timeline"} <= kept
    [table] = media.glob("table/cam/clips*.json")
    rows = json.loads(table.read_text())["data"]
    assert [row[:4] for row in rows] == [["one", "bee", "ant", "ant"], ["two", None, "ant", "ant"]]
    assert rows[0][4] == pytest.approx(0.4)


def test_wandb_gets_an_explanation_drawn(tmp_path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    clip = write_clip(tmp_path / "drawn.mp4", 6)
    run = RecordingRun()
    log_to_wandb(run, explanation_of(clip), 7)
    [(values, step)] = run.calls
    assert step == 7 and values["video_cam/drawn/video"]._format == "mp4"
    assert values["video_cam/drawn/score/ant"] == pytest.approx(0.4)
    assert len(values["video_cam/drawn/keyframes"]) == 6


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    module = pytest.importorskip("mlflow", reason="mlflow is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    before = module.get_tracking_uri()
    module.set_tracking_uri(f"sqlite:///{folder}/runs.db")
    module.create_experiment("test", artifact_location=(folder / "artifacts").as_uri())
    module.set_experiment("test")
    yield module
    module.set_tracking_uri(before)


def test_mlflow_gets_files_and_scores_of_a_run(run_folder, mlflow, tmp_path) -> None:
    with mlflow.start_run() as run:
        log_to_mlflow(None, run_folder, 5)
    client = mlflow.MlflowClient()
    [metric] = client.get_metric_history(run.info.run_id, "video_cam/one/score/ant")
    assert (metric.value, metric.step) == (pytest.approx(0.4), 5)
    place = "video_cam/two/step_000005"
    files = {Path(one.path).name for one in client.list_artifacts(run.info.run_id, place)}
    assert files == {"annotated.mp4", "contact_sheet.jpg", "timeline.png", "keyframes"}
    local = client.download_artifacts(run.info.run_id, f"{place}/annotated.mp4")
    assert Path(local).read_bytes() == (run_folder / "two" / "annotated.mp4").read_bytes()


def test_mlflow_takes_the_whole_folder(run_folder, mlflow) -> None:
    with mlflow.start_run() as run:
        log_to_mlflow(run, run_folder / "one", whole=True)
    paths = mlflow.MlflowClient().list_artifacts(run.info.run_id, "video_cam/one")
    assert {"index.html", "explanation.npz"} <= {Path(one.path).name for one in paths}


def test_names_that_mlflow_refuses_are_replaced(mlflow, tmp_path) -> None:
    explanation = hostile_explanation(write_clip(tmp_path / "odd\x1b[31m.mp4", 6))
    with mlflow.start_run() as run:
        log_to_mlflow(run.info.run_id, explanation)
    metrics = mlflow.MlflowClient().get_run(run.info.run_id).data.metrics
    assert len(metrics) == len(explanation.maps)
    assert all(name.startswith("video_cam/odd -31m/score/") for name in metrics)


def test_without_a_run_mlflow_says_what_to_do(run_folder, mlflow) -> None:
    with pytest.raises(UsageError, match=r"call mlflow\.start_run\(\) first"):
        log_to_mlflow(None, run_folder)
