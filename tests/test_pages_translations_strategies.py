"""Everything that a strategy declares, and every sentence that it or the code around it writes, is said in Chinese.

What the library can write is read off its source, every branch of it; then each strategy is run on a small market until it
has given all of its reasons, and on what it lacks until it has said all of that.
"""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from django.utils import translation

from analytics import optimizer
from analytics.adapting import lane_weights
from analytics.words import phrases, phrases_strategies, wording
from quant_site.market.options import quotes
from quant_site.market.providers.synthetic import WARNING
from quant_site.market.reference import Reference
from strategies import engine, labels, portfolio
from strategies.backtest import BacktestSettings, assumptions
from strategies.backtest.simulator import kind_of
from strategies.library import option_trades
from strategies.library.macro_hedge import COMMODITIES, SECTORS
from strategies.registry import REGISTRY
from strategies.risk import account_checks, exposure_checks, model_checks
from strategies.risk import orders as order_checks
from strategies.schema import parameter_rows
from tests.option_strategies_world import made_panel, traded, without
from tests.portfolio_world import simulated_weights, stock_panel
from tests.support_strategies import random_panel, simulated
from tests.written_sentences import written
from trading.brokers import paper
from trading.order_path import executor, gate

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What is spelt in Latin letters in Chinese too: commands, and names of data, products and people.
COMMAND = re.compile(r"(manage\.py )?import_\w+ (PATH|--kind ETF)")
NAMES = {"Delta", "Gamma", "Theta", "Vega", "Fama", "French", "Piotroski", "Hull", "Select", "Sector"}

keys = pytest.mark.parametrize("key", sorted(REGISTRY))


def said(text: str) -> str:
    """`text` in Chinese; fails where it is not, or where a word of English is left in it."""
    with translation.override("zh-hans"):
        chinese = wording.say(text)
    assert CHINESE.search(chinese), text
    assert set(re.findall(r"[A-Za-z][a-z]{2,}", COMMAND.sub("", chinese))) <= NAMES, chinese
    return chinese


def template_of(sentence: str) -> str:
    found = phrases.template_of(sentence)
    assert found is not None, sentence
    return found


# --- what a strategy declares


@keys
def test_every_text_that_a_strategy_declares_is_chinese(key):
    strategy = REGISTRY[key]
    assert strategy.requires
    assert strategy.departures
    cases = [answer.case for answer in strategy.known_answers()]
    helps = [row.description for row in parameter_rows(strategy)]
    for text in (strategy.name, strategy.description, *strategy.requires, *strategy.departures, *cases, *helps):
        said(text)


def test_every_unit_and_choice_of_a_parameter_has_its_chinese_name():
    rows = [row for strategy in REGISTRY.values() for row in parameter_rows(strategy)]
    assert {row.unit for row in rows} - {""} == set(labels.UNITS)
    words = {choice for row in rows for choice in row.choices if isinstance(choice, str) and not choice[0].isdigit()}
    # Two are names of indices.
    assert words - {"PPUT", "VXTH"} == set(labels.CHOICES)
    with translation.override("zh-hans"):
        assert [unit for unit in labels.UNITS if labels.unit_label(unit) == unit] == []
        assert [name for name in labels.LABELS if not CHINESE.search(labels.parameter_label(name))] == []
        assert [choice for choice in labels.CHOICES if not CHINESE.search(wording.plain(choice))] == []


def test_every_assumption_of_a_backtest_is_chinese():
    plain, adjusted = made_panel(60), stock_panel(sessions=60)
    contract = "SPY190418C00280000"
    found = set()
    for strategy in REGISTRY.values():
        for panel, traded_symbols, fills in ((plain, (contract,), 1), (adjusted, ("S00",), 0)):
            found |= set(assumptions.assumptions_of(strategy, panel, BacktestSettings(), traded_symbols, fills))
    everything = {value for name, value in vars(assumptions).items() if name.isupper() and isinstance(value, str)}
    assert found >= everything | {*assumptions.ALWAYS, WARNING}
    for text in found:
        said(text)


# --- what code can write

