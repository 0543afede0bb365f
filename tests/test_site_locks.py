"""A lock keeps the second one out, also in the same process, and is free again when its holder is done or dead."""

import os

import pytest
from django.db import connections

from quant_site.core.errors import Conflict
from quant_site.core.locks import exclusive

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_second_one_is_told_that_it_is_busy():
    with exclusive("desk"), pytest.raises(Conflict, match="Another process is working on desk"), exclusive("desk"):
        pass
    with exclusive("desk"):
        pass


def test_locks_of_different_names_do_not_meet():
    with exclusive("one"), exclusive("two"):
        for taken in ("one", "two"):
            with pytest.raises(Conflict), exclusive(taken):
                pass


def test_a_failure_within_gives_the_lock_back():
    with pytest.raises(ZeroDivisionError), exclusive("desk"):
        raise ZeroDivisionError
    with exclusive("desk"):
        pass


def test_the_lock_of_a_dead_process_is_free():
    connections.close_all()
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with exclusive("desk"):
            os.write(told, b"held")
            os.kill(os.getpid(), 9)
    assert os.read(ready, 4) == b"held"
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -9
    with exclusive("desk", timeout=5), pytest.raises(Conflict), exclusive("desk"):
        pass
