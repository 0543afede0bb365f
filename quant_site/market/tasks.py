"""Background work of the market."""

import logging

from celery import shared_task

from quant_site.core.errors import DataMissing
from quant_site.market.analysis import technical_summary
from quant_site.market.selectors import universe_symbols

logger = logging.getLogger(__name__)


@shared_task
def refresh_technical_indicators() -> dict:
    """Compute the technical summary of every tradable symbol anew (hourly). A symbol whose bars cannot be read is
    named in the log and in `failed`; the others are refreshed all the same."""
    symbols, failed = universe_symbols(), {}
    for symbol in symbols:
        try:
            technical_summary(symbol, force_refresh=True)
        except DataMissing as error:
            logger.warning("No technical summary of %s: %s", symbol, error.message)
            failed[symbol] = error.message
    return {"refreshed": len(symbols) - len(failed), "failed": failed}
