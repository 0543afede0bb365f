"""Run the optimiser in simulated worlds of which it is known whether there is anything to find."""

import json
import time

from django.core.management.base import BaseCommand

from analytics.tuning import campaign


class Command(BaseCommand):
    help = "Run the optimiser in simulated worlds: without any edge (null, skewed), with one (edge), or with one that turns (flip)."

    def add_arguments(self, parser):
        parser.add_argument("kind", choices=("null", "skewed", "edge", "flip"))
        parser.add_argument("--worlds", type=int, default=400)
        parser.add_argument("--years", type=int, default=5)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--workers", type=int, default=None, help="Processes; as many as there are processors by default.")

    def handle(self, *args, kind: str, worlds: int, years: int, seed: int, workers: int | None, **options):
        began = time.monotonic()
        common = {"seed": seed, "workers": workers}
        if kind in ("null", "skewed"):
            found = campaign.null(worlds, years, kind == "skewed", **common)
        elif kind == "edge":
            found = campaign.edge(worlds, years, **common)
        else:
            found = campaign.flip(worlds, **common)
        self.stdout.write(json.dumps(found | {"seed": seed, "seconds": round(time.monotonic() - began, 1)}, indent=1))
