"""`manage.py sweep_orders`: send what is unsent and resolve what dead senders left, every two seconds."""

import signal
import threading

from django.core.management.base import BaseCommand

from trading.control.senders import boot_register, sender_start
from trading.order_path.doorbell import Doorbell
from trading.order_path.sweeper import INTERVAL, sweep, sweep_forever

ROLE = "sweeper"


class Command(BaseCommand):
    help = "Send unsent orders and resolve orders whose sender died, until stopped."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="One round, then end.")
        parser.add_argument("--interval", type=float, default=INTERVAL, help="Seconds between rounds (default %(default)s).")

    def handle(self, *args, once: bool, interval: float, **options):
        if once:
            boot_register(ROLE)
            for account, result in sweep().items():
                self.stdout.write(f"{account}: {result}")
            return
        stop, bell = threading.Event(), Doorbell()

        def end(*_) -> None:
            stop.set()
            bell.ring()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        if sender_start(ROLE, stopped=stop.is_set) is None:
            return
        self.stdout.write(f"Sweeping orders every {interval:g} seconds.")
        bell.open()
        try:
            sweep_forever(interval=interval, stopped=stop.is_set, wait=bell.wait)
        finally:
            bell.close()
