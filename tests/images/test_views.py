"""What detectors see: the range that is in use, and what alpha shows or hides."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from tests.images.files import HEIGHT, KINDS, WIDTH, Kind, deep, pillow_file
from tests.pictures import Array, middle, textured

from dartblur.anonymizers import Block
from dartblur.detectors.fusion import unite
from dartblur.faces import Faces
from dartblur.images import Picture, encode_picture, read_picture
from dartblur.pipeline import Pipeline

CLEAR = textured(HEIGHT, WIDTH)
[(X1, Y1, X2, Y2)] = middle(HEIGHT, WIDTH).boxes.astype(int).tolist()
OUTSIDE = np.ones((HEIGHT, WIDTH), bool)
OUTSIDE[Y1:Y2, X1:X2] = False


def tiff_file(samples: Array, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def read(folder: Path, data: bytes, suffix: str) -> Picture:
    path = folder / f"a{suffix}"
    path.write_bytes(data)
    return read_picture(path)


def of_bits(values: Array, bits: int) -> Array:
    """8-bit values in the lower bits of 16."""
    return np.rint(values * ((2**bits - 1) / 255)).astype(np.uint16)


def alike(a: Array, b: Array) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("colour", ["rgb", "minisblack"])
def test_the_range_in_use_is_seen(tmp_path: Path, bits: int, colour: str) -> None:
    clear = CLEAR if colour == "rgb" else CLEAR[..., 0]
    samples = of_bits(clear, bits)
    picture = read(tmp_path, tiff_file(samples, photometric=colour), ".tif")
    np.testing.assert_array_equal(picture.samples, samples)
    seen = picture.rgb if colour == "rgb" else picture.rgb[..., 0]
    assert np.abs(seen.astype(int) - clear).mean() < 12
    assert len(picture.views) == 2


def test_a_few_bright_pixels_do_not_darken_it(tmp_path: Path) -> None:
    samples = of_bits(CLEAR, 10)
    samples[::16, ::16] = 65535  # 12 of 3072 pixels
    picture = read(tmp_path, tiff_file(samples, photometric="rgb"), ".tif")
    assert np.abs(picture.rgb.astype(int) - CLEAR).mean() < 12


def test_what_lies_beyond_the_range_is_seen_as_it_is(tmp_path: Path) -> None:
    """In a dark picture a small bright face is plain in the other view."""
    samples = of_bits(CLEAR, 8)
    samples[:4, :4] = CLEAR[:4, :4].astype(np.uint16) * 257
    picture = read(tmp_path, tiff_file(samples, photometric="rgb"), ".tif")
    assert (picture.rgb[:4, :4] == 255).mean() > 0.9
    np.testing.assert_array_equal(picture.views[1][:4, :4], CLEAR[:4, :4])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("colour", ["rgb", "minisblack"])
def test_hidden_samples_lie_in_the_pictures_own_range(
    tmp_path: Path, bits: int, colour: str
) -> None:
    samples = of_bits(CLEAR if colour == "rgb" else CLEAR[..., 0], bits)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_file(samples, photometric=colour))
    picture = read_picture(path)
    faces = middle(*picture.size)
    hidden = picture.hidden(Block((255, 255, 255))(picture.rgb, faces), faces)
    path.write_bytes(encode_picture(hidden, path))
    out = tifffile.imread(path)
    np.testing.assert_array_equal(out[OUTSIDE], samples[OUTSIDE])
    assert len(np.unique(out[Y1:Y2, X1:X2])) == 1
    assert 0.8 * 2**bits < out[Y1, X1].max() < 2**bits


@pytest.mark.parametrize("dim", [8, 40])
def test_a_flat_8_bit_picture_is_drawn_out(tmp_path: Path, dim: int) -> None:
    flat = (100 + CLEAR * (dim / 255)).astype(np.uint8)
    picture = read(tmp_path, pillow_file(Pillow.fromarray(flat), "PNG"), ".png")
    assert alike(picture.rgb, CLEAR) > 0.9
    assert picture.rgb.std() > 2 * flat.std()
    np.testing.assert_array_equal(picture.views[1], flat)


def test_an_ordinary_picture_has_one_view_as_it_is(tmp_path: Path) -> None:
    plain = read(tmp_path, pillow_file(Pillow.fromarray(CLEAR), "PNG"), ".png")
    assert plain.dynamic_range is None
    np.testing.assert_array_equal(plain.rgb, CLEAR)
    sixteen = read(tmp_path, tiff_file(deep(3), photometric="rgb"), ".tif")
    np.testing.assert_array_equal(sixteen.rgb, deep(3) >> 8)
    one_colour = read(tmp_path, pillow_file(Pillow.new("RGB", (64, 48), (9, 9, 9)), "PNG"), ".png")
    assert one_colour.rgb.max() == 9
    assert len(plain.views) == len(sixteen.views) == len(one_colour.views) == 1


def drawn_in_alpha(grey: int, mode: str) -> Pillow.Image:
    colour = Pillow.new(mode[:-1], (WIDTH, HEIGHT), (grey,) * 3 if mode == "RGBA" else grey)
    colour.putalpha(Pillow.fromarray(CLEAR[..., 0]))
    return colour


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP")])
def test_a_face_drawn_in_alpha_is_seen_and_hidden(
    tmp_path: Path, grey: int, mode: str, kind: str
) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = pillow_file(drawn_in_alpha(grey, mode), kind, **options)
    picture = read(tmp_path, data, f".{kind.lower()}")
    likeness = [abs(alike(view[..., 0], CLEAR[..., 0])) for view in picture.views if view.std()]
    assert max(likeness) > 0.99
    faces = middle(*picture.size)
    hidden = picture.hidden(Block((0, 0, 0))(picture.rgb, faces), faces)
    face = hidden.samples[Y1:Y2, X1:X2]
    assert len(np.unique(face.reshape(-1, face.shape[2]), axis=0)) == 1
    assert (face[..., -1] == 255).all()
    np.testing.assert_array_equal(hidden.samples[OUTSIDE], picture.samples[OUTSIDE])


def test_a_face_under_full_transparency_is_seen(tmp_path: Path) -> None:
    hidden = Pillow.fromarray(np.dstack([CLEAR, np.zeros((HEIGHT, WIDTH), np.uint8)]))
    picture = read(tmp_path, pillow_file(hidden, "PNG"), ".png")
    np.testing.assert_array_equal(picture.rgb, CLEAR)
    assert len(picture.views) == 3


def test_a_faint_face_in_alpha_is_drawn_out(tmp_path: Path) -> None:
    image = Pillow.new("RGB", (WIDTH, HEIGHT))
    image.putalpha(Pillow.fromarray((CLEAR[..., 0] // 8).astype(np.uint8)))
    picture = read(tmp_path, pillow_file(image, "PNG"), ".png")
    assert max(view.std() for view in picture.views) > 40


def test_a_palettes_transparency_is_looked_through(tmp_path: Path) -> None:
    """Two colours that look alike, one of them transparent: people see the shape."""
    shape = (CLEAR[..., 0] > 128).astype(np.uint8)
    image = Pillow.fromarray(shape, "P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    for kind in ("GIF", "PNG"):
        data = pillow_file(image, kind, transparency=1, optimize=False)
        picture = read(tmp_path, data, f".{kind.lower()}")
        assert max(view.std() for view in picture.views) > 100


def test_an_opaque_picture_with_alpha_has_one_view(tmp_path: Path) -> None:
    image = Pillow.fromarray(CLEAR).convert("RGBA")
    assert len(read(tmp_path, pillow_file(image, "PNG"), ".png").views) == 1


GREY = {name: kind for name, kind in KINDS.items() if kind.mode in ("L", "LA") or "grey" in name}


@pytest.mark.parametrize("kind", GREY.values(), ids=GREY)
def test_a_picture_without_faces_comes_out_as_it_was(tmp_path: Path, kind: Kind) -> None:
    picture = read(tmp_path, kind.make(), kind.suffix)
    for faces in (Faces.empty(), Faces(np.array([[-9, -9, -3, -3]]))):
        same = picture.hidden(picture.rgb.copy(), faces)
        np.testing.assert_array_equal(same.samples, picture.samples)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_white_is_white_whatever_a_tiff_counts_from(tmp_path: Path, bits: int) -> None:
    """A TIFF may store black as its largest value (MinIsWhite)."""
    grey = (CLEAR[..., 0] >> (8 - min(bits, 8))).astype(np.uint16 if bits == 16 else np.uint8)
    grey = grey * 257 if bits == 16 else grey
    full = 2**bits - 1
    rows = full - grey
    if bits == 16:
        packed = rows.astype("<u2").tobytes()
    else:
        each = np.unpackbits(rows[..., None], axis=2)[..., 8 - bits :]
        packed = np.packbits(each.reshape(HEIGHT, -1), axis=1).tobytes()
    data = tiff_of_strip(packed, bits)
    picture = read(tmp_path, data, ".tif")
    expected = grey.astype(float) / full * 255
    assert np.abs(picture.rgb[..., 0] - expected).max() <= 1
    path = tmp_path / "out.tif"
    path.write_bytes(encode_picture(picture, path))
    assert np.abs(read_picture(path).rgb[..., 0] - expected).max() <= 1


def tiff_of_strip(strip: bytes, bits: int) -> bytes:
    """A little-endian grey TIFF of one strip in which 0 is white."""
    from tests.images.planting import tiff_directory

    def short(value: int) -> tuple[int, bytes]:
        return 3, value.to_bytes(2, "little")

    entries = {256: short(WIDTH), 257: short(HEIGHT), 258: short(bits), 259: short(1)}
    entries |= {262: short(0), 277: short(1), 278: short(HEIGHT)}
    entries |= {279: (4, len(strip).to_bytes(4, "little")), 273: (4, bytes(4))}
    start = 8 + len(tiff_directory(entries))
    entries[273] = (4, start.to_bytes(4, "little"))
    return b"II*\0\x08\0\0\0" + tiff_directory(entries) + strip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_white_in_16_bits(tmp_path: Path, order: str, compression: str | None) -> None:
    stored = 65535 - CLEAR[..., 0].astype(np.uint16) * 257
    options = {"photometric": "miniswhite", "byteorder": order, "compression": compression}
    picture = read(tmp_path, tiff_file(stored, **options), ".tif")
    np.testing.assert_array_equal(picture.rgb[..., 0], CLEAR[..., 0])
    path = tmp_path / "out.tif"
    path.write_bytes(encode_picture(picture, path))
    np.testing.assert_array_equal(read_picture(path).samples, picture.samples)
    with tifffile.TiffFile(path) as out:
        from_white = out.pages[0].photometric == tifffile.PHOTOMETRIC.MINISWHITE
        assert ((65535 - out.asarray()) if from_white else out.asarray())[0, 0] == picture.samples[
            0, 0
        ]


class Sees:
    """Finds a box in a view of which the middle is darker than 100, and another in all."""

    def __call__(self, images: list[Array]) -> list[Faces]:
        boxes = [[0, 0, 4, 4]]
        if images[0][HEIGHT // 2, WIDTH // 2, 0] < 100:
            boxes.append([X1, Y1, X2, Y2])
        return [Faces(np.array(boxes), np.full(len(boxes), 0.9))]


def test_the_pipeline_searches_every_view_and_tells_each_face_once(tmp_path: Path) -> None:
    pipeline = Pipeline(Sees(), Block(), margin=0)
    picture = read(tmp_path, pillow_file(drawn_in_alpha(255, "RGBA"), "PNG"), ".png")
    alpha = picture.samples[..., 3].copy()
    alpha[HEIGHT // 2, WIDTH // 2] = 0
    picture.samples[..., 3] = alpha
    faces = pipeline.detect(picture)
    assert sorted(faces.boxes.tolist()) == sorted([[0, 0, 4, 4], [X1, Y1, X2, Y2]])
    opaque = read(tmp_path, pillow_file(Pillow.fromarray(CLEAR), "PNG"), ".png")
    assert pipeline.detect(opaque) == pipeline.faces(opaque.rgb)


def test_united_boxes_cover_all_that_was_found() -> None:
    first = Faces(np.array([[10, 10, 30, 30], [14, 10, 34, 30]]), np.array([0.5, 0.4]))
    second = Faces(np.array([[9, 8, 30, 30], [60, 60, 80, 80]]), np.array([0.9, 0.7]))
    united = unite(first, second, 0.4)
    # Two neighbours of one look stay two.
    assert united.boxes.tolist() == [[9, 8, 30, 30], [60, 60, 80, 80], [14, 10, 34, 30]]
    assert united.scores.tolist() == pytest.approx([0.9, 0.7, 0.4])
    assert unite(first, Faces.empty(), 0.4) == first
    assert unite(Faces.empty(), second, 0.4) == second
    assert len(unite(Faces.empty(), Faces.empty(), 0.4)) == 0
