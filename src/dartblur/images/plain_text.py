"""Telling plain text from encoded pictures: in bytes, base64, hex or a list of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 4000
"""More characters than this are no description."""
LONGEST_NAME = 100
"""Nor is this a name that makers give a camera, a lens or a program."""
_NAMES_TOGETHER = 320
_MOST_TOGETHER = 3 * LONGEST
# Shorter texts hold no picture, however they are spelled.
_SHORT = 160
# Base64 and hex run on without spaces; no word does, in a script that has spaces.
_RUN = re.compile(r"[!-~]{60}")
_LETTERS_AT_LEAST = 0.5
_MIXED_AT_MOST = 0.2
_MIXED = re.compile(r"[a-z][A-Z]|\d[A-Za-z]|[A-Za-z]\d")


def is_plain_text(text: str, most: int = LONGEST) -> bool:
    """True for what people write; False where the text is too long, binary or an encoding."""
    if len(text) > most or not all(c.isprintable() or c in "\t\r\n" for c in text):
        return False
    if _RUN.search(text):
        return False
    if len(text) <= _SHORT:
        return True
    words = text.split()
    letters = sum(c.isalpha() for c in text)
    mixed = sum(_MIXED.search(word) is not None for word in words)
    return letters >= _LETTERS_AT_LEAST * sum(
        len(word) for word in words
    ) and mixed <= _MIXED_AT_MOST * len(words)


def are_plain_text_together(texts: Iterable[str]) -> bool:
    """The same for all texts of a kind: many short ones may hold what no single one may."""
    return is_plain_text("\n".join(texts), most=_MOST_TOGETHER)


def are_names_together(names: Iterable[str]) -> bool:
    """True where so few makers' names, which mix letters with figures, hold no picture."""
    return sum(map(len, names)) <= _NAMES_TOGETHER
