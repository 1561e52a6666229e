"""The smaller parts: threads that run ahead, cuts, the choice of encoders and formats."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import av
import numpy as np
import pytest
from av.video.format import VideoFormat

from dartblur.video.cuts import CutFinder
from dartblur.video.encoders import ENCODERS, encoder_for, pixel_format_for
from dartblur.video.overlap import Ahead
from dartblur.video.source import clock

# Seconds, only so that a test that hangs ends.
LONG = 300


def test_items_come_in_order_and_are_made_ahead() -> None:
    made: list[int] = []
    five = threading.Event()

    def items() -> Iterator[int]:
        for i in range(20):
            made.append(i)
            if i == 4:
                five.set()
            yield i

    with Ahead(items(), 4) as ahead:
        iterator = iter(ahead)
        assert next(iterator) == 0
        # One was taken, and four wait, though nobody asked for them.
        assert five.wait(LONG)
        for wanted in range(1, 20):
            # Four wait, one was taken, one is in hand.
            assert len(made) <= wanted + 5
            assert next(iterator) == wanted
        assert list(iterator) == []


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with Ahead(items(), 4) as ahead:
        iterator = iter(ahead)
        assert next(iterator) == 1
        with pytest.raises(ValueError, match="broken"):
            next(iterator)


def test_leaving_early_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    before = set(threading.enumerate())
    with pytest.raises(KeyError), Ahead(endless(), 2):
        raise KeyError
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive()


def test_finishing_keeps_what_is_ready() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with Ahead(endless(), 3) as ahead:
        iterator = iter(ahead)
        next(iterator)
        ahead.finish()
        assert len(list(iterator)) <= 5


def test_cuts_are_found_and_flashes_motion_and_fades_are_not() -> None:
    dice = np.random.default_rng(0)
    one, other = (np.clip(dice.normal(m, 0.1, (18, 32)), 0, 1) for m in (0.3, 0.7))
    finder = CutFinder()
    assert [finder.step(s.astype(np.float32)) for s in (one, one, other, other, one)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    moving = CutFinder()
    assert not any(moving.step(np.roll(one, i, 1).astype(np.float32)) for i in range(20))
    fading = CutFinder()
    assert not any(
        fading.step((one * (1 - i / 20) + other * i / 20).astype(np.float32)) for i in range(21)
    )


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


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00.000"), (3725.5, "1:02:05.500"), (-0.04, "-0:00:00.040")]
)
def test_places_in_a_film(seconds: float, text: str) -> None:
    assert clock(seconds) == text
