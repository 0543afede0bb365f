/* The equity chart: return of account and benchmark since the range's start, and drawdown in a pane below.
   Data comes from the JSON of the card "equity": growth of 100 by session; null is a gap. */
(() => {
  const place = document.getElementById("equity-chart");
  const legend = document.getElementById("equity-legend");
  if (!place || !window.LightweightCharts) return;
  const { createChart, LineSeries, AreaSeries, LineType } = window.LightweightCharts;
  const words = JSON.parse(document.getElementById("words").textContent).text;

  const read = () => JSON.parse(document.getElementById("equity-data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const sign = (value) => (value < 0 ? "−" : value > 0 ? "+" : "");
  const percent = (value) => (value == null ? "—" : `${sign(Number(value.toFixed(2)))}${Math.abs(value).toFixed(2)}%`);
  const money = (value) => value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const axis = { type: "custom", formatter: (value) => `${sign(value)}${Math.abs(value).toFixed(1)}%`, minMove: 0.01 };
  const monthNames = document.documentElement.lang.startsWith("zh") ? "zh-CN" : "en-US";

  let data = read();
  let range = "all";
  let shown = [];

  const chart = createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11, panes: { enableResize: false } },
    localization: { locale: monthNames, dateFormat: "yyyy-MM-dd" },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.08 } },
    timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true, minBarSpacing: 0.01, lockVisibleTimeRangeOnResize: true },
    crosshair: { mode: 1, vertLine: { labelVisible: true }, horzLine: { labelVisible: true } },
    handleScroll: { vertTouchDrag: false, mouseWheel: false },
    handleScale: { mouseWheel: false },
  });
  const quiet = { priceLineVisible: false, lastValueVisible: false, priceFormat: axis };
  const benchmark = chart.addSeries(LineSeries, { ...quiet, lineWidth: 1.5, crosshairMarkerRadius: 3 }, 0);
  const account = chart.addSeries(LineSeries, { ...quiet, lineWidth: 2, crosshairMarkerRadius: 4 }, 0);
  const drawdown = chart.addSeries(AreaSeries, { ...quiet, lineWidth: 1, lineType: LineType.Simple, invertFilledArea: true }, 1);
  account.createPriceLine({ price: 0, lineWidth: 1, lineStyle: 2, axisLabelVisible: false, color: "rgba(128,128,128,.55)" });
  const panes = chart.panes();
  panes[0].setStretchFactor(3);
  panes[1].setStretchFactor(1);

  function paint() {
    const line = colour("--line");
    chart.applyOptions({
      layout: { background: { type: "solid", color: "transparent" }, textColor: colour("--muted"), panes: { separatorColor: line, separatorHoverColor: line } },
      grid: { vertLines: { color: "transparent" }, horzLines: { color: colour("--hairline") } },
      crosshair: { vertLine: { color: colour("--muted"), labelBackgroundColor: colour("--accent-strong") }, horzLine: { color: colour("--muted"), labelBackgroundColor: colour("--accent-strong") } },
    });
    account.applyOptions({ color: colour("--accent") });
    benchmark.applyOptions({ color: colour("--benchmark") });
    drawdown.applyOptions({ lineColor: colour("--drawdown"), topColor: colour("--drawdown-fill"), bottomColor: colour("--drawdown-fill") });
  }

  /* Growth since the last defined level before the range: the range's first session shows its own return. */
  function rebased(levels, first) {
    let base = 100;
    for (let i = 0; i < first; i += 1) if (levels[i] != null) base = levels[i];
    return levels.slice(first).map((level) => (level == null ? null : (level / base - 1) * 100));
  }

  function draw() {
    const size = data.sessions.length;
    place.classList.toggle("bare", size === 0);
    const first = range === "all" ? 0 : Math.max(0, size - Number(range));
    const ours = rebased(data.account, first);
    const theirs = rebased(data.benchmark, first);
    shown = data.sessions.slice(first).map((session, i) => ({
      session, account: ours[i], benchmark: theirs[i], drawdown: data.drawdown[first + i], equity: data.equity[first + i],
    }));
    const points = (field) => shown.map((row) => (row[field] == null ? { time: row.session } : { time: row.session, value: row[field] }));
    account.setData(points("account"));
    benchmark.setData(points("benchmark"));
    drawdown.setData(points("drawdown"));
    chart.timeScale().fitContent();
    describe(shown[shown.length - 1]);
  }

  function item(kind, label, value) {
    const span = document.createElement("span");
    span.className = kind;
    const name = document.createElement("small");
    name.textContent = label;
    const number = document.createElement("b");
    number.className = "num";
    number.textContent = value;
    span.append(name, " ", number);
    return span;
  }

  function describe(row) {
    if (!row) { legend.replaceChildren(); return; }
    const excess = row.account == null || row.benchmark == null ? null : row.account - row.benchmark;
    legend.replaceChildren(
      item("when", "", row.session),
      item("key key-account", words.account, percent(row.account)),
      item("key key-benchmark", data.benchmark_symbol || words.benchmark, percent(row.benchmark)),
      item("", words.excess, percent(excess)),
      item("key key-drawdown", words.drawdown, percent(row.drawdown)),
      item("", words.equity, money(row.equity)),
    );
  }

  chart.subscribeCrosshairMove((move) => {
    const row = move.time === undefined ? null : shown.find((each) => each.session === move.time);
    describe(row || shown[shown.length - 1]);
  });
  document.querySelectorAll("[data-range]").forEach((button) => button.addEventListener("click", () => {
    range = button.dataset.range;
    document.querySelectorAll("[data-range]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    draw();
  }));
  document.addEventListener("quant:appearance", paint);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "card-equity") { data = read(); draw(); }
  });
  paint();
  draw();
})();
