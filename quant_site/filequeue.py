"""The embedded queue: kombu's file-system transport, with messages that appear whole and are taken by one rename.

kombu's own writes a message where readers already look, so a reader can take it half written; takes it by moving it to
the system's temporary folder, which on another file system is a copy that two workers can both make; and locks its
table of queues only after it has emptied it, so two programs that start together can trip over each other.
"""

import fcntl
import os
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

TRANSPORT_ALIASES["filequeue"] = "quant_site.filequeue:Transport"


class Channel(filesystem.Channel):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder, self.processed_folder):
            Path(folder).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _table_lock(self):
        with open(Path(self.control_folder) / ".lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def get_table(self, exchange):
        with self._table_lock():
            return super().get_table(exchange)

    def _queue_bind(self, *args):
        with self._table_lock():
            super()._queue_bind(*args)

    def _put(self, queue, payload, **kwargs):
        # Sorted names are the order of arrival; the wall clock keeps it across a reboot.
        name = f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        draft = Path(self.data_folder_out) / f".{name}.draft"
        draft.write_text(dumps(payload))
        os.replace(draft, Path(self.data_folder_out) / name)

    def _get(self, queue):
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = Path(self.processed_folder) / name
            try:
                os.rename(Path(self.data_folder_in) / name, taken)
            except FileNotFoundError:  # another worker was faster
                continue
            payload = taken.read_text()
            taken.unlink()
            return loads(payload)
        raise Empty


class Transport(filesystem.Transport):
    Channel = Channel
