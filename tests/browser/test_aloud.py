"""A verdict is read aloud where the browser has a voice for its language, else not offered."""

from __future__ import annotations

import urllib.request

import pytest
from chromium import DESKTOP_EN, PHONE_ZH, Mode, Site, open_visit, violations
from playwright.sync_api import Browser, expect

ENTRY = 100
SPEECH = """
globalThis.said = [];
class Utterance { constructor(text) { this.text = text; } }
Object.defineProperty(globalThis, "SpeechSynthesisUtterance", { value: Utterance });
Object.defineProperty(globalThis, "speechSynthesis", { value: {
  getVoices: () => %s,
  addEventListener: (_, heard) => setTimeout(heard, 10),
  speak: (one) => { said.push(one); },
  cancel: () => { said.push("silence"); },
} });
"""
BOTH = '[{ lang: "en-GB", name: "en" }, { lang: "zh_CN", name: "zh" }]'
LATE = f"(globalThis.asked = (globalThis.asked ?? 0) + 1) > 1 ? {BOTH} : []"
NONE = "delete Window.prototype.speechSynthesis; delete globalThis.speechSynthesis;"


@pytest.fixture(scope="module")
def receipt(site: Site) -> str:
    with urllib.request.urlopen(f"{site.url}/v1/entries/{ENTRY}/receipt", timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize(
    ("mode", "voices", "voice", "say", "stop", "word"),
    [
        (PHONE_ZH, BOTH, "zh", "朗读", "停止", "通过"),
        (DESKTOP_EN, LATE, "en", "Read aloud", "Stop", "Verified"),
    ],
    ids=["zh", "en, voices come late"],
)
def test_a_verdict_is_read_by_a_voice_of_its_language(
    chromium: Browser,
    site: Site,
    receipt: str,
    mode: Mode,
    voices: str,
    voice: str,
    say: str,
    stop: str,
    word: str,
) -> None:
    visit = open_visit(chromium, site.url, mode)
    visit.context.add_init_script(SPEECH % voices)
    page = visit.context.new_page()
    page.goto("/verify")
    page.locator("[data-verifier=ready]").wait_for(state="attached")
    page.fill("#text", receipt)
    page.click("#verify-form [type=submit]")
    button = page.locator("#verdict button.aloud")
    expect(button).to_contain_text(say)
    button.press("Enter")
    expect(button).to_contain_text(stop)
    spoken = page.evaluate("[said.at(-1).text, said.at(-1).lang, said.at(-1).voice.name]")
    assert spoken[0].startswith(word)
    assert "✓" not in spoken[0]
    assert page.locator("#verdict .sentence").inner_text() in spoken[0]
    assert spoken[1:] == [page.locator("html").get_attribute("lang"), voice]
    assert not violations(page)
    button.press("Enter")
    expect(button).to_contain_text(say)
    assert page.evaluate("said.at(-1)") == "silence"
    # Read to its end, it can be read again; another verdict in its place silences it.
    button.press("Enter")
    page.evaluate("said.at(-1).onend()")
    expect(button).to_contain_text(say)
    button.press("Enter")
    page.fill("#text", receipt[:200])
    page.click("#verify-form [type=submit]")
    expect(page.locator("#verdict")).to_have_attribute("data-outcome", "undecided")
    assert page.evaluate("said.at(-1)") == "silence"
    expect(page.locator("#verdict button.aloud")).to_have_count(1)
    visit.context.close()
    visit.check()


@pytest.mark.parametrize(
    "script", [SPEECH % '[{ lang: "fr-FR", name: "fr" }]', NONE], ids=["no voice", "no speech"]
)
def test_without_a_voice_nothing_is_offered(
    chromium: Browser, site: Site, receipt: str, script: str
) -> None:
    visit = open_visit(chromium, site.url, PHONE_ZH)
    visit.context.add_init_script(script)
    page = visit.context.new_page()
    page.goto("/verify")
    page.locator("[data-verifier=ready]").wait_for(state="attached")
    page.fill("#text", receipt)
    page.click("#verify-form [type=submit]")
    expect(page.locator("#verdict")).to_have_attribute("data-outcome", "verified")
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    expect(page.locator("button.aloud")).to_have_count(0)
    visit.context.close()
    visit.check()
