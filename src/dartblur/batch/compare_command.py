"""The command `compare`: pictures side by side."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from PIL import Image as Pillow
from PIL import ImageCms, ImageDraw, ImageFont

from dartblur.batch.inputs import Inputs, check_places
from dartblur.batch.options import RunOptions
from dartblur.batch.parallel import parallel_map
from dartblur.batch.progress import progress_bar
from dartblur.errors import InputError, PictureError, UsageError
from dartblur.files import write_atomically
from dartblur.formatting import printable
from dartblur.images import Picture, read_picture

# Pillow's name and options of what a sheet can be written as.
_KINDS: dict[str, tuple[str, dict[str, int]]] = {
    ".png": ("PNG", {"compress_level": 3}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
}
_GAP = 8
_LARGEST_SIDE = 65_000  # of a JPEG


def compare(
    inputs: list[Path],
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    height: int | None = None,
    run: RunOptions = RunOptions(),  # noqa: B008 - frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Puts pictures side by side, each under its name.

    Of folders, pictures with the same path in all of them come together, one sheet each.

    Parameters
    ----------
    inputs
        Two or more pictures, or two or more folders.
    out
        The sheet, a .png, .jpg or .webp; for folders a folder, in which the tree is mirrored.
    height
        Height of each picture in pixels. Default: that of the first.
    overwrite
        Replaces files that are there.

    Returns
    -------
        0 when all is done, 1 when inputs failed or lack a partner: each is named.
    """
    folders = [path.is_dir() for path in inputs]
    if len(inputs) < 2 or len(set(folders)) > 1:
        raise UsageError("name two or more pictures to compare, or two or more folders")
    if height is not None and height < 1:
        raise UsageError(f"height must be 1 or more, not {height}")
    drawing = _Drawing(height, run.max_megapixels, overwrite, _folders_of(inputs))
    if folders[0]:
        check_places(inputs, out)
        return _compare_folders(inputs, out, drawing, run)
    if out.suffix.lower() not in _KINDS:
        raise UsageError(f"{out}: let the sheet end in {', '.join(_KINDS)}")
    drawing(_Sheet(tuple(inputs), captions(inputs), out))
    return 0


def captions(paths: Sequence[Path]) -> tuple[str, ...]:
    """The ends of the paths, as long as they must be to differ: mostly names alone."""
    parts = [path.absolute().parts for path in paths]
    longest = max(len(p) for p in parts)
    for count in range(1, longest + 1):
        ends = tuple("/".join(p[-count:]) for p in parts)
        if len(set(ends)) == len(ends):
            return ends
    return tuple(path.name for path in paths)


@dataclass(frozen=True)
class _Sheet:
    sources: tuple[Path, ...]
    captions: tuple[str, ...]
    target: Path
    problem: str | None = None
    lacking: str | None = None


@dataclass(frozen=True)
class _Drawing:
    """Reads, draws and writes one sheet. roots: real folders into which nothing is written."""

    height: int | None
    max_megapixels: float
    overwrite: bool
    roots: tuple[Path, ...]

    def __call__(self, sheet: _Sheet) -> None:
        if sheet.problem:
            raise PictureError(sheet.problem)
        self._check(sheet)
        pictures = [read_picture(path, self.max_megapixels) for path in sheet.sources]
        try:
            sheet.target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(sheet.target, _encoded(pictures, sheet, self.height))
        except OSError as error:
            reason = error.strerror or error
            raise PictureError(f"{sheet.target}: cannot be written: {reason}") from error

    def _check(self, sheet: _Sheet) -> None:
        real = sheet.target.resolve()
        if any(real == s.resolve() for s in sheet.sources) or any(
            root in real.parents for root in self.roots
        ):
            raise PictureError(f"{sheet.target}: would lie among the inputs; choose another place")
        if sheet.target.exists() and not self.overwrite:
            raise PictureError(f"{sheet.target}: exists already; --overwrite replaces it")


