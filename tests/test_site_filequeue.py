"""The embedded queue: whole messages, each taken once.

Each test has queues of its own: kombu remembers for the whole process which ones are declared.
"""

import threading
from collections import Counter
from queue import Empty

import pytest
from kombu import Connection

import quant_site.filequeue  # noqa: F401 (registers the scheme)


@pytest.fixture
def connect(tmp_path):
    opened = []

    def connection():
        options = {
            "data_folder_in": str(tmp_path / "messages"),
            "data_folder_out": str(tmp_path / "messages"),
            "control_folder": str(tmp_path / "control"),
            "processed_folder": str(tmp_path / "taken"),
        }
        one = Connection("filequeue://", transport_options=options)
        opened.append(one)
        return one

    yield connection
    for one in opened:
        one.release()


def test_messages_come_out_in_the_order_they_went_in_and_leave_nothing_behind(connect, tmp_path):
    queue = connect().SimpleQueue("jobs", no_ack=True)
    for n in range(20):
        queue.put({"n": n})
    assert [queue.get(timeout=5).payload["n"] for n in range(20)] == list(range(20))
    with pytest.raises(Empty):
        queue.get(block=False)
    assert list((tmp_path / "messages").iterdir()) == list((tmp_path / "taken").iterdir()) == []


def test_queues_do_not_take_each_others_messages(connect):
    connection = connect()
    mine, other = connection.SimpleQueue("mine", no_ack=True), connection.SimpleQueue("other.mine", no_ack=True)
    other.put({"for": "other"})
    with pytest.raises(Empty):
        mine.get(block=False)
    assert other.get(timeout=5).payload == {"for": "other"}


def test_a_message_is_taken_by_one_of_many_readers_and_never_half_written(connect):
    taken, stop = [], threading.Event()

    def read():
        queue = connect().SimpleQueue("contended", no_ack=True)
        while not stop.is_set():
            try:
                taken.append(queue.get(block=False).payload["n"])
            except Empty:
                continue

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    writer = connect().SimpleQueue("contended")
    for n in range(200):
        writer.put({"n": n, "padding": "x" * 20_000})
    deadline = threading.Event()
    for _ in range(200):
        if len(taken) == 200:
            break
        deadline.wait(0.05)
    stop.set()
    for reader in readers:
        reader.join(5)
    assert Counter(taken) == Counter(range(200))
