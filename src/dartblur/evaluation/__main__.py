"""The fidelity table: `python -m dartblur.evaluation CONFIG DATA OUT.json [NAME=FILE.onnx ...]`."""

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


def _anonymizer(name: str) -> Anonymizer | None:
    if name == "clear":
        return None
    return Dartblur(Path(given[name])) if name in given else make_anonymizer(name)


def _run() -> None:
    rows: list[Scores | dict[str, object]] = []
    methods = (*settings.methods, *(name for name in given if name not in settings.methods))
    for seed in settings.seeds:
        for method in methods:
            rows.append({})
            _row(rows, method, seed)


def _row(rows: list[Scores | dict[str, object]], method: str, seed: int) -> None:
    started = time.monotonic()

    def tell(scores: Scores) -> None:
        figures = {name: round(value, 2) for name, value in scores.items()}
        seconds = round(time.monotonic() - started)
        rows[-1] = {"method": method, "seed": seed, **figures, "seconds": seconds}
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rows[-1]), flush=True)

    measure(_anonymizer(method), setting, settings, seed, tell)


_run()
