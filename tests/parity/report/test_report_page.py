"""The report's page as its readers meet it in a browser: on a screen, a phone and paper, by mouse and by keyboard."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Page
from made_up_records import compared, filled

from parity.report import write_report
from parity.report.comparisons import comparison_page
from parity.results.records import Json
from parity.results.store import plain

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page was not opened"),
]
SMALLEST_CONTRAST = 4.5  # of text with what is behind it: WCAG 2.2, 1.4.3
PAPER = 680  # pixels of an A4 page within its margins
# What the tests ask the page.
PROBE = """
const rgba = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
const over = ([r, g, b, a = 1], below) => [r, g, b].map((c, i) => a * c + (1 - a) * below[i]);
const luminance = (colour) => colour.map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
function background(element) {
  const below = element.parentElement ? background(element.parentElement) : [255, 255, 255];
  return over(rgba(getComputedStyle(element).backgroundColor), below);
}
function contrast(colour, below) {
  const light = luminance(below), text = luminance(over(rgba(colour), below));
  return (Math.max(light, text) + 0.05) / (Math.min(light, text) + 0.05);
}
function contrastOf(element) {
  const style = getComputedStyle(element);
  if (!(element instanceof SVGElement)) return contrast(style.color, background(element));
  const bar = element.closest(".point")?.querySelector("path");
  const behind = bar ? rgba(getComputedStyle(bar).fill).slice(0, 3) : background(element.closest(".chart"));
  return contrast(style.fill, behind);
}
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (element) => element.checkVisibility({ visibilityProperty: true });
// Tables may be wider than the screen, in a frame that scrolls; on paper there is none.
const onPaper = () => matchMedia("print").matches;
const fits = (element) => element.getBoundingClientRect().right <= document.documentElement.clientWidth + 1;
const allFit = () => all("main *:not(.main-svg *)").every((element) => !shown(element) || fits(element) ||
  (!onPaper() && element.closest("table")));
