"""What a category file declares besides its strategies: those that cannot run yet, and why."""

from dataclasses import dataclass


def gettext_noop(text: str) -> str:
    """Mark a text for translation and leave it as it is: the library itself imports no Django."""
    return text


@dataclass(frozen=True)
class Planned:
    """A strategy that is in the library as a row only. `lacks` says what is missing before it can run."""

    key: str
    name: str
    category: str
    source: str
    description: str
    lacks: str
    signal_sources: tuple[str, ...] = ("TECHNICAL",)
