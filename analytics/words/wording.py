"""Words of the pages: codes and stored English in the reader's language.

Strategies, risk checks and evaluations are pure and write English with a code; the pages say it in the reader's
language. What is not known here is shown as it was stored.
"""

from decimal import Decimal, InvalidOperation
from functools import cache

from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from analytics.words import desk_words, phrases
from analytics.words.desk_words import ORDER_TYPES
from analytics.words.phrases_strategies import MARKETS
from quant_site.core.limits import LIMIT_FIELDS
from quant_site.core.models import Account, LoopRun, LoopStage
from quant_site.market.options.contracts import parse_contract
from signals_app.models import DIRECTION_LABELS
from signals_app.models import STATUS_LABELS as SIGNAL_LABELS
from strategies.catalogue import CATALOGUE
from strategies.models import StrategyRun
from trading.models.orders import SIDE_LABELS
from trading.models.orders import STATUS_LABELS as ORDER_LABELS

STATUS_CLASS = {
    **dict.fromkeys(("DONE", "EXECUTED", "FILLED", "COMPLETED", "REVIEWED", "ACTIVE", "NOTIFIED", "PLANNED", "ORDERED"), "good"),
    **dict.fromkeys(("PENDING", "VALIDATED", "EXECUTING", "RUNNING", "READY", "SENDING", "ACKED", "PARTIAL", "INTENT"), "busy"),
    **dict.fromkeys(("REJECTED", "FAILED", "DENIED", "REFUSED", "HALTED", "REAL"), "bad"),
    **dict.fromkeys(("UNKNOWN", "REDUCING"), "warn"),
}

STAGES = {
    "market_data": _("Market data"),
    "settlement": _("Settlement"),
    "positions": _("Positions and equity"),
    "strategies": _("Strategies"),
    "signals": _("Signals"),
    "risk": _("Risk checks"),
    "orders": _("Orders"),
    "hedge": _("Hedges"),
    "evaluation": _("Evaluation"),
    "improvements": _("Improvements"),
    "adaptation": _("Adaptation"),
}

REASONS = {
    "NO_DATA": _("There is no data for it yet."),
    "NO_EQUITY": _("The account has no equity."),
    "TOO_FEW": _("Too few observations."),
    "TOO_SHORT": _("Fewer than 60 sessions: too short for a yearly figure."),
    "NO_VARIATION": _("The returns do not vary."),
    "TOO_LARGE": _("Too large to be meaningful."),
    "GAP": _("The record has a gap."),
    "NOT_EVALUATED": _("No session has been evaluated yet."),
    "NO_TRADES": _("No trade has been closed yet."),
    "NO_LOSSES": _("Nothing has been lost yet."),
    "NO_WINS": _("No trade has won yet."),
}

VIOLATIONS = {
    "TRADING_STATE": _("Trading state of the account"),
    "NOT_TRADABLE": _("Not tradable"),
    "STALE_DATA": _("No bar of the session"),
    "DRAWDOWN_LIMIT": _("Drawdown limit"),
    "SIZE_TOO_SMALL": _("Size below one share"),
    "DAY_TRADES": _("Day trades in five sessions"),
    "SHORT_NOT_ALLOWED": _("Short selling not allowed"),
    "OPPOSITE_POSITION": _("Held the other way round"),
    "SINGLE_NAME": _("Limit of a single name"),
    "STRATEGY_SHARE": _("Share of the strategy"),
    "GROSS_EXPOSURE": _("Gross exposure"),
    "CASH": _("Free cash"),
    "RESTRICTED": _("Barred symbol"),
    "OPTIONS_LEVEL": _("Options not allowed"),
    "ORDER_NOTIONAL": _("Size of an order"),
    "SYMBOL_NOTIONAL": _("Amount in one symbol"),
    "SECTOR": _("Limit of a sector"),
    "CORRELATED_GROUP": _("Limit of names that move together"),
    "NET_EXPOSURE": _("Net exposure"),
    "UNSETTLED_CASH": _("Settled cash"),
    "INTRADAY_MARGIN": _("Intraday margin"),
    "DELTA": _("Delta"),
    "GAMMA": _("Gamma"),
    "VEGA": _("Vega"),
    "THETA": _("Theta"),
    "EXPECTED_SHORTFALL": _("Expected shortfall"),
    "STRESS": _("Loss under stress"),
    "MISSING_GREEK": _("A Greek is not known"),
    "NOT_ENOUGH_HISTORY": _("Too little history"),
    "NO_VALUATION": _("An option cannot be valued"),
    "RISK_BUDGET": _("Risk budget of the trade"),
    "VOLATILITY_TARGET": _("Volatility target"),
    "ADV": _("Share of average volume"),
    "TARGET_WEIGHT": _("Target weight"),
    "NO_DATA": _("No data to size it"),
    "NO_QUANTITY": _("Nothing to order"),
    "NOTHING_TO_CLOSE": _("Nothing to close"),
}

