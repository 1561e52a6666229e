"""The second decoding of films whose frames are too large to wait for what is hidden in them."""

from __future__ import annotations

from collections import deque
from typing import Any

import av

from dartblur.errors import VideoError
from dartblur.video.colour import in_samples


class SecondDecoder:
    """Decodes packets that waited, again, in the same order.

    Having no threads for frames of their own, it gives each frame at least as early as the reader's
    decoder did.
    """

    def __init__(self, context: av.VideoCodecContext) -> None:
        self.packets: deque[av.Packet[Any]] = deque()
        self._context = context
        self._frames: deque[av.VideoFrame] = deque()

    def next(self, source: str) -> tuple[av.VideoFrame, int]:
        """The next frame, and the bytes of the packets that it took."""
        freed = 0
        while not self._frames:
            packet = self.packets.popleft() if self.packets else None
            freed += packet.size if packet is not None else 0
            self._frames.extend(in_samples(f) for f in self._context.decode(packet))
            if packet is None and not self._frames:
                raise VideoError(
                    f"{source}: decodes otherwise the second time; is it being edited?"
                )
        return self._frames.popleft(), freed
