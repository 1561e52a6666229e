"""What `dartblur anonymize` lets through of broken, forged and planted files: counts by mutation.

    python -m benchmarks.mutations --pictures 2000 --films 100 --seed 1

Run from the repository: the files come from the makers of the tests, mutated by --seed alone. Every
picture has one box, given with --boxes and hidden by a black block; a small JPEG or PNG is the
planted marker. Pictures that carry one are done a second time with --keep-metadata, for thumbnails
go in any case. Columns of the table:

- written, refused: what became of the files; internal: tracebacks and internal errors among them.
- damage: written although the original's picture is lost outside the box: samples differ, and the
  file was cut or another reader stumbles over it; a checksum of a critical PNG chunk is wrong; a
  film has fewer frames than before.
- altered: written, and other outside the box, where nothing in the file need show it (bits flipped
  in samples, zeros for what is lost): for information.
- markers: outputs in which the planted picture is found: raw, in base64, hex, as numbers, inflated.
- clear: outputs whose box is not black, or whose alpha tells what was there; another film's.
- left: parts and other files that nobody asked for. missing: neither written nor told.

--keep FOLDER copies there what is to be looked at; --json FILE has the names of all of it.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image as Pillow
from tests.images.files import HEIGHT, KINDS, WIDTH, Kind, plain_tiff, png, samples_of
from tests.images.planting import (
    PLACES,
    PNG_THUMBNAIL,
    THUMBNAIL,
    exif_block,
    exif_segment,
    icc_profile,
    jpeg_with,
    segment,
    tiff_directory,
)
from tests.pictures import Array, middle
from tests.video.films import make_film

COLUMNS = ("written", "refused", "internal", "damage", "altered", "markers", "clear", "left",
           "missing")  # fmt: skip
BAD = ("internal", "damage", "markers", "clear", "left", "missing")
CHUNK = 500  # files a run
TIMEOUT = 1800.0  # seconds a run
Dice = random.Random
Change = Callable[[bytes, Dice], bytes]


@dataclass(frozen=True)
class Case:
    """One file: what it is, what was done to it, and what it was before."""

    name: str
    mutation: str
    kind: str
    data: bytes
    before: bytes = b""
    lossless: bool = True
    planted: bool = False
    sum_is_wrong: bool = False
    frames: int = 0


@dataclass
class Outcome:
    """Counts by mutation, and the first names of what is bad."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, mutation: str, column: str, name: str) -> None:
        self.counts.setdefault(mutation, Counter())[column] += 1
        if column in BAD or column == "altered":
            self.names.setdefault(column, []).append(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the files that are to be seen")
    options = parser.parse_args()
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run = Run(root, outcome, options.workers, options.keep)
        pictures = list(picture_cases(options.pictures, options.seed))
        limits = run.controls()
        for at in range(0, len(pictures), CHUNK):
            run.pictures(pictures[at : at + CHUNK], limits, ())
        planted = [case for case in pictures if case.planted]
        for at in range(0, len(planted), CHUNK):
            run.pictures(planted[at : at + CHUNK], limits, ("--keep-metadata",))
        run.films(list(film_cases(options.films, options.seed, root)))
    tell(outcome)
    if options.json:
        counts = {name: dict(columns) for name, columns in outcome.counts.items()}
        told = {"seed": options.seed, "counts": counts, "names": outcome.names}
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    sys.exit(any(outcome.names.get(column) for column in BAD))


def tell(outcome: Outcome) -> None:
    rows = sorted(outcome.counts.items())
    total: Counter[str] = sum((counts for _, counts in rows), Counter())
    print(f"{'mutation':<34}{'files':>7}" + "".join(f"{c:>10}" for c in COLUMNS))
    for name, counts in [*rows, ("all", total)]:
        files = f"{counts['files']:>7}"
        print(f"{name:<34}{files}" + "".join(f"{counts[c]:>10}" for c in COLUMNS))
    for column in BAD:
        for name in outcome.names.get(column, [])[:12]:
            print(f"{column}: {name}")


# Pictures.


def picture_cases(count: int, seed: int) -> Iterator[Case]:
    """`count` mutated pictures, the mutations in turn, kinds and places by chance."""
    kinds = {name: kind for name, kind in KINDS.items() if kind.needs()}
    makers = [_damaged, _summed, _forged, _placed, _numbered, _trailed]
    for number in range(count):
        dice = Dice(f"{seed} picture {number}")
        # Damage has many kinds: half of all.
        make = _damaged if number % 2 else makers[1 + number // 2 % (len(makers) - 1)]
        yield make(f"{number:05}", kinds, dice)


def _kind_of(kinds: dict[str, Kind], dice: Dice, prefix: str = "") -> tuple[str, Kind, bytes]:
    formats = sorted({name.split()[0] for name in kinds if name.startswith(prefix)})
    chosen = dice.choice(formats)
    name = dice.choice([name for name in kinds if name.split()[0] == chosen])
    return name, kinds[name], kinds[name].make()


def _damaged(number: str, kinds: dict[str, Kind], dice: Dice) -> Case:
    mutation = dice.choice(list(DAMAGE))
    name, kind, data = _kind_of(kinds, dice)
    changed = DAMAGE[mutation](data, dice)
    return Case(number + kind.suffix, mutation, name, changed, data, kind.lossless)


def _cut(data: bytes, dice: Dice) -> bytes:
    return data[: int(len(data) * dice.uniform(0.2, 0.995))]


def _cut_and_ended(data: bytes, dice: Dice) -> bytes:
    cut = _cut(data, dice)
    if data.startswith(b"\xff\xd8"):
        return cut + b"\xff\xd9"
    if data.startswith(b"\x89PNG"):
        return cut + png([(b"IEND", b"")])[8:]
    if data.startswith(b"GIF"):
        return cut + b"\0;"
    return cut + b"\0" * (len(data) - len(cut))  # as long as its header says


def _flipped_bits(data: bytes, dice: Dice) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 20)):
        changed[dice.randrange(12, len(data))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _gone(data: bytes, dice: Dice) -> bytes:
    at = dice.randrange(12, len(data) - 1)
    return data[:at] + data[at + dice.randint(1, 64) :]


DAMAGE: dict[str, Change] = {
    "cut": _cut,
    "cut, with an end": _cut_and_ended,
    "bits flipped": _flipped_bits,
    "bytes gone": _gone,
}


def chunks_of(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Where each chunk of a PNG begins, its name and content."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((at, data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def _summed(number: str, kinds: dict[str, Kind], dice: Dice) -> Case:
    name, kind, data = _kind_of(kinds, dice, "png")
    at, chunk, content = dice.choice(chunks_of(data))
    changed = bytearray(data)
    changed[at + 8 + len(content) + dice.randrange(4)] ^= 1 << dice.randrange(8)
    wrong = chunk[:1].isupper()
    return Case(number + kind.suffix, "wrong checksum", name, bytes(changed), data, kind.lossless,
                sum_is_wrong=wrong)  # fmt: skip


def thumbnail(dice: Dice) -> bytes:
    """The marker as it may be spelled."""
    picture = dice.choice([THUMBNAIL, PNG_THUMBNAIL])
    spell: Callable[[bytes], bytes] = dice.choice(
        [bytes, base64.b64encode, lambda b: b.hex().encode(), lambda b: b.hex().upper().encode()]
    )
    return spell(picture)


# Chunks that a PNG may keep, with what they may hold.
_VALID = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"sRGB": b"\0",
    b"cICP": bytes([1, 13, 0, 1]),
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"sBIT": b"\x08\x08\x08",
    b"bKGD": b"\0\0\0\0\0\0",
    b"tIME": struct.pack(">HBBBBB", 2026, 11, 24, 1, 2, 3),
    b"mDCV": b"\0" * 24,
    b"cLLI": b"\0" * 8,
    b"iCCP": b"x\0\0",
    b"hIST": b"\0\1",
    b"sPLT": b"x\0\x08",
    b"oFFs": b"\0" * 9,
    b"prVt": b"",
}


def _forged(number: str, kinds: dict[str, Kind], dice: Dice) -> Case:
    """Chunks and segments doubled, or with the marker behind what they may hold."""
    prefix = dice.choice(["png", "png", "jpeg", "webp", "gif", "avif"])
    name, kind, data = _kind_of(kinds, dice, prefix)
    changed = _FORGERS[prefix](data, dice)
    return Case(number + kind.suffix, "forged or doubled chunk", name, changed, data,
                kind.lossless, planted=True)  # fmt: skip


def _forged_png(data: bytes, dice: Dice) -> bytes:
    chunk = dice.choice(list(_VALID))
    content = _VALID[chunk]
    hidden = thumbnail(dice)
    extra = [(chunk, content + (zlib.compress(hidden) if chunk == b"iCCP" else hidden))]
    if dice.random() < 0.3:
        extra.insert(dice.randrange(2), (chunk, content))
    return data[:33] + png(extra)[8:] + data[33:]


def _forged_jpeg(data: bytes, dice: Dice) -> bytes:
    marker = dice.choice([*range(0xE0, 0xF0), 0xFE])
    heads = {
        0xE0: [b"JFIF\0\1\2\0\0\1\0\1\0\0", b"JFXX\0\x10"],
        0xE1: [b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"],
        0xE2: [b"ICC_PROFILE\0\1\1" + icc_profile(), b"MPF\0", b"FPXR\0"],
        0xED: [b"Photoshop 3.0\0"],
        0xEE: [b"Adobe\0d\0\0\0\0\1"],
    }
    extra = segment(marker, dice.choice([b"", *heads.get(marker, [])]) + thumbnail(dice))
    if dice.random() < 0.3:
        extra = extra * 2
    if marker == 0xEE or dice.random() < 0.7:
        return data[:2] + extra + data[2:]
    return data[:-2] + extra + data[-2:]  # behind the samples


def _forged_webp(data: bytes, dice: Dice) -> bytes:
    name = dice.choice([b"THMB", b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"ANMF", b"VP8X"])
    content = thumbnail(dice)
    extra = name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return data[:4] + struct.pack("<I", len(data) + len(extra) - 8) + data[8:] + extra


def _forged_gif(data: bytes, dice: Dice) -> bytes:
    hidden = thumbnail(dice)
    parts = [hidden[i : i + 255] for i in range(0, len(hidden), 255)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    head = dice.choice([b"\x21\xfe", b"\x21\xff\x0bNETSCAPE2.0", b"\x21\xff\x0bICCRGBG1012",
                        b"\x21\x01\x0c" + b"\0" * 12])  # fmt: skip
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1) if data[10] & 128 else 13
    return data[:at] + head + blocks + b"\0" + data[at:]


def _forged_avif(data: bytes, dice: Dice) -> bytes:
    content = thumbnail(dice)
    name = dice.choice([b"free", b"skip", b"uuid", b"mdat", b"thmb"])
    return data + struct.pack(">I", len(content) + 8) + name + content


_FORGERS: dict[str, Change] = {
    "png": _forged_png,
    "jpeg": _forged_jpeg,
    "webp": _forged_webp,
    "gif": _forged_gif,
    "avif": _forged_avif,
}


def _placed(number: str, kinds: dict[str, Kind], dice: Dice) -> Case:
    places = [name for name in PLACES if not name.startswith("HEIC") or "heic" in kinds]
    name = dice.choice(places)
    suffix, make = PLACES[name]
    return Case(number + suffix, "planted in metadata", name, make(), planted=True)


def as_numbers(content: bytes, kind: int) -> bytes:
    """Each byte as one value of a TIFF type: 1 BYTE, 2 ASCII, 3 SHORT, 4 LONG, 7 UNDEFINED."""
    if kind == 2:
        return " ".join(map(str, content)).encode() + b"\0"
    return b"".join(bytes([v]) + b"\0" * ({3: 1, 4: 3}.get(kind, 0)) for v in content)


def exif_with(tag: int, kind: int, content: bytes, *, inner: bool) -> bytes:
    """An EXIF block of one entry, in the main directory or in EXIF's own."""
    if not inner:
        return b"II*\0\x08\0\0\0" + tiff_directory({tag: (kind, content)})
    pointer = {0x8769: (4, struct.pack("<I", 0))}
    start = 8 + len(tiff_directory(pointer))
    pointer[0x8769] = (4, struct.pack("<I", start))
    inside = tiff_directory({tag: (kind, content)}, start=start)
    return b"II*\0\x08\0\0\0" + tiff_directory(pointer) + inside


def profile_with(content: bytes, name: bytes) -> bytes:
    """An sRGB profile with one tag more, or with more behind a tag that it has."""
    profile = icc_profile()
    count = int.from_bytes(profile[128:132], "big")
    rows = [profile[132 + 12 * i : 144 + 12 * i] for i in range(count)]
    moved = [row[:4] + struct.pack(">I", int.from_bytes(row[4:8], "big") + 12) + row[8:]
             for row in rows]  # fmt: skip
    body = profile[132 + 12 * count :]
    body += b"\0" * (-len(body) % 4)
    at = 132 + 12 * (count + 1) + len(body)
    value = b"text\0\0\0\0" + content + b"\0"
    table = struct.pack(">I", count + 1) + b"".join(moved)
    table += name + struct.pack(">II", at, len(value))
    whole = profile[:128] + table + body + value
    return struct.pack(">I", len(whole)) + whole[4:]


def _numbered(number: str, kinds: dict[str, Kind], dice: Dice) -> Case:
    """The marker as numbers in EXIF, or in a tag of an ICC profile."""
    prefix = dice.choice(["jpeg", "png", "webp", "tiff"])
    if dice.random() < 0.3:
        content = profile_with(thumbnail(dice), dice.choice([b"prvt", b"desc", b"cprt", b"dmnd"]))
        what = "planted in an ICC profile"
        chunk, app, tag = (b"iCCP", b"x\0\0" + zlib.compress(content)), content, (34675, 7, content)
    else:
        kind = dice.choice([1, 2, 3, 4, 7])
        number_tag = dice.choice([0x9286, 0x927C, 0x010E, 0xC4A5, 0xEA1C, 0x9C9C, 51000, 0x0213])
        value = as_numbers(dice.choice([THUMBNAIL, PNG_THUMBNAIL]), kind)
        content = exif_with(number_tag, kind, value, inner=dice.random() < 0.5)
        what = "planted as numbers in EXIF"
        chunk, app = (b"eXIf", content), content
        tag = (number_tag if number_tag > 50000 else 51000, kind, value)
    data = _carrying(prefix, what, chunk, app, tag)
    suffix = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif"}[prefix]
    return Case(number + suffix, what, prefix, data, planted=True)


def _carrying(
    prefix: str, what: str, chunk: tuple[bytes, bytes], app: bytes, tag: tuple[int, int, bytes]
) -> bytes:
    is_profile = "ICC" in what
    if prefix == "jpeg":
        head = b"ICC_PROFILE\0\1\1" if is_profile else b""
        return jpeg_with(segment(0xE2, head + app) if is_profile else exif_segment(app))
    if prefix == "png":
        data = KINDS["png"].make()
        return data[:33] + png([chunk])[8:] + data[33:]
    if prefix == "webp":
        plain = KINDS["webp lossless"].make()[12:]
        head = bytes([32 if is_profile else 8, 0, 0, 0])
        head += (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
        size = struct.pack("<I", len(app)) + app + b"\0" * (len(app) % 2)
        extra = [b"ICCP" + size, plain] if is_profile else [plain, b"EXIF" + size]
        body = b"VP8X" + struct.pack("<I", 10) + head + b"".join(extra)
        return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    number, kind, value = tag
    count = len(value) // {3: 2, 4: 4}.get(kind, 1)
    return plain_tiff(extratags=[(number, kind, count, value, True)])


def _trailed(number: str, kinds: dict[str, Kind], dice: Dice) -> Case:
    name, kind, data = _kind_of(kinds, dice)
    trail = dice.choice([thumbnail(dice), b"\0" * dice.randint(1, 999), exif_block(), b"\r\n"])
    planted = len(trail) > 400
    return Case(number + kind.suffix, "trailing bytes", name, data + trail, data, kind.lossless,
                planted=planted)  # fmt: skip


# Films.

FILMS: dict[str, dict[str, Any]] = {
    ".mp4": {"sound": True, "tags": {"comment": base64.b64encode(THUMBNAIL).decode()}},
    ".mkv": {"subtitles": True, "chapters": True},
    ".mov": {"cover": True},
    ".avi": {"codec": "mpeg4"},
    ".ts": {"codec": "libx264"},
    ".webm": {"codec": "libvpx-vp9"},
    ".m4v": {"codec": "mpeg4", "sound": True},
}
FILM_CHANGES: dict[str, Change] = {
    "film cut": _cut,
    "film, bits flipped": _flipped_bits,
    "film, bytes gone": _gone,
    "film, trailing bytes": lambda data, dice: data + thumbnail(dice),
    "film, unknown codec": lambda data, dice: re.sub(
        rb"avc1|mp4v|FMP4|V_VP9|V_MPEG4/ISO/AVC", lambda m: b"zqzq" + m[0][4:], data
    ),
    "film, a list of others": lambda data, dice: b"ffconcat version 1.0\nfile 'other.mp4'\n",
}


def film_cases(count: int, seed: int, folder: Path) -> Iterator[Case]:
    whole = {}
    for suffix, options in FILMS.items():
        path = make_film(folder / f"film{suffix}", **options)
        whole[suffix] = path.read_bytes(), frames_of(path)
        path.unlink()
    for number in range(count):
        dice = Dice(f"{seed} film {number}")
        mutation = list(FILM_CHANGES)[number % len(FILM_CHANGES)]
        suffix = dice.choice(list(FILMS))
        data, frames = whole[suffix]
        changed = FILM_CHANGES[mutation](data, dice)
        yield Case(f"{number:05}{suffix}", mutation, suffix, changed, planted=True, frames=frames)


def frames_of(path: Path) -> int:
    """How many frames somebody else's player shows; 0 where it shows none."""
    try:
        with av.open(str(path)) as film:
            return sum(1 for _ in film.decode(video=0))
    except (av.FFmpegError, IndexError, ValueError):
        return 0


# Runs, and what they left.


class Run:
    """Runs of the command in a folder, and the counts of all of them."""

    def __init__(self, root: Path, outcome: Outcome, workers: int, keep: Path | None) -> None:
        self.root, self.outcome, self.workers, self.keep = root, outcome, workers, keep
        self.number = 0

    def controls(self) -> dict[str, float]:
        """By kind of file, how far whole pictures come out from what they were; see `distance`."""
        cases = [
            Case(f"{number:05}{kind.suffix}", "none", name, kind.make(), lossless=kind.lossless)
            for number, (name, kind) in enumerate(KINDS.items())
            if kind.needs()
        ]
        folder, told = self._run(cases, ("--method", "block"), boxes=True)
        limits = {}
        for case in cases:
            if self._count(case, folder, told):
                self._look_at_picture(case, folder / "out" / case.name, {}, "")
            path = folder / "out" / case.name
            limits[case.kind] = distance(path, case.data) if path.exists() else 0.0
        return limits

    def pictures(
        self, cases: Sequence[Case], limits: dict[str, float], words: tuple[str, ...]
    ) -> None:
        folder, told = self._run(cases, ("--method", "block", *words), boxes=True)
        for case in cases:
            path = folder / "out" / case.name
            note = " (metadata kept)" if words else ""
            if self._count(case, folder, told, note):
                self._look_at_picture(case, path, limits, note)

    def films(self, cases: Sequence[Case]) -> None:
        if not cases:
            return
        other = Case("other.mp4", "film", ".mp4", make_film(self.root / "o.mp4").read_bytes())
        folder, told = self._run([other, *cases], ("--method", "block", "--detector", "fast"))
        for case in cases:
            path = folder / "out" / case.name
            if self._count(case, folder, told):
                if "a list" in case.mutation:
                    self._bad(case, "clear", "another film came out")
                frames = frames_of(path)
                lost = frames < case.frames
                if lost:
                    self._bad(case, "damage", f"{frames} of {case.frames} frames")
                if found := traces(path.read_bytes()):
                    self._bad(case, "markers", ", ".join(found))

    def _run(
        self, cases: Sequence[Case], words: Sequence[str], *, boxes: bool = False
    ) -> tuple[Path, dict[str, str]]:
        """The folder of a run, and what its report and stderr say of each file."""
        self.number += 1
        folder = self.root / f"run{self.number}"
        (folder / "in").mkdir(parents=True)
        for case in cases:
            (folder / "in" / case.name).write_bytes(case.data)
        report = folder / "report.jsonl"
        command = [sys.executable, "-m", "dartblur", "anonymize", str(folder / "in")]
        command += ["-o", str(folder / "out"), "--quiet", "--report", str(report), *words]
        command += ["--workers", str(self.workers)]
        if boxes:
            command += ["--boxes", str(box_file(cases, folder))]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT
        )
        if "Traceback" in done.stderr or done.returncode not in (0, 1):
            self.outcome.add("runs", "internal", f"status {done.returncode}: {done.stderr[-400:]}")
        told = {}
        if report.exists():
            for line in report.read_text().splitlines():
                record = json.loads(line)
                name = Path(record.get("file") or record.get("input") or "").name
                told[name] = line if record.get("status") != "done" else ""
        expected = {case.name for case in cases}
        for path in folder.rglob("*"):
            state = "out.dartblur" in path.parts or path.name.startswith("dartblur-")
            mine = path.parent in (folder, folder / "in")
            odd = path.name not in expected and not state and not mine
            if path.is_file() and (path.suffix == ".part" or odd):
                self.outcome.add("runs", "left", str(path.relative_to(folder)))
        return folder, told

    def _count(self, case: Case, folder: Path, told: dict[str, str], note: str = "") -> bool:
        """Counts what became of a file; true where it was written."""
        counts = self.outcome.counts.setdefault(case.mutation + note, Counter())
        counts["files"] += 1
        written = (folder / "out" / case.name).exists()
        reason = told.get(case.name)
        counts["written" if written else "refused"] += 1
        if reason is None or (not written and not reason):
            self._bad(case, "missing", "not told", note)
        if reason and "internal error" in reason:
            self._bad(case, "internal", reason[:300], note)
        return written

    def _look_at_picture(self, case: Case, path: Path, limits: dict[str, float], note: str) -> None:
        data = path.read_bytes()
        if case.sum_is_wrong:
            self._bad(case, "damage", "a critical chunk's checksum is wrong", note)
        elif case.before and not note:
            far = distance(path, case.before)
            # The same original comes out of the same encoder: more is another picture.
            limit = limits[case.kind] * 1.25 + (0 if case.lossless else 1)
            if far > limit:
                # Zeros are samples like others: only a reader that stumbles tells them from loss.
                said = f"{far:.1f} from the original, {limit:.1f} is usual"
                self._bad(case, "damage" if shows_loss(case) else "altered", said)
        if case.planted and (found := traces(data)):
            self._bad(case, "markers", ", ".join(found), note)
        if why := shows(data):
            self._bad(case, "clear", why, note)

    def _bad(self, case: Case, column: str, said: str, note: str = "") -> None:
        name = f"{case.name} ({case.kind}, {case.mutation}{note}): {said}"
        self.outcome.add(case.mutation + note, column, name)
        if self.keep and column != "altered":
            (self.keep / column).mkdir(parents=True, exist_ok=True)
            (self.keep / column / case.name).write_bytes(case.data)
            made = self.root / f"run{self.number}" / "out" / case.name
            if made.exists():
                shutil.copy(made, self.keep / column / f"out-{case.name}")


def box_file(cases: Sequence[Case], folder: Path) -> Path:
    x1, y1, x2, y2 = middle(HEIGHT, WIDTH).boxes[0].tolist()
    images = [{"id": i, "file_name": case.name} for i, case in enumerate(cases)]
    rows = [{"image_id": i, "bbox": [x1, y1, x2 - x1, y2 - y1]} for i in range(len(cases))]
    path = folder / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": rows}))
    return path


def seen(data: bytes) -> Array | None:
    """A picture's samples, 0 to 255, (H, W, C) float, by readers that are not ours."""
    try:
        with printed():
            samples = np.asarray(samples_of(data))
    except Exception:  # noqa: BLE001 - whatever a reader says of a broken file: there is nothing to compare
        return None
    scaled = samples.astype(np.float32) / (257 if samples.dtype == np.uint16 else 1)
    return scaled[..., None] if scaled.ndim == 2 else scaled


def shows_loss(case: Case) -> bool:
    """Whether the file tells that something is lost, or another reader stumbles over it."""
    # Zeros as long as what they stand for are samples like others.
    short = "cut" in case.mutation and len(case.data) != len(case.before)
    return short or seen(case.data) is None or "Corrupt JPEG" in jpeg_complaints(case.data)


def jpeg_complaints(data: bytes) -> str:
    """What libjpeg, below OpenCV, prints while it reads a JPEG; empty for other kinds."""
    if not data.startswith(b"\xff\xd8"):
        return ""
    with printed() as words:
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return words[0]


@contextmanager
def printed() -> Iterator[list[str]]:
    """What libraries print to stderr within the block, as one item, once it ends."""
    words: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield words
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            words.append(file.read().decode(errors="replace"))


def distance(path: Path, original: bytes) -> float:
    """The mean difference in the worst tile of 8 × 8 samples off the box; inf: other sizes."""
    made, before = seen(path.read_bytes()), seen(original)
    if made is None or before is None or made.shape != before.shape:
        return float("inf")
    difference = np.abs(made - before).mean(2)
    x1, y1, x2, y2 = middle(HEIGHT, WIDTH).boxes[0].astype(int)
    difference[max(y1 - 16, 0) : y2 + 16, max(x1 - 16, 0) : x2 + 16] = 0
    tiles = difference.reshape(HEIGHT // 8, 8, WIDTH // 8, 8).mean((1, 3))
    return float(tiles.max())


def shows(data: bytes) -> str:
    """Why the box of a picture is not well hidden; empty where it is, or where none can read it."""
    samples = seen(data)
    if samples is None or samples.shape[:2] != (HEIGHT, WIDTH):
        return ""
    x1, y1, x2, y2 = middle(HEIGHT, WIDTH).boxes[0].astype(int)
    inner = samples[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4]
    if inner.shape[2] in (2, 4) and not is_cmyk(data):
        if np.ptp(inner[..., -1]) > 8:
            return f"alpha from {inner[..., -1].min():.0f} to {inner[..., -1].max():.0f} in the box"
        inner = inner[..., :-1]
    spread = float(inner.std(axis=(0, 1)).max())
    return f"a deviation of {spread:.1f} in the box" if spread > 12 else ""


def is_cmyk(data: bytes) -> bool:
    with Pillow.open(io.BytesIO(data)) as image:
        return image.mode == "CMYK"


def traces(data: bytes) -> list[str]:
    """In what spellings a marker is in a file, compressed parts included."""
    plain = b"\n".join([data, *inflated(data)])
    plain += plain.replace(b"\n", b"").replace(b"\r", b"")
    return [name for name, needle in _needles() if needle in plain]


def inflated(data: bytes) -> Iterator[bytes]:
    """What lies deflated anywhere in a file."""
    for start in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data):
        try:
            yield zlib.decompressobj().decompress(data[start.start() :], 1 << 20)
        except zlib.error:
            continue


def _needles() -> Iterator[tuple[str, bytes]]:
    for name, whole in (("JPEG", THUMBNAIL), ("PNG", PNG_THUMBNAIL)):
        body = whole[-120:-60]  # its own samples, not tables that other files have too
        yield name, body
        yield f"{name} base64", base64.b64encode(whole)[-120:-60]
        yield f"{name} base64 in hex", base64.b64encode(whole)[-120:-60].hex().encode()
        yield f"{name} hex", body.hex().encode()
        yield f"{name} HEX", body.hex().upper().encode()
        yield f"{name} latin-1", body.decode("latin-1").encode()
        for kind, size in (("SHORT", 2), ("LONG", 4)):
            yield f"{name} {kind}", as_numbers(body, {2: 3, 4: 4}[size])[: -size + 1]
            yield f"{name} {kind} big-endian", b"".join(v.to_bytes(size, "big") for v in body)
        yield f"{name} decimal", " ".join(map(str, body)).encode()
        yield f"{name} decimal, commas", ", ".join(map(str, body)).encode()


if __name__ == "__main__":
    main()
