# ruff: noqa: E501 - the browser's scripts
"""The report's page in a real browser, and its picture."""

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.measure import Latency, Pause, by_second, count, longest_pause
from paymig.rehearsal.moves import Move
from paymig.rehearsal.operator import Typed
from paymig.rehearsal.page.axes import Axis, steps, ticks
from paymig.rehearsal.page.html import page
from paymig.rehearsal.page.picture import picture
from paymig.rehearsal.page.write import write
from paymig.rehearsal.proof import Proof
from paymig.rehearsal.report import Phase, Report, Sample
from paymig.rehearsal.workload import Request

HOSTILE = '<script>alert("x")</script>&\u00e9'
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def report():
    request = Request("payment", "POST", "/payments", "{}", "k", {"amount": 1})
    times = [i / 20 for i in range(200)] + [12 + i / 20 for i in range(160)]
    outcomes = [
        Outcome(request, 1000 + t, 1000 + t, 1000.02 + t, 1, "new" if t > 6 else "old", 201, t < 19.5) for t in times
    ]
    pause = longest_pause(outcomes, 1000, 1020)
    proof = Proof("target", 355, 355, 0, count(outcomes, pause), Latency.of(outcomes), pause, ())
    typed = Typed("paymig shift payments.yaml --to 50", 1005.0, 0.6, f"done {HOSTILE}\n" * 3, 0)
    made = Report(f"payments-{HOSTILE}", "payments.yaml", ("forward", "There"), 999.0)
    made.phases = [Phase("start", 0, 1, "up"), Phase("shift 50", 5, 12, HOSTILE, (typed,)), Phase("prove", 21, 1, "ok")]
    made.samples = [Sample(1.0, 0.0), Sample(6.0, 50.0), Sample(20.0, 100.0)]
    made.load_start = 1.0
    made.seconds_of_load = by_second(outcomes, 1000)
    made.latency_by_phase = {"shift 50": Latency.of(outcomes)}
    made.lag = [(2.0, 3.0), (15.0, 40.0)]
    made.journal = [
        {
            "sequence": 1,
            "time": "2026-11-24T07:00:00.123456+00:00",
            "who": "arn:aws:sts::111122223333:federated-user/bob",
            "verb": "shift",
            "step": "move",
            "kind": "done",
            "evidence": {"live": {"old": 0, "new": 100}, "stacks": ["Api", ""]},
        }
    ]
    why = f"{HOSTILE} connection to the server failed: refused. Is it running on that host? " * 3
    lost_time = Pause(1010.0, 1012.0)
    steps = {"fence": 0.1, "drain": 0.02}
    made.moves = [
        Move("switchover", "target", 1003.0, 1003.4, None, 0.4, Pause(1003.0, 1003.5), 2, 0, 0, error=why),
        Move("switchover", "target", 1010.1, 1012.0, 1011.0, 1.875, lost_time, 7, 3, 0, steps, {"rows": 31}),
    ]
    made.proof = proof
    made.errors = {"old 503": 1200, "new 0": 2}
    made.notes = [f"The target is {HOSTILE}."]
    table = {"table": "public.payments", "rows_source": 21225, "rows_target": 21224, "verdict": "different"}
    made.comparison = {
        "verdict": "different",
        "started": "2026-11-24T13:12:47.656274+00:00",
        "tables": [{**table, "missing": 1, "extra": 0, "different": 0}],
        "invariants": [
            {"name": "by_currency", "verdict": "equal", "source": [["EUR", "1"], ["JPY", "2"]], "target": []}
        ],
    }
    return made


