"""What a check answers where it does not pass."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """A stable code, a sentence, the limit and the value that broke it."""

    code: str
    message: str
    limit: float | str | None = None
    value: float | str | None = None

    def as_json(self) -> dict:
        return {"code": self.code, "message": self.message, "limit": self.limit, "value": self.value}


def beyond(code: str, message: str, limit: float, after: float, before: float) -> Violation | None:
    """The violation where a risk `after` the trade exceeds `limit` and is larger than `before` it.

    What lowers a risk is never held back by the limit of that very risk: a hedge must pass while the limit is exceeded.
    """
    return Violation(code, message, round(limit, 2), round(after, 2)) if after > limit and after > before else None
