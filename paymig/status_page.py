"""The status as a page of its own: no script, nothing loaded, light or dark as the reader likes it."""

from datetime import datetime
from html import escape

from paymig.gates.show import age
from paymig.status import Status, traffic

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --good: #1a7f37; --bad: #c4231c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --good: #56d364; --bad: #ff7b72; }
}
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
meter { width: 100%; height: 1.5rem; }
"""


def page(status: Status, at: datetime) -> str:
    """Write the page; the words say what the colours do."""
    live = status.live
    facts = [
        ("Phase", status.phase),
        ("Writer", f"{status.writer.side}, epoch {status.writer.epoch}" if status.writer else "not known"),
        ("Stack", status.stack),
        ("Lease", status.lease or "free"),
        ("Alarms firing", ", ".join(status.firing) or f"none of {status.alarms}"),
    ]
    if status.stopped is not None:
        facts.insert(0, ("Stopped", status.stopped))
    facts += [(f"Traffic {name}", text) for name, text, _ in traffic(status)]
    if status.rollback is not None:
        facts.append(("Going back", f"{status.rollback}: {status.rollback.why}"))
    share = f"{live.share:g} % to AWS, {100 - live.share:g} % to the source" if live else "no weighted pair yet"
    meter = f'<meter min="0" max="100" value="{live.share:g}" aria-label="{share}"></meter>' if live else ""
    verdict = '<p class="good">Healthy</p>' if status.healthy else '<p class="bad">Not healthy</p>'
    gates = "".join(
        f"<tr><th scope=row>{escape(gate.name)}</th><td>{escape(gate.value)}</td><td>{escape(gate.limit)}</td>"
        f'<td class="{"good" if gate.passed else "bad"}">{"yes" if gate.passed else "no"}</td>'
        f"<td>{age(gate.age)}</td></tr>"
        for gate in status.gates
    )
    rows = "".join(f"<tr><th scope=row>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    name = escape(status.name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{name}</h1>{verdict}<h2>Traffic</h2><p>{share}</p>{meter}"
        f"<table><caption>Where it stands</caption>{rows}</table>"
        "<table><caption>Gates</caption><thead><tr><th scope=col>gate<th scope=col>value<th scope=col>limit"
        f"<th scope=col>passed<th scope=col>age</tr></thead><tbody>{gates}</tbody></table>"
        f'<p>As of <time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M:%S} UTC</time></p></main></body></html>\n'
    )
