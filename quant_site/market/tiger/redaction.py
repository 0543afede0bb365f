"""Keep secrets out of what is written down. The SDK puts keys, signatures, tokens and account numbers into its messages.

Values that are known are taken out wherever they appear; what stands behind a telling name is taken out unknown too. It
imports nothing of ours, so that logging can be set up with it before anything else is there.
"""

import logging
import re
import traceback

SDK_LOGGER = "tiger_openapi"
HIDDEN = "***"
# Shorter values would take out parts of words.
SHORTEST = 6
SECRET_NAMES = "sign|secret_key|secretKey|private_key|privateKey|access_token|accessToken|token|Authorization"
PERSONAL_NAMES = "account|account_id|accountId|tiger_id|tigerId|device_id"
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_known: set[str] = set()


def _patterns(names: str) -> tuple[re.Pattern, re.Pattern]:
    """Behind a name: a quoted value of JSON or of a dict's text (also within another text), and one of a query."""
    quoted = re.compile(rf"(\\*[\"'](?:{names})\\*[\"']\s*:\s*\\*[\"'])[^\"'\\]+")
    return quoted, re.compile(rf"(\b(?:{names})=)[^&\s,;'\")]+")


SECRET, PERSONAL = _patterns(SECRET_NAMES), _patterns(PERSONAL_NAMES)


def learn(*values: str) -> None:
    """Hide these values from now on."""
    _known.update(value for value in values if value and len(value) >= SHORTEST)


def redact(text: str, *, strict: bool = False) -> str:
    """`text` without secrets; with `strict` also without whatever is named as an account or an id of the SDK's user."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = PEM.sub(HIDDEN, text)
    for pattern in (*SECRET, *(PERSONAL if strict else ())):
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


class Redaction(logging.Filter):
    """Lets every record pass, without its secrets: message, traceback and stack become text that holds none."""

    def __init__(self, *, strict: bool = False):
        super().__init__()
        self.strict = strict

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 (arguments that do not fit, or whose text cannot be made, must not stop the program)
            message = f"{record.msg!r:.200} (its arguments cannot be shown)"
        record.msg, record.args = redact(message, strict=self.strict), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = record.exc_text or _traceback(record.exc_info)
        if record.exc_text:
            record.exc_text, record.exc_info = redact(record.exc_text, strict=self.strict), None
        if record.stack_info:
            record.stack_info = redact(record.stack_info, strict=self.strict)
        return True


def _traceback(exc_info: tuple) -> str:
    return "".join(traceback.format_exception(*exc_info)).rstrip("\n")


def install() -> None:
    """Put the strict filter on the SDK's logger, once."""
    logger = logging.getLogger(SDK_LOGGER)
    if not any(isinstance(each, Redaction) for each in logger.filters):
        logger.addFilter(Redaction(strict=True))
