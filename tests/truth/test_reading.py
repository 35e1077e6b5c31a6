"""Annotation files: own ones, and those of data sets and tools as they are downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from video_cam import UsageError
from video_cam.truth.clip_truth import Box, ClipTruth, Mask, TruthFile
from video_cam.truth.reading import read_truth


def read(tmp_path: Path, name: str, content: Any) -> TruthFile:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_truth(path)


def truths(file: TruthFile) -> dict[tuple[str, ...], ClipTruth]:
    return {row.names: row.truth for row in file.rows}


def test_a_table_has_classes_spans_boxes_masks_and_key_times(tmp_path: Path) -> None:
    text = (
        "\ufeffClip,Truth,start,end,frame,left,top,right,bottom,mask,key,time\r\n"
        'a.mp4,"arm wrestling, wrist",0.5,1.25,,,,,,,,\n'
        "b/b.mp4,,,,3,1,2,10.5,20,,,\n"
        "c.mp4,7,,,4,,,,,m.png,ED,0.2\n"
        "\n"
    )
    assert truths(read(tmp_path, "t.csv", text)) == {
        ("a.mp4",): ClipTruth("arm wrestling, wrist", spans=((0.5, 1.25),)),
        ("b/b.mp4",): ClipTruth(boxes=(Box(3, 1, 2, 10.5, 20),)),
        ("c.mp4",): ClipTruth(
            "7", masks=(Mask(4, picture=str(tmp_path / "m.png")),), key_times=(("ED", 0.2),)
        ),
    }
    only_truth = read(tmp_path, "l.csv", "clip;class;truth\na.mp4;spin;grow\nb.mp4;spin;\n")
    assert [row.truth.class_name for row in only_truth.rows] == ["grow", None]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a.mp4,,2,1,,,,,", "line 2: span 2 to 1 s: expected 0 <= start < end"),
        ("a.mp4,,0,x,,,,,", "line 2: end 'x' is not a number"),
        ("a.mp4,,1,,,,,,", "line 2: end '' is not a number"),
        ("a.mp4,,,,,1,2,3,4", "line 2: frame '' is not the index of a frame"),
        ("a.mp4,,,,1,5,2,3,4", "line 2: box 5 2 3 4: expected left < right"),
        ("a.mp4,,,,1,nan,2,3,4", "line 2: left 'nan' is not a number"),
        (",x,,,,,,,", "line 2: names no clip"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, row: str, problem: str) -> None:
    header = "clip,truth,start,end,frame,left,top,right,bottom\n"
    file = read(tmp_path, "t.csv", f"{header}{row}\nb.mp4,spin\n")
    assert [one.names for one in file.rows] == [("b.mp4",)]
    [found] = file.problems
    assert f"t.csv {problem}" in found


def test_json_has_entries_or_classes_by_clip(tmp_path: Path) -> None:
    entry = {
        "clip": "a.mp4",
        "class": 3,
        "spans": [[0, 1]],
        "boxes": [{"frame": 2, "box": [0, 0, 4, 5]}],
        "masks": [
            {"frame": 1, "png": "m.png"},
            {"frame": 2, "rle": {"size": [2, 3], "counts": [1, 2, 3]}},
        ],
        "key_times": {"ES": 0.4},
    }
    expected = ClipTruth(
        "3",
        ((0, 1),),
        (Box(2, 0, 0, 4, 5),),
        (
            Mask(1, picture=str(tmp_path / "m.png")),
            Mask(2, counts=(1, 2, 3), size=(2, 3)),
        ),
        (("ES", 0.4),),
    )
    assert truths(read(tmp_path, "t.json", [entry])) == {("a.mp4",): expected}
    del entry["clip"]
    by_clip = {"a.mp4": entry, "b.mp4": "spin"}
    assert truths(read(tmp_path, "t.json", by_clip)) == {
        ("a.mp4",): expected,
        ("b.mp4",): ClipTruth("spin"),
    }


def test_kinetics_as_csv_and_as_json(tmp_path: Path) -> None:
    text = "label,youtube_id,time_start,time_end,split\narm wrestling,-AbC_d,5,15,val\n"
    names = ("-AbC_d_000005_000015", "-AbC_d")
    file = read(tmp_path, "validate.csv", text)
    assert truths(file) == {names: ClipTruth("arm wrestling")} and file.is_data_set
    entry = {
        "annotations": {"label": "arm wrestling", "segment": [5.0, 15.0]},
        "duration": 10.0,
        "subset": "validate",
        "url": "https://www.youtube.com/watch?v=-AbC_d",
    }
    file = read(tmp_path, "validate.json", {"-AbC_d": entry})
    assert truths(file) == {names: ClipTruth("arm wrestling")} and file.is_data_set


def test_ucf_and_lists_of_paths_and_numbers(tmp_path: Path) -> None:
    ucf = "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
    for text in (f"{ucf} 1\n", f"{ucf}\n"):  # trainlist01.txt, testlist01.txt
        assert truths(read(tmp_path, "l.txt", text)) == {(ucf,): ClipTruth("ApplyEyeMakeup")}
    listed = read(tmp_path, "val.txt", "some clip.mp4 3\nb.mp4 0\n")
    assert truths(listed) == {("some clip.mp4",): ClipTruth("3"), ("b.mp4",): ClipTruth("0")}


def test_something_something_and_its_test_answers(tmp_path: Path) -> None:
    entry = {
        "id": "78687",
        "label": "holding potato next to vicks vaporub bottle",
        "template": "Holding [something] next to [something]",
        "placeholders": ["potato", "vicks vaporub bottle"],
    }
    template = ClipTruth("Holding [something] next to [something]")
    assert truths(read(tmp_path, "validation.json", [entry])) == {("78687",): template}
    answers = "1420;Turning the camera right while filming something\n"
    found = truths(read(tmp_path, "test-answers.csv", answers))
    assert found == {("1420",): ClipTruth("Turning the camera right while filming something")}


CATEGORIES = [{"id": 1, "name": "cat"}]


def test_coco_of_frames_and_of_videos(tmp_path: Path) -> None:
    images = [
        {"id": 10, "file_name": "clip/000002.jpg", "width": 9, "height": 9},
        {"id": 11, "file_name": "clip/000001.jpg"},
        {"id": 12, "file_name": "x.jpg", "video_id": 5, "frame_id": 7},
    ]
    square = [1.0, 1.0, 4.0, 1.0, 4.0, 4.0]
    annotations = [
        {"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4], "id": 0, "area": 12},
        {"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [square]},
        {"image_id": 12, "category_id": 1, "segmentation": {"size": [2, 3], "counts": "b0"}},
        {"image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4]},
    ]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": CATEGORIES,
        "videos": [{"id": 5, "name": "v"}],
    }
    file = read(tmp_path, "coco.json", content)
    cat = ("cat",)
    assert [(row.names, row.truth) for row in file.rows] == [
        (("clip",), ClipTruth(boxes=(Box(1, 1, 2, 4, 6),), object_names=cat)),
        (("clip",), ClipTruth(masks=(Mask(0, polygons=(tuple(square),)),), object_names=cat)),
        (("v",), ClipTruth(masks=(Mask(7, counts="b0", size=(2, 3)),), object_names=cat)),
    ]
    assert file.problems == ("coco.json annotation 3: its image or video is not in the file",)


def test_coco_with_a_track_per_annotation(tmp_path: Path) -> None:
    content = {
        "videos": [{"id": 1, "file_names": ["v1/0.jpg", "v1/1.jpg", "v1/2.jpg"]}],
        "annotations": [
            {
                "video_id": 1,
                "category_id": 1,
                "bboxes": [None, [0, 0, 2, 2], [1, 0, 2, 2]],
                "segmentations": [None, None, {"size": [2, 3], "counts": [6]}],
            }
        ],
        "categories": CATEGORIES,
    }
    [row] = read(tmp_path, "ytvis.json", content).rows
    assert row.names == ("v1",)
    assert row.truth.boxes == (Box(1, 0, 0, 2, 2),)
    assert row.truth.masks == (Mask(2, counts=(6,), size=(2, 3)),)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
  <meta><task><name>my task</name><original_size><width>9</width></original_size>
    <source>a.mp4</source></task></meta>
  <track id="0" label="cat" source="manual">
    <box frame="1" keyframe="1" outside="0" occluded="0" xtl="1.5" ytl="2" xbr="4" ybr="6"/>
    <box frame="2" keyframe="1" outside="1" occluded="0" xtl="1" ytl="2" xbr="4" ybr="6"/>
  </track>
  <track id="1" label="dog">
    <polygon frame="3" outside="0" points="1.0,1.0;4.0,1.0;4.0,4.0"/>
    <mask frame="4" outside="0" rle="1, 2, 1" left="3" top="5" width="2" height="2"/>
  </track>
</annotations>"""


