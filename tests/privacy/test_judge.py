"""What an attacker may do is tried on validation people, and views of two vectors fit galleries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dartblur.privacy.judge import Judge
from dartblur.privacy.people import Photo

SIZE = 12


def test_a_student_beside_its_teacher_is_compared_with_the_clear_gallery_too(
    tmp_path: Path,
) -> None:
    photos = tuple(
        Photo(f"{group}-{person}", f"{person}/{i}.png", i % 2 == 0, group)
        for group in ("judged", "validation")
        for person in range(8)
        for i in range(2)
    )
    rng = np.random.default_rng(0)
    person, known = np.arange(len(photos)) // 2, np.arange(len(photos)) % 2 == 0

    def noise() -> np.ndarray:
        values = rng.normal(0, 1, (len(photos), SIZE)).astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    inputs = []
    for recognizer in ("one", "other"):
        clear, student = noise()[person], noise()
        # What one recognizer, and no student, says of hidden probes alone tells who they are.
        own = np.where(known[:, None] | (recognizer == "other"), noise(), clear)
        both = np.concatenate([student, own], axis=1) / np.sqrt(2)
        for name, vectors in (("clear", clear), ("student", student), ("both", both)):
            file = tmp_path / f"{recognizer}-{name}.npy"
            np.save(file, vectors)
            inputs.append(file)
    judge = Judge(photos, "distilled", 2, ("student", "student and teacher"), 100, 0)
    judge(inputs, tmp_path / "told")
    told = json.loads((tmp_path / "told").read_text())
    assert "clear gallery, student and teacher" in told["chosen"]
    assert told["rank1"]["value"] >= 50  # chance is 12.5
