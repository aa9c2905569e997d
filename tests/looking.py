"""What a sweep has judged once it judges no more: pages by their parts, each way a part is drawn.

Imported by name. axe-core is nearly all of the time of a sweep, and the 48 settings of some
three hundred pages show it the same head, foot, rows and fields again and again. `Eye` keeps
what it has judged without a finding: a part of a page is known by its structure (elements,
their classes, states and languages, whether they have text) and by how the browser draws
it (its colours, sizes of type, what is shown at all), that of what it stands in included. axe-core
then judges what is new, in the whole page; so each part is judged once for each way in which it
is ever drawn. Where targets lie and how large they are is judged anew for each arrangement of
them; Tab is pressed from each kind of stop to each kind of next one. Words are no part of it:
no rule of WCAG 2.2 A and AA that axe-core has reads more of them than that there are some.

What was judged can be kept in a file, so that a sweep that was ended goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from chromium import AXE_TAGS, STOPS_INSIDE, findings
from playwright.sync_api import Page

import api.pages

SEEN = "SHANJI_TEST_SWEEP_SEEN"
"""Names the folder where a sweep keeps what it has looked at."""
TARGETS = "target-size"
"""The rule of axe-core that asks where things lie."""


class Eye:
    """Looks at pages and remembers what it found nothing wrong with.

    `looks` counts pages, `parts` what they consist of, `judged` the parts that were new.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self.looks = self.parts = self.judged = self.presses = 0
        self._known: set[str] = set()
        self._memory = memory
        if memory is not None and memory.exists():
            self._known.update(memory.read_text().split())

    def _learn(self, keys: Iterable[str]) -> None:
        fresh = sorted(set(keys) - self._known)
        self._known.update(fresh)
        if self._memory is not None and fresh:
            with self._memory.open("a") as kept:
                kept.write("\n".join(fresh) + "\n")

    def violations(self, page: Page, without: Sequence[str] = ()) -> list[str]:
        """What axe-core finds against WCAG 2.2 A and AA in what it has not judged yet.

        `without` names rules that are left out here; they are part of what a part is known by.
        """
        self.looks += 1
        seen = page.evaluate(_PARTS)
        wrong = [f"an id is there twice: {one}" for one in seen["twice"]]
        salt = ",".join(without)
        keys = [f"p{salt and '-'}{one}" for one in seen["keys"]]
        new = [at for at, key in enumerate(keys) if key not in self._known]
        self.parts += len(keys)
        self.judged += len(new)
        if new:
            page.evaluate("(new_ones) => window.parts.judge(new_ones)", new)
            asked = {"type": "tag", "values": list(AXE_TAGS)}
            found = findings(page, asked, [*without, TARGETS], "{ exclude: window.parts.known }")
            wrong += found
            if not found:
                self._learn(keys)
        lying = [f"t{one}" for one in seen["targets"]]
        if TARGETS not in without and not self._known.issuperset(lying):
            found = findings(page, {"type": "rule", "values": [TARGETS]})
            wrong += found
            if not found:
                self._learn(lying)
        return wrong

    def walk(self, page: Page, shown: str, presses_max: int) -> list[str]:
        """Press Tab wherever one kind of stop leads to another as never before, `shown` so.

        Each link, field and button that is seen is a stop, in the order of the page; each must
        be reached from the one before, show that it has the focus, and be in the window then.
        """
        stops = page.evaluate(_STOPS)
        wrong: list[str] = []
        learnt: set[str] = set()
        before = "top"
        until = self.presses + presses_max
        held: int | None = None
        for at, stop in enumerate(stops):
            pair = "k" + _digest([shown, before, stop["key"]])
            before = stop["key"]
            if pair in self._known or pair in learnt or self.presses >= until:
                continue
            if held != at - 1:
                page.evaluate("(at) => window.stops.hold(at)", at - 1)
            held = at
            found = self._press(page, at, stop["inside"])
            wrong += found
            if not found:
                learnt.add(pair)
        if held is not None:
            page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
        self._learn(learnt)
        return wrong

    def _press(self, page: Page, at: int, inside: bool) -> list[str]:
        """Press Tab once, or as often as the stop before has parts (a field for a day has)."""
        found: list[str] = []
        for _ in range(STOPS_INSIDE if inside else 1):
            self.presses += 1
            page.keyboard.press("Tab")
            found = page.evaluate("(at) => window.stops.wrong(at)", at)
            if not found:
                break
        return found


