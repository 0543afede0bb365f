"""How real option chains come into their store: files are read and checked whole, then each chain is written."""

from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.core.locks import exclusive
from quant_site.core.services import audit_record
from quant_site.market.chains.imports import ParsedChain, parse_chains
from quant_site.market.chains.store import ChainStore, chain_digest, chain_store
from quant_site.market.providers.base import Progress, silent
from quant_site.market.providers.chain_folder import ChainFolderProvider


@dataclass(frozen=True)
class ChainImport:
    """One chain of an import. `changed`: the store was written; `replaced`: how many contracts it held before."""

    chain: ParsedChain
    source: str
    changed: bool
    replaced: int | None


@dataclass(frozen=True)
class ChainImports:
    """What an import took. `rejections` by file, each {row, contract, reason, detail}; `moved`: Saturday expirations."""

    imports: list[ChainImport] = field(default_factory=list)
    rejections: dict[str, list[dict]] = field(default_factory=dict)
    moved: int = 0


def chains_import(*, path: str | Path, source: str = "", progress: Progress = silent, actor="system") -> ChainImports:
    """Read the chains under `path` and store each in place of what there was of its underlying and session.

    Everything is read and checked before the first write. The same chains again change nothing. Raises `InvalidInput` for
    what cannot be read, for a chain that is in two files, and (`nothing_usable`) when every row was rejected.
    """
    incoming, rejections, moved = chains_read(path, source, progress)
    done = ChainImports(rejections=rejections, moved=moved)
    with exclusive("chains", busy="Another import of chains is running; try again when it has ended."), transaction.atomic():
        store = chain_store()
        for chain, origin in progress(incoming, "Checking"):
            changed = not store.holds(chain.underlying, chain.session, chain_digest(chain.frame, chain.spot), origin)
            done.imports.append(ChainImport(chain, origin, changed, _stored_contracts(store, chain) if changed else None))
        changed = [each for each in done.imports if each.changed]
        if changed:
            audit_record(action="CHAIN_IMPORT", actor=actor, details=_details(path, changed, rejections))
        for each in progress(changed, "Storing"):
            store.write(each.chain, each.source)
    return done


def chains_read(path: str | Path, source: str = "", progress: Progress = silent) -> tuple[list, dict[str, list[dict]], int]:
    """([(chain, source)], rejections by file, Saturday expirations) of the files under `path`; raises as `chains_import`."""
    incoming, rejections, moved, seen = [], {}, 0, {}
    for raw in ChainFolderProvider(path, source).chains(progress):
        parsed = parse_chains(raw.frame, at=clock.now())
        moved += parsed.moved
        if parsed.rejections:
            rejections[raw.origin] = parsed.rejections
        for chain in parsed.chains:
            name = f"{chain.underlying} {chain.session}"
            if name in seen:
                raise InvalidInput("duplicate_chain", f"{name} is in {seen[name]} and again in {raw.origin}: leave one of them.")
            seen[name] = raw.origin
            incoming.append((chain, raw.source))
    if not incoming:
        count = sum(map(len, rejections.values()))
        raise InvalidInput("nothing_usable", f"Nothing was imported: every one of the {count} rows was rejected.", rejections=rejections)
    return incoming, rejections, moved


def _stored_contracts(store: ChainStore, chain: ParsedChain) -> int | None:
    try:
        return len(store.read(chain.underlying, chain.session).frame)
    except DataMissing:
        return None


def _details(path, changed: list[ChainImport], rejections: dict[str, list[dict]]) -> dict:
    return {
        "path": str(path),
        "changed": [f"{each.chain.underlying} {each.chain.session}" for each in changed],
        "contracts": sum(len(each.chain.frame) for each in changed),
        "rejected": sum(map(len, rejections.values())),
    }
