"""What a provider of market data is: something that hands out raw rows per symbol and names where they come from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

# Wraps a list of steps to show how far we are; the second argument names the steps.
Progress = Callable[[list, str], Iterable]


def silent(steps: list, _label: str) -> Iterable:
    """Progress that shows nothing."""
    return steps


@dataclass(frozen=True)
class RawBars:
    """Rows of one symbol as the source gives them, columns named by `imports.columns_clean`, unchecked.

    `source` is shown wherever these bars are; `origin` is the very file. `kind` (an `Instrument.Kind`) and `name` are
    empty where the source does not know. `synthetic` marks what no market made.
    """

    symbol: str
    frame: pd.DataFrame
    source: str
    origin: str
    kind: str = ""
    name: str = ""
    synthetic: bool = False


class BarProvider(Protocol):
    """Reads bars; stores nothing. Raises `InvalidInput` or `DataMissing` where it cannot."""

    def bars(self, progress: Progress = silent) -> Iterator[RawBars]:
        """Every symbol the provider has, in a fixed order."""
