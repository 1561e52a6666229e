"""Work that runs ahead in a thread of its own, and that cannot hang."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
_TICK = 0.1
_PATIENCE = 5.0


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class Prefetcher(Generic[Item]):
    """The items of an iterable, made by a thread at most `size` of them ahead.

    An exception in the thread is raised where its item would have come. Leaving the block stops the
    thread, whatever either side was waiting for.
    """

    def __init__(self, items: Iterable[Item], size: int) -> None:
        self._items = items
        self._queue: queue.Queue[Item | _End] = queue.Queue(size)
        self._stop = Event()
        # A daemon: a read from a camera that went silent cannot be interrupted.
        self._thread = Thread(target=self._run, name="dartblur-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE)

    def __iter__(self) -> Iterator[Item]:
        while True:
            item = self._queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def stop(self) -> None:
        """Ends the iteration after the items that are ready."""
        self._stop.set()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as caught:  # noqa: BLE001 - handed on to the other side
            error = caught
        self._put(_End(error), last=True)

    def _put(self, item: Item | _End, *, last: bool = False) -> bool:
        while last or not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_TICK)
            except queue.Full:
                # Nobody takes items any more once the block was left; the end may be lost then.
                if last and self._stop.is_set():
                    return False
                continue
            return True
        return False
