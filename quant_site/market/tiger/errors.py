"""What went wrong with a call, in the one way that matters: is it certain that nothing happened at the broker?

Certain is a refusal that Tiger's service itself gave and named by a code of `ORDER_REFUSALS`, and whatever failed before a
byte left. Everything else that can happen to an order leaves it unclear: a timeout, a reset, a status other than 200, a
body that is none, a bad signature, a code that is not on the list. The SDK's own texts hold keys and signatures; none of
them goes into these errors.

Rate limits are unclear too. Codes 4 and 5 and HTTP 429 come from gateways in front of the service, their documentation
does not say whether a call is counted before or after it is processed, and code 4 stands for other things as well. Only a
call that our own budget holds back is certain not to have been made.
"""

from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from quant_site.core.errors import QuantError
from quant_site.market.tiger.redaction import redact

RATE_LIMITS = frozenset({4, 5, 429})
# Common parameters or signature, business parameters, the three kinds of account refusing a trade, no permission.
ORDER_REFUSALS = frozenset({1000, 1010, 1100, 1200, 1300, 4000})
# Refusals that say the service did not get through to the exchange, or that it knows the order already, are none.
AMBIGUOUS_WORDS = (
    "timeout", "timed out", "unavailable", "busy", "internal", "system error", "unknown", "try again", "retry", "later",
    "processing", "duplicat", "repeat", "already", "limit exceeded", "too many",
)  # fmt: skip
LONGEST_MESSAGE = 200


class TigerError(QuantError):
    """A call to Tiger failed."""

    status = 503


class TigerRefused(TigerError):
    """Tiger answered and said no; nothing was done."""


class TigerNotSent(TigerRefused):
    """Nothing left this machine."""


class TigerUnclear(TigerError):
    """Whether anything was done is not known. `limited`: Tiger says that it is called too often."""

    def __init__(self, code: str, message: str, *, limited: bool = False, **details):
        super().__init__(code, message, **details)
        self.limited = limited


def transport_error(error: Exception, *, host: str, port: int) -> TigerError:
    """What the SDK's exception means. `host` and `port` are those that were to be called."""
    cause = error.__context__ or error.__cause__
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, (NewConnectionError, ConnectTimeoutError)):
        # Of another host's connection the first may have taken the call already and sent us on.
        pool = cause.pool
        if (getattr(pool, "host", None), getattr(pool, "port", None)) == (host, port):
            return TigerNotSent("NOT_CONNECTED", f"Tiger's gateway cannot be reached ({type(cause.reason).__name__}). Nothing was sent.")
    status = getattr(error, "status", None)
    if status is not None:
        return TigerUnclear(f"HTTP_{status}", f"Tiger's gateway answered with HTTP status {status}.", limited=status == 429)
    kind = type(cause or error).__name__
    return TigerUnclear("NO_ANSWER", f"No usable answer came from Tiger ({kind}).", kind=kind)


def reply_error(code, message, *, ordering: bool) -> TigerError:
    """What an answer with a `code` other than 0 means. `ordering` calls are refused by codes of the list only."""
    number = code if isinstance(code, int) else int(code) if str(code).lstrip("-").isdigit() else None
    text = redact(str(message or "no reason given"), strict=True)[:LONGEST_MESSAGE]
    name, sentence = f"TIGER_{code}", f"Tiger answered with code {code}: {text}"
    if number in RATE_LIMITS:
        return TigerUnclear(name, sentence, limited=True)
    if not ordering:
        return TigerRefused(name, sentence)
    certain = number in ORDER_REFUSALS and not any(word in text.lower() for word in AMBIGUOUS_WORDS)
    return TigerRefused(name, sentence) if certain else TigerUnclear(name, sentence)
