"""Small films made on the spot, a detector that sees what they show, and what to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import av
import cv2
import numpy as np

from dartblur.anonymizers import Block
from dartblur.faces import Faces, Image
from dartblur.video import VideoOptions, VideoReport, VideoTask, anonymize_video
from dartblur.video.planes import plane_arrays
from dartblur.video.scheduling import kept_scheduling

RED = (230, 20, 20)
BLUE = (20, 20, 230)
COVER = Block(BLUE)


def scene(number: int, height: int = 64, width: int = 96, *, size: int = 20) -> Image:
    """A grey picture with a red square, the "face", that moves to the right."""
    ramp = np.linspace(60, 140, width, dtype=np.float32)
    image = np.repeat(np.tile(ramp, (height, 1))[..., None], 3, axis=2).astype(np.uint8)
    left, top = 6 + 2 * number, height // 3
    image[top : top + size, left : left + size] = RED
    return image


@dataclass
class RedFinder:
    """Finds red squares; `blind` to the pictures whose numbers, in order of calls, are given."""

    blind: frozenset[int] = frozenset()
    calls: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        with self.lock:
            number, self.calls = self.calls, self.calls + len(images)
            self.sizes += [image.shape[:2] for image in images]
        return [
            Faces.empty() if number + i in self.blind else self._one(image)
            for i, image in enumerate(images)
        ]

    def _one(self, image: Image) -> Faces:
        _, _, stats, _ = cv2.connectedComponentsWithStats(is_red(image).astype(np.uint8))
        boxes = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:] if area > 20]
        return Faces(np.array(boxes, np.float32))


def is_red(image: Image) -> np.ndarray[Any, np.dtype[np.bool_]]:
    red, green, blue = (image[..., i].astype(int) for i in range(3))
    return (red > green + 60) & (red > blue + 60)


def make_film(
    path: Path,
    frames: Iterable[Image] | None = None,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: Sequence[int] | None = None,
    base: Fraction = Fraction(1, 12_800),
    rotation: int | None = None,
    sound: bool = False,
    subtitles: bool = False,
    chapters: bool = False,
    tags: dict[str, str] | None = None,
    cover: bool = False,
    aspect: Fraction | None = None,
    colour: tuple[int, int, int, int] | None = None,
    container: str | None = None,
) -> Path:
    """Writes a film of 25 frames a second, or with frames at `times`, in ticks of `base`."""
    images = list(frames if frames is not None else (scene(i) for i in range(12)))
    with av.open(str(path), "w", format=container) as out:
        picture = out.add_stream(codec, rate=25)
        context = picture.codec_context
        context.height, context.width = images[0].shape[:2] if images else (64, 96)
        context.pix_fmt = pixel_format
        context.time_base = picture.time_base = base
        if codec == "libx264":
            context.options = {"crf": "8", "preset": "veryfast", "bf": "2"}
        if codec in ("mpeg4", "mjpeg"):
            context.qscale, context.global_quality = True, 2 * 118
        if aspect:
            context.sample_aspect_ratio = aspect
        if colour:
            context.colorspace, context.color_range = colour[0], colour[1]
            context.color_primaries, context.color_trc = colour[2], colour[3]
        if rotation is not None:
            picture.set_display_rotation(rotation)
        voice = out.add_stream("aac", rate=48_000, layout="mono") if sound else None
        words = out.add_mux_stream("subrip") if subtitles else None
        art = None
        if cover:
            art = out.add_mux_stream("mjpeg", width=32, height=32)
            art.disposition = 1 << 10
        if voice:
            voice.metadata["language"] = "deu"
        if words:
            words.time_base = Fraction(1, 1000)
            words.metadata["language"] = "fra"
        if chapters:
            out.set_chapters(
                [
                    {
                        "id": 1,
                        "start": 0,
                        "end": 200,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": "Opening"},
                    }
                ]
            )
        out.metadata.update(tags or {})
        with kept_scheduling():
            out.start_encoding()
        if art is not None:
            _, data = cv2.imencode(".jpg", scene(0, 32, 32, size=8))
            packet = av.Packet(data.tobytes())
            packet.pts = packet.dts = 0
            packet.time_base = Fraction(1, 1000)
            packet.stream = art
            out.mux(packet)
        step = int(Fraction(1, 25) / base)
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(
                format=pixel_format,
                dst_colorspace=colour[0] if colour else None,
                dst_color_range=colour[1] if colour else None,
            )
            frame.pts = times[i] if times else i * step
            frame.time_base = base
            frame.duration = step
            out.mux(picture.encode(frame))
            if words and i % 4 == 0:
                packet = av.Packet(f"line {i}".encode())
                packet.pts = packet.dts = i * 40
                packet.duration = 100
                packet.time_base = Fraction(1, 1000)
                packet.stream = words
                out.mux(packet)
        if voice:
            for i in range(len(images) * 2):
                tone = (np.sin(np.arange(1024) * 0.05) * 0.3).astype(np.float32)[None]
                sample = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                sample.sample_rate, sample.pts = 48_000, i * 1024
                out.mux(voice.encode(sample))
            out.mux(voice.encode(None))
        if images:
            out.mux(picture.encode(None))
    return path


def hide(source: Path, target: Path, finder: RedFinder | None = None, **told: Any) -> VideoReport:
    """Hides the red squares of a film under blue blocks; told: of options and task."""
    names = {field.name for field in fields(VideoOptions)}
    options = VideoOptions(**{name: value for name, value in told.items() if name in names})
    others = {name: value for name, value in told.items() if name not in names}
    task = VideoTask(str(source), COVER, finder or RedFinder(), options=options, **others)
    return anonymize_video(task, target)


def random_frame(pixel_format: str, width: int, height: int) -> av.VideoFrame:
    """A frame of noise."""
    frame = av.VideoFrame(width, height, pixel_format)
    dice = np.random.default_rng(0)
    bits = frame.format.components[0].bits
    for plane in plane_arrays(frame):
        plane[:] = dice.integers(0, 2**bits, plane.shape)
    return frame


def pictures(path: Path) -> list[Image]:
    """Every frame as coded, (H, W, 3) RGB."""
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def packets(path: Path, kind: str) -> list[tuple[Any, ...]]:
    """Time in seconds and bytes of each packet of the streams of a kind."""
    with av.open(str(path)) as film:
        streams = [s for s in film.streams if s.type == kind]
        return (
            [
                (p.stream_index, p.pts * p.time_base, p.duration * p.time_base, bytes(p))
                for p in film.demux(*streams)
                if p.size
            ]
            if streams
            else []
        )


def frame_times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds."""
    with av.open(str(path)) as film:
        return [frame.pts * frame.time_base for frame in film.decode(video=0)]