// A change of window, theme or medium reaches charts by events of the next frames, and by Plotly's timer after them.
const frame = () => new Promise(requestAnimationFrame);
const fills = (chart) => {
  const drawn = chart.querySelector(".trace") && chart.querySelector(".main-svg").getBoundingClientRect();
  return drawn && Math.abs(drawn.width - chart.clientWidth) <= 1;
};
const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
const inTheme = (chart) => onPaper() || chart.layout.font.color === ink();
async function settled(width) {
  await frame();
  await frame();
  return innerWidth === width && all(".chart").filter(shown).every((chart) => fills(chart) && inTheme(chart));
}
const reachable = () => all("a[href], button, summary, .table").filter(shown);
function probe() {
  const written = all("body *").filter((element) => shown(element) && !element.closest("script") &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const charts = all(".chart").filter(shown);
  return {
    charts: charts.length,
    undrawn: charts.filter((chart) => !chart.querySelector(".trace")).map((chart) => chart.ariaLabel),
    unnamed: charts.filter((chart) => chart.ariaLabel.length < 40).length,
    unresolved: charts.filter((chart) => chart.innerHTML.includes("var(--")).length,
    unloaded: all("img").filter((image) => shown(image) && !image.naturalWidth).length,
    faint: written.filter((element) => contrastOf(element) < SMALLEST).map((element) => element.outerHTML),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}
"""
FINE = {"undrawn": [], "unnamed": 0, "unresolved": 0, "unloaded": 0, "faint": [], "overflow": 0}
DRAWN = "[...document.querySelectorAll('.chart')].filter(e => e.offsetParent).every(e => e.querySelector('.trace'))"
TABLE = '[aria-label="Share of the allowance used by pair and dtype"]'
SHARES = f"[...document.querySelectorAll('{TABLE} tbody tr')].map(row => +value(row, row.cells.length - 1))"
ORDER = f"document.querySelector('{TABLE} th:last-child').ariaSort"

Document = tuple[Json, Path]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """A report on made-up records, and its page's folder."""
    folder = tmp_path_factory.mktemp("report")
    filled(folder / "results")
    return write_report([folder / "results"], folder).document, folder


@pytest.fixture(scope="module")
def page(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    opened = Page(tmp_path_factory.mktemp("profile"))
    go(opened, document[1] / "report.html")
    yield opened
    opened.close()


def go(page: Page, file: Path) -> None:
    """Opens the file, and waits until its charts are drawn."""
    page.show(1280)
    page.call("Page.navigate", url=file.as_uri())
    page.until(f"document.querySelectorAll('.trace').length && {DRAWN}")
    page.evaluate(f"const SMALLEST = {SMALLEST_CONTRAST};" + PROBE)
    page.until("settled(1280)")


def show(page: Page, width: int, theme: str = "light", media: str = "screen") -> None:
    """Lays the page out, and waits until its charts are drawn as the new layout asks."""
    page.show(width, theme, media)
    page.until(f"settled({width})")


def test_a_keyboard_reaches_everything_in_order_and_sees_where_it_is(page: Page) -> None:
    page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    expected = page.evaluate("reachable().length")
    here = "[reachable().indexOf(document.activeElement), getComputedStyle(document.activeElement).outlineStyle]"
    met = []
    for _ in range(expected):
        page.press("Tab")
        met.append(page.evaluate(here))
    assert expected > 100
    assert [place for place, _ in met] == list(range(expected))
    assert {outline for _, outline in met} == {"solid"}


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_tables_sort_and_folds_open(page: Page, way: str) -> None:
    def activate(selector: str) -> None:
        if way == "mouse":
            page.point(selector, click=True)
        else:
            page.evaluate(f"document.querySelector('{selector}').focus()")
            page.press("Enter")

    for order in ("ascending", "descending"):
        while page.evaluate(ORDER) != order:
            activate(f"{TABLE} th:last-child button")
        values = page.evaluate(SHARES)
        assert len(set(values)) > 5
        assert values == sorted(values, reverse=order == "descending")
    fold = "#curves ~ details.more"
    before = page.evaluate(f"document.querySelector('{fold}').open")
    activate(f"{fold} summary")
    assert page.evaluate(f"document.querySelector('{fold}').open") is not before
    page.until("settled(1280)")


def test_hovering_tells_the_exact_value(page: Page, document: Document) -> None:
    (study,) = document[0]["studies"]
    differences = {f"{100 * pair['test']['difference']:+.9g} points" for pair in study["pairs"]}
    page.until(
        "document.querySelector('.hoverlayer .hovertext') !== null",
        lambda: page.point(".chart .scatterlayer .trace:last-child .point"),
    )
    told = page.evaluate("document.querySelector('.hoverlayer').textContent")
    shown = re.search(r"[+-][\d.]+ points", told.replace("−", "-"))
    assert shown is not None
    assert shown[0] in differences


@pytest.mark.parametrize("folds", ["as they are", "open"])
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_everything_is_drawn_and_legible_and_the_page_is_as_wide_as_its_window(
    page: Page, theme: str, width: int, folds: str
) -> None:
    show(page, width, theme)
    if folds == "open":
        page.evaluate("all('details').forEach((fold) => (fold.open = true))")
        page.until(f"settled({width})")
    assert page.evaluate("allFit()")
    found = page.evaluate("probe()")
    assert found.pop("charts") >= 6
    assert found == FINE


def test_the_page_on_a_comparison_is_drawn_and_legible_too(tmp_path: Path) -> None:
    page = Page(tmp_path / "profile")
    for passed in (True, False):
        file = tmp_path / f"{passed}.html"
        file.write_text(comparison_page(plain(compared(passed))), "utf-8")
        go(page, file)
        page.evaluate("all('details').forEach((fold) => (fold.open = true))")
        for theme, width in (("light", 1280), ("dark", 390)):
            show(page, width, theme)
            assert page.evaluate("allFit()")
            assert page.evaluate("probe()") == FINE | {"charts": 2}
    assert not {event["method"] for event in page.events} & {"Runtime.exceptionThrown", "Log.entryAdded"}
    page.close()


def test_paper_is_white_whatever_the_theme_and_nothing_runs_off_it(page: Page) -> None:
    show(page, PAPER, "dark", "print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("allFit()")
    assert page.evaluate("all('.table').filter((table) => table.scrollHeight > table.clientHeight + 1).length") == 0
    printed = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert printed.startswith(b"%PDF")
    show(page, 1280)


def test_report_json_lies_where_the_page_says(page: Page, document: Document) -> None:
    (linked,) = page.evaluate("all('a').map((link) => link.href).filter((link) => link.endsWith('.json'))")
    assert linked == (document[1] / "report.json").as_uri()
    assert (document[1] / "report.json").exists()


def test_nothing_was_requested_and_nothing_complained(page: Page) -> None:
    """Last in the file: over all that the tests before have done."""
    told = {event["method"] for event in page.events}
    asked = [e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    assert sum(url.startswith("file:") for url in asked) == 1
    assert not told & {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
