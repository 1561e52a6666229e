"""Algorithm 1: how the generator is trained (torch)."""

from dartblur.training.run import train

__all__ = ["train"]
