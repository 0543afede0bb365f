"""What risk checks, orders, brokers and the market of options write, as templates; see `phrases`."""

from django.utils.translation import gettext_noop as _

# Risk checks.
CHECKS = (
    _("The account is {state}."),
    _("{symbol} is not a tradable instrument."),
    _("{symbol} has no bar of {day}."),
    _("{symbol} has no quote at the close of {day}."),
    _("The account is at its drawdown limit: only closing orders pass."),
    _("What this limit leaves is too small a trade in {symbol}."),
    _("Too many day trades in the last five sessions."),
    _("This account may not sell {symbol} short."),
    _("{symbol} is already held the other way round."),
    _("{name} would exceed the limit of one name."),
    _("The strategy would exceed its share of the account."),
    _("Gross exposure would exceed its limit."),
    _("There is not enough free cash."),
)

# The way from a signal to the market.
ORDERS = (
    _("{order} became {status}."),
    _("There is nothing to order in a signal without legs."),
    _("There is nothing to order in {symbols}."),
    _("The trade is being closed already."),
    _("Nothing of the trade is open."),
    _("A share of {portion} of the trade is less than one unit."),
    _("The account is halted: nothing is sent."),
    _("The account only reduces: no new positions."),
    _("The order is made for {mode}, the broker works in {other_mode}."),
    _("{quantity} are held or ordered on the other side."),
    _("The order was claimed {count} times and never arrived."),
)

# Refusals of the paper broker.
REFUSALS = (
    _("There is no paper account {account}."),
    _("{symbol} is not known here."),
    _("{symbol} cannot be traded."),
    _("{symbol} does not trade after {day}."),
    _("Several different options, in whole numbers of each, trade as one here; shares trade one by one."),
    _("Options trade by market orders here."),
    _("{quantity} is not a whole, positive number."),
    _("A limit order needs a limit above zero, a stop order a stop above zero."),
    _("{symbol} has not traded yet."),
    _("{symbol} has no quote."),
    _("{quantity} {symbol} are held: an opening {side} would turn through zero."),
    _("{gross} would be held or ordered; {power} is allowed."),
)

# What prices of options rest on.
OPTIONS = (
    _("No market made these prices: the implied volatilities follow a fit to two calm days and are an assumption on every other."),
    _("A rate of {rate} a year, three-month bills."),
    _("A rate of {rate} a year, the factor file's daily rate."),
    _("A rate of 0: none is known (import TBILL_3M or RF)."),
    _("A dividend yield of {dividend} a year, from the last 52 weeks."),
    _("The volatility is {sessions} sessions old."),
)

SENTENCES = (*CHECKS, *ORDERS, *REFUSALS, *OPTIONS)
