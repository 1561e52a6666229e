"""Every error this package raises on purpose.

::

    DartblurError
    ├── UsageError          the call itself is wrong: an option, a path (exit status 2)
    │   └── ConfigError     a configuration file or field is wrong
    └── InputError          one input cannot be done; the others go on (exit status 1)
        ├── PictureError    a picture cannot be read, hidden or written
        ├── VideoError      a film cannot be read, hidden or written
        ├── BoxesError      a file of boxes or labels is wrong
        └── TrainingError   a training cannot start or go on

Each message names the file or value, what was wrong with it, and what to do.
"""


class DartblurError(Exception):
    """The root: catch this to catch everything that this package raises on purpose."""


class UsageError(DartblurError):
    """The call is wrong; nothing was done."""


class ConfigError(UsageError):
    """A configuration file or one of its fields is wrong."""


class InputError(DartblurError):
    """One input cannot be done; nothing was written for it."""


class PictureError(InputError):
    """A picture cannot be read, anonymized or written."""


class VideoError(InputError):
    """A film cannot be read, anonymized or written."""


class BoxesError(InputError):
    """A file of boxes or labels cannot be read, or does not fit its pictures."""


class TrainingError(InputError):
    """A training cannot start, or had to stop."""
