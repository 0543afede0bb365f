/* Draws the equity of backtests: every .backtest-result that has not been drawn yet, also those that arrive later. */
(() => {
  if (!window.LightweightCharts) return;
  const { createChart, LineSeries } = window.LightweightCharts;
  const tones = { current: "--bt-current", proposed: "--bt-proposed", benchmark: "--bt-benchmark" };
  const charts = [];

  const money = (value) => (value == null ? "—" : value.toLocaleString("en-US", { maximumFractionDigits: 0 }));
  const colour = (place, name) => getComputedStyle(place).getPropertyValue(name).trim();

  function words(result) {
    const given = (result.closest(".backtest") || document).querySelector(".backtest-words");
    return given ? JSON.parse(given.textContent) : {};
  }

  function legendItem(line, label, value) {
    const item = document.createElement("span");
    const key = document.createElement("i");
    key.style.background = line.tone;
    item.append(key, `${label} `);
    const number = document.createElement("b");
    number.className = "num";
    number.textContent = money(value);
    item.append(number);
    return item;
  }

  function draw(result) {
    result.dataset.drawn = "yes";
    const place = result.querySelector(".backtest-chart");
    const legend = result.querySelector(".backtest-legend");
    const data = JSON.parse(result.querySelector('script[type="application/json"]').textContent);
    const labels = words(result);
    const chart = createChart(place, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11, background: { type: "solid", color: "transparent" } },
      localization: { locale: document.documentElement.lang.startsWith("zh") ? "zh-CN" : "en-US", dateFormat: "yyyy-MM-dd", priceFormatter: money },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true, minBarSpacing: 0.01 },
      handleScroll: { vertTouchDrag: false, mouseWheel: false },
      handleScale: { mouseWheel: false },
    });
    const lines = data.lines.map((line) => {
      const series = chart.addSeries(LineSeries, { priceLineVisible: false, lastValueVisible: false, lineWidth: line.name === "benchmark" ? 1 : 2 });
      series.setData(line.days.map((day, i) => ({ time: day, value: line.values[i] })));
      return { ...line, series };
    });
    const tell = (at) => legend.replaceChildren(...lines.map((line) => {
      const label = line.name === "benchmark" && data.benchmark_symbol ? data.benchmark_symbol : labels[line.name] || line.name;
      return legendItem(line, label, at ? at.get(line.series)?.value : line.values[line.values.length - 1]);
    }));
    const paint = () => {
      lines.forEach((line) => {
        line.tone = colour(place, tones[line.name] || "--bt-current");
        line.series.applyOptions({ color: line.tone });
      });
      chart.applyOptions({ layout: { textColor: colour(place, "--bt-ink") }, grid: { vertLines: { visible: false }, horzLines: { color: "rgba(128,128,128,.18)" } } });
      tell(null);
    };
    chart.subscribeCrosshairMove((move) => tell(move.time === undefined ? null : move.seriesData));
    chart.timeScale().fitContent();
    paint();
    charts.push(paint);
  }

  const drawAll = () => document.querySelectorAll(".backtest-result:not([data-drawn])").forEach(draw);
  document.addEventListener("quant:appearance", () => charts.forEach((paint) => paint()));
  document.addEventListener("backtest:arrived", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("DOMContentLoaded", drawAll);
  new MutationObserver(() => charts.forEach((paint) => paint())).observe(document.documentElement, { attributeFilter: ["class"] });
  drawAll();
})();
