// Keyboard shortcuts. The page of them (/keys) is their only list: each link of the page
// that has data-keys is what its keys do, so that nothing is bound that is not there.
// Off while something is typed, and with Ctrl, Alt or Meta, which belong to the browser
// and to screen readers.

const WAIT_MILLISECONDS = 1200;
const TYPED = "input, textarea, select, [contenteditable]";

let before = "";
let forget = 0;

function targets() {
  const found = new Map();
  for (const one of document.querySelectorAll("[data-keys]")) {
    if (!found.has(one.dataset.keys)) found.set(one.dataset.keys, one);
  }
  const next = document.querySelector("main [rel=next]");
  const previous = document.querySelector("main [rel=prev]");
  if (next) found.set("n", next);
  if (previous) found.set("b", previous);
  return found;
}

function act(one) {
  if (one.matches(TYPED) && one.getClientRects().length) one.focus();
  else if (one.matches(TYPED)) location.assign("/search");
  else one.click();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest(TYPED);
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  clearTimeout(forget);
  const keys = before ? `${before} ${event.key}` : event.key;
  const found = targets();
  before = "";
  if (found.has(keys)) {
    event.preventDefault();
    act(found.get(keys));
  } else if ([...found.keys()].some((one) => one.startsWith(`${event.key} `))) {
    before = event.key;
    forget = setTimeout(() => { before = ""; }, WAIT_MILLISECONDS);
  }
});
