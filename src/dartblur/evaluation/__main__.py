"""`python -m dartblur.evaluation CONFIG DATA OUT.json [NAME=WEIGHTS.onnx ...]`: the fidelity table."""

import argparse
import json
import time
from pathlib import Path

import torch

from dartblur import toml
from dartblur.anonymizers import make_anonymizer
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.evaluation.config import FidelityConfig
from dartblur.evaluation.fidelity import Scores, measure, prepare

parser = argparse.ArgumentParser()
parser.add_argument("config", type=Path)
parser.add_argument("data", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("weights", nargs="*", help="NAME=FILE: a generator's ONNX as method NAME")
arguments = parser.parse_args()
settings = toml.read(FidelityConfig, arguments.config)
torch.set_num_threads(settings.threads)
given = dict(item.split("=", 1) for item in arguments.weights)
setting = prepare(arguments.data, settings)
rows: list[dict[str, object]] = []


def _anonymizer(name: str) -> Anonymizer | None:
    if name == "clear":
        return None
    return Dartblur(Path(given[name])) if name in given else make_anonymizer(name)


for seed in settings.seeds:
    for method in (*settings.methods, *(name for name in given if name not in settings.methods)):
        started = time.monotonic()
        row: dict[str, object] = {"method": method, "seed": seed}
        rows.append(row)

        def tell(scores: Scores, row: dict[str, object] = row, started: float = started) -> None:
            row |= {name: round(value, 2) for name, value in scores.items()}
            row["seconds"] = round(time.monotonic() - started)
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            print(json.dumps(row), flush=True)

        measure(_anonymizer(method), setting, settings, seed, tell)
