"""How values are shown to people."""

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


def timecode(seconds: float) -> str:
    """A place in a film, as h:mm:ss.mmm."""
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    minutes, rest = divmod(seconds, 60)
    return f"{sign}{int(minutes // 60)}:{int(minutes % 60):02}:{rest:06.3f}"


def printable(line: str) -> str:
    """The line with what a terminal would not print, or would obey, escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line
    )
