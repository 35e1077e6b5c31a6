"""Recognise clips by their content: cameras and recorders use many suffixes, or none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from video_cam.errors import ClipError
from video_cam.video.array_clips import NPY_START, is_clip_shape
from video_cam.video.container import open_video
from video_cam.video.dicom import START as DICOM_START
from video_cam.video.dicom import START_AT as DICOM_START_AT
from video_cam.video.foreign_files import kind_by_start
from video_cam.video.limits import DEFAULT_LIMITS

START_BYTES = 600  # three packets of a transport stream

# How containers and streams of video begin. FFmpeg's own probe also takes programs and texts for
# video now and then, and needs milliseconds for a file that is none.
_BEGINS_AS_VIDEO = re.compile(
    rb"""\A(?:
    .{4}(?:ftyp|moov|mdat|wide|free|skip|pnot)       # mp4, mov
    | \x1aE\xdf\xa3                                  # Matroska, WebM
    | RIFF.{4}(?:AVI\x20|AMV\x20) | OggS | FLV\x01 | \.RMF | DKIF | GIF8
    | \x30\x26\xb2\x75\x8e\x66\xcf\x11               # ASF, WMV
    | \xb7\xd8\x00\x20\x37\x49\xda\x11               # WTV
    | \x06\x0e\x2b\x34                               # MXF
    | \x00\x00\x00\x00\x01\xbc                       # GXF
    | \x1f\x07\x00[\x3f\xbf]                         # DV
    | nut/multimedia\x20container | YUV4MPEG2\x20 | LUCAM-RECORDER | MLVI | NSV[fs] | DHAV
    | \x00?\x00\x00\x01[^\x00]                       # H.264, HEVC, MPEG-1, 2 and 4, VOB, VC-1
    | \x12\x00\x0a | BBCD                            # AV1, Dirac
    | \x47.{187}\x47.{187}\x47                       # transport stream
    | .{4}\x47.{191}\x47.{191}\x47                   # with stamps, as cameras write
    | BIK[b-k] | KB2[a-k] | SMK[24] | .{4}[\x11\x12]\xaf | Interplay\x20MVE
    )""",
    re.DOTALL | re.VERBOSE,
)


def is_clip_file(path: Path) -> bool:
    """Whether a file holds a clip, whatever its name: a video, an array of pictures, or DICOM.

    Still images are not looked for. Most files are judged by their first bytes alone.
    """
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES)
    except OSError:
        return False
    if start[DICOM_START_AT:].startswith(DICOM_START):
        return True
    if start.startswith(NPY_START):
        return _is_clip_array(path)
    may_be_video = _BEGINS_AS_VIDEO.match(start) is not None and kind_by_start(start) is None
    return may_be_video and _has_video(path)


def _has_video(path: Path) -> bool:
    try:
        with open_video(path, DEFAULT_LIMITS, num_threads=1) as source:
            return min(source.declared_size) > 0
    except ClipError:
        return False


def _is_clip_array(path: Path) -> bool:
    """Tables and features are arrays as well: only the header tells."""
    try:
        return is_clip_shape(np.load(path, "r", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return False
