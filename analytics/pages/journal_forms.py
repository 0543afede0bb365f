"""Forms of the journal: what a person writes into an entry, and the file of trades made elsewhere."""

from django import forms
from django.utils.translation import gettext_lazy as _

from analytics.pages.page_forms import ServiceForm, choice_field
from trading.models import TradeJournal

# Tags a person ticks; others come with the API or a file, and are kept.
MISTAKES = {
    "sell_fly": _("Sold too soon"),
    "chase_high": _("Chased the price"),
    "no_plan": _("Without a plan"),
    "stop_moved": _("Moved the stop"),
    "no_stop": _("Held through the stop"),
    "oversized": _("Too large"),
    "revenge": _("Out of anger"),
    "overtrading": _("Traded too much"),
}
QUALITIES = {5: _("5 · as planned"), 4: "4", 3: "3", 2: "2", 1: _("1 · poor")}


class JournalForm(ServiceForm):
    """What journal_complete and journal_review take."""

    execution_quality = choice_field(_("Execution"), QUALITIES, required=False, empty="—")
    emotion_state = choice_field(_("Emotion"), dict(TradeJournal.Emotion.choices), required=False, empty="—")
    mistake_tags = forms.MultipleChoiceField(label=_("Mistakes"), required=False, widget=forms.CheckboxSelectMultiple)
    lesson_learned = forms.CharField(label=_("Lesson"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, data=None, *, entry: TradeJournal):
        stored = {name: getattr(entry, name) for name in self.base_fields}
        super().__init__(data, initial=stored, auto_id="journal_%s")
        others = [tag for tag in entry.mistake_tags if tag not in MISTAKES]
        self.fields["mistake_tags"].choices = [*MISTAKES.items(), *((tag, tag) for tag in others)]

    def words(self) -> dict:
        """What a valid form says."""
        values = self.cleaned_data
        quality = values["execution_quality"]
        return values | {"execution_quality": int(quality) if quality else None}


class JournalFileForm(ServiceForm):
    """A file is looked at before it is imported, unless the box is ticked."""

    file = forms.FileField(label=_("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))
    write = forms.BooleanField(label=_("Import it; else only say what would be"), required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, auto_id="file_%s", **kwargs)

    def refuse(self, error) -> None:
        error.details.setdefault("field", "file")
        super().refuse(error)
