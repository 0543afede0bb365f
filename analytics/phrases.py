"""Sentences that the pure modules store in English, as templates, so that a page can say them in the reader's language.

A stored sentence is recognised by its template, its numbers are kept, and the translated template is filled with them.
What matches none is shown as it was stored.
"""

import re
from collections.abc import Callable
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from analytics import phrases_strategies

# More specific templates first: the first that matches the whole sentence is taken.
SENTENCES = (
    *phrases_strategies.SENTENCES,
    # strategies: why a signal
    _("First close outside the upper band: {z} standard deviations from the mean, ADX {adx}."),
    _("First close outside the lower band: {z} standard deviations from the mean, ADX {adx}."),
    _("The close is back at the middle band."),
    _("Held for {n} sessions without reaching the middle band."),
    _("Normalised prices have parted by {z} formation standard deviations."),
    _("One leg of the pair is gone: the other is no hedge."),
    _("The trading period of the pair has ended."),
    _("The normalised prices have crossed."),
    _("System {system}: a close above the high of the {window} sessions before."),
    _("System {system}: a close below the low of the {window} sessions before."),
    _("System {system}: a close beyond the low of its exit channel."),
    _("System {system}: a close beyond the high of its exit channel."),
    _("Unit {unit}: {move} N in favour since the last entry."),
    _("The {fast}-session average crossed above the {slow}-session average today."),
    _("The {fast}-session average crossed above the {slow}-session average 1 session ago."),
    _("The {fast}-session average crossed above the {slow}-session average {n} sessions ago."),
    _("The fast average is below the slow one."),
    # strategies: why none
    _(
        "Needs {sessions} sessions of history of {symbols} symbol by {day}; {ready} of {all} have them. "
        "Import earlier bars: manage.py import_bars PATH."
    ),
    _(
        "Needs {sessions} sessions of history of {symbols} symbols by {day}; {ready} of {all} have them. "
        "Import earlier bars: manage.py import_bars PATH."
    ),
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
    _("Review the strategy's premise and costs, lower its weight, or switch it off."),
    _("Compare exposure and costs with holding the benchmark."),
    _("Bring the limit and the strategy's sizes or number of trades into line."),
    _("Test a wider stop or stricter entries as a challenger."),
    _("Raise the modelled slippage, trade smaller, or enter with limits."),
    _("Check its data and parameters, or switch it off."),
    # weights
    _("Weights move at the end of a week."),
    _("Weights need two or more strategies with {sessions} sessions of returns: there are {n}."),
    _("Kept: the weights would move by less than {limit}."),
    _("Weight {before} to {after} by the record of {n} sessions."),
    # risk and orders
    _("HALTED: The account is halted: nothing is sent."),
    _("REDUCING: The account only reduces: no new positions."),
    _("The trade is being closed already."),
    _("Nothing of the trade is open."),
    # parameters
    _("Share of the account's risk budget this strategy may use."),
    _("Sessions of the mean and the standard deviation."),
    _("Standard deviations from the mean to each band."),
    _("Sessions of the ADX trend filter."),
    _("No entry where ADX is at or above this: the market trends."),
    _("Sessions of the average true range the stop is measured in."),
    _("Distance from the deciding close to the stop, in average true ranges."),
    _("Sessions after which a trade is closed whatever its result."),
    _("Also sell closes above the upper band short."),
    _("Months in which pairs are formed."),
    _("Months in which they are traded; periods begin in January."),
    _("Pairs of least distance that may be traded."),
    _("Divergence, in formation standard deviations, at which a pair is opened."),
    _("Sessions from the beginning of a divergence in which it may still be opened."),
    _("Sessions of system 1's entry channel."),
    _("Sessions of system 2's entry channel."),
    _("Sessions of system 1's exit channel."),
    _("Sessions of system 2's exit channel."),
    _("Sessions of N, the average true range."),
    _("Distance from the last entry to the stop, in N."),
    _("Move in favour after which a unit is added, in N."),
    _("Units of one trade."),
    _("System 1 skips a breakout when the one before it would have won."),
    _("Also sell downward breakouts short."),
    _("Sessions of the fast average."),
    _("Sessions of the slow average."),
    _("Sessions from the cross in which it may still be bought; 1: on its day only."),
)

_slot = re.compile(r"\{(\w+)\}")


@cache
def _patterns() -> tuple[tuple[re.Pattern, str], ...]:
    """Each template with slots as the pattern of its sentences."""
    return tuple((re.compile(_expression(template)), template) for template in SENTENCES if _slot.search(template))


def _expression(template: str) -> str:
    literal_and_name = _slot.split(template)
    return "".join(f"(?P<{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(literal_and_name))


def translated(sentence: str, word: Callable[[str], str] = str) -> str:
    """`sentence` in the reader's language; `word` says what stands in a slot (a strategy's key, a code)."""
    if not sentence or sentence in SENTENCES:
        return gettext(sentence) if sentence else ""
    for pattern, template in _patterns():
        if found := pattern.fullmatch(sentence):
            return gettext(template).format(**{name: word(text) for name, text in found.groupdict().items()})
    return gettext(sentence)
