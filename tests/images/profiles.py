"""A Display P3 colour profile, made from the numbers of its definition."""

import struct

# Primaries of Display P3 adapted to D50 (columns X, Y, Z), and the white point D50.
_COLUMNS = {
    b"rXYZ": (0.515102, 0.241182, -0.001050),
    b"gXYZ": (0.291965, 0.692236, 0.041882),
    b"bXYZ": (0.157153, 0.066582, 0.784378),
    b"wtpt": (0.964203, 1.0, 0.824905),
}
# The curve of sRGB: ((a x + b) ^ g above d, c x below).
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _text(words: str) -> bytes:
    encoded = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def display_p3() -> bytes:
    """An ICC profile, version 4."""
    curve = b"para\0\0\0\0\0\3\0\0" + _fixed(*_CURVE)
    tags = {b"desc": _text("Display P3"), b"cprt": _text("CC0")}
    tags |= {name: b"XYZ \0\0\0\0" + _fixed(*xyz) for name, xyz in _COLUMNS.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, content = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(content), len(value))
        content += value + b"\0" * (-len(value) % 4)
    size = start + len(content)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"\0" * 4, 0x04000000, b"mntr", b"RGB ",
                         b"XYZ ", struct.pack(">6H", 2026, 11, 23, 0, 0, 0), b"acsp")  # fmt: skip
    header = header.ljust(68, b"\0") + _fixed(*_COLUMNS[b"wtpt"])
    return header.ljust(128, b"\0") + table + content
