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
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.submit();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
})();