def _folders_of(inputs: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(path.resolve() for path in inputs if path.is_dir())


def _compare_folders(folders: Sequence[Path], out: Path, drawing: _Drawing, run: RunOptions) -> int:
    sheets = list(_sheets(folders, out))
    if not sheets:
        raise UsageError(f"there are no pictures in {', '.join(map(str, folders))}")

    def draw(sheet: _Sheet) -> str | None:
        try:
            drawing(sheet)
        except InputError as error:
            return f"FAILED {error}"
        return None

    failures, pairs = 0, [sheet for sheet in sheets if not sheet.lacking]
    alone = len(sheets) - len(pairs)
    with progress_bar(len(pairs), quiet=run.quiet, what="comparing") as bar:
        for sheet in sheets:
            if sheet.lacking:
                bar.say(sheet.lacking)
        for failure in parallel_map(draw, pairs, run.count()):
            bar.advance()
            if failure:
                failures += 1
                bar.say(failure)
    told = [f"{len(pairs) - failures} compared"]
    if alone:
        told.append(f"{alone} without a partner (named above)")
    if failures:
        told.append(f"{failures} FAILED (named above; nothing written for them)")
    print(", ".join(told), file=sys.stderr)
    return 1 if failures or alone else 0


def _sheets(folders: Sequence[Path], out: Path) -> Iterator[_Sheet]:
    """One for every picture of any folder, with a word of the folders that lack it."""
    jobs = [
        {job.relative: job for job in Inputs([folder]) if not job.is_film and not job.passed_over}
        for folder in folders
    ]
    names = captions(folders)
    for relative in dict.fromkeys(name for found in jobs for name in found):
        having = [f for f, found in zip(folders, jobs, strict=True) if relative in found]
        lacking = [f for f in folders if f not in having]
        faults = [f"{f[relative].source}: {f[relative].problem}" for f in jobs
                  if relative in f and f[relative].problem]  # fmt: skip
        suffix = "" if relative.suffix.lower() in _KINDS else ".png"
        target = out / relative.with_name(relative.name + suffix)
        sources = tuple(folder / relative for folder in folders)
        told = f"{relative}: only in {_list(having)}, not in {_list(lacking)}" if lacking else None
        yield _Sheet(sources, names, target, "; ".join(faults) or None, told)


def _list(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))


def _encoded(pictures: Sequence[Picture], sheet: _Sheet, height: int | None) -> bytes:
    rows = height or pictures[0].rgb.shape[0]
    images, profile = _alike([_resized(p, rows) for p in pictures], pictures)
    size = max(12, min(rows, 1600) // 24)
    top = 2 * size
    widths = [image.width for image in images]
    paper = Pillow.new("RGB", (sum(widths) + _GAP * (len(images) - 1), top + rows), "white")
    if max(paper.size) > _LARGEST_SIDE:
        raise PictureError(
            f"{sheet.target}: {paper.width} × {paper.height} pixels are too many; give --height"
        )
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(size)
    left = 0
    for image, caption in zip(images, sheet.captions, strict=True):
        text = _fitting(printable(caption), image.width, font)
        middle = (left + image.width / 2, top / 2)
        pen.text(middle, text, fill="black", font=font, anchor="mm")
        paper.paste(image, (left, top))
        left += image.width + _GAP
    kind, options = _KINDS[sheet.target.suffix.lower()]
    file = io.BytesIO()
    paper.save(file, kind, icc_profile=profile, **options)
    return file.getvalue()


def _resized(picture: Picture, rows: int) -> Pillow.Image:
    image = Pillow.fromarray(np.ascontiguousarray(picture.rgb))
    width = max(1, round(image.width * rows / image.height))
    return image.resize((width, rows), Pillow.Resampling.LANCZOS)


def _alike(
    images: list[Pillow.Image], pictures: Sequence[Picture]
) -> tuple[list[Pillow.Image], bytes | None]:
    """The images in one colour space, and its profile: theirs if all have the same, or sRGB."""
    profiles = [_rgb_profile(picture) for picture in pictures]
    if len(set(profiles)) == 1:
        return images, profiles[0]
    srgb = ImageCms.createProfile("sRGB")
    for image, profile in zip(images, profiles, strict=True):
        # Colours a little off are better than no sheet at all.
        with suppress(ImageCms.PyCMSError):
            if profile:
                ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, inPlace=True)
    return images, None


def _rgb_profile(picture: Picture) -> bytes | None:
    """The picture's profile where it is one of RGB colours: a grey or CMYK one fits no sheet."""
    icc = picture.metadata.icc
    return icc if icc and icc[16:20] == b"RGB " else None


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, or as much of its end as there is room for."""
    if font.getlength(text) <= width:
        return text
    for start in range(1, len(text)):
        if font.getlength("…" + text[start:]) <= width:
            return "…" + text[start:]
    return ""
