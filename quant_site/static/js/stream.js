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
  const label = (code) => words.status[code] || words.stage[code] || code || "";
  const number = (value, places) => (value == null || value === "" || Number.isNaN(Number(value)) ? "" : Number(value).toLocaleString("en-US", { maximumFractionDigits: places }));
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });

  function when(event) {
    const parts = Object.fromEntries(clock.formatToParts(new Date(event.at)).map((part) => [part.type, part.value]));
    return `${parts.month}-${parts.day} ${parts.hour}:${parts.minute}`;
  }

  function sentence(type, payload) {
    const p = payload || {};
    const words_of = [p.symbol || p.group, label(p.direction), label(p.side), number(p.quantity, 4)];
    if (p.price != null) words_of.push(`@ ${number(p.price, 4)}`);
    if (type === "loop.stage" || type === "loop.run") words_of.unshift(p.session, label(p.stage));
    if (type === "equity.snapshot") words_of.push(p.session, number(p.total_equity ?? p.equity, 2));
    if (type.startsWith("strategy.") || type === "adaptation" || type === "finding") words_of.push(p.strategy || p.scope || p.key, p.message || p.reason || p.code);
    words_of.push(label(p.to || p.status || p.signal_status));
    if (p.realized_pnl != null) words_of.push(number(p.realized_pnl, 2));
    if (p.error) words_of.push(p.error);
    return words_of.filter(Boolean).join(" ");
  }

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

  function connect() {
    show(wait > 500 ? "offline" : "connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({ since: String(last), account });
    const socket = new WebSocket(`${scheme}://${location.host}/ws/stream/?${query}`);
    socket.addEventListener("open", () => { wait = 500; show("connected"); });
    socket.addEventListener("message", (message) => {
      const event = JSON.parse(message.data);
      if (!event.type || !(event.id > last)) return;
      last = event.id;
      if (event.account && event.account !== account) return;
      line(event, true);
      refresh(event.type);
    });
    socket.addEventListener("close", () => {
      wait = Math.min(wait * 2, LONGEST_WAIT);
      show("offline");
      setTimeout(connect, wait * (0.75 + Math.random() / 2));
    });
  }

  start.events.forEach((event) => line(event, false));
  empty.hidden = list.children.length > 0;
  connect();
})();
