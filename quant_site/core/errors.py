"""The error tree. Each error carries a stable code, a sentence that says what to do, and details as data.

The API turns them into its envelope `{code, message, details}`, commands into one line and a non-zero exit.
"""


class QuantError(Exception):
    """Base of every error this system raises on purpose."""

    status = 500

    def __init__(self, code: str, message: str, **details):
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


class InvalidInput(QuantError):
    """The caller gave something that cannot be taken as it is."""

    status = 400


class NotAllowed(QuantError):
    """The caller may not do this."""

    status = 403


class NotFound(QuantError):
    """There is no such thing, or it is not the caller's."""

    status = 404


class Conflict(QuantError):
    """The state moved on, or the same key came with another content."""

    status = 409


class DataMissing(QuantError):
    """Market data that is needed is not there; the message says how to get it."""

    status = 422


class TooManyTries(QuantError):
    """Too many tries have failed; the details say how many seconds to wait."""

    status = 429


class Unavailable(QuantError):
    """A service we depend on does not answer now."""

    status = 503


class LedgerMismatch(QuantError):
    """Cash, positions and profit do not reconcile: a defect or a tampered row, never a market event."""

    status = 500


class IllegalTransition(Conflict):
    """A state machine was asked for a move its table does not have."""
