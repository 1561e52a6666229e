"""Hide every face in photos, videos and data sets."""

from dartblur.faces import Faces, Sample

__all__ = ["Faces", "Sample"]
