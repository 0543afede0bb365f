/* Runs before the first paint: what the reader chose for theme and for the colour of rising prices. */
(() => {
  const root = document.documentElement;
  const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const theme = kept("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const chinese = (root.lang || "").toLowerCase().startsWith("zh");
  root.dataset.updown = kept("updown") || (chinese ? "red-up" : "green-up");
})();
