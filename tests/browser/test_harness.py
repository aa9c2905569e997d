"""The harness of the browser tests: what it promises to find, it finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chromium import PHONE_ZH, Mode, Site, Visit, open_visit, overflow, violations, walk_by_tab
from playwright.sync_api import Browser, Page

BAD = """<!doctype html><html lang="zh-Hans"><head><title>坏页</title>
<style>a:focus { outline: none }</style></head><body><main>
<h1>坏页</h1><a href="#two" tabindex="2">二</a><a href="#one" tabindex="1">一</a>
<p id="two">灰</p><div id="one" style="width: 2000px">宽</div><img src="data:image/png,x">
</main></body></html>"""

SCRIPTED = "<p>否</p><script>document.querySelector('p').textContent = '是'</script>"


@pytest.fixture
def unchecked(chromium: Browser, site: Site) -> Iterator[Visit]:
    """A visit that a test looks at itself."""
    visit = open_visit(chromium, site.url, PHONE_ZH)
    yield visit
    visit.context.close()


def test_what_is_wrong_in_a_page_is_found(unchecked: Visit) -> None:
    page = unchecked.context.new_page()
    page.set_content(BAD)
    assert any("image-alt" in one for one in violations(page))
    assert overflow(page)[0].startswith("20")
    wrong = walk_by_tab(page, 10)
    assert any("focus is not seen" in one for one in wrong)
    assert any("should reach" in one for one in wrong)


def test_a_request_to_another_host_fails_the_visit(unchecked: Visit) -> None:
    page: Page = unchecked.context.new_page()
    page.set_content('<img src="http://another.example/a.png">')
    page.wait_for_load_state("networkidle")
    assert unchecked.foreign == ["http://another.example/a.png"]
    with pytest.raises(AssertionError, match="another host"):
        unchecked.check()


def test_what_the_policy_refuses_fails_the_visit(unchecked: Visit) -> None:
    page = unchecked.context.new_page()
    page.goto("/how")
    with page.expect_console_message(lambda said: "Content Security Policy" in said.text):
        page.evaluate(
            "() => { const one = document.createElement('script'); one.textContent = '1';"
            " document.body.append(one); }"
        )
    assert any("Content Security Policy" in one for one in unchecked.complaints)
    with pytest.raises(AssertionError, match="browser complains"):
        unchecked.check()


def test_a_visitor_has_the_device_the_language_and_the_scripts_of_the_mode(
    chromium: Browser, site: Site
) -> None:
    for mode, lang, width in (
        (Mode("phone", "zh", script=False), "zh-Hans", 360),
        (Mode("desktop", "en"), "en", 1280),
    ):
        visit = open_visit(chromium, site.url, mode)
        page = visit.context.new_page()
        page.goto("/")
        assert page.locator("html").get_attribute("lang") == lang
        assert page.evaluate("innerWidth") == width
        scripted = visit.context.new_page()
        scripted.set_content(SCRIPTED)
        assert scripted.locator("p").inner_text() == ("是" if mode.script else "否")
        visit.context.close()
        visit.check()
