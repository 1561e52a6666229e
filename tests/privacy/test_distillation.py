"""A student learns what its teacher says of the clear face, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="comes with the extra train")
pytest.importorskip("onnx", reason="comes with the extra privacy")

from dartblur.boxes import Boxes
from dartblur.errors import UsageError
from dartblur.faces import FloatArray, Image
from dartblur.privacy.config import Distillation
from dartblur.privacy.distillation import FineTuned, SmallNetwork, Student, train
from dartblur.privacy.recognizers import Dlib

FACES, KNOWN, SIDE = 80, 64, 16
SETTINGS = Distillation(rounds=40, batch=16, learning_rate=3e-3, width=4, side=16)


class Teacher:
    """Sees the colours of the four quarters of a face."""

    side = SIDE

    def align(self, image: Image, box: Boxes) -> FloatArray:
        return np.eye(2, 3, dtype=np.float32)

    def embed(self, square: Image) -> FloatArray:
        quarters = square.reshape(2, SIDE // 2, 2, SIDE // 2, 3).mean(axis=(1, 3)).ravel()
        values = (quarters + 200).astype(np.float32)
        return values / np.linalg.norm(values)

    def network(self) -> bytes | None:
        return None


def faces() -> tuple[Image, Image, FloatArray]:
    """Clear faces of two colours, upper and lower half, hidden ones, and what the teacher says.

    A face is hidden by standing on its head, with its contrast inverted and halved.
    """
    rng = np.random.default_rng(0)
    halves = rng.integers(0, 256, (FACES, 2, 1, 3), np.uint8)
    clear = halves.repeat(SIDE // 2, axis=1).repeat(SIDE, axis=2)
    hidden = np.ascontiguousarray((255 - clear[:, ::-1]) // 2)
    return clear, hidden, np.stack([Teacher().embed(face) for face in clear])


def taught(
    file: Path, until: int, before: Path | None = None, settings: Distillation = SETTINGS
) -> Path:
    _, hidden, vectors = faces()

    def batch(number: int) -> tuple[Image, np.ndarray]:
        chosen = np.random.default_rng((1, number)).integers(KNOWN, size=settings.batch)
        return hidden[chosen], chosen

    train(batch, vectors[:KNOWN], Teacher(), settings, 0, until, before, file)
    return file


def likeness(file: Path) -> float:
    """Of faces that it never saw: mean cosine, from the mean of all, to what the teacher says."""
    _, hidden, vectors = faces()
    student, mean = Student(file, Teacher()), vectors[:KNOWN].mean(axis=0)
    said = np.stack([student.embed(face) for face in hidden[KNOWN:]])
    np.testing.assert_allclose(np.linalg.norm(said, axis=1), 1, atol=1e-5)
    a, b = said - mean, vectors[KNOWN:] - mean
    each = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return float(each.mean())


def test_a_student_says_of_hidden_faces_what_its_teacher_says_of_clear_ones(tmp_path: Path) -> None:
    assert likeness(taught(tmp_path / "untrained", 0)) < 0.3
    assert likeness(taught(tmp_path / "trained", SETTINGS.rounds)) > 0.7


def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = taught(tmp_path / "whole", 4)
    second = taught(tmp_path / "second", 4, taught(tmp_path / "first", 2))
    ours, theirs = (torch.load(f, weights_only=True)["network"] for f in (whole, second))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("side", [16, 20, 64])
def test_the_small_network_takes_squares_of_any_side(side: int) -> None:
    network = SmallNetwork(2, side, torch.ones(5)).eval()
    said = network(torch.randint(0, 256, (3, 30, 30, 3), dtype=torch.uint8))
    assert said.shape == (3, 5)
    assert torch.allclose(said.norm(dim=1), torch.ones(3))


def test_dlibs_network_starts_as_it_is_and_learns() -> None:
    try:
        dlib = Dlib()
    except UsageError as error:
        pytest.skip(str(error))
    content = dlib.network()
    network = FineTuned(content)
    squares = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3), np.uint8)
    said = network(torch.from_numpy(squares))
    for vector, square in zip(said.detach().numpy(), squares, strict=True):
        np.testing.assert_allclose(vector, dlib.embed(square), atol=1e-5)
    said[0, 0].backward()
    assert sum(p.numel() for p in network.parameters()) > 5_000_000
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
