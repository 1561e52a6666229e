"""Single frames of a film, exactly those that are asked for: a seek is checked by time stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

import av
import numpy as np
from av.container import InputContainer

from dartblur.errors import VideoError
from dartblur.faces import Image
from dartblur.video.colour import in_samples
from dartblur.video.container import choose_streams, open_container
from dartblur.video.orientation import Orientation, display_matrix, orientation_of
from dartblur.video.planes import upright_picture

Change = Callable[[av.VideoFrame, Orientation], None]
_NEAR = 60
"""Frames ahead of the last one that are reached by decoding on rather than by a seek."""


class FilmFrames:
    """The frames of one film by their numbers, from 0 in order of time. For any thread.

    count: of frames that the film must have.

    Raises:
        VideoError: it cannot be read, or has another number of frames.
    """

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._lock, self._closed = path, Lock(), False
        self._context = open_container(str(path), tolerant=True)
        self._container: InputContainer = self._context.__enter__()
        try:
            streams = choose_streams(self._container, str(path), sound=False, metadata=False)
            self._picture = streams.picture
            stamps = [p.pts for p in self._container.demux(self._picture) if p.size]
            # Without time stamps (AVI) only counting from the start tells which frame it is.
            self._stamps = [] if None in stamps else sorted(s for s in stamps if s is not None)
        except BaseException:
            self.close()
            raise
        if len(stamps) != count:
            self.close()
            raise VideoError(
                f"{path}: has {len(stamps)} frames, not {count}: it was changed since the run"
            )
        self.count = count
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._next = count  # none: the first one is sought

    def close(self) -> None:
        """Lets go of the file, once nobody reads a frame."""
        with self._lock:
            self._closed = True
            self._context.__exit__(None, None, None)

    def picture(self, number: int, change: Change | None = None) -> Image:
        """One frame as people see it, (H, W, 3) RGB. change: is done to it before.

        Raises:
            VideoError: there is no such frame, or it cannot be decoded.
        """
        if not 0 <= number < self.count:
            raise VideoError(f"{self._path}: has no frame {number}")
        with self._lock:
            if self._closed:
                raise VideoError(f"{self._path}: was closed meanwhile; load the page again")
            try:
                coded = self._frame(number)
                orientation = orientation_of(display_matrix(coded))
                frame = in_samples(coded)
                if change is not None:
                    frame.make_writable()
                    change(frame, orientation)
                return upright_picture(frame, orientation)
            except (av.FFmpegError, OSError, ValueError) as error:
                self._next = self.count
                raise VideoError(f"{self._path}: frame {number}: {error}") from error

    def _frame(self, number: int) -> av.VideoFrame:
        if not self._next <= number <= self._next + _NEAR:
            self._seek(number)
        for frame in self._frames:
            at = self._number_of(frame)
            self._next = at + 1
            if at == number:
                return frame
            if at > number:
                # The seek came too late: the key frame that it found is not the one before.
                break
        self._rewind()
        for frame in self._frames:
            at = self._number_of(frame)
            self._next = at + 1
            if at == number:
                return frame
        raise VideoError(f"{self._path}: frame {number} does not decode")

    def _seek(self, number: int) -> None:
        if not self._stamps:
            self._rewind()
            return
        self._container.seek(self._stamps[number], stream=self._picture, backward=True)
        self._frames = self._container.decode(self._picture)

    def _rewind(self) -> None:
        self._container.seek(
            min(self._stamps, default=0), stream=self._picture, backward=True, any_frame=False
        )
        self._frames = self._container.decode(self._picture)
        self._next = 0

    def _number_of(self, frame: av.VideoFrame) -> int:
        if not self._stamps:
            return self._next
        if frame.pts is None:
            raise ValueError("a frame has no time stamp")
        at = int(np.searchsorted(self._stamps, frame.pts))
        if at == len(self._stamps) or self._stamps[at] != frame.pts:
            raise ValueError(f"a frame is at {frame.pts}, where none should be")
        return at
