"""Readers of data sets: one small protocol, and a table from names to makers."""

from dartblur.datasets import crowdhuman, fddb, widerface
from dartblur.datasets.base import Reader

READERS: dict[str, Reader] = {
    "widerface": widerface.read,
    "fddb": fddb.read,
    "crowdhuman": crowdhuman.read,
}

__all__ = ["READERS", "Reader"]