SOURCES = {sys.modules[type(strategy).__module__] for strategy in REGISTRY.values()}
SOURCES |= {engine, executor, gate, lane_weights, option_trades, optimizer, paper, portfolio, quotes}
SOURCES |= {account_checks, exposure_checks, model_checks, order_checks}
# Branches that never come together, and slots whose text is made elsewhere: the tests below run them.
RUN_BELOW = {
    "7 on 7; a chain of that day does as well (manage.py import_chain PATH).",
    "A rate of 7 a year, .",
    "A rate of 7 a year, 7.",
    "Among the 7 strongest sectors: 7.",
    "Needs 7 month-end closes of 7 by 7. Import its bars: manage.py import_bars PATH.",
    "Needs 7 sessions of history of 7 symbol by 7; 7 have them. Import earlier bars: manage.py import_bars PATH.",
    "Needs 7 sessions of history of 7 symbols by 7; 7 have them. Import earlier bars: manage.py import_bars PATH.",
    "Needs 7 stocks to rank by 7. There is 7.",
    "The 7-session average crossed above the 7-session average 7 session ago.",
}


@pytest.mark.parametrize("module", sorted(SOURCES, key=lambda module: module.__name__), ids=lambda module: module.__name__)
def test_whatever_sentence_the_code_can_write_is_known(module):
    sentences = written(module)
    assert sentences, "nothing was read, so nothing was shown"
    for sentence in sentences - RUN_BELOW:
        said(sentence)


def test_every_market_has_a_chinese_name():
    names = {name.casefold() for name in phrases_strategies.MARKETS}
    assert {name.casefold() for name in COMMODITIES.values()} == names
    for name in COMMODITIES.values():
        said(f"{name.capitalize()}: 1.0% above cash over 12 months, volatility 20% a year.")
    with translation.override("en"):
        assert wording.say("Wti crude: 1.0% above cash over 12 months, volatility 9% a year.").startswith("WTI crude: 1.0% above")


# --- what strategies do write

STOCKS = tuple(f"S{i}" for i in range(9))
SYMBOLS = (*SECTORS[:6], "SPY", "DBC", "GLD", "SLV", "USO", *STOCKS)
FEW = {"window": 63, "min_names": 5}
# Parameters short enough that everything happens on a small market: each strategy in the ways in which it can decide.
RUNS = {
    "bollinger_mean_reversion": [{"window": 8, "width": 1.2, "adx_window": 5, "adx_limit": 60, "atr_window": 5, "max_holding": 4}],
    "pairs_trading": [{"formation_months": 3, "trading_months": 1, "pairs": 4, "open_sigma": 1.0}],
    "breakout_momentum": [{"fast_entry": 6, "slow_entry": 12, "fast_exit": 3, "slow_exit": 6, "n_window": 6}],
    "golden_cross": [{"fast": 5, "slow": 20}],
    "fama_french_three_factor": [FEW | {"method": "CHARACTERISTICS"}, FEW | {"method": "ALPHA", "factor_lag": 21}],
    "momentum_quality": [{"min_names": 5, "lookback": 126}],
    "low_volatility": [{"window": 63, "share": 0.4}],
    "sector_rotation": [{}, {"ranking": "6M", "index_months": 5}],
    "cta_commodities": [{"lookback_months": 6}],
    "tail_hedge": [{}, {"form": "LADDER", "monetise_at": 1.5}],
    "iron_condor": [{}, {"days": 45, "exit_days": 21, "take_profit": 0.5}],
    "volatility_arbitrage": [{"delta_band": 0.3}],
}
OPTIONS = ("tail_hedge", "iron_condor", "volatility_arbitrage")
SINGLES = ("bollinger_mean_reversion", "pairs_trading", "breakout_momentum", "golden_cross")
# These need a broken pair, a dividend on an eve, and a straddle that nothing else has closed: their source is read above.
NOT_RUN = {
    "One leg of the pair is gone: the other is no hedge.",
    "A short call in the money has less time value than the dividend expected on the session after the next.",
    "{sessions} sessions or fewer to expiry.",
}


def reasons(key: str) -> set[str]:
    """The reasons of all drafts of a strategy over a small market, every one of them filled; of golden crosses also unfilled."""
    strategy, found = REGISTRY[key], []
    for given in RUNS[key]:
        params = strategy.Params(**given)
        if key in SINGLES:
            panels = [random_panel(seed) for seed in range(2)]
            found += [drafts for panel in panels for drafts in simulated(strategy, panel, params, 60, 299)]
            features = strategy.prepare(panels[0], params)
            found += [strategy.decide(panels[0], features, t, params, ()) for t in range(60, 300)]
        elif key in OPTIONS:
            found += traded(strategy, made_panel(stocks=12 if key == "volatility_arbitrage" else 0), params, 300, 519)[0]
        else:
            found += simulated_weights(strategy, portfolio_market(), params, 0, 479)[0]
    return {draft.reason for drafts in found for draft in drafts}