@pytest.mark.parametrize("points", ["1,1;2", "1,1;2,2", "1,1;2,2;inf,3"])
def test_a_polygon_needs_three_points(tmp_path: Path, points: str) -> None:
    text = CVAT.replace("1.0,1.0;4.0,1.0;4.0,4.0", points)
    file = read(tmp_path, "annotations.xml", text)
    assert len(file.rows) == 1 and "polygon of" in file.problems[0]


def test_cvat_for_video(tmp_path: Path) -> None:
    box, other = read(tmp_path, "annotations.xml", CVAT).rows
    assert box.names == other.names == ("a.mp4", "my task")
    assert box.truth == ClipTruth(boxes=(Box(1, 1.5, 2, 4, 6),), object_names=("cat",))
    assert other.truth.masks == (
        Mask(3, polygons=((1.0, 1.0, 4.0, 1.0, 4.0, 4.0),)),
        Mask(4, counts=(1, 2, 1), size=(2, 2), by_column=False, corner=(3, 5)),
    )


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cc">]><annotations>&b;</annotations>'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", "a,b\n1,2\n", "has columns a, b: expected clip and at least one of truth"),
        ("t.csv", "", "has columns none"),
        ("t.csv", 'clip,truth\n"a.mp4,spin\n', "unexpected end of data"),
        ("t.csv", "clip,truth\na\0b,spin\n", "it is no text"),
        ("test.csv", "youtube_id,time_start,time_end,split\nx,0,1,test\n", "no column label"),
        ("t.txt", "a.mp4\n", "line 1 is no path with the number of a class"),
        ("t.json", "{", "it is not JSON"),
        ("t.json", "3", "it holds no list of clips"),
        ("t.json", '[{"clip": "a", "spans": [[0]]}]', "entry 0: "),
        ("t.json", '[{"clip": "a", "box": []}]', "unknown field `box`"),
        ("t.json", '[{"clip": "a", "masks": [{"frame": 1}]}]', "a mask has png or rle"),
        ("t.json", '{"images": [], "annotations": [{"bbox": "x"}]}', "bbox"),
        ("t.json", '{"v": {"annotations": {"label": "x"}}}', "entry 'v': "),
        ("t.xml", "<a>", "it is not XML"),
        ("t.xml", "<a></a>", "it is not CVAT's XML for video"),
        ("t.xml", BOMB, "it declares a document type"),
        ("t.xml", CVAT.replace("<track", "<image/><track", 1), "CVAT for images"),
        ("t.xml", CVAT.replace('xtl="1.5"', ""), "track 0: 'xtl'"),
        ("t.xml", CVAT.replace('xtl="1.5"', 'xtl="nan"'), "xtl is not finite"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, name, content)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; give folders"):
        read_truth(tmp_path / "t.csv")
    with pytest.raises(UsageError, match="not a file; give folders"):
        read_truth(tmp_path)
