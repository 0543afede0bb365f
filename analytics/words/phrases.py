"""Sentences that the pure modules store in English, as templates, so that a page can say them in the reader's language.

A stored sentence is recognised by its template, its numbers are kept, and the translated template is filled with them.
What matches none is shown as it was stored.
"""

import re
from collections.abc import Callable
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from analytics.words import (
    phrases_adaptation,
    phrases_control,
    phrases_intents,
    phrases_journal,
    phrases_orders,
    phrases_risk,
    phrases_strategies,
    phrases_tickets,
)

# More specific templates first: the first that matches the whole sentence is taken.
SENTENCES = (
    *phrases_strategies.SENTENCES,
    *phrases_risk.SENTENCES,
    *phrases_tickets.SENTENCES,
    *phrases_intents.SENTENCES,
    *phrases_orders.SENTENCES,
    *phrases_control.SENTENCES,
    *phrases_adaptation.SENTENCES,
    *phrases_journal.SENTENCES,
    _("No bars of {groups}: open, and their exits cannot be decided."),
    _("The published defaults."),
    _("Switched off by hand."),
    # evaluation
    _("{scope} made {effect} % of cost a trade over {n} trades (interval {low} to {high} %)."),
    _("The account made {effect} basis points a session against {benchmark} over {n} sessions (interval {low} to {high})."),
    _("{rejected} of {n} entries of {scope} were rejected for {error} ({effect} %, interval {low} to {high} %)."),
    _("{scope} was stopped out of {effect} % of {n} positions (interval {low} to {high} %); what the others make pays for {bearable} %."),
    _("Entries of {scope} cost {effect} basis points of slippage over {n} fills (interval {low} to {high}); {modelled} are modelled."),
    _("{scope} proposed nothing in {n} sessions; it abstained in {abstained} of them."),
    _("{missed} entries of {scope} that were not filled would have made {effect} dollars each (interval {low} to {high}, {n} days)."),
    _("{scope} would have made {effect} R more a trade over {n} trades by taking gains at {gain} R (interval {low} to {high})."),
    _("{scope} and {other} move together: their daily returns correlate by {effect} over {n} sessions (interval {low} to {high})."),
    _("Review the strategy's premise and costs, lower its weight, or switch it off."),
    _("Compare exposure and costs with holding the benchmark."),
    _("Bring the limit and the strategy's sizes or number of trades into line."),
    _("Test a wider stop or stricter entries as a challenger."),
    _("Raise the modelled slippage, trade smaller, or enter with limits."),
    _("Check its data and parameters, or switch it off."),
    _("See what refuses most of them, and whether that is worth its price."),
    _("Test a profit target or a trailing stop as a challenger."),
    _("Give the two the weight of one, or switch one of them off."),
    # weights
    _("This run keeps its weights."),
    _("Weights and parameters move at the end of a week."),
    _("Weights need two or more strategies with {sessions} sessions of returns: there are {n}."),
    _("Kept: the weights would move by less than {limit}."),
    _("Weight {before} to {after} by the record of {n} sessions."),
)

_slot = re.compile(r"\{(\w+)\}")


@cache
def _patterns() -> tuple[tuple[re.Pattern, str], ...]:
    """Each template with slots as the pattern of its sentences."""
    return tuple((re.compile(_expression(template)), template) for template in SENTENCES if _slot.search(template))


def _expression(template: str) -> str:
    literal_and_name = _slot.split(template)
    return "".join(f"(?P<{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(literal_and_name))


def template_of(sentence: str) -> str | None:
    """The one of `SENTENCES` that `sentence` is or follows."""
    if sentence in SENTENCES:
        return sentence
    found = _matched(sentence)
    return found and found[0]


def translated(sentence: str, in_slot: Callable[[str, str], str]) -> str:
    """`sentence` in the reader's language; `in_slot` says the text that stands in a slot, by the slot's name.

    A fixed sentence is looked up in the catalogue, whoever marked it for translation.
    """
    whole = gettext(sentence) if sentence else ""
    found = None if whole != sentence else _matched(sentence)
    if found is None:
        return whole
    template, slots = found
    return gettext(template).format(**{name: in_slot(name, text) for name, text in slots.items()})


def _matched(sentence: str) -> tuple[str, dict[str, str]] | None:
    """The template of `sentence` and what stands in its slots."""
    matches = ((pattern.fullmatch(sentence), template) for pattern, template in _patterns())
    return next(((template, found.groupdict()) for found, template in matches if found), None)
