"""A worker runs the loop, and the loop sends orders: it registers as a sender before it takes its first task."""

from celery.signals import worker_init
from django.db import connections

from trading.control.senders import sender_start


@worker_init.connect
def register_worker(**_) -> None:
    sender_start("worker")
    connections.close_all()  # the processes that are forked next have their own
