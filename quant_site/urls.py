"""Addresses: pages, admin, REST and its description. Under /api/ errors are JSON too."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from analytics.api import adaptation, journal
from analytics.api import performance as analytics
from analytics.api import report as api_report
from quant_site import api as site
from quant_site import health
from quant_site.core import endpoints as core
from quant_site.core import endpoints_control as core_control
from signals_app import api as signals
from strategies import api as strategies
from trading.api import alerts, books, control, exposure, hedges, orders, plans
from trading.api import records as trading

api_v1 = [
    path("auth/token", core.TokenView.as_view()),
    path("auth/refresh", core.RefreshView.as_view()),
    path("auth/logout", core.LogoutView.as_view()),
    path("auth/confirm", core_control.ConfirmView.as_view()),
    path("accounts/", core.AccountsView.as_view()),
    path("accounts/<str:account_id>/", core.AccountView.as_view()),
    path("accounts/<str:account_id>/limits", core_control.AccountLimitsView.as_view()),
    path("accounts/<str:account_id>/arm", control.AccountArmView.as_view()),
    path("accounts/<str:account_id>/disarm", control.AccountDisarmView.as_view()),
    path("reconciliations/", books.ReconciliationsView.as_view()),
    path("symbol-halts/", books.SymbolHaltsView.as_view()),
    path("symbol-halts/<int:pk>/clear", books.SymbolHaltClearView.as_view()),
    path("trading-state/", control.TradingStateView.as_view()),
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
    path("signals/<int:pk>/validate", site.SignalValidateView.as_view()),
    path("signals/execute", site.SignalsExecuteView.as_view()),
    path("orders/", orders.OrderDeskView.as_view()),
    path("orders/preview", orders.OrderPreviewView.as_view()),
    path("orders/<int:pk>/", trading.OrderView.as_view()),
    path("orders/<int:pk>/confirm", orders.OrderConfirmView.as_view()),
    path("orders/<int:pk>/cancel", orders.OrderCancelView.as_view()),
    path("orders/<int:pk>/change", orders.OrderChangeView.as_view()),
    path("orders/<int:pk>/settle", orders.OrderSettleView.as_view()),
    path("positions/", trading.PositionsView.as_view()),
    path("positions/assessment", exposure.PositionsAssessmentView.as_view()),
    path("positions/<int:pk>/", trading.PositionView.as_view()),
    path("options/exposure", exposure.OptionExposureView.as_view()),
    path("options/chain", exposure.OptionChainView.as_view()),
    path("hedges/", hedges.HedgesView.as_view()),
    path("hedges/<int:pk>/", hedges.HedgeView.as_view()),
    path("hedges/<int:pk>/records", hedges.HedgeRecordsView.as_view()),
    path("trading-plans/", plans.PlansView.as_view()),
    path("trading-plans/<int:pk>/", plans.PlanView.as_view()),
    path("trading-plans/<int:pk>/execute", plans.PlanExecuteView.as_view()),
    path("trading-plans/<int:pk>/cancel", plans.PlanCancelView.as_view()),
    path("alerts/", alerts.AlertsView.as_view()),
    path("alerts/<int:pk>/", alerts.AlertView.as_view()),
    path("alerts/<int:pk>/firings", alerts.AlertFiringsView.as_view()),
    path("adaptations/", adaptation.AdaptationsView.as_view()),
    path("adaptations/<int:pk>/revert/", adaptation.AdaptationRevertView.as_view()),
    path("challengers/", adaptation.ChallengersView.as_view()),
    path("challengers/<int:pk>/", adaptation.ChallengerView.as_view()),
    path("challengers/<int:pk>/veto/", adaptation.ChallengerVetoView.as_view()),
    path("trials/", adaptation.TrialsView.as_view()),
    path("pins/", adaptation.PinsView.as_view()),
    path("pins/<int:pk>/", adaptation.PinView.as_view()),
    path("equity/curve", analytics.EquityCurveView.as_view()),
    path("report/", api_report.ReportView.as_view()),
    path("journal/", trading.JournalView.as_view()),
    path("journal/behavior/", journal.BehaviourView.as_view()),
    path("journal/export/", journal.JournalExportView.as_view()),
    path("journal/import/", journal.JournalImportView.as_view()),
    path("journal/<int:pk>/complete/", journal.JournalCompleteView.as_view()),
    path("journal/<int:pk>/review/", journal.JournalReviewView.as_view()),
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