class Seen:
    """The looks of a sweep, in a folder (``looks.jsonl``, ``parts``) or in this run alone.

    A look that found nothing is not taken again while everything that makes pages is the same.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.unclean = 0
        self.eye = Eye(None if folder is None else folder / "parts")
        self._log = None if folder is None else folder / "looks.jsonl"
        self._source = _digest_of_pages()
        self._done: set[tuple[str, str]] = set()
        if self._log is not None and self._log.exists():
            for line in self._log.read_text().splitlines():
                one = json.loads(line)
                if one["source"] == self._source and not one["wrong"]:
                    self._done.add((one["place"], one["setting"]))

    def is_clean(self, place: object, setting: object) -> bool:
        """Whether that place was looked at in that setting, and nothing was found."""
        return (_kept(place), str(setting)) in self._done

    def note(self, place: object, setting: object, wrong: Sequence[str]) -> None:
        """Write down a look."""
        self._done.add((_kept(place), str(setting)))
        self.unclean += bool(wrong)
        if self._log is not None:
            line = {"place": _kept(place), "setting": str(setting), "wrong": list(wrong)}
            with self._log.open("a") as log:
                log.write(json.dumps({**line, "source": self._source}, ensure_ascii=False) + "\n")

    def told(self) -> str:
        """How much was looked at, and found."""
        pages = len({place for place, _ in self._done})
        settings = len({setting for _, setting in self._done})
        return (
            f"{len(self._done)} looks at {pages} pages in {settings} settings, {self.eye.looks} "
            f"of them now ({self.eye.judged} of {self.eye.parts} parts were new, "
            f"{self.eye.presses} times Tab); {self.unclean} looks found something"
        )


def _kept(place: object) -> str:
    # Each run draws the token of a draft anew.
    return re.sub(r"(/draft/)\S+", r"\1…", str(place))


def _digest_of_pages() -> str:
    found = hashlib.sha256()
    for path in sorted(Path(api.pages.__file__).parent.rglob("*.*")):
        if path.is_file() and path.suffix != ".pyc":
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


_HASH = """
const hash = (text) => {
  let one = 0xdeadbeef, two = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    one = Math.imul(one ^ code, 2654435761);
    two = Math.imul(two ^ code, 1597334677);
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909);
  two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
  return (4294967296 * (2097151 & two) + (one >>> 0)).toString(36);
};
const DRAWN = ["display", "visibility", "color", "backgroundColor", "backgroundImage", "fontSize",
  "fontWeight", "opacity", "textDecorationLine", "textShadow", "filter", "clipPath", "overflowX",
  "overflowY", "position", "borderBottomStyle", "borderBottomColor", "outlineStyle"];
const TARGETS = "a[href], button, input:not([type=hidden]), select, textarea, summary";
const VALUES = new Set(["class", "role", "lang", "type", "tabindex", "scope", "autocomplete",
  "content", "http-equiv", "rel", "checked", "selected", "disabled", "hidden", "open", "inert",
  "multiple", "colspan", "rowspan", "contenteditable"]);
const REFERENCES = new Set(["for", "aria-labelledby", "aria-describedby", "aria-controls",
  "aria-errormessage", "aria-owns", "headers", "list"]);
