"""What may be copied as it is, and what might show somebody."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image as Pillow
from tests.pictures import textured

from dartblur.datasets.contents import is_picture, why_not_plain

KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(textured(24, 24)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_one_however_it_is_spelled(kind: str) -> None:
    data = encoded(kind)
    assert is_picture(data)
    assert why_not_plain(data) == "is no text"
    spelled = base64.b64encode(data)
    assert not is_picture(spelled)
    for text in (spelled, b'{"imageData": "' + spelled + b'"}', data.hex().encode() * 2):
        told = why_not_plain(text)
        assert kind not in ("JPEG", "PNG") or told is not None
        assert told is not None or not text.startswith(spelled[:4])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"0--Parade/a.jpg\n1\n449 330 122 149 0 0 0 0 0 0\n",
        "größer, 人".encode(),
        b"\xe9t\xe9 in Latin-1\r\n",
        json.dumps([{"counts": [3, 14, 159] * 900}]).encode(),
        b"\n".join(bytes(64).hex().encode() for _ in range(50)),
        b"0 " + b"0.5132 " * 900,
    ],
)
def test_labels_are_plain(text: bytes) -> None:
    assert why_not_plain(text) is None


@pytest.mark.parametrize(
    "data",
    [b"\x80\x04\x95", b"\x93NUMPY\1\0", b"PK\3\4", b"P3 2 2 255\n1 2 3", b"12 " * 2304],
)
def test_what_might_show_somebody_is_not(data: bytes) -> None:
    assert why_not_plain(data)
