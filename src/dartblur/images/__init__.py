"""Pictures in and out: upright, in their own samples, and without what could still show a face."""

from dartblur.images.picture import Picture
from dartblur.images.reading import PICTURE_SUFFIXES, read_picture
from dartblur.images.writing import encode_picture

__all__ = ["PICTURE_SUFFIXES", "Picture", "encode_picture", "read_picture"]
