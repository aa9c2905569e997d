"""Every vector of verdicts in a real browser: the site's modules and the saved file, by the
browser's own cryptography and by the fallback; and the four rows in the library's words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import DESKTOP_EN, Site, Visiting
from playwright.sync_api import Browser, Page

from api.pages.assets import asset_path
from api.pages.verifier import SAVED_BYTES_MAX, saved_page, script_texts
from ledger.tlog.note import parse_verifier_key
from ledger.tlog.policy import parse_policy
from ledger.verdict import facts, judge
from ledger.verify import Language

VECTORS = Path(__file__).resolve().parents[2] / "docs" / "vectors"
CASES: list[dict[str, Any]] = [
    one
    for path in sorted((VECTORS / "verdicts").glob("*.json"))
    for one in json.loads(path.read_text("utf-8"))
]
INPUTS = [one["input"] for one in CASES]
ROWS_EVERY = 5
"""Every how manieth case is compared word by word, in both languages."""

_RUN = """async ([inputs, backend]) => {
  verifier.chooseBackend(backend);
  const found = [];
  for (const one of inputs) found.push((await verifier.judgeVector(one)).told);
  return found;
}"""
_ROWS = """async ([inputs, words, language]) => {
  verifier.setWords(words, language);
  const found = [];
  for (const one of inputs) found.push((await verifier.judgeVector(one)).rows);
  return found;
}"""


def disagreements(found: list[dict[str, Any]]) -> list[tuple[str, Any, Any]]:
    return [
        (case["desc"], told, case["want"])
        for case, told in zip(CASES, found, strict=True)
        if told != case["want"]
    ]


@pytest.fixture
def site_page(visit: Visiting) -> Page:
    """A page of the site with the modules at hand, as ``verifier``."""
    page = visit(DESKTOP_EN)
    page.goto("/verify")
    path = asset_path("verify/api.js")
    page.evaluate("async (path) => { globalThis.verifier = await import(path); }", path)
    return page


@pytest.fixture
def saved_file(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The saved file from a disk, with the network closed."""
    path = tmp_path / "verifier.html"
    path.write_bytes(saved_page().data)
    context = chromium.new_context(offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    page.evaluate("() => { globalThis.verifier = globalThis.shanjiVerifier; }")
    yield page
    context.close()
    assert not complaints


@pytest.mark.parametrize("backend", ["webcrypto", "fallback"])
def test_the_browsers_modules_agree(site_page: Page, backend: str) -> None:
    assert not disagreements(site_page.evaluate(_RUN, [INPUTS, backend]))


@pytest.mark.parametrize("backend", ["webcrypto", "fallback"])
def test_the_saved_file_agrees(saved_file: Page, backend: str) -> None:
    assert not disagreements(saved_file.evaluate(_RUN, [INPUTS, backend]))


def test_without_the_browsers_cryptography_the_fallback_decides(site_page: Page) -> None:
    """As on plain http from another machine, where a browser has no ``crypto.subtle``."""
    site_page.evaluate(
        "() => Object.defineProperty(globalThis, 'crypto', { value: {}, configurable: true })"
    )
    assert site_page.evaluate("() => verifier.backend()") == "fallback"
    few = INPUTS[:20]
    found = site_page.evaluate(_RUN, [few, "auto"])
    assert found == [one["want"] for one in CASES[:20]]


def rows_of(given: dict[str, Any], language: Language) -> list[str] | None:
    """The four rows as the library tells them; None where it does not hold."""
    if "latin1" in given or "policy_latin1" in given:
        return None
    trust = (
        parse_policy(given["policy"].encode())
        if "policy" in given
        else [parse_verifier_key(one) for one in given["keys"]]
    )
    found = judge(given["receipt"].encode(), trust, now=given["now"])
    if found.result is None:
        return None
    # The page has no command line to name.
    hint = "（--policy）" if language == "zh" else " (--policy)"
    return [one.text.replace(hint, "") for one in facts(found.result, language)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_rows_say_the_same_as_the_library(site_page: Page, language: Language) -> None:
    good = [one for one in CASES if one["want"]["outcome"] in ("verified", "pending")]
    chosen = [one["input"] for one in good if "latin1" not in str(sorted(one["input"]))]
    chosen = chosen[::ROWS_EVERY]
    assert len(chosen) >= 15
    found = site_page.evaluate(_ROWS, [chosen, script_texts(language), language])
    assert found == [rows_of(one, language) for one in chosen]


_LOCATORS = """(vectors) => vectors.map((one) => {
  try { return verifier.parseLocator(one.input); } catch (error) { return error.code; }
})"""
_SHORT_CODES = """(vectors) => vectors.map((one) => {
  try { return verifier.parseShortCode(one.input.origin, one.input.text); }
  catch (error) { return error.code; }
})"""


def test_locators_and_short_codes_agree(site_page: Page) -> None:
    vectors = json.loads((VECTORS / "locators/locators.json").read_text("utf-8"))
    for vector, found in zip(vectors, site_page.evaluate(_LOCATORS, vectors), strict=True):
        if "want_error" in vector:
            assert found == vector["want_error"], vector["desc"]
        else:
            want = vector["want"]
            assert (found["logId"], found["index"]) == (want["log_id"], want["index"])
            assert (found["seed"] is None) == (want["seed"] is None)
    vectors = json.loads((VECTORS / "locators/short_codes.json").read_text("utf-8"))
    found = site_page.evaluate(_SHORT_CODES, vectors)
    assert found == [one.get("want", one.get("want_error")) for one in vectors]


def test_the_saved_file_is_small_and_its_hash_is_published(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(DESKTOP_EN)
    answer = page.request.get(f"{site.url}/verifier.html")
    data = answer.body()
    assert data == saved_page().data
    assert len(data) < SAVED_BYTES_MAX
    digest = hashlib.sha256(data).hexdigest()
    told = page.request.get(f"{site.url}/verifier.html.sha256").text()
    assert told == f"{digest}  verifier.html\n"
    page.goto("/verify")
    assert page.locator("#saved-hash").inner_text() == digest
    page.goto("/verifier.html")
    page.locator("h1").wait_for()