EVENTS = {
    "signal.created": _("New signal"),
    "signal.moved": _("Signal"),
    "order.created": _("New order"),
    "order.moved": _("Order"),
    "fill": _("Fill"),
    "position.opened": _("Position opened"),
    "position.closed": _("Position closed"),
    "loop.run": _("Loop"),
    "loop.stage": _("Stage"),
    "equity.snapshot": _("Equity"),
    "strategy.params": _("Parameters changed"),
    "strategy.toggled": _("Strategy switched"),
    "finding": _("Finding"),
    "adaptation": _("Adaptation"),
    "account.halted": _("Account halted"),
    "hedge.policy": _("Hedge changed"),
    "hedge.stopped": _("Hedge stopped"),
    "account.state": _("Trading state"),
    "account.armed": _("Armed for real orders"),
    "account.disarmed": _("Disarmed"),
    "alert.critical": _("Critical alert"),
}

# What the scripts show that no page has written for them.
SCRIPT_TEXTS = {
    "connected": _("live"),
    "connecting": _("connecting"),
    "offline": _("offline, trying again"),
    "account": _("Account"),
    "benchmark": _("Benchmark"),
    "excess": _("Excess"),
    "drawdown": _("Drawdown"),
    "equity": _("Equity"),
}


# How limit and value of a violation are written.
PERCENT_CODES = frozenset({"DRAWDOWN_LIMIT"})
WITHOUT_NUMBERS = frozenset({"TRADING_STATE", "SHORT_NOT_ALLOWED", "OPPOSITE_POSITION"})

EMPTY = (None, "", [], {})

