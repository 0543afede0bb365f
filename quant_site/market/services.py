"""Writes of the market: bars come in from files or from what the packages bundle."""

from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import InvalidInput
from quant_site.core.locks import exclusive
from quant_site.core.services import audit_record
from quant_site.market.imports import ParsedBars, parse_bars
from quant_site.market.models import BarImport, Instrument
from quant_site.market.providers.base import Progress, RawBars, silent
from quant_site.market.providers.bundled import PREFIX, BundledProvider
from quant_site.market.providers.folder import FolderProvider
from quant_site.market.store import bar_store, bars_digest, symbol_clean

# An index cannot be bought; a series of front months is spliced from contracts, so it cannot be held either.
NOT_TRADABLE = (Instrument.Kind.INDEX, Instrument.Kind.FUTURE)


@dataclass(frozen=True)
class _Incoming:
    raw: RawBars
    parsed: ParsedBars


def bars_import(
    *,
    path: str | Path,
    source: str = "",
    kind: str = "",
    symbols: list[str] | None = None,
    strict: bool = False,
    progress: Progress = silent,
    actor="system",
) -> list[BarImport]:
    """Read the bars under `path` (see `providers.folder`) and replace the stored history of each symbol by them.

    Everything is read and checked before the first write, so a file that cannot be read changes nothing; then each symbol
    is written atomically. A symbol's history is never spliced from two sources. The same content again changes nothing
    but the log of imports. `kind` is that of every symbol (default: as known, else a stock), `symbols` takes only these.

    Raises `InvalidInput`: no such path, no files, an unreadable file, unknown columns or symbols; `nothing_usable` when every
    row was rejected and, with `strict`, `rejected_rows` when any was (both with `details["rejections"]` by symbol).
    """
    if kind and kind not in Instrument.Kind.values:
        raise InvalidInput("unknown_kind", f"{kind} is no kind of instrument: use one of {', '.join(Instrument.Kind.values)}.", kind=kind)
    symbols = None if symbols is None else [symbol_clean(symbol) for symbol in symbols]
    raws = [raw for raw in FolderProvider(path, source).bars(progress) if symbols is None or raw.symbol in symbols]
    missing = sorted(set(symbols or []) - {raw.symbol for raw in raws})
    if missing:
        raise InvalidInput("unknown_symbol", f"{path} holds no bars of {', '.join(missing)}.", symbols=missing)
    incoming = [_parse(raw, kind) for raw in progress(raws, "Checking")]
    _refuse(incoming, strict)
    with exclusive("bars", busy="Another import is running; try again when it has ended."):
        done = [_store(each, kind) for each in progress(incoming, "Storing")]
    _record(done, str(path), actor)
    return done


def bundled_import(*, progress: Progress = silent) -> list[BarImport]:
    """Store the bundled histories that are not stored yet. Never replaces bars that came from elsewhere.

    Returns what it imported: nothing when all is there.
    """
    provider = BundledProvider()
    due = _bundled_due(provider.sources())
    if not due:
        return []
    incoming = [_parse(raw, raw.kind) for raw in provider.bars(progress) if raw.symbol in due]
    with exclusive("bars", timeout=60, busy="Another import is running; try again when it has ended."):
        done = [_store(each, each.raw.kind) for each in progress(incoming, "Storing")]
    _record(done, "bundled", "system")
    return done


def _bundled_due(sources: dict[str, str]) -> set[str]:
    """The bundled symbols whose bars are missing, or of another version of their package."""
    store = bar_store()
    known = {row.symbol: row for row in Instrument.objects.filter(pk__in=sources)}
    due = set()
    for symbol, source in sources.items():
        row = known.get(symbol)
        if row is None or not row.bars or (row.source.startswith(PREFIX) and store.identity(symbol) != (row.content_digest, source)):
            due.add(symbol)
    return due


def _parse(raw: RawBars, kind: str) -> _Incoming:
    known = kind or Instrument.objects.filter(pk=raw.symbol).values_list("kind", flat=True).first()
    return _Incoming(raw, parse_bars(raw.frame, at=clock.now(), allow_negative=known == Instrument.Kind.FUTURE))


def _refuse(incoming: list[_Incoming], strict: bool) -> None:
    rejections = {each.raw.symbol: each.parsed.rejections for each in incoming if each.parsed.rejections}
    count = sum(map(len, rejections.values()))
    if all(each.parsed.frame.empty for each in incoming):
        raise InvalidInput("nothing_usable", f"Nothing was imported: every one of the {count} rows was rejected.", rejections=rejections)
    if strict and rejections:
        raise InvalidInput("rejected_rows", f"Nothing was imported: {count} rows were rejected, and none may be.", rejections=rejections)


@transaction.atomic
def _store(each: _Incoming, kind: str) -> BarImport:
    """Rows first and the file last: whatever fails before the file leaves everything as it was."""
    raw, parsed, store = each.raw, each.parsed, bar_store()
    log = BarImport(
        symbol=raw.symbol,
        source=f"{raw.source} ({Path(raw.origin).name})"[:255],
        accepted=len(parsed.frame),
        rejected=len(parsed.rejections),
        repaired=parsed.repaired,
        rejections=parsed.rejections,
    )
    if not parsed.frame.empty:
        log.content_digest = bars_digest(parsed.frame)
        log.changed = not store.holds(raw.symbol, log.content_digest, raw.source)
        log.replaced = _stored_history(raw.symbol) if log.changed else ""
        _instrument_update(raw, parsed, kind, log.content_digest)
    log.save(force_insert=True)
    if log.changed:
        store.write(raw.symbol, parsed.frame, raw.source)
    return log


def _stored_history(symbol: str) -> str:
    row = Instrument.objects.filter(pk=symbol, bars__gt=0).first()
    return f"{row.bars} bars, {row.first_session} to {row.last_session}, {row.source}" if row else ""


def _instrument_update(raw: RawBars, parsed: ParsedBars, kind: str, digest: str) -> None:
    """Write the instrument's row where it differs; what a person edited (name, tick size, tradable) stays."""
    row = Instrument.objects.filter(pk=raw.symbol).first()
    new = row is None
    row = row or Instrument(symbol=raw.symbol, name=raw.name)
    fields = {
        "source": raw.source,
        "synthetic": raw.synthetic,
        "first_session": parsed.frame["date"].iloc[0].date(),
        "last_session": parsed.frame["date"].iloc[-1].date(),
        "bars": len(parsed.frame),
        "content_digest": digest,
    }
    if kind and (new or row.kind != kind):
        fields |= {"kind": kind, "tradable": kind not in NOT_TRADABLE}
    if new or any(getattr(row, name) != value for name, value in fields.items()):
        for name, value in fields.items():
            setattr(row, name, value)
        row.updated_at = clock.now()
        row.full_clean(validate_unique=False)
        row.save()


def _record(done: list[BarImport], path: str, actor) -> None:
    changed = [log.symbol for log in done if log.changed]
    if changed:
        audit_record(
            action="BARS_IMPORT", actor=actor, details={"path": path, "changed": changed, "rejected": sum(log.rejected for log in done)}
        )