const NAMED = new Set(["aria-label", "aria-roledescription", "aria-valuetext"]);
const state = (name, value) => {
  if (VALUES.has(name)) return value;
  if (REFERENCES.has(name))
    return value.split(/\\s+/).map((id) => {
      const to = document.getElementById(id);
      return to ? `${to.localName} ${to.textContent.trim() !== ""}` : "nothing";
    }).join();
  if (name.startsWith("aria-") && !NAMED.has(name)) return value;
  if (name === "href") return value.startsWith("#") ? String(!!document.querySelector(
    `[id="${CSS.escape(value.slice(1))}"]`)) : "away";
  return value.trim() === "" ? "empty" : "some";
};
const own = (one) => {
  const style = getComputedStyle(one);
  const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [one.localName, text,
    ...[...one.attributes].map(({ name, value }) => `${name}=${state(name, value)}`).sort(),
    ...DRAWN.map((name) => style[name])].join("|");
};
"""

_PARTS = f"""() => {{
  {_HASH}
  const elements = [];
  const keys = [];
  const walk = (one, around) => {{
    const at = elements.push(one) - 1;
    const self = own(one);
    // Which language a part stands in is no rule's business; its own ``lang`` is.
    const inside = hash(around + self.replace(/\\|lang=[^|]*/, ""));
    const children = [...one.children].map((child) => walk(child, inside));
    const key = hash([self, ...children].join("/"));
    keys[at] = hash(around + key);
    return key;
  }};
  walk(document.documentElement, "");
  window.parts = {{
    known: [],
    // What is left out: what is known, and what is like a part before it; each with all inside.
    judge(fresh) {{
      const asked = new Set(fresh);
      const met = new Set();
      const out = new Set();
      this.known = elements.filter((one, at) => {{
        if (out.has(one.parentElement)) return out.add(one) && false;
        if (asked.has(at) && !met.has(keys[at])) return met.add(keys[at]) && false;
        return out.add(one);
      }});
    }},
  }};
  const count = {{}};
  for (const one of document.querySelectorAll("[id]")) count[one.id] = (count[one.id] || 0) + 1;
  // Whether a target is large enough, and what of a small one's neighbours is near its middle.
  const boxes = [...document.querySelectorAll(TARGETS)].filter((one) => one.checkVisibility())
    .map((one) => [one, one.getBoundingClientRect()]);
  const targets = boxes.map(([one, box], at) => {{
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    const large = box.width >= 24 && box.height >= 24;
    const near = boxes.filter(([other, its], where) => where !== at &&
      (large
        ? its.right > box.x && its.x < box.right && its.bottom > box.y && its.y < box.bottom
        : its.right > x - 24 && its.x < x + 24 && its.bottom > y - 24 && its.y < y + 24));
    const lie = near.map(([, its]) => [its.x - x, its.y - y, its.right - x, its.bottom - y]
      .map((px) => Math.max(-24, Math.min(24, Math.round(px)))).join());
    const kind = `${{own(one.parentElement)}} ${{own(one)}}`;
    const size = large ? [] : [box.width, box.height].map(Math.round);
    return hash([kind, large, ...size, ...lie].join(" "));
  }});
  return {{ keys, targets, twice: Object.keys(count).filter((id) => count[id] > 1) }};
}}"""

_STOPS = f"""() => {{
  {_HASH}
  const can = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const seen = (one) => one.checkVisibility({{ visibilityProperty: true }});
  const radios = new Set();
  const all = [...document.querySelectorAll(can)].filter((one) => {{
    if (one.tabIndex < 0 || one.disabled || !seen(one)) return false;
    if (one.type !== "radio") return true;
    const group = document.querySelector(`input[name="${{one.name}}"]:checked`);
    if (group ? group !== one : radios.has(one.name)) return false;
    radios.add(one.name);
    return true;
  }});
  const told = (one) => (one ? one.outerHTML.slice(0, 160) : "nothing");
  const around = (one) =>
    (one ? `${{around(one.parentElement)}} ${{one.localName}}.${{one.className}}` : "");
  const parts = (one) => one && ["date", "time", "datetime-local", "month"].includes(one.type);
  if (document.activeElement) document.activeElement.blur();
  window.stops = {{
    hold(at) {{
      const one = at < 0 ? document.body : all[at];
      if (at < 0) one.tabIndex = -1;
      one.focus();
      if (at < 0) {{ one.removeAttribute("tabindex"); scrollTo(0, 0); }}
    }},
    wrong(at) {{
      const one = all[at];
      const held = document.activeElement;
      if (held !== one)
        return [`Tab ${{at + 1}} should reach ${{told(one)}}, reached ${{told(held)}}`];
      const wrong = [];
      const style = getComputedStyle(one);
      const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      if (!outlined && style.boxShadow === "none") wrong.push(`focus is not seen: ${{told(one)}}`);
      const box = one.getBoundingClientRect();
      const across = box.right > 0 && box.left < innerWidth;
      const down = box.bottom > 0 && box.top < innerHeight;
      if (!across || !down) wrong.push(`focus is out of sight: ${{told(one)}}`);
      return wrong;
    }},
  }};
  return all.map((one, at) => ({{
    key: hash(around(one) + own(one)),
    inside: !!parts(all[at - 1]),
  }}));
}}"""
