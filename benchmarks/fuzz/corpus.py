"""Undamaged files of every kind that the project reads, small and made by code."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image
from safetensors.torch import save_file

from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget, MapSeries, ModelInfo
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.rendering.summary import summarise
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

CLASSES = ("ant", "bee", "cat")
# File name -> codec and pixel format of its clip.
_CLIPS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "vp8.webm": ("libvpx", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mpeg2.ts": ("mpeg2video", "yuv420p"),
    "moving.gif": ("gif", "rgb8"),
}


def write_labels(folder: Path) -> None:
    """Label files of every form."""
    (folder / "lines.txt").write_text("ant\nbee\n\ncat\n")
    (folder / "list.json").write_text(json.dumps(CLASSES))
    (folder / "index.json").write_text('{"0": ["n1", "ant"], "1": ["n2", "bee"]}')
    (folder / "ids.json").write_text('{"ant": 0, "bee": 1}')
    (folder / "dict.py").write_text("{0: 'ant', 1: \"bee\",\n 2: 'cat'}")


def write_lists(folder: Path) -> None:
    """Lists of clips."""
    (folder / "list.txt").write_text("# clips\na.mp4\nsub/b c.mp4\n")
    (folder / "list.csv").write_text('clip,class\n"a, b.mp4",1\nc.mp4,bee\n')


def write_truth(folder: Path) -> None:
    """Ground truth of every form."""
    header = "clip,truth,start,end,frame,left,top,right,bottom,mask,key,time"
    (folder / "own.csv").write_text(
        f"{header}\na.mp4,ant,0,1,2,0,0,4,5,m.png,ED,0.5\nb,1,,,,,,,,,,\n"
    )
    (folder / "kinetics.csv").write_text("label,youtube_id,time_start,time_end\nant,abc,1,11\n")
    (folder / "answers.csv").write_text("1420;Turning something\n")
    (folder / "ucf.txt").write_text("Ant/v_Ant_g01_c01.avi 1\n")
    mask = {"frame": 1, "rle": {"size": [6, 5], "counts": "83304NN"}}
    boxes = [{"frame": 0, "box": [0, 1, 2, 3]}]
    entry = {"clip": "a", "truth": 1, "spans": [[0, 1]], "boxes": boxes, "masks": [mask]}
    (folder / "own.json").write_text(json.dumps([entry | {"key_times": {"ES": 0.25}}]))
    notes = {"annotations": {"label": "ant", "segment": [1.0, 11.0]}}
    (folder / "kinetics.json").write_text(json.dumps({"abc": notes}))
    (folder / "something.json").write_text(json.dumps([{"id": "1", "template": "A [thing]"}]))
    images = [{"id": 1, "file_name": "a/1.jpg"}, {"id": 2, "file_name": "a/2.jpg"}]
    regions = [
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]},
        {"image_id": 2, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]},
        {"image_id": 2, "segmentation": {"size": [6, 5], "counts": [10, 4, 16]}},
    ]
    categories = [{"id": 1, "name": "ant"}]
    content = {"images": images, "annotations": regions, "categories": categories}
    (folder / "coco.json").write_text(json.dumps(content))
    (folder / "cvat.xml").write_text(
        "<annotations><meta><task><source>a.mp4</source></task></meta><track label='ant'>"
        "<box frame='1' xtl='0' ytl='0' xbr='3' ybr='2'/><polygon frame='2' points='0,0;3,0;3,3'/>"
        "<mask frame='3' rle='1,2,1' left='1' top='1' width='2' height='2'/></track></annotations>"
    )


def write_clips(folder: Path) -> None:
    """A clip of each common container, and still images."""
    frames = [np.full((32, 48, 3), 20 * i, np.uint8) for i in range(8)]
    for i, frame in enumerate(frames):
        frame[8:16, 3 * i : 3 * i + 8] = 240
    for name, (codec, pixel_format) in _CLIPS.items():
        with av.open(str(folder / name), "w") as output:
            stream = output.add_stream(codec, rate=25)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 48, 32, pixel_format
            for i, frame in enumerate(frames):
                picture = VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                    format=pixel_format
                )
                picture.pts, picture.time_base = i, Fraction(1, 25)
                output.mux(stream.encode(picture))
            output.mux(stream.encode(None))
    for suffix in ("png", "jpg", "webp", "bmp", "tiff"):
        cv2.imwrite(str(folder / f"still.{suffix}"), frames[0])


def write_pictures(folder: Path) -> None:
    """Animations, files of many pages, arrays and, where pydicom is installed, a DICOM file."""
    frames = [np.full((32, 48, 3), 20 * i, np.uint8) for i in range(8)]
    first, *others = map(Image.fromarray, frames)
    for name in ("moving.webp", "moving.png", "pages.tif"):
        first.save(folder / name, save_all=True, append_images=others, duration=40)
    first.save(folder / "big.tif", save_all=True, append_images=others, big_tiff=True)
    cv2.imwrite(str(folder / "deep.png"), frames[4].astype(np.uint16) * 40)
    np.save(folder / "array.npy", np.stack(frames))
    np.savez_compressed(folder / "archive.npz", video=np.stack(frames) / 255, fps=25)
    if find_spec("pydicom"):
        _write_dicom(folder / "cine.dcm", np.stack(frames))


def _write_dicom(path: Path, frames: np.ndarray) -> None:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.3.1")
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID("1.2.3")
    data.NumberOfFrames, data.Rows, data.Columns, data.SamplesPerPixel = frames.shape
    data.PhotometricInterpretation, data.PlanarConfiguration = "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.FrameTime = "40"
    data.PixelData = frames.tobytes()
    data.save_as(path, enforce_file_format=True)


def write_checkpoints(folder: Path) -> None:
    """State dicts, plain and nested."""
    state = {"conv.weight": torch.ones(2, 3, 1, 1, 1), "conv.bias": torch.zeros(2)}
    torch.save(state, folder / "plain.pth")
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": [0.1]}}, folder / "nested.pt")
    save_file(state, folder / "state.safetensors")


def write_explanation(folder: Path) -> None:
    """A saved explanation."""
    _explanation().save(folder / "explanation.npz")


def write_summary(folder: Path) -> None:
    """The summary of a clip."""
    keyframe = {"frame_index": 0, "pts_seconds": 0.0}
    summary = summarise(_explanation(), [keyframe], ["annotated.mp4"])
    (folder / "summary.json").write_text(json.dumps(summary))


def write_results(folder: Path) -> None:
    """The records of a run."""
    prediction = {"class_id": 0, "label": "ant", "score": 0.7, "shown": "70%"}
    done = {
        "clip": "in/a.mp4",
        "folder": "a",
        "status": "done",
        "error": None,
        "prediction": prediction,
        "check": {"sentence": "the map is right", "drop": 0.5},
        "duration_seconds": 2.0,
        "seconds": 1.5,
        "finished_at": "2026-01-01T00:00:00+00:00",
        "targets": [prediction],
        "notes": [{"text": "a note", "kind": "information"}],
    }
    failed = done | {"clip": "in/b.mp4", "status": "failed", "folder": None, "error": "damaged"}
    lines = [json.dumps(record) + "\n" for record in (done, failed)]
    (folder / "results.jsonl").write_text("".join(lines))


def _explanation() -> Explanation:
    """A network of 4 frames on a clip of 6 frames, two windows, two classes with maps."""
    cells = CellCentres(np.array([0.5, 2.5]), np.arange(2.0), np.arange(2.0))
    values = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    maps = tuple(
        MapSeries(ClassTarget(i), CLASSES[i], "layer4", "gradcam", values + i, cells)
        for i in range(2)
    )
    return Explanation(
        clip=ClipInfo("a.mp4", 8, 8, Fraction(10), 6, 0.6, has_audio=False, is_still=False),
        model=ModelInfo("net", "random", ("layer4",), 4, Fraction(10), trained=True),
        labels=CLASSES,
        geometry=Geometry(8, 8, 8, 8, 0, 0, 8, 8),
        timeline=Timeline(np.arange(6), Fraction(1, 10), 1),
        frame_indices=np.array([[0, 1, 2, 3], [2, 3, 4, 5]]),
        num_padded=np.zeros(2, np.int64),
        probabilities=np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32),
        maps=maps,
        span=(0, 6),
        options={"sampling": "windows", "align": "probe"},
        source_digest="sha256:",
    )
