/* Small controls of every page: theme, colour convention, selects that submit their form. */
(() => {
  const root = document.documentElement;
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private mode: holds for this page */ } };
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const announce = () => document.dispatchEvent(new CustomEvent("quant:appearance"));

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-toggle]")) {
      root.dataset.theme = dark() ? "light" : "dark";
      keep("theme", root.dataset.theme);
      announce();
    } else if (event.target.closest("[data-updown-toggle]")) {
      root.dataset.updown = root.dataset.updown === "red-up" ? "green-up" : "red-up";
      keep("updown", root.dataset.updown);
      announce();
    }
  });
  /* The panel of the trading state is a <details>: it opens and works without this; here it closes as a menu does. */
  const panel = () => document.querySelector("details[data-control][open]");
  document.addEventListener("click", (event) => {
    const open = panel();
    if (open && !open.contains(event.target)) open.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const open = panel();
    if (open && event.key === "Escape") { open.open = false; open.querySelector("summary").focus(); }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.submit();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
})();
