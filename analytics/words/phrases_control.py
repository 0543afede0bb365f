"""What the kill switch, arming and the guards write, as templates; see `phrases`."""

from django.utils.translation import gettext_noop as _

SENTENCES = (
    # what is refused
    _("That is not your password."),
    _("Too many wrong passwords; try again in {seconds} seconds."),
    _("Logins cannot be counted now, so none is let in; try again soon."),
    _("What you confirmed is not what is asked for; confirm it as it stands now."),
    _("You may look at account {account}, not trade on it."),
    _("All accounts can be halted or set to reduce together; let them trade again one by one."),
    _("{accounts} could not be set to {state}; send it again at once."),
    # what keeps an account from being armed
    _("Account {account} is made for {mode}; only accounts of mode REAL are armed."),
    _("The environment does not set REAL_TRADING."),
    _("Set these limits of the account first: {limits}."),
    _("Account {account} is halted; let it trade again first."),
    _("No process that sends orders gives a sign of life; start the sweeper and the worker."),
    _("The processes that send run different code or settings: {differing}. Restart them all."),
    _("Orders, fills and positions were not compared with the broker's since the last start: run manage.py reconcile."),
    _("The last comparison with the broker found {number} differences; clear them up and compare again."),
    # what the guards found
    _("The account lost {loss} since the last close; {limit} is its limit."),
    _("The account stands {depth} below its peak; {limit} is its limit."),
    _("{number} orders were sent within a minute; {limit} are allowed."),
    _("{number} orders were refused within a minute; {limit} are allowed."),
)
