// What pages can do beyond plain links and forms. Everything works without it.
"use strict";

// "/" goes to the search, as on every page of this kind; not while somebody types.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("input[type=search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// j and k walk through the rows of a list.
document.addEventListener("keydown", (event) => {
  if ((event.key !== "j" && event.key !== "k") || event.target.closest("input, textarea, select")) return;
  const links = [...document.querySelectorAll("[data-row]")];
  if (links.length === 0) return;
  const here = links.indexOf(document.activeElement);
  const next = event.key === "j" ? Math.min(here + 1, links.length - 1) : Math.max(here - 1, 0);
  links[next].focus();
});

// A key that stands on a button presses it: in the item that has the focus, else one that stands outside all items.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const named = (button) => button.dataset.key === event.key;
  const item = event.target.closest("[data-item]");
  const button = item && [...item.querySelectorAll("[data-key]")].find(named)
    || [...document.querySelectorAll("[data-key]")].find((button) => named(button) && !button.closest("[data-item]"));
  if (!button) return;
  event.preventDefault();
  button.click();
});

// A change that cannot be taken back is asked for twice.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});
