"""Addresses: pages, admin, REST and its description. Under /api/ errors are JSON too."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from analytics import api as analytics
from quant_site import api as site
from quant_site import health
from quant_site.core import endpoints as core
from signals_app import api as signals
from strategies import api as strategies
from trading import api as trading

api_v1 = [
    path("auth/token", core.TokenView.as_view()),
    path("auth/refresh", core.RefreshView.as_view()),
    path("auth/logout", core.LogoutView.as_view()),
    path("accounts/", core.AccountsView.as_view()),
    path("accounts/<str:account_id>/", core.AccountView.as_view()),
    path("strategies/", strategies.StrategiesView.as_view()),
    path("strategies/<int:pk>/", strategies.StrategyView.as_view()),
    path("strategies/<int:pk>/params", strategies.StrategyParamsView.as_view()),
    path("strategies/<int:pk>/versions", strategies.StrategyVersionsView.as_view()),
    path("strategies/<int:pk>/toggle", strategies.StrategyToggleView.as_view()),
    path("strategies/<int:pk>/run", site.StrategyRunNowView.as_view()),
    path("strategies/<int:pk>/backtest", strategies.StrategyBacktestView.as_view()),
    path("strategies/<int:pk>/performance", analytics.StrategyPerformanceView.as_view()),
    path("strategies/<int:pk>/signals", signals.StrategySignalsView.as_view()),
    path("signals/", signals.SignalsView.as_view()),
    path("signals/<int:pk>/", signals.SignalView.as_view()),
    path("signals/<int:pk>/cancel", site.SignalCancelView.as_view()),
    path("orders/", trading.OrdersView.as_view()),
    path("orders/<int:pk>/", trading.OrderView.as_view()),
    path("positions/", trading.PositionsView.as_view()),
    path("positions/<int:pk>/", trading.PositionView.as_view()),
    path("equity/curve", analytics.EquityCurveView.as_view()),
    path("journal/", trading.JournalView.as_view()),
    path("loop/run", site.LoopRunNowView.as_view()),
    path("loop/runs/", core.LoopRunsView.as_view()),
    path("loop/runs/<int:pk>/", core.LoopRunView.as_view()),
    path("monitoring/health", health.MonitoringHealthView.as_view()),
]

urlpatterns = [
    path("health", health.health, name="health"),
    path("admin/", admin.site.urls),
    path("api/v1/", include((api_v1, "api-v1"))),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("", include("analytics.urls")),
]

handler400 = "quant_site.core.api.bad_request"
handler403 = "quant_site.core.api.permission_denied"
handler404 = "quant_site.core.api.page_not_found"
handler500 = "quant_site.core.api.server_error"
