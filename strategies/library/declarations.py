"""How a pure module marks its texts for translation."""


def gettext_noop(text: str) -> str:
    """Mark a text for translation and leave it as it is: the library itself imports no Django."""
    return text
