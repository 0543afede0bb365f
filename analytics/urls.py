"""The pages of the site, the cards they refresh, signing in and the choice of language."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from analytics.pages import adaptation_pages, control_pages, desk_pages, intent_pages, journal_pages, report_pages
from analytics.pages import site as pages

urlpatterns = [
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", pages.dashboard_page, name="dashboard"),
    path("cards/<slug:name>/", pages.card, name="card"),
    path("strategies/", pages.strategies, name="strategies"),
    path("strategies/<slug:key>/", pages.strategy, name="strategy"),
    path("strategies/<slug:key>/backtest/", pages.strategy_backtest, name="strategy-backtest"),
    path("loop/", pages.loop, name="loop"),
    path("loop/<int:pk>/", pages.loop_run, name="loop-run"),
    path("trades/", pages.trades, name="trades"),
    path("trades/journal/export/", journal_pages.export, name="journal-export"),
    path("trades/journal/import/", journal_pages.file, name="journal-import"),
    path("trades/journal/<int:pk>/complete/", journal_pages.complete, name="journal-complete"),
    path("trades/journal/<int:pk>/review/", journal_pages.review, name="journal-review"),
    path("risk/", desk_pages.risk, name="risk"),
    path("risk/ticket/", desk_pages.ticket, name="ticket"),
    path("risk/orders/<int:pk>/confirm/", desk_pages.confirm, name="order-confirm"),
    path("risk/orders/<int:pk>/settle/", desk_pages.settle, name="order-settle"),
    path("risk/orders/<int:pk>/cancel/", desk_pages.cancel, name="order-cancel"),
    path("risk/orders/<int:pk>/change/", desk_pages.change, name="order-change"),
    path("risk/halts/<int:pk>/clear/", desk_pages.clear, name="halt-clear"),
    path("plans/", intent_pages.plans, name="plans"),
    path("plans/new/", intent_pages.plan_new, name="plan-new"),
    path("plans/<int:pk>/change/", intent_pages.plan_change, name="plan-change"),
    path("plans/<int:pk>/execute/", intent_pages.plan_order, name="plan-execute"),
    path("plans/<int:pk>/cancel/", intent_pages.plan_back, name="plan-cancel"),
    path("plans/<int:pk>/delete/", intent_pages.plan_remove, name="plan-delete"),
    path("plans/alerts/new/", intent_pages.alert_new, name="alert-new"),
    path("plans/alerts/<int:pk>/switch/", intent_pages.alert_switch, name="alert-switch"),
    path("plans/alerts/<int:pk>/delete/", intent_pages.alert_remove, name="alert-delete"),
    path("adaptation/", adaptation_pages.adaptation, name="adaptation"),
    path("adaptation/<int:pk>/revert/", adaptation_pages.revert, name="adaptation-revert"),
    path("adaptation/challengers/<int:pk>/veto/", adaptation_pages.veto, name="challenger-veto"),
    path("adaptation/pins/set/", adaptation_pages.pin, name="pin-set"),
    path("adaptation/pins/remove/", adaptation_pages.unpin, name="pin-remove"),
    path("report/", report_pages.report, name="report"),
    path("report/download/", report_pages.report_download, name="report-download"),
    path("trading-state/", control_pages.trading_state, name="trading-state"),
    path("trading-state/badge/", control_pages.badge, name="trading-state-badge"),
    path("trading-state/set/", control_pages.state_set, name="trading-state-set"),
    path("trading-state/arm/", control_pages.arm, name="account-arm"),
    path("trading-state/disarm/", control_pages.disarm, name="account-disarm"),
]
