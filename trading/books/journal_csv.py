"""The journal as CSV: written for a spreadsheet, and read back with trades that were made elsewhere.

A text that a spreadsheet would take for a formula is written behind an apostrophe, and read without it. Importing is all or
nothing, and importing the same line again adds nothing: a line is known by the hash of its trade (account, symbol, direction,
dates, prices, quantity, P&L) and by how many equal ones came before it.
"""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import InvalidInput, QuantError
from quant_site.core.models import Account
from quant_site.core.rows import rows_insert, rows_read
from quant_site.core.services import audit_record
from quant_site.core.types import Direction, money, price, quantity
from quant_site.market.sessions import NEW_YORK
from quant_site.market.store import symbol_clean
from trading.models import TradeJournal

FACTS = ("symbol", "direction", "entry_date", "exit_date", "entry_price", "exit_price", "quantity", "realized_pnl")
WORDS = ("execution_quality", "emotion_state", "mistake_tags", "lesson_learned")
COLUMNS = (*FACTS, "exit_reason", *WORDS, "journal_status")
NEEDED = ("symbol", "direction")
NUMBERS = {"entry_price": price, "exit_price": price, "quantity": quantity, "realized_pnl": money}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
LARGEST_FILE, MOST_LINES = 2_000_000, 10_000
SHOWN_ERRORS = 200
Status = TradeJournal.Status


@dataclass(frozen=True)
class LineError:
    """What is wrong with a line of the file (the header is 1) and its column, "" for the whole line."""

    line: int
    column: str
    message: str


@dataclass(frozen=True)
class Imported:
    """What an import did, or (`dry_run`) would do: `new` entries, and `known` lines that are there already."""

    dry_run: bool
    lines: int
    new: int
    known: int
    errors: tuple[LineError, ...]


# --- out


