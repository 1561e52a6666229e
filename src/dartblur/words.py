"""How things are said to people."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A time in words: days, hours, minutes or seconds, whichever tell."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    days, hours = minutes // 1440, minutes // 60
    if days >= 3:
        return f"{days} days"
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min"
