"""`manage.py watch_prices`: watch prices for alerts and for plans that execute by themselves."""

import signal
import threading

from django.core.management.base import BaseCommand

from trading.intents.alert_engine import INTERVAL, AlertEngine, watch_forever


class Command(BaseCommand):
    help = "Watch prices for alerts and for plans that execute by themselves, until stopped."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="One round, then end.")
        parser.add_argument("--interval", type=float, default=INTERVAL, help="Seconds between rounds (default %(default)s).")

    def handle(self, *args, once: bool, interval: float, **options):
        if once:
            self.stdout.write(f"{AlertEngine().step()} alerts and plans went off.")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write(f"Watching prices every {interval:g} seconds.")
        watch_forever(interval=interval, stopped=stop.is_set)