def portfolio_market():
    panel = stock_panel(0, SYMBOLS, 480, start="2009-10-01")
    kinds = tuple("STOCK" if symbol in STOCKS else "ETF" for symbol in SYMBOLS)
    return replace(panel, reference=replace(panel.reference, kinds=kinds))


def test_every_reason_that_strategies_give_is_said_with_its_numbers(market_dir):
    assert set(RUNS) == set(REGISTRY)
    templates = set()
    for key in RUNS:
        given = reasons(key)
        assert given, key
        for reason in given:
            numbers = re.findall(r"\d+(?:\.\d+)?", reason)
            assert sorted(re.findall(r"\d+(?:\.\d+)?", said(reason))) == sorted(numbers), reason
        templates |= {template_of(reason) for reason in given}
    assert set(phrases_strategies.REASONS) - templates == NOT_RUN


# --- what they lack

FUNDS = (*SECTORS[:3], "GLD", "SLV", "USO", *STOCKS)


def lacks():
    """What each strategy says of markets that it cannot decide on."""
    tiny = random_panel(0, sessions=5)
    for key, given in (("golden_cross", {}), ("pairs_trading", {}), ("sector_rotation", {}), ("cta_commodities", {"min_markets": 1})):
        strategy = REGISTRY[key]
        yield engine.missing(strategy.needs(strategy.Params(**given)), tiny, 4)
    stocks, options = stock_panel(0, FUNDS, 480, start="2009-10-01"), made_panel()
    unknown, calm = replace(stocks, reference=Reference()), without(options, "VIX")
    last = slice(-1, None)
    yield from (lack("fama_french_three_factor", unknown, method=method) for method in ("AUTO", "CHARACTERISTICS", "ALPHA"))
    yield lack("momentum_quality", unknown)
    yield lack("low_volatility", replace(stocks, volume=0 * stocks.volume))
    yield lack("sector_rotation", stocks)
    yield lack("sector_rotation", stocks, top=2)
    yield lack("cta_commodities", unknown)
    yield lack("cta_commodities", stocks, min_markets=5)
    yield lack("tail_hedge", calm)
    yield lack("tail_hedge", calm, by_vix=True)
    yield lack("tail_hedge", options, form="VXTH")
    yield lack("tail_hedge", tiny)
    yield lack("tail_hedge", without(without(options, "SPY", last), "SPX", last))
    yield lack("iron_condor", made_panel(200))
    yield lack("volatility_arbitrage", made_panel(200, stocks=3))
    yield lack("volatility_arbitrage", without_volatility(without(made_panel(stocks=2), "VIX")))


def lack(key: str, panel, **given) -> str:
    """What the strategy lacks at the last session of `panel`."""
    strategy, t = REGISTRY[key], len(panel.sessions) - 1
    params = strategy.Params(**given)
    return strategy.lack(panel, strategy.prepare(panel, params), t, params)


def without_volatility(panel):
    """Stocks only, whose implied volatilities are not known at the last session."""
    implied = panel.reference.implied_vol.copy()
    implied[:, -1] = np.nan
    torn = replace(panel, reference=replace(panel.reference, implied_vol=implied))
    return torn.select([symbol for symbol in panel.symbols if symbol != "SPY"])


def test_everything_that_strategies_lack_is_said_on_a_run_and_in_a_backtest(market_dir):
    found = set()
    for sentence in lacks():
        assert 0 < len(sentence) <= 255, "a run stores no more"
        for text in (sentence, kind_of(sentence)):
            said(text)
            found.add(template_of(text))
    assert set(phrases_strategies.ABSTENTIONS) - found == set()


def test_what_prices_of_options_rest_on_is_said(market_dir):
    panel = made_panel()
    for reference in (panel.reference, Reference(), Reference({"RF": np.full(520, 0.0001)})):
        chain = quotes.OptionMarket(replace(panel, reference=reference)).chain("SPY", 519)
        assert chain.assumptions
        for sentence in chain.assumptions:
            said(sentence)
