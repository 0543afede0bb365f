/* The live feed: events the socket pushes become lines, and the cards they concern are read again.
   A dropped connection comes back by itself and asks for what it missed. */
(() => {
  const script = document.currentScript;
  const account = script.dataset.account;
  const list = document.getElementById("feed");
  const empty = document.getElementById("feed-empty");
  const state = document.getElementById("link-state");
  const words = JSON.parse(document.getElementById("words").textContent);
  const start = JSON.parse(document.getElementById("feed-data").textContent);

  const LINES = 60;
  const REFRESH_EVERY = 1500;
  const LONGEST_WAIT = 30000;
  let last = start.last || 0;
  let wait = 500;

  /* --- a line of the feed */
  const label = (code) => words.status[code] || words.stage[code] || words.code[code] || code || "";
  const number = (value, places) => (value == null || value === "" || Number.isNaN(Number(value)) ? "" : Number(value).toLocaleString("en-US", { maximumFractionDigits: places }));
  const signed = (value) => (value == null ? "" : `${value < 0 ? "−" : "+"}${number(Math.abs(value), 2)}`);
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });

  function when(event) {
    const parts = Object.fromEntries(clock.formatToParts(new Date(event.at)).map((part) => [part.type, part.value]));
    return `${parts.month}-${parts.day} ${parts.hour}:${parts.minute}`;
  }

  function sentence(type, payload) {
    const p = payload || {};
    const topic = type.split(".")[0];
    const said = [p.symbol || p.group, label(p.direction), label(p.legs ? "" : p.side), type === "position.closed" ? "" : number(p.quantity, 4)];
    if (p.price != null) said.push(`@ ${number(p.price, 4)}`);
    if (topic === "loop") said.unshift(p.session, label(p.stage));
    if (topic === "equity") said.push(p.session, number(p.total_equity, 2));
    if (["strategy", "adaptation", "finding"].includes(topic)) said.push(label(p.strategy || p.scope), label(p.code));
    if (topic === "adaptation") said.push(`${share(p.weight_before)} → ${share(p.weight_after)}`);
    said.push(label(p.to || p.status));
    if (type === "position.closed") said.push(label(p.exit_reason), signed(p.pnl));
    if (p.errors && p.errors.length) said.push(p.errors.map(label).join(", "));
    if (topic === "account" || topic === "alert") said.push(p.message || p.reason, p.by);
    if (p.error) said.push(p.error);
    return said.filter(Boolean).join(" ");
  }
  const share = (value) => (value == null ? "—" : `${(100 * Number(value)).toFixed(1)}%`);

  function line(event, fresh) {
    const row = document.createElement("li");
    row.className = `event event-${event.type.split(".")[0]}${fresh ? " fresh" : ""}`;
    const time = document.createElement("time");
    time.className = "num";
    time.dateTime = event.at;
    time.textContent = when(event);
    const kind = document.createElement("b");
    kind.textContent = words.event[event.type] || event.type;
    const text = document.createElement("span");
    text.textContent = sentence(event.type, event.payload);
    row.append(time, kind, text);
    list.prepend(row);
    while (list.children.length > LINES) list.lastElementChild.remove();
    empty.hidden = true;
  }

  /* --- cards that an event concerns, each read at most once per REFRESH_EVERY */
  const due = new Set();
  let timer = null;
  function refresh(type) {
    document.querySelectorAll("[data-events]").forEach((card) => {
      const wanted = card.dataset.events.split(" ").filter(Boolean);
      if (wanted.some((each) => (each.endsWith(".") ? type.startsWith(each) : type === each))) due.add(card);
    });
    schedule();
  }
  function schedule() {
    if (due.size && timer === null) timer = setTimeout(flush, REFRESH_EVERY);
  }
  function flush() {
    timer = null;
    if (document.hidden) return;
    due.forEach((card) => window.htmx.trigger(card, "card:refresh"));
    due.clear();
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && due.size) flush(); });

  /* --- the socket */
  function show(name) {
    state.dataset.state = name;
    state.textContent = words.text[name];
  }

  /* Ids of transactions that ran side by side may come out of order: the highest is remembered, each is taken once. */
  const seen = new Set();
  function take(event) {
    if (event.id != null) last = Math.max(last, event.id);
    if (event.type === "stream.truncated") document.querySelectorAll("[data-events]").forEach((card) => due.add(card));
    if (event.type.startsWith("stream.")) { schedule(); return; }
    if (seen.has(event.id) || (event.account && event.account !== account)) return;
    seen.add(event.id);
    if (seen.size > 2000) seen.delete(seen.values().next().value);
    line(event, true);
    refresh(event.type);
  }

  function connect() {
    show(wait > 500 ? "offline" : "connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({ since: String(last) });
    const socket = new WebSocket(`${scheme}://${location.host}/ws/stream/?${query}`);
    socket.addEventListener("open", () => { wait = 500; show("connected"); });
    socket.addEventListener("message", (message) => take(JSON.parse(message.data)));
    socket.addEventListener("close", () => {
      wait = Math.min(wait * 2, LONGEST_WAIT);
      show("offline");
      setTimeout(connect, wait * (0.75 + Math.random() / 2));
    });
  }

  start.events.forEach((event) => { seen.add(event.id); line(event, false); });
  empty.hidden = list.children.length > 0;
  connect();
})();
