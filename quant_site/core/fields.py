"""Model fields with the precisions of `core.types`, and choices made from its enumerations.

SQLite keeps a Decimal as a double: exact to 15 digits, so amounts below 10^12 keep their cents and prices below
10^8 their six decimals. Sums are made in Python all the same.
"""

from django.db import models


class MoneyField(models.DecimalField):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **(kwargs | {"max_digits": 20, "decimal_places": 2}))


class PriceField(models.DecimalField):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **(kwargs | {"max_digits": 20, "decimal_places": 6}))


class QuantityField(PriceField):
    pass


class RatioField(models.DecimalField):
    """A return, weight or share: six decimals, ten digits."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **(kwargs | {"max_digits": 10, "decimal_places": 6}))


class ScoreField(models.DecimalField):
    """A score or statistic: four decimals, ten digits."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **(kwargs | {"max_digits": 10, "decimal_places": 4}))


def choices(enumeration, labels=None) -> list[tuple[str, object]]:
    """Django choices for a StrEnum; `labels` maps members to translated labels."""
    return [(member.value, (labels or {}).get(member, member.value)) for member in enumeration]
