"""The choice of encoders and pixel formats."""

from __future__ import annotations

import av
import pytest
from av.video.format import VideoFormat

from dartblur.video.encoders import ENCODERS, encoder_for, pixel_format_for


@pytest.mark.parametrize("codec", ENCODERS)
def test_every_encoder_of_the_table_is_in_the_wheels_of_pyav(codec: str) -> None:
    encoder, note = encoder_for(codec, "matroska", None, None)
    assert note is None
    assert av.codec.Codec(encoder.name, "w").canonical_name == codec


def test_a_source_that_nothing_writes_gets_the_containers_own_codec() -> None:
    for container, name in (("webm", "libvpx-vp9"), ("mp4", "libx264"), ("asf", "wmv2")):
        encoder, note = encoder_for("rv40", container, None, None)
        assert encoder.name == name
        assert note is not None
        assert "rv40" in note


@pytest.mark.parametrize(
    ("encoder", "source", "size", "wanted"),
    [
        ("libx264", "yuv420p", (96, 64), "yuv420p"),
        ("libx264", "yuvj420p", (96, 64), "yuvj420p"),
        ("libx264", "yuv420p10le", (96, 64), "yuv420p10le"),
        ("libx264", "p010le", (96, 64), "yuv420p10le"),
        ("libx264", "nv12", (96, 64), "yuv420p"),
        ("libx264", "yuv420p12le", (96, 64), "yuv420p10le"),
        ("libx264", "gray", (96, 64), "gray"),
        ("libx264", "yuv420p", (101, 67), "yuv444p"),
        ("libx265", "yuv422p12le", (96, 64), "yuv422p12le"),
        ("libx265", "gbrp10le", (96, 64), "gbrp10le"),
        ("libsvtav1", "yuv444p10le", (96, 64), "yuv420p10le"),
        ("libvpx-vp9", "yuv420p", (101, 67), "yuv420p"),
        ("mpeg4", "yuv422p10le", (96, 64), "yuv420p"),
        ("mjpeg", "yuvj422p", (96, 64), "yuvj422p"),
        ("libx264", "rgb24", (96, 64), "yuv444p"),
        ("libx265", "rgb24", (96, 64), "gbrp"),
    ],
)
def test_pixel_formats_lose_as_little_as_can_be(
    encoder: str, source: str, size: tuple[int, int], wanted: str
) -> None:
    assert pixel_format_for(encoder, VideoFormat(source, *size)) == wanted
