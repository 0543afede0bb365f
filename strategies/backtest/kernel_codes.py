"""Why an entry came to nothing, as numbers for compiled code; the words are those of the checks, in this order."""

from strategies.sizing import CAPS

CODES = (*CAPS, "NO_DATA", "DRAWDOWN_LIMIT", "DAY_TRADES", "SHORT_NOT_ALLOWED", "BUYING_POWER", "NO_BAR", "SPLIT_TO_NOTHING")
RISK_BUDGET, SINGLE_NAME, STRATEGY_SHARE, GROSS_EXPOSURE, ADV, CASH, VOLATILITY_TARGET = range(len(CAPS))
NO_DATA, DRAWDOWN_LIMIT, DAY_TRADES, SHORT_NOT_ALLOWED, BUYING_POWER, NO_BAR, SPLIT_TO_NOTHING = range(len(CAPS), len(CODES))
PASSED = -1
