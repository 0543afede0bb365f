"""The admin's sidebar: every table, grouped as the house is."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


def _item(title, icon: str, model: str) -> dict:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.is_superuser or request.user.has_perm(f"{app}.view_{name}"),
    }


def _group(title, *items: dict) -> dict:
    return {"title": title, "separator": True, "collapsible": True, "items": list(items)}


NAVIGATION = [
    {
        "title": "",
        "items": [
            {"title": _("Dashboard"), "icon": "monitoring", "link": reverse_lazy("dashboard"), "active": False},
            {"title": _("Trading state"), "icon": "emergency_home", "link": reverse_lazy("trading-state"), "active": False},
            {"title": _("API"), "icon": "api", "link": reverse_lazy("docs")},
        ],
    },
    _group(
        _("The loop"),
        _item(_("Accounts"), "account_balance", "core.account"),
        _item(_("Loop runs"), "all_inclusive", "core.looprun"),
        _item(_("Loop stages"), "checklist", "core.loopstage"),
    ),
    _group(
        _("Control"),
        _item(_("Senders"), "cell_tower", "trading.senderboot"),
        _item(_("Armings"), "lock_open", "trading.arming"),
        _item(_("Halted symbols"), "block", "trading.symbolhalt"),
        _item(_("Reconciliations"), "balance", "trading.reconciliation"),
        _item(_("Confirmations"), "password", "core.confirmation"),
    ),
    _group(
        _("Strategies"),
        _item(_("Strategies"), "psychology", "strategies.strategy"),
        _item(_("Parameter versions"), "tune", "strategies.parameterversion"),
        _item(_("Versions of accounts"), "manage_accounts", "strategies.accountstrategy"),
        _item(_("Strategy runs"), "play_circle", "strategies.strategyrun"),
        _item(_("Sweeps"), "grid_on", "strategies.sweeprun"),
        _item(_("Results of sweeps"), "table_rows", "strategies.sweepresult"),
    ),
    _group(
        _("Signals"),
        _item(_("Trading signals"), "bolt", "signals_app.tradingsignal"),
        _item(_("Signal outcomes"), "flag", "signals_app.signaloutcome"),
    ),
    _group(
        _("Trading"),
        _item(_("Orders"), "receipt_long", "trading.order"),
        _item(_("Order events"), "timeline", "trading.orderevent"),
        _item(_("Fills"), "handshake", "trading.fill"),
        _item(_("Positions"), "pie_chart", "trading.position"),
        _item(_("Cash"), "payments", "trading.cashentry"),
        _item(_("Equity"), "show_chart", "trading.equitysnapshot"),
        _item(_("Journal"), "menu_book", "trading.tradejournal"),
        _item(_("Plans"), "event_note", "trading.tradingplan"),
        _item(_("Price alerts"), "notifications", "trading.pricealert"),
        _item(_("Alert firings"), "notifications_active", "trading.alertfiring"),
        _item(_("Watched bars"), "visibility", "trading.watchedbar"),
        _item(_("Hedge policies"), "umbrella", "trading.hedgepolicy"),
        _item(_("Hedge records"), "water_drop", "trading.hedgerecord"),
    ),
    _group(
        _("Evaluation"),
        _item(_("Daily performance"), "leaderboard", "analytics.dailyperformance"),
        _item(_("Extreme signals"), "swap_vert", "analytics.extremesignal"),
        _item(_("Findings"), "lightbulb", "analytics.finding"),
        _item(_("Attributions"), "donut_small", "analytics.attribution"),
        _item(_("Missed outcomes"), "call_missed", "analytics.missedoutcome"),
        _item(_("Behaviour scores"), "self_improvement", "analytics.behaviourscore"),
        _item(_("AI evaluations"), "smart_toy", "advisor.aievaluation"),
        _item(_("Advice ledger"), "history_edu", "advisor.adviceledgerentry"),
    ),
    _group(
        _("Adaptation"),
        _item(_("Adaptations"), "model_training", "analytics.adaptation"),
        _item(_("Challengers"), "sports_martial_arts", "analytics.challenger"),
        _item(_("Shadow sessions"), "contrast", "analytics.shadowday"),
        _item(_("Trials"), "science", "analytics.trial"),
        _item(_("Uses of holdouts"), "lock_clock", "analytics.holdoutuse"),
        _item(_("Pins"), "push_pin", "analytics.pin"),
    ),
    _group(
        _("Market"),
        _item(_("Instruments"), "candlestick_chart", "market.instrument"),
        _item(_("Bar imports"), "upload_file", "market.barimport"),
        _item(_("Calls to vendors"), "speed", "market.callslot"),
    ),
    _group(
        _("Paper broker"),
        _item(_("Paper accounts"), "account_balance_wallet", "trading.paperaccount"),
        _item(_("Paper holdings"), "inventory_2", "trading.paperholding"),
        _item(_("Paper orders"), "receipt", "trading.paperorder"),
        _item(_("Paper fills"), "done_all", "trading.paperfill"),
        _item(_("Paper activities"), "event_repeat", "trading.paperactivity"),
        _item(_("Paper fences"), "fence", "trading.paperfence"),
    ),
    _group(
        _("Timetable"),
        _item(_("Jobs"), "schedule", "django_celery_beat.periodictask"),
        _item(_("Crontabs"), "calendar_month", "django_celery_beat.crontabschedule"),
        _item(_("Intervals"), "timer", "django_celery_beat.intervalschedule"),
        _item(_("Clocked times"), "alarm", "django_celery_beat.clockedschedule"),
        _item(_("Solar times"), "wb_sunny", "django_celery_beat.solarschedule"),
    ),
    _group(
        _("People and records"),
        _item(_("Users"), "person", "auth.user"),
        _item(_("Groups"), "groups", "auth.group"),
        _item(_("API logins"), "key", "core.apilogin"),
        _item(_("Idempotency keys"), "fingerprint", "core.idempotencykey"),
        _item(_("Audit log"), "policy", "core.auditlog"),
        _item(_("Events"), "rss_feed", "core.outboxevent"),
        _item(_("Edits in the admin"), "edit_note", "admin.logentry"),
    ),
]


def favicon(request) -> str:
    return static("img/mark.svg")


def navigation(request) -> list[dict]:
    """The groups with something in them that the user may see."""
    groups = ({**group, "items": [item for item in group["items"] if item.get("permission", _open)(request)]} for group in NAVIGATION)
    return [group for group in groups if group["items"]]


def _open(request) -> bool:
    return True


# Words of the admin's theme, which speaks no Chinese of its own: named here so that our catalogue has them.
THEME_WORDS = (
    gettext_noop("Add row"),
    gettext_noop("All applications"),
    gettext_noop("Apply Filters"),
    gettext_noop("Choose file to upload"),
    gettext_noop("Click to cancel"),
    gettext_noop("Click to download"),
    gettext_noop("Dark"),
    gettext_noop("Date"),
    gettext_noop("Date from"),
    gettext_noop("Date to"),
    gettext_noop("Expand row"),
    gettext_noop("False"),
    gettext_noop("Filters"),
    gettext_noop("From"),
    gettext_noop("General"),
    gettext_noop("Go back"),
    gettext_noop("Light"),
    gettext_noop("Loading more results..."),
    gettext_noop("More actions"),
    gettext_noop("Next"),
    gettext_noop("No data"),
    gettext_noop("No recent searches"),
    gettext_noop("No results found"),
    gettext_noop("No results matching your query"),
    gettext_noop("Previous"),
    gettext_noop("Recent searches"),
    gettext_noop("Reset filters"),
    gettext_noop("Return to site"),
    gettext_noop("Run"),
    gettext_noop("Search apps and models..."),
    gettext_noop("Select action"),
    gettext_noop("Select action to run"),
    gettext_noop("Select all rows"),
    gettext_noop("Select record"),
    gettext_noop("Select value"),
    gettext_noop("Submit"),
    gettext_noop("System"),
    gettext_noop("This page yielded into no results. Create a new item or reset your filters."),
    gettext_noop("To"),
    gettext_noop("Toggle password visibility"),
    gettext_noop("True"),
    gettext_noop("Type to search"),
    gettext_noop("Value"),
    gettext_noop("You have been successfully logged out from the administration"),
)
