"""`python -m dartblur.training CONFIG DATA OUT [--resume]`."""

import argparse
from pathlib import Path

from dartblur.training import train

parser = argparse.ArgumentParser()
parser.add_argument("config", type=Path)
parser.add_argument("data", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--resume", action="store_true")
arguments = parser.parse_args()
train(config=arguments.config, data=arguments.data, out=arguments.out, resume=arguments.resume)