def journal_csv(entries: Iterable[TradeJournal]) -> str:
    """CSV with a header, one line an entry. Numbers are plain, tags separated by semicolons."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([_cell(getattr(entry, name)) for name in COLUMNS])
    return out.getvalue()


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list):
        value = ";".join(map(str, value))
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


# --- in


def journal_import(*, account: Account, content: bytes, actor, dry_run: bool = True, ip_address: str = "") -> Imported:
    """Read trades made elsewhere into the journal of `account`: COMPLETED where an emotion or a quality is given, else DRAFT.

    Nothing is written on a `dry_run`, nor where any line is wrong: `errors` says which and why. Raises `InvalidInput` for a file
    that cannot be read as CSV with the columns `COLUMNS`, of which `NEEDED` must be there.
    """
    lines = _lines(content)
    with transaction.atomic():
        Account.objects.select_for_update().values_list("pk").get(pk=account.pk)
        entries, errors = [], []
        for number, values in lines:
            entry, wrong = _entry(account, number, values)
            errors += wrong
            entries.append(entry)
        fresh = [] if errors else _fresh(account, entries)
        if fresh and not dry_run:
            rows_insert(fresh)
            details = {"lines": len(lines), "new": len(fresh), "sha256": hashlib.sha256(content).hexdigest()}
            audit_record(action="JOURNAL_IMPORT", actor=actor, account=account, details=details, ip_address=ip_address)
    known = 0 if errors else len(entries) - len(fresh)
    return Imported(dry_run, len(lines), len(fresh), known, tuple(errors[:SHOWN_ERRORS]))


def _lines(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """Lines that are not empty, by their number in the file."""
    if len(content) > LARGEST_FILE:
        raise InvalidInput("file_too_large", f"The file has more than {LARGEST_FILE:,} bytes: import it in parts.")
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput("not_csv", "The file is not CSV in UTF-8: save it as such.") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    strange = sorted({name for name in header if name not in COLUMNS} | {name for name in header if header.count(name) > 1})
    absent = [name for name in NEEDED if name not in header]
    if strange or absent:
        words = f"The first line names the columns: {', '.join(COLUMNS)}. Needed are {' and '.join(NEEDED)}, each at most once."
        raise InvalidInput("bad_header", words, unknown=strange, missing=absent)
    if len(rows) - 1 > MOST_LINES:
        raise InvalidInput("too_many_lines", f"The file has more than {MOST_LINES:,} lines: import it in parts.")
    filled = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    return [(number, {**dict(zip(header, map(_plain, row), strict=False)), "": row[len(header) :]}) for number, row in filled]


def _plain(cell: str) -> str:
    cell = cell.strip(" ")
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def _entry(account: Account, number: int, values: dict) -> tuple[TradeJournal | None, list[LineError]]:
    """The entry of a line, or what is wrong with it."""
    if any(cell.strip() for cell in values.pop("")):
        return None, [LineError(number, "", "The line has more cells than the header.")]
    made, errors = {}, []
    for name, text in values.items():
        try:
            made[name] = _value(name, text)
        except QuantError as error:
            errors.append(LineError(number, name, error.message))
    if errors:
        return None, errors
    made.pop("journal_status", None)
    made = {name: value for name, value in made.items() if value not in (None, "")}
    status = Status.COMPLETED if {"emotion_state", "execution_quality"} & made.keys() else Status.DRAFT
    entry = TradeJournal(account=account, journal_status=status, **made)
    try:
        _check(made)
        entry.clean_fields(exclude=["account"])
    except QuantError as error:
        return None, [LineError(number, error.details["column"], error.message)]
    except ValidationError as error:
        return None, [LineError(number, name, " ".join(words)) for name, words in error.message_dict.items()]
    return entry, []


def _value(name: str, text: str):
    """The value of a cell; None (of a text: "") where it is empty."""
    if name == "symbol":
        return symbol_clean(text)
    if name == "direction":
        if (word := text.strip().upper()) not in (Direction.LONG, Direction.SHORT):
            raise InvalidInput("bad_direction", f"The direction is LONG or SHORT, not {text!r}.")
        return word
    if name == "mistake_tags":
        return [tag.strip() for tag in text.split(";") if tag.strip()]
    if name in ("emotion_state", "lesson_learned", "exit_reason", "journal_status"):
        return _text(name, text)
    if not text.strip():
        return None
    if name in NUMBERS:
        return NUMBERS[name](text.strip(), f"The {name}")
    return _whole(text) if name == "execution_quality" else _day(name, text)


def _text(name: str, text: str) -> str:
    most = TradeJournal._meta.get_field(name).max_length
    if most and len(text) > most:
        raise InvalidInput("too_long", f"The {name} has more than {most} characters.")
    return text


def _whole(text: str) -> int:
    if not text.strip().isdecimal():
        raise InvalidInput("bad_quality", f"The execution_quality is a whole number from 1 to 5, not {text!r}.")
    return int(text)


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("bad_date", f"The {name} is a date like 2024-03-28, not {text!r}.") from None
    if day > clock.now().astimezone(NEW_YORK).date():
        raise InvalidInput("bad_date", f"The {name} {day} is still to come.")
    return day


def _check(made: dict) -> None:
    for name in ("entry_price", "exit_price", "quantity"):
        if made.get(name) is not None and made[name] <= 0:
            raise InvalidInput("bad_number", f"The {name} must be above zero.", column=name)
    for name in NUMBERS:
        if made.get(name) is not None and abs(made[name]) >= 10**12:
            raise InvalidInput("bad_number", f"The {name} is too large.", column=name)
    opened, closed = made.get("entry_date"), made.get("exit_date")
    if opened and closed and closed < opened:
        raise InvalidInput("bad_dates", f"The trade was closed on {closed}, before it was opened on {opened}.", column="exit_date")


# --- known lines


def _fresh(account: Account, entries: Sequence[TradeJournal]) -> list[TradeJournal]:
    """Those of `entries` that the journal does not have: of equal trades as many as come beyond those it has."""
    stored = rows_read(TradeJournal, FACTS, "account_id = %s", account.pk)
    there = Counter(trade_hash(account.pk, row) for row in stored)
    seen, fresh = Counter(), []
    for entry in entries:
        digest = trade_hash(account.pk, [getattr(entry, name) for name in FACTS])
        seen[digest] += 1
        if seen[digest] > there[digest]:
            fresh.append(entry)
    return fresh


def trade_hash(account_id: str, facts: Sequence) -> str:
    """SHA-256 of a trade: the values of `FACTS`, numbers without trailing zeros."""
    return hashlib.sha256(json.dumps([account_id, *map(_fact, facts)]).encode()).hexdigest()


def _fact(value) -> str | None:
    return None if value is None else f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
