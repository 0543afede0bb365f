/* The report's chart: the curve beside its benchmark, drawdown and rolling Sharpe ratio in panes below. Null is a gap. */
(() => {
  const place = document.getElementById("report-chart");
  const legend = document.getElementById("report-legend");
  if (!place || !window.LightweightCharts) return;
  const { createChart, LineSeries, AreaSeries } = window.LightweightCharts;
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const figure = (value, places, unit = "") => (value == null ? "—" : `${value < 0 ? "−" : ""}${Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places })}${unit}`);
  const format = (places, unit) => ({ type: "custom", minMove: 0.01, formatter: (value) => figure(value, places, unit) });

  const chart = createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11, panes: { enableResize: false } },
    localization: { locale: document.documentElement.lang.startsWith("zh") ? "zh-CN" : "en-US", dateFormat: "yyyy-MM-dd" },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.08 } },
    timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true, minBarSpacing: 0.01, lockVisibleTimeRangeOnResize: true },
    handleScroll: { vertTouchDrag: false, mouseWheel: false },
    handleScale: { mouseWheel: false },
  });
  const quiet = { priceLineVisible: false, lastValueVisible: false };
  const lines = [
    { name: "own", kind: LineSeries, pane: 0, places: 2, unit: "", tone: "--accent", key: "key key-account", width: 2 },
    { name: "benchmark", kind: LineSeries, pane: 0, places: 2, unit: "", tone: "--benchmark", key: "key key-benchmark", width: 1.5 },
    { name: "drawdown", kind: AreaSeries, pane: 1, places: 2, unit: "%", tone: "--drawdown", key: "key key-drawdown", width: 1 },
    { name: "sharpe", kind: LineSeries, pane: 2, places: 2, unit: "", tone: "--accent", key: "", width: 1.5 },
  ].filter((line) => data[line.name]);
  lines.forEach((line) => {
    const area = line.kind === AreaSeries ? { invertFilledArea: true } : {};
    line.series = chart.addSeries(line.kind, { ...quiet, ...area, lineWidth: line.width, priceFormat: format(line.pane ? 1 : 0, line.unit) }, line.pane);
    line.series.setData(data.sessions.map((time, i) => (data[line.name][i] == null ? { time } : { time, value: data[line.name][i] })));
  });
  const level = { lineWidth: 1, lineStyle: 2, axisLabelVisible: false, color: "rgba(128,128,128,.55)" };
  lines[0].series.createPriceLine({ ...level, price: data.benchmark ? 100 : 0 });
  lines[lines.length - 1].series.createPriceLine({ ...level, price: 0 });
  chart.panes().forEach((pane, i) => pane.setStretchFactor(i ? 1 : 3));

  function paint() {
    const line = colour("--line");
    chart.applyOptions({
      layout: { background: { type: "solid", color: "transparent" }, textColor: colour("--muted"), panes: { separatorColor: line, separatorHoverColor: line } },
      grid: { vertLines: { color: "transparent" }, horzLines: { color: colour("--hairline") } },
      crosshair: { vertLine: { color: colour("--muted"), labelBackgroundColor: colour("--accent-strong") }, horzLine: { color: colour("--muted"), labelBackgroundColor: colour("--accent-strong") } },
    });
    lines.forEach((each) => {
      const fill = colour("--drawdown-fill");
      each.series.applyOptions(each.kind === AreaSeries ? { lineColor: colour(each.tone), topColor: fill, bottomColor: fill } : { color: colour(each.tone) });
    });
  }

  function item(kind, label, value) {
    const span = document.createElement("span");
    const name = document.createElement("small");
    const number = document.createElement("b");
    span.className = kind;
    number.className = "num";
    name.textContent = label;
    number.textContent = value;
    span.append(name, " ", number);
    return span;
  }

  function describe(at) {
    legend.replaceChildren(
      item("when", "", data.sessions[at]),
      ...lines.map((line) => item(line.key, data.words[line.name], figure(data[line.name][at], line.places, line.unit))),
    );
  }

  const latest = data.sessions.length - 1;
  chart.subscribeCrosshairMove((move) => {
    const at = move.time === undefined ? -1 : data.sessions.indexOf(move.time);
    describe(at < 0 ? latest : at);
  });
  document.addEventListener("quant:appearance", paint);
  chart.timeScale().fitContent();
  paint();
  describe(latest);
})();
