"""COCO annotations, read by pycocotools and by this project's own reader of ground truth."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from video_cam.errors import ClipError
from video_cam.export import to_coco
from video_cam.export.coco_regions import ANNOTATIONS, NO_IMAGES
from video_cam.export.results import find_results
from video_cam.rendering.heat import HeatMapper

pytest.importorskip("pycocotools", reason="pycocotools is not installed")


@pytest.fixture
def coco(run_folder, output):
    from pycocotools.coco import COCO

    exported = to_coco(run_folder, output, threshold=0.4, min_area=1, every=2)
    assert exported.notes == (NO_IMAGES,)
    return COCO(str(output / ANNOTATIONS))


def test_masks_and_boxes_are_the_pixels_above_the_threshold(coco, run_folder) -> None:
    result = find_results(run_folder / "two")[0]
    found = 0
    for image in coco.loadImgs(coco.getImgIds()):
        if image["video_id"] != 2:
            continue
        for map_index, name in enumerate(("ant", "bee")):
            [category] = coco.getCatIds(catNms=[name])
            mapper = HeatMapper(result.maps[map_index], result.explanation.geometry, "video")
            expected = np.zeros((48, 64), bool)
            left, top, right, bottom = mapper.box
            expected[top:bottom, left:right] = mapper.heat(image["frame_index"]) >= 0.4
            drawn = np.zeros((48, 64), bool)
            for one in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]], catIds=[category])):
                mask = coco.annToMask(one).astype(bool)
                ys, xs = np.nonzero(mask)
                box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
                assert one["bbox"] == box and one["area"] == mask.sum()
                assert 0.4 <= one["score"] <= 1
                drawn |= mask
                found += 1
            np.testing.assert_array_equal(drawn, expected)
    assert found > 3


def test_images_are_frames_with_their_times(coco) -> None:
    images = coco.loadImgs(coco.getImgIds())
    assert [(i["video_id"], i["frame_index"]) for i in images] == [
        (video, frame) for video in (1, 2) for frame in (0, 2, 4)
    ]
    assert images[4]["file_name"] == "two/000002.jpg"
    assert images[4]["pts_seconds"] == pytest.approx(0.08)
    assert [video["name"] for video in coco.dataset["videos"]] == ["one", "two"]
    one = coco.loadAnns(coco.getAnnIds())[0]
    assert (one["layer"], one["method"]) == ("late", "gradcam")
    assert one["class_score"] == pytest.approx(0.4)


def test_detections_can_be_evaluated(coco, output) -> None:
    from pycocotools.cocoeval import COCOeval

    annotations = json.loads((output / ANNOTATIONS).read_text())["annotations"]
    evaluation = COCOeval(coco, coco.loadRes(annotations), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    assert evaluation.eval["precision"].max() == pytest.approx(1)


def test_frames_are_written_where_asked_for(run_folder, output) -> None:
    to_coco(run_folder, output, every=3, frames=True)
    images = json.loads((output / ANNOTATIONS).read_text())["images"]
    pictures = [cv2.imread(str(output / image["file_name"])) for image in images]
    assert len(pictures) == 4 and all(picture.shape == (48, 64, 3) for picture in pictures)
    # The white square has moved by 9 columns in 3 frames.
    assert pictures[3][15, 12].min() > 200 > 120 > pictures[2][15, 12].max()


def test_a_clip_that_has_moved_is_one_line(run_folder, output, monkeypatch) -> None:
    monkeypatch.setattr(
        "video_cam.video.clip.probe", lambda *_: (_ for _ in ()).throw(ClipError("no such file"))
    )
    with pytest.raises(ClipError, match="no such file: the clip is read where it was when"):
        to_coco(run_folder, output, frames=True)
    assert not output.exists()
