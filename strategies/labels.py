"""Names of parameters and of their units as a person reads them."""

from django.utils.translation import gettext, gettext_noop, pgettext_lazy

# The names of parameters as a person reads them, for the catalogue of translations.
LABELS = (
    gettext_noop("add n"),
    gettext_noop("adx limit"),
    gettext_noop("adx window"),
    gettext_noop("atr window"),
    gettext_noop("entry window"),
    gettext_noop("fast"),
    gettext_noop("fast entry"),
    gettext_noop("fast exit"),
    gettext_noop("formation months"),
    gettext_noop("max holding"),
    gettext_noop("max units"),
    gettext_noop("n window"),
    gettext_noop("open sigma"),
    gettext_noop("pairs"),
    gettext_noop("short"),
    gettext_noop("skip after winner"),
    gettext_noop("slow"),
    gettext_noop("slow entry"),
    gettext_noop("slow exit"),
    gettext_noop("stop atr"),
    gettext_noop("stop n"),
    gettext_noop("trading months"),
    gettext_noop("weight"),
    gettext_noop("width"),
    gettext_noop("window"),
)
# Context keeps them apart from the same words elsewhere.
UNITS = {
    "sessions": pgettext_lazy("unit", "sessions"),
    "share": pgettext_lazy("unit", "share"),
}


def parameter_label(name: str) -> str:
    return gettext(name.replace("_", " "))


def unit_label(unit: str) -> str:
    return str(UNITS.get(unit, unit))
