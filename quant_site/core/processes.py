"""What a process must do to die with the one that started it.

Run as a script, `processes.py PARENT COMMAND…` becomes COMMAND, bound to the process PARENT that started it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, even by kill -9. Linux only; elsewhere it does nothing.

    The kernel watches the *thread* that forked, so start children from a thread that lives as long as its process.
    """
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel had been told
        os._exit(1)


def main(parent: str, *command: str) -> None:
    die_with_parent(int(parent))  # the kernel remembers it across exec
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
