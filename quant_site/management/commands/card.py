"""`manage.py card`: what a strategy is by its source, and whether its code agrees."""

import json

from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import QuantError
from strategies.cards import Card, card_of
from strategies.registry import REGISTRY


class Command(BaseCommand):
    help = "Print the conformance card of a strategy: source, defaults, needs, departures, known answers. Fails where one does not hold."

    def add_arguments(self, parser):
        parser.add_argument("strategy", nargs="?", help="Key of the strategy, e.g. golden_cross; all of them where none is given.")
        parser.add_argument("--json", dest="as_json", action="store_true", help="Print one JSON object a strategy.")

    def handle(self, *, strategy, as_json, **options):
        try:
            cards = [card_of(key) for key in ([strategy] if strategy else REGISTRY)]
        except QuantError as error:
            raise CommandError(error.message) from error
        for card in cards:
            self.stdout.write(json.dumps(card.as_dict(), sort_keys=True) if as_json else "\n".join(lines(card)) + "\n")
        failed = [card.key for card in cards if not card.conforms]
        if failed:
            raise CommandError(f"Known answers are missing or do not hold: {', '.join(failed)}.")


def lines(card: Card) -> list[str]:
    return [
        f"{card.name} ({card.key}), {card.category}",
        f"  {card.description}",
        f"  Source: {card.source}",
        f"  Needs: {card.warm_up} sessions of {card.symbols} symbols" + (f" of {', '.join(card.among)}" if card.among else ""),
        *(f"    {text}" for text in card.requires),
        *(["  Departures:"] if card.departures else []),
        *(f"    {text}" for text in card.departures),
        "  Parameters:",
        *(f"    {row.name} = {row.default} {row.unit}  [{row.bounds}]  {row.description}" for row in card.parameters),
        "  Known answers:",
        *(f"    {'ok' if each.holds else 'WRONG'}  {each.case}: {each.expected} expected, {each.computed}" for each in card.known_answers),
    ]
