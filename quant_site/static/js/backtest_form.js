/* The admin's form of a strategy: sends what it holds, unsaved, to be backtested, and shows the answer below it. */
document.addEventListener("DOMContentLoaded", () => {
  const section = document.querySelector("[data-backtest-form]");
  if (!section) return;
  const form = section.closest("form") || document.querySelector("#strategy_form");
  const button = section.querySelector("[data-backtest-run]");
  const busy = section.querySelector(".backtest-busy");
  const output = section.querySelector("[data-backtest-output]");

  button.addEventListener("click", async () => {
    button.disabled = true;
    busy.hidden = false;
    try {
      const answer = await fetch(section.dataset.url, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      output.innerHTML = await answer.text();
      document.dispatchEvent(new Event("backtest:arrived"));
    } catch {
      output.textContent = output.dataset.failed;
    } finally {
      button.disabled = false;
      busy.hidden = true;
    }
  });
});
