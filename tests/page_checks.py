"""What axe-core does not ask of a page: colour, movement, words of the other language.

Imported by name, beside ``chromium`` (axe-core, width, keyboard). Each check returns what is
wrong, as lines; [] where nothing is.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page

WORD = re.compile(r"[A-Za-z][A-Za-z'’]{2,}")
CODE = re.compile(r"\S*[0-9_/.:@#=+-]\S*")
"""Numbers, addresses, and names that programs use: ``relief-pack``, ``donation.money``."""
LATIN = frozenset(
    (
        # Names: of this program, of what it is built on, of formats and measures.
        "shanji",
        "English",
        "CSV",
        "XLSX",
        "XLS",
        "ODS",
        "Excel",
        "WPS",
        "MiB",
        "JSON",
        "PDF",
        "SVG",
        "ZIP",
        "HTML",
        "HTTP",
        "API",
        "OpenAPI",
        "SHA",
        "Merkle",
        "Ed25519",
        "HMAC",
        "RFC",
        "WebCrypto",
        "JavaScript",
        "UTC",
        "BIP",
        "OLD",
        "NEW",
        "audit",
        "Python",
        "POST",
        "fields",
        "sealed",
        "Ctrl",
        "Esc",
        "Tab",
        "Enter",
    )
)
"""Words in Latin letters that stand in a Chinese sentence."""


def latin_words(page: Page, recorded: frozenset[str]) -> list[str]:
    """Words in Latin letters in what a Chinese page says, but for names, and what was `recorded`.

    Left out is what is marked as another language or set as code; and pictures, which cut names
    short (each is also a table, which is read).
    """
    texts: list[str] = page.evaluate(_TEXTS)
    found = []
    for text in texts:
        words = [one for one in WORD.findall(CODE.sub(" ", text)) if one not in LATIN | recorded]
        if words:
            found.append(f"not Chinese: {' '.join(words)!r} in {text!r}")
    return list(dict.fromkeys(found))


_TEXTS = """() => {
  const quiet =
    "code, pre, kbd, samp, script, style, svg, .hash, .copy, datalist, [lang]:not(html)";
  const own = (one) => !one.closest(quiet);
  const texts = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.data.trim() && own(node.parentElement)) texts.push(node.data);
  }
  for (const name of ["placeholder", "aria-label", "title", "alt", "data-label"])
    for (const one of document.querySelectorAll(`[${name}]`))
      if (own(one)) texts.push(one.getAttribute(name));
  return texts.map((one) => one.replace(/\\s+/g, " ").trim());
}"""


def colour_alone(page: Page) -> list[str]:
    """What is told by nothing but a colour: states without a word, a current place without a mark.

    A verdict has a word and a symbol, a state a word, a wrong field its line, a check its
    symbol; where one is, is set in bold. Whether links differ from their text, axe-core asks.
    """
    found: list[str] = page.evaluate(_COLOUR)
    return [f"told by colour alone: {one}" for one in found]


_COLOUR = """() => {
  const worded = ".state, .notice, .mark, .verdict > .word, .error, .personal, [data-holds] dd";
  const told = (one) => one.outerHTML.slice(0, 160);
  const wrong = [...document.querySelectorAll(worded)]
    .filter((one) => one.checkVisibility() && !one.innerText.trim());
  for (const one of document.querySelectorAll(".field.wrong"))
    if (!one.querySelector(".error")) wrong.push(one);
  for (const one of document.querySelectorAll("[aria-current]")) {
    const style = getComputedStyle(one);
    const plain = one.parentElement ? getComputedStyle(one.parentElement).fontWeight : "400";
    const heavier = Number(style.fontWeight) >= 600 && style.fontWeight > plain;
    if (one.checkVisibility() && !heavier && !one.matches("strong")) wrong.push(one);
  }
  return wrong.map(told);
}"""


def same_words(page: Page) -> list[str]:
    """Links of one sentence, row or line whose words are the same though they lead apart."""
    found: list[str] = page.evaluate(_SAME)
    return [f"the same words lead to two places: {one}" for one in found]


_SAME = """() => {
  const met = new Map();
  const wrong = [];
  for (const one of document.querySelectorAll("main a[href]")) {
    const around = one.closest("p, li, dd, td, th, caption");
    if (!around || !one.checkVisibility()) continue;
    const words = (one.getAttribute("aria-label") || one.textContent).replace(/\\s+/g, " ").trim();
    const before = met.get(around) || met.set(around, new Map()).get(around);
    if (before.has(words) && before.get(words) !== one.href) wrong.push(one.outerHTML);
    before.set(words, one.href);
  }
  return wrong;
}"""


def moving(page: Page) -> list[str]:
    """What still moves though the reader asked for less movement."""
    found: list[str] = page.evaluate(_MOVING)
    return [f"moves: {one}" for one in found]


_MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
  const style = getComputedStyle(one);
  const lasting = (text) => text.split(",").some((part) => parseFloat(part) > 0);
  return lasting(style.transitionDuration) || lasting(style.animationDuration);
}).map((one) => one.outerHTML.slice(0, 160)).slice(0, 5)"""


def printed_controls(page: Page) -> list[str]:
    """What stands on paper though nobody can press it there."""
    found: list[str] = page.evaluate(_PRINTED)
    return [f"on paper: {one}" for one in found]


_PRINTED = """() => [...document.querySelectorAll("button, .skip, .ways a, .switches a")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().width > 1)
  .map((one) => one.outerHTML.slice(0, 160)).slice(0, 5)"""
