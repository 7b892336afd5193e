"use strict";
// The filter: a clause is shown if it has the words and one of the chosen verdicts. Its choices are kept in no place.
const clauses = [...document.querySelectorAll(".clause")].map((node) => ({
  node,
  words: node.dataset.words,
  verdicts: node.dataset.verdicts.split(" "),
  binding: node.dataset.level === "binding",
}));
const groups = [...document.querySelectorAll(".part, .document")];
const search = document.getElementById("search");
const choices = [...document.querySelectorAll(".choices input[value]")].filter((box) => box.hasAttribute("value"));
const binding = document.getElementById("binding");
const differing = document.getElementById("differing");

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = new Set(choices.filter((box) => box.checked).map((box) => box.value));
  let shown = 0;
  for (const { node, words, verdicts, binding: binds } of clauses) {
    node.hidden =
      !wanted.every((word) => words.includes(word)) ||
      !verdicts.some((verdict) => chosen.has(verdict)) ||
      (binding.checked && !binds) ||
      (differing?.checked && new Set(verdicts).size === 1);
    shown += !node.hidden;
  }
  for (const group of groups) group.hidden = !group.querySelector(".clause:not([hidden])");
  document.getElementById("nothing").hidden = shown > 0;
  document.getElementById("count").textContent = `${shown} of ${clauses.length} clauses`;
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches(".clause")) target.open = true;
}

document.querySelector(".tools").addEventListener("input", filter);
window.addEventListener("hashchange", openTarget);
openTarget();
filter();
