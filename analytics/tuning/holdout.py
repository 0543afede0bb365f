"""Sessions that nobody who searches can see, to be looked at once."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from quant_site.core.errors import NotAllowed

Answer = TypeVar("Answer")


class Holdout:
    """Returns that are not even computed before `confirm` asks for them, which it does once.

    Whatever reads them otherwise raises `NotAllowed`: a search that has seen its holdout has none.
    """

    def __init__(self, compute: Callable[[], np.ndarray]):
        self._compute: Callable[[], np.ndarray] | None = compute

    def confirm(self, judge: Callable[[np.ndarray], Answer]) -> Answer:
        """What `judge` makes of the returns. Raises `NotAllowed` the second time."""
        compute, self._compute = self._compute, None
        if compute is None:
            raise NotAllowed("holdout_spent", "This holdout was looked at before: wait for new sessions.")
        return judge(compute())

    def _sealed(self, *_args, **_named):
        raise NotAllowed("holdout_sealed", "A holdout cannot be read: ask it to confirm one candidate, once.")

    __array__ = __getitem__ = __iter__ = __len__ = __float__ = _sealed
