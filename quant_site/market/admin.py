"""Admin of the market's rows. Instruments and imports are what an import found: nobody edits them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from quant_site.core.admin import RecordAdmin
from quant_site.market.models import BarImport, CallSlot, Instrument


@admin.register(Instrument)
class InstrumentAdmin(RecordAdmin):
    account_field = ""
    list_display = ("symbol", "name", "kind", "tradable", "first_session", "last_session", "bars", "source", "market_data")
    list_filter = (("kind", ChoicesDropdownFilter), "tradable", "synthetic", "source")
    search_fields = ("symbol", "name", "source")

    @display(description=_("from a market"), boolean=True)
    def market_data(self, instrument):
        return not instrument.synthetic


@admin.register(BarImport)
class BarImportAdmin(RecordAdmin):
    account_field = ""
    list_display = ("created_at", "kind", "symbol", "accepted", "rejected", "changed", "source")
    list_filter = (("created_at", RangeDateTimeFilter), ("kind", ChoicesDropdownFilter), "changed")
    search_fields = ("symbol", "source")
    date_hierarchy = "created_at"


@admin.register(CallSlot)
class CallSlotAdmin(RecordAdmin):
    account_field = ""
    list_display = ("gate", "slot", "used_at")
    list_filter = ("gate", ("used_at", RangeDateTimeFilter))
    search_fields = ("gate",)
