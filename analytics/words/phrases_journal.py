"""What the journal's files and frozen plans refuse, as templates; see `phrases`."""

from django.utils.translation import gettext_noop as _

FILES = (
    _("The file has more than {most} bytes: import it in parts."),
    _("The file is not CSV in UTF-8: save it as such."),
    _("The first line names the columns: {columns}. Needed are {needed}, each at most once."),
    _("The file has more than {most} lines: import it in parts."),
    _("The line has more cells than the header."),
    _("The direction is LONG or SHORT, not {text}."),
    _("The {column} has more than {most} characters."),
    _("The execution_quality is a whole number from 1 to 5, not {text}."),
    _("The {column} is a date like 2024-03-28, not {text}."),
    _("The {column} {day} is still to come."),
    _("The {column} must be above zero."),
    _("The {column} is too large."),
    _("The trade was closed on {closed}, before it was opened on {opened}."),
)

ENTRIES = (_("A journal entry that is {journal_status} cannot become {target}."),)

PLANS = (
    _("The terms of plan {plan} are frozen since it was ordered: make another plan."),
    _("The frozen terms of plan {plan} are not those of their hash: the row was changed."),
    _("Plan {plan} has no frozen terms: it was not ordered."),
)

SENTENCES = (*FILES, *ENTRIES, *PLANS)
