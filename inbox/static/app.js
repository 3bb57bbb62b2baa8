"use strict";
// Shortcuts and the reader's own time zone: every page works without this file.
(() => {
  const typing = (node) => node && (/^(INPUT|SELECT|TEXTAREA)$/.test(node.tagName) || node.isContentEditable);
  const seen = (node) => node.getClientRects().length > 0;
  const rows = () => [...document.querySelectorAll("[data-row]")].filter(seen);
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      step(event.key === "j" ? 1 : -1);
    } else if (event.key === "?") {
      document.querySelector(".keys")?.scrollIntoView();
    } else {
      const target = [...document.querySelectorAll("[data-key]")].find((node) => node.dataset.key === event.key);
      if (!target) return;
      event.preventDefault();
      if (target.tagName === "A") target.click();
      else target.focus();
    }
  });
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.querySelectorAll("time[datetime]").forEach((node) => {
    node.title = `${local.format(new Date(node.dateTime))} (${zone})`;
  });
})();
