"""Where compiled code is kept between processes: under a key that changes with everything it was made from.

Numba keeps a function's machine code for as long as the file that holds it stays as it is. What the function calls from
other files, and the constants it took from them, are inside that code too; so their digest becomes part of its key.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from numba.core.caching import FunctionCache


class SourceCache(FunctionCache):
    """Numba's own cache, with the digest of all sources in the key."""

    digest = ""

    def _index_key(self, sig, codegen):
        return (*super()._index_key(sig, codegen), self.digest)


def cached_with(*modules: ModuleType) -> Callable:
    """Decorates a compiled function that takes code or constants from `modules`, its own among them: its machine code is
    kept on disk as long as their sources and constants are these."""
    digest = hashlib.sha256()
    for module in modules:
        plain = {name: value for name, value in vars(module).items() if not name.startswith("__")}
        constants = {name: value for name, value in plain.items() if isinstance(value, int | float | str | tuple)}
        digest.update(Path(module.__file__).read_bytes() + repr(sorted(constants.items())).encode())

    def keep(dispatcher):
        cache = SourceCache(dispatcher.py_func)
        cache.digest = digest.hexdigest()
        dispatcher._cache = cache
        return dispatcher

    return keep
