"""The page of `netwatch report` in a browser."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.quick
def test_it_says_what_happened(opened):
    page = opened("blocked")
    assert page.complaints() == []
    assert "firewall_block" in page.text("#answer")
    assert "10.4.7.21:443" in page.text("#answer h1")
    assert "checkout[2214]" in page.text("#answer")
    assert "firewalld[812]" in page.text("#answer")
    assert page.count("#ladder li") == 8
    assert page.count("#timeline canvas") >= 2
    for part in ("cause", "evidence", "ruled-out", "unseen", "next"):
        assert page.text(f"#{part}").strip(), part


@pytest.mark.quick
def test_names_that_attack_stay_text(opened):
    page = opened("hostile")
    assert page.complaints() == []
    assert "</script><img src=x onerror=\"document.title='owned'\">" in page.text("#about")
    assert "\\x1b[2J\\u{202e}{{DATA}}" in page.text("#about")
    assert "</script><b>x[2214]" in page.text("#answer")
    assert "<img src=//x>" in page.text("#cause") + page.text("#timeline")
    assert "<svg onload=alert(1)>\\xff\\xfe &amp; ]]>" in page.text("#unseen")
    assert page.run("return document.title").startswith("firewall_block")
    assert page.count("body img, body style, body b.x, body script:not([type]) ~ *") == 0
    assert page.count("script") == 2
    assert len(page.requests()) == 1


def test_nothing_is_loaded_from_elsewhere(opened):
    page = opened("blocked")
    assert [url.rsplit("/", 1)[-1] for url in page.requests()] == ["blocked.html"]


@pytest.mark.parametrize("width", [360, 768, 1280, 2200])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("story", ["blocked", "hostile", "healthy", "many"])
def test_it_fits(opened, story, width, dark):
    page = opened(story, width=width, dark=dark)
    assert page.complaints() == []
    assert page.run("return document.documentElement.scrollWidth") <= width
    cut = page.run(
        "return [...document.querySelectorAll('main *')].filter((e) => !e.closest('.scroll, .uplot, svg, .hidden')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.className || e.tagName)"
    )
    assert cut == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_times_stand_below_the_charts(opened, width):
    """Two at least, however far one zooms; none is cut off at the edge."""
    page = opened("blocked", width=width)
    spans = page.run(
        "const chart = timeline.charts.at(-1), {min, max} = chart.scales.x, found = [];"
        "for (let span = max - min; span > 12; span /= 1.37) {"
        "  chart.setScale('x', {min, max: min + span}); chart.redraw(false, true);"
        "  const texts = chart.axes[0]._values, splits = chart.axes[0]._splits;"
        "  const half = Math.max(...texts.map((text) => text.length)) * 7 / 2;"
        "  const rights = splits.map((at) => chart.valToPos(at, 'x') + chart.over.offsetLeft + half);"
        "  found.push([Math.round(span), texts.length, Math.max(...rights) <= chart.width]);"
        "} return found"
    )
    assert spans and all(count >= 2 and fits for _, count, fits in spans), spans


def test_text_can_be_read_on_its_ground(opened):
    """Contrast of 4.5 to 1 and more (WCAG 2.1, 1.4.3), in both schemes."""
    for dark in (False, True):
        page = opened("blocked", dark=dark)
        assert page.run(_LOW_CONTRAST) == [], "dark" if dark else "light"


def test_landmarks_and_names(opened):
    page = opened("many")
    assert page.count("header, nav, main, footer") == 4
    assert page.count("h1") == 1
    unnamed = page.run(
        "return [...document.querySelectorAll('section, nav, select, button, a, [role=group], [role=region]')].filter("
        "(e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent.trim() ||"
        " e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert unnamed == []
    dangling = page.run(
        "return [...document.querySelectorAll('[aria-labelledby], [aria-describedby]')].flatMap((e) =>"
        " (e.getAttribute('aria-labelledby') || e.getAttribute('aria-describedby')).split(' '))"
        ".filter((id) => !document.getElementById(id))"
    )
    assert dangling == []


def test_charts_by_keyboard(opened):
    page = opened("blocked")
    page.run("document.querySelector('.charts').focus()")
    page.press("\ue014", "\ue014")  # right
    first = page.text(".readout")
    assert "round trip" in first and "UTC" in first
    page.press("\ue010")  # end
    assert page.text(".readout") != first
    before = page.run("return timeline.charts[0].scales.x.max - timeline.charts[0].scales.x.min")
    page.press("+")
    zoomed = page.run("return timeline.charts.map((c) => Math.round(c.scales.x.max - c.scales.x.min))")
    assert set(zoomed) == {round(before / 2)}
    page.press("\ue00c")  # escape
    assert page.run("return timeline.charts[0].scales.x.max - timeline.charts[0].scales.x.min") > before
    assert page.complaints() == []


def test_everything_is_reached_by_tab(opened):
    page = opened("blocked")
    seen = []
    for _ in range(40):
        page.press("\ue004")  # tab
        seen.append(page.run("const e = document.activeElement; return e.id || e.className || e.tagName"))
    assert seen[0] == "skip"
    assert {"which", "charts", "BUTTON"} <= set(seen)


def test_pointing_reads_numbers(opened):
    page = opened("blocked")
    page.point_at(".charts .u-over", x=20)
    assert "/s" in page.text(".readout")


def test_an_incident_by_its_address(opened):
    page = opened("many")
    assert page.count("nav li") > 10
    second = page.run("return document.querySelectorAll('nav a')[5].hash")
    page.run(f"location.hash = {json.dumps(second)}")
    page.run("return new Promise((done) => setTimeout(done, 50))")
    assert page.run("return document.querySelector('nav a[aria-current]').hash") == second
    assert page.count("#timeline canvas") >= 2
    assert page.complaints() == []


def test_times_are_the_readers_and_utc(opened):
    page = opened("blocked", zone="America/New_York")
    when = page.text("#answer dl")
    assert "EST" in when or "GMT-5" in when
    assert "UTC" in when
    there = opened("blocked", zone="UTC").text("#answer dl")
    assert there.count("UTC") == 1


def test_healthy_is_calm(opened):
    page = opened("healthy")
    assert page.complaints() == []
    assert "Nothing was wrong" in page.text("#answer")
    assert page.count("#timeline canvas") >= 1


def test_it_prints(opened):
    page = opened("blocked", dark=True)
    assert page.print_to_pdf().startswith(b"%PDF")
    assert page.complaints() == []


_LOW_CONTRAST = """
const channel = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const low = [];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!own || e.closest('script, noscript, .hidden, .skip, .uplot, option, optgroup')) continue;
  const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(ground(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push(`${e.className || e.tagName} ${ratio.toFixed(2)}: ${e.textContent.slice(0, 30)}`);
}
return low;
"""