FIELDS = {
    "symbols": _("symbols"),
    "without_bar": _("without a bar"),
    "sources": _("sources"),
    "fills": _("fills"),
    "activities": _("dividends and splits"),
    "protected": _("stops and targets placed"),
    "unprotected": _("stops and targets withdrawn"),
    "executed": _("executed"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "open": _("open"),
    "equity": _("equity"),
    "cash": _("cash"),
    "status": _("status"),
    "drafts": _("drafts"),
    "why": _("why"),
    "created": pgettext_lazy("count", "created"),
    "expired": _("expired"),
    "validated": _("passed"),
    "rejected": _("rejected"),
    "codes": _("reasons"),
    "signals": _("signals"),
    "orders": _("orders"),
    "pnl": _("P&L"),
    "cumulative_pnl": _("total P&L"),
    "strategies": _("strategies"),
    "findings": _("findings"),
    "skipped": _("skipped"),
    "changed": _("changed"),
    "weights": _("weights"),
    "candidates": _("candidates"),
    "policies": _("hedge policies"),
    "stopped": _("stopped"),
}

FINDINGS = {
    "LOSING_STRATEGY": _("Losing strategy"),
    "BEHIND_BENCHMARK": _("Behind the benchmark"),
    "REJECTIONS_DOMINATE": _("Rejections dominate"),
    "STOPS_TOO_OFTEN": _("Stopped out too often"),
    "SLIPPAGE_ABOVE_MODEL": _("Slippage above the model"),
    "SILENT_STRATEGY": _("Silent strategy"),
    "REJECTIONS_COST": _("Rejections cost money"),
    "GAINS_GIVEN_BACK": _("Gains given back"),
    "CORRELATED_STRATEGIES": _("Strategies that move together"),
}

ORDER_REASONS = {
    "REQUESTED": _("as requested"),
    "CANCEL_REQUESTED": _("cancel requested"),
    "SIGNAL_CANCELLED": _("the signal was cancelled"),
    "POSITION_CLOSES": _("the position is being closed"),
    "OTHER_LEG_FAILED": _("the other leg failed"),
    "NOT_SENT_IN_TIME": _("not sent in time"),
    "SENDER_DIED": _("the sender died"),
    "NOT_WANTED": _("no longer wanted"),
    "SESSION_ENDED": _("the session ended"),
    "OCA": _("the other order of the pair was filled"),
    "NOTHING_TO_REDUCE": _("nothing left to reduce"),
    "OPPOSITE_HOLDING": _("held the other way round"),
    "SPLIT": _("adjusted for a split"),
    "SPLIT_TO_NOTHING": _("a split left less than a share"),
    "CONTRACT_ENDED": _("the option has ended"),
    "BY_HAND": _("by hand"),
    "CONFIRMED": _("confirmed"),
    "AWAITS": _("waits for a confirmation"),
    "CHANGE_REQUESTED": _("change requested"),
    "CHANGE_WANTED": _("change wanted"),
    "CHANGE_SENT": _("change sent"),
    "CHANGE_REFUSED": _("change refused"),
    "SETTLEMENT_PROPOSED": _("outcome proposed"),
    "ADOPTED": _("taken over from the broker"),
}

# The codes of what the gate before the market, the broker or a backtest refuses.
REFUSALS = {
    "HALTED": _("Account halted"),
    "REDUCING": _("Reducing only"),
    "MODE": _("Another mode than the broker's"),
    "QUANTITY": _("No whole quantity"),
    "BAD_QUANTITY": _("No whole quantity"),
    "TOO_MANY_CLAIMS": _("Sent too often"),
    "NO_ACCOUNT": _("No such account at the broker"),
    "UNKNOWN_SYMBOL": _("Unknown symbol"),
    "ORDER_TYPE": _("Type of order not possible"),
    "BAD_PRICE": _("Limit or stop missing"),
    "NO_PRICE": _("No price"),
    "NO_BAR": _("No bar to trade on"),
    "BUYING_POWER": _("Buying power"),
    "BAD_LEGS": _("Legs that do not trade as one"),
    "UNKNOWN_ORDER": _("Outcome of an order unknown"),
    "AWAITS_CONFIRMATION": _("Waits for a confirmation"),
    "NOT_ARMED": _("Not armed"),
    "NOT_RECONCILED": _("Not compared with the broker"),
    "MARKET_CLOSED": _("Market closed"),
    "SYMBOL_HALTED": _("Symbol halted"),
    "RUNAWAY": _("Too many orders a minute"),
    "NO_MARKET_DATA": _("No market data"),
    "NO_QUOTE": _("No quote"),
    "STALE_QUOTE": _("Old quote"),
    "PRICE": _("No price"),
    "PRICE_COLLAR": _("Price collar"),
    "LOT": _("No whole lot"),
    "TICK": _("No whole tick"),
    "DUPLICATE": _("Equal order"),
    "SELF_CROSS": _("Would trade with an order of one's own"),
    "ORDER_RATE": _("Orders a minute"),
    "REFUSAL_RATE": _("Refusals a minute"),
    "CLOCK_SKEW": _("Clocks differ"),
    "DAILY_LOSS": _("Daily loss limit"),
}


def status_labels() -> dict[str, str]:
    """Labels of every status a signal, an order or a run can have."""
    runs = {**dict(StrategyRun.Status.choices), **dict(LoopRun.Status.choices), **dict(LoopStage.Status.choices)}
    labels = {**dict(Account.State.choices), **runs, **ORDER_LABELS, **SIGNAL_LABELS, **DIRECTION_LABELS, **SIDE_LABELS}
    return {str(key): str(label) for key, label in labels.items()}


def code_labels() -> dict[str, str]:
    """Labels of what events name by a code or key: violations, findings, exits and strategies."""
    names = {key: gettext(name) for key, name in strategy_names().items()}
    return names | {key: str(label) for key, label in {**VIOLATIONS, **FINDINGS, **EXITS}.items()}


def stage(name: str) -> str:
    return str(STAGES.get(name, name))


def reason(code: str) -> str:
    """Why a number is missing."""
    return str(REASONS.get(code, gettext(code) if code else _("Undefined")))


def field(name: str) -> str:
    """The label of a detail's key: a word of ours, a code, or a strategy's key."""
    known = FIELDS.get(name) or VIOLATIONS.get(name) or strategy_names().get(name)
    return gettext(str(known)) if known else str(name).replace("_", " ")


@cache
def strategy_names() -> dict[str, str]:
    """The English name of each strategy by its key."""
    return {entry.key: entry.name for entry in CATALOGUE}


def say(text: str) -> str:
    """Stored English in the reader's language where it is known."""
    return phrases.translated(text, _in_slot)


def say_each(text: str) -> str:
    """The same of several sentences that "; " joins, where all of them are known."""
    parts = text.split("; ")
    return "; ".join(map(say, parts)) if len(parts) > 1 and all(map(phrases.template_of, parts)) else say(text)


def _in_slot(slot: str, text: str) -> str:
    """What stands in a slot of a stored sentence. Only these hold a key or a code: a symbol may be spelt like one."""
    if slot == "why":  # a sentence within a sentence
        return say_each(text)
    known = {
        "scope": strategy_names().get(text),
        "error": VIOLATIONS.get(text),
        "market": _markets().get(text.casefold()),
        "mode": MODES.get(text),
        "other_mode": MODES.get(text),
        "side": SIDE_LABELS.get(text),
        "state": dict(Account.State.choices).get(text),
        "status": ORDER_LABELS.get(text),
        "limits": _limit_names(text),
    }.get(slot) or desk_words.in_slot(slot, text)
    return gettext(str(known)) if known else text


def _limit_names(text: str) -> str | None:
    """Columns of an account's limits, separated by commas, by their labels."""
    labels = {name: Account._meta.get_field(name).verbose_name for name in LIMIT_FIELDS}
    names = text.split(", ")
    return ", ".join(str(labels[name]) for name in names) if labels.keys() >= set(names) else None


@cache
def _markets() -> dict[str, str]:
    """Markets by their names without case: a sentence that begins with one has changed it."""
    return {name.casefold(): name for name in MARKETS}


def instrument(symbol: str) -> str:
    """SPY 2019-03-15 280 put for an option's symbol, any other as it is."""
    contract = parse_contract(symbol)
    if contract is None:
        return symbol
    right = pgettext("option", "call") if contract.right == "C" else pgettext("option", "put")
    return f"{contract.underlying} {contract.expiry} {contract.strike.normalize():f} {right}"


def violation_name(code: str) -> str:
    """The label of a risk check, or of what ended an order."""
    return str(VIOLATIONS.get(code) or REFUSALS.get(code) or ORDER_REASONS.get(code) or status_labels().get(code) or code)


def violation(error: dict) -> dict:
    """A failed check as {label, value, limit, message}; numbers are shares as per cent or as they are."""
    code = error.get("code", "")
    return {
        "code": code,
        "label": violation_name(code),
        "value": _number(error.get("value"), code),
        "limit": _number(error.get("limit"), code),
        "message": say(error.get("message", "")),
    }


def violations(errors: list[dict]) -> list[dict]:
    """Failed checks, each code once: the size a limit leaves and the limit itself are two checks of one matter."""
    said: dict[str, dict] = {}
    for error in errors:
        said[error.get("code", "")] = violation(error) | _too_small(error)
    return list(said.values())


def _too_small(error: dict) -> dict:
    """A limit of one share is not a number to compare with: it says that the other limits leave nothing."""
    left = error.get("value")
    if error.get("limit") == 1 and isinstance(left, int | float) and left < 1:
        return {"value": str(_("less than one share left")), "limit": ""}
    return {}


def _number(value, code: str) -> str:
    if value is None or value == "" or code in WITHOUT_NUMBERS:
        return ""
    if isinstance(value, float):
        return f"{100 * value:,.2f}%" if code in PERCENT_CODES else f"{value:,.2f}" if abs(value) >= 100 else plain(round(value, 2))
    return plain(value)


def facts(detail: dict | None) -> list[tuple[str, str]]:
    """A record's detail as labelled texts, one level deep; empty values are left out."""
    return [(field(name), plain(value)) for name, value in (detail or {}).items() if value not in EMPTY]


def plain(value) -> str:
    """A JSON value as a person writes it."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, float | Decimal):
        return f"{value:,.6f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return " · ".join(f"{field(name)} {plain(item)}" for name, item in value.items() if item not in EMPTY)
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return _as_number(str(value)) or _word(str(value))


def _word(text: str) -> str:
    """A code as its label, else a stored sentence in the reader's language."""
    known = status_labels().get(text) or VIOLATIONS.get(text) or FINDINGS.get(text) or ORDER_REASONS.get(text) or REFUSALS.get(text)
    return str(known) if known else say(text)


def _as_number(text: str) -> str:
    """Decimals are stored as text in JSON; empty when it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return ""
    return f"{number:,f}" if number.is_finite() and "." in text else ""


MODES = {"DRY_RUN": _("Simulated"), "REAL": _("Real money")}
EXITS = {
    "EXIT": _("Strategy exit"),
    "REDUCE": _("Reduction"),
    "STOP": _("Stop"),
    "TARGET": _("Target"),
    "EXPIRY": _("Expiry"),
    "ASSIGNMENT": _("Assignment"),
    "SPLIT": _("Split"),
    "TIME": _("Time limit"),
    "STOP_1PCT": _("Stop, sized at one per cent of equity"),
    "TARGET_1PCT": _("Target, sized at one per cent of equity"),
    "TIME_1PCT": _("Time limit, sized at one per cent of equity"),
}


def mode(code: str) -> str:
    return str(MODES.get(code, code))


def order_type(code: str) -> str:
    return str(ORDER_TYPES.get(code, code))


def exit_reason(code: str) -> str:
    return str(EXITS.get(code, code)) or "—"


def finding_title(code: str) -> str:
    return str(FINDINGS.get(code, code))


def run_summary(stages: dict[str, dict]) -> str:
    """Signals, orders and fills of a run, as far as its stages report them; "—" for a quiet day."""
    found = stages.get("risk") or {}
    words = [
        ngettext("%d signal created", "%d signals created", created) % created
        if (created := (stages.get("signals") or {}).get("created"))
        else "",
        gettext("%d passed") % found["validated"] if found.get("validated") else "",
        gettext("%d rejected") % found["rejected"] if found.get("rejected") else "",
    ]
    return " · ".join(word for word in words if word) or "—"


def order_reason(text: str) -> str:
    """Why an order is as it is: a code of ours, "CODE: sentence" of a refusal of ours, or the broker's words."""
    code, colon, sentence = text.partition(": ")
    coded = colon and code.isupper() and phrases.template_of(sentence)
    return say(sentence) if coded else str(ORDER_REASONS.get(text) or say_each(text))
