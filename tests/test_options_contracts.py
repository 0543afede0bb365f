"""An option's symbol names its contract, and the contract can be read back from it, in either century."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.market.options.contracts import OptionContract, multiplier_of, parse_contract

contracts = st.builds(
    OptionContract,
    st.from_regex(r"[A-Z]{1,6}", fullmatch=True),
    st.dates(date(1970, 1, 1), date(2069, 12, 31)),
    st.sampled_from(["C", "P"]),
    st.integers(1, 10**8 - 1).map(lambda thousandths: Decimal(thousandths) / 1000),
)


@given(contracts)
def test_a_contract_is_read_back_from_its_symbol(contract):
    assert parse_contract(contract.symbol) == contract
    assert multiplier_of(contract.symbol) == 100
    assert len(contract.symbol) <= 32


@pytest.mark.parametrize(
    ("symbol", "expiry"),
    [("SPY960816P00065000", date(1996, 8, 16)), ("SPY000121P00140000", date(2000, 1, 21)), ("SPY190315C00280000", date(2019, 3, 15))],
)
def test_a_two_digit_year_is_of_the_century_in_which_options_were_listed(symbol, expiry):
    assert parse_contract(symbol).expiry == expiry


@pytest.mark.parametrize("expiry", [date(1969, 12, 31), date(2070, 1, 1), date(2096, 8, 16)])
def test_an_expiry_whose_year_would_stand_for_another_has_no_symbol(expiry):
    with pytest.raises(InvalidInput, match="no expiry"):
        _ = OptionContract("SPY", expiry, "P", Decimal(65)).symbol


@pytest.mark.parametrize("symbol", ["SPY", "BRK.B", "AAPL/MSFT", "SPY190231C00280000", "SPY191315C00280000", "spy190315C00280000", ""])
def test_what_is_no_option_is_read_as_none(symbol):
    assert parse_contract(symbol) is None
    assert multiplier_of(symbol) == 1
