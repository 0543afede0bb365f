"""The pages of the site, the cards they refresh, signing in and the choice of language."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from analytics import control_pages, pages

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
    path("trading-state/", control_pages.trading_state, name="trading-state"),
    path("trading-state/badge/", control_pages.badge, name="trading-state-badge"),
    path("trading-state/set/", control_pages.state_set, name="trading-state-set"),
    path("trading-state/arm/", control_pages.arm, name="account-arm"),
    path("trading-state/disarm/", control_pages.disarm, name="account-disarm"),
]