def cells(text, section):
    """The rows of the tables in the section with this heading."""
    part = text.split(f"<h2>{section}</h2>")[1].split("</section>")[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", part)][1:]


def test_the_page_tells_what_clients_met_and_what_both_databases_hold(report):
    text = page(report)
    assert cells(text, "Errors") == [["The old API", "503", "1,200"], ["The new API", "no answer", "2"]]
    compared = cells(text, "Comparison of both databases")
    assert ["public.payments", "21,225", "21,224", "1", "0", "0", "different"] in compared
    assert ["by_currency", "2", "equal"] in compared
    when, who = "2026-11-24 07:00:00.123", "federated-user/bob"
    assert cells(text, "Journal") == [["1", when, who, "shift", "move", "done", "live: old: 0, new: 100, stacks: Api"]]
    report.errors = {}
    assert "Every request succeeded at the first attempt." in page(report)


def test_the_page_tells_who_took_the_writes_and_what_the_pause_was(report):
    text = page(report)
    assert "The source from 0.0 s to 12.0 s, the target from 12.0 s to 22.0 s." in text
    assert "<h3>Switchover: given up</h3>" in text
    for cell in ("1875 ms", "2000 ms", 'Compared at the fence: rows</td><td class="n">31', "Step: drain"):
        assert cell in text, cell
    assert text.count('class="pause"') == 3  # both attempts, and the longest pause
    assert "became the writer, and no client&#x27;s write was acknowledged for 2000 ms (server: 1875 ms)." in text


def test_the_page_needs_nothing_besides_and_runs_nothing(report):
    text = page(report)
    assert HOSTILE not in text
    assert html.escape(HOSTILE) in text
    tags = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append(tag)
            for name, value in attributes:
                assert not name.startswith("on")
                if name in ("src", "href"):
                    assert value.startswith("#")

    Reader().feed(text)
    assert "script" not in tags
    assert "link" not in tags
    assert not re.findall(r"url\(|@import", text)


def test_a_broken_promise_is_said_and_not_only_coloured(report):
    report.proof = Proof(**{**vars(report.proof), "problems": ("2 acknowledged payments are not in the writer: a; b",)})
    text = page(report)
    assert "Not proved" in text
    assert text.count("2 acknowledged payments are not in the writer: a; b") >= 2
    report.proof = None
    assert "did not get to the proof" in page(report)


def test_everything_is_written_and_the_data_are_the_page_s(report, tmp_path):
    path = write(report, tmp_path / "a" / "b")
    data = json.loads((path.parent / "rehearsal.json").read_text())
    assert (data["kept"], data["proof"]["promised"]) == (True, 355)
    assert {file.name for file in path.parent.iterdir()} == {"rehearsal.html", "rehearsal.json", "rehearsal.png"}


def dots(png):
    """Decode the rows of a palette PNG as it stands."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(png):
        size = struct.unpack(">I", png[at : at + 4])[0]
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == height * (width + 1)
    palette = [tuple(chunks[b"PLTE"][i : i + 3]) for i in range(0, len(chunks[b"PLTE"]), 3)]
    return [[palette[dot] for dot in raw[y * (width + 1) + 1 : (y + 1) * (width + 1)]] for y in range(height)]


def test_the_picture_is_green_or_red_and_shows_the_traffic(report):
    rows = dots(picture(report))
    assert (len(rows[0]), len(rows)) == (1200, 630)
    assert set(rows[5]) == {(20, 105, 58)}
    seen = (143, 178, 232)
    assert rows[570].count(seen) > 300  # the right part of the chart, where clients are on the new side
    assert seen not in rows[570][:300]
    report.proof = None
    assert set(dots(picture(report))[5]) == {(161, 22, 34)}


@given(st.floats(0.001, 1e7), st.integers(1, 12))
def test_ticks_are_round_and_few(high, about):
    found = ticks(high, about)
    assert found[0] == 0
    assert found[-1] <= high * 1.001
    assert len(found) <= about + 1


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_a_place_is_on_the_axis(low, span, value):
    assert 10 <= Axis(low, low + span, 10, 20).place(value) <= 20


def test_a_weight_holds_until_the_next():
    assert steps([(0, 1), (5, 2)]) == [(0, 1), (5, 1), (5, 2)]


@pytest.fixture
def browse(tmp_path):
    if BROWSER is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")

    def run(text, script, *flags, width=390):
        """Show the page in a frame of this width and return what the script finds there."""
        wrapper = tmp_path / "wrapper.html"
        wrapper.write_text(
            f'<iframe id="f" width="{width}" height="900" style="border:0" srcdoc="{html.escape(text)}"></iframe>'
            "<script>f.onload = () => { const page = f.contentDocument, show = f.contentWindow;"
            f"const found = (() => {{ {script} }})();"
            "document.body.dataset.found = JSON.stringify(found); }</script>"
        )
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
             "--virtual-time-budget=5000", *flags, "--dump-dom", wrapper.as_uri()],
            capture_output=True, text=True, check=True, timeout=90,
        )  # fmt: skip
        found = re.search(r'data-found="([^"]*)"', done.stdout)
        assert found, done.stderr[-2000:]
        return json.loads(html.unescape(found[1]))

    return run


def test_a_phone_shows_it_without_scrolling_sideways(report, browse):
    found = browse(
        page(report),
        "return {wide: page.documentElement.scrollWidth,"
        " text: getComputedStyle(page.querySelector('td')).fontSize,"
        " tiles: page.querySelectorAll('.tiles li').length, chart: page.querySelector('svg').getBoundingClientRect().height}",
    )
    assert found["wide"] <= 390
    assert float(found["text"].removesuffix("px")) >= 12
    assert found["tiles"] == 6
    assert found["chart"] > 300


def test_a_wide_screen_shows_every_table_whole(report, browse):
    found = browse(
        page(report),
        "return [...page.querySelectorAll('.wide')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel)",
        width=1100,
    )
    assert found == []


@pytest.mark.parametrize("scheme", ["0", "1"])  # dark, light
def test_it_is_readable_in_dark_and_in_light(report, browse, scheme):
    found = browse(
        page(report),
        """
        const light = (colour) => {
          const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
          return .2126 * r + .7152 * g + .0722 * b; };
        const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + .05) / (y + .05); };
        const colour = (selector, what) => show.getComputedStyle(page.querySelector(selector))[what];
        const paper = colour('body', 'backgroundColor');
        return {paper: light(paper), pairs: [
          contrast(colour('body', 'color'), paper), contrast(colour('header p', 'color'), paper), contrast(colour('th', 'color'), paper),
          contrast(colour('.verdict', 'color'), colour('.verdict', 'backgroundColor')),
          contrast(colour('.tiles li', 'color'), colour('.tiles li', 'backgroundColor')),
          contrast(colour('svg text', 'fill'), colour('.phase1', 'fill')), contrast(colour('.tick', 'fill'), paper)]}
        """,
        f"--blink-settings=preferredColorScheme={scheme}",
        width=1000,
    )
    assert (found["paper"] < 0.05) == (scheme == "0")
    assert min(found["pairs"]) >= 4.5, found["pairs"]  # WCAG 2, level AA


def test_the_keyboard_reaches_all_that_scrolls_or_opens(report, browse):
    found = browse(
        page(report),
        "const all = [...page.querySelectorAll('*')];"
        "const scrolls = all.filter((e) => ['auto', 'scroll'].includes(show.getComputedStyle(e).overflowX));"
        "const summary = page.querySelector('summary'); summary.focus(); summary.click();"
        "return {deaf: scrolls.filter((e) => e.tabIndex < 0).length, scrolls: scrolls.length,"
        " focus: page.activeElement === summary, open: page.querySelector('details').open,"
        " skip: page.querySelector('a').getAttribute('href'),"
        " named: page.querySelector('svg').getAttribute('aria-labelledby').split(' ').every((id) => page.getElementById(id))}",
    )
    assert found["scrolls"] >= 4
    assert found == {**found, "deaf": 0, "focus": True, "open": True, "skip": "#verdict", "named": True}


def test_it_prints(report, tmp_path):
    if BROWSER is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    path, printed = write(report, tmp_path), tmp_path / "page.pdf"
    subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
         f"--print-to-pdf={printed}", path.as_uri()],
        capture_output=True, check=True, timeout=90,
    )  # fmt: skip
    assert printed.read_bytes().startswith(b"%PDF")
    assert 1 <= printed.read_bytes().count(b"/Type /Page\n") <= 6
