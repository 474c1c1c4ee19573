"""How a status page looks: one column on a phone, cards beside each other on a desk, light or dark as its reader's."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f3f5f8; --card: #ffffff; --ink: #1a2129; --soft: #57606a; --line: #d9dfe6; --fill: #eef1f5;
  --ok: #176f35; --ok-fill: #e2f5e7; --warning: #8a5a00; --warning-fill: #fdf1d3;
  --critical: #b3202c; --critical-fill: #fde7e8; --unknown: #57606a; --unknown-fill: #e9edf1;
  --c0: #3266c8; --c1: #2a9d8f; --c2: #d18a1b; --c3: #8e5bc9; --c4: #c2517a; --c5: #6b7785;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e131a; --card: #171e27; --ink: #e7ecf2; --soft: #9aa6b2; --line: #2c3641; --fill: #202935;
    --ok: #6fd68a; --ok-fill: #12301d; --warning: #f0bf57; --warning-fill: #38290b;
    --critical: #ff8d8d; --critical-fill: #441a1e; --unknown: #a6b1bd; --unknown-fill: #242d38;
    --c0: #6b9bf2; --c1: #4fc4b5; --c2: #e5ac4f; --c3: #b88df0; --c4: #ea86aa; --c5: #97a4b2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink); line-height: 1.5; font-size: 16px;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100%;
}
main, body > header, body > footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
body > header { padding-top: 1.75rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 0.75rem; font-weight: 650; }
h3 { font-size: 1rem; margin: 0 0 0.75rem; font-weight: 650; }
p { margin: 0.35rem 0; }
a { color: var(--c0); }
time { white-space: nowrap; }
.soft, footer { color: var(--soft); font-size: 0.875rem; }
footer { padding: 1.5rem 1.25rem 2.5rem !important; }
section { margin: 0 0 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.25rem; }
.verdict { border-radius: 12px; padding: 1rem 1.25rem; margin: 1rem 0; border: 1px solid transparent; }
.verdict p { margin: 0; }
.verdict .state { font-size: 1.375rem; font-weight: 700; line-height: 1.3; }
.verdict ul { margin: 0.6rem 0 0; padding: 0; list-style: none; }
.verdict li {
  margin: 0.45rem 0 0; padding: 0.5rem 0.7rem; background: var(--card); color: var(--ink); border-radius: 8px;
}
.ok { color: var(--ok); } .warning { color: var(--warning); }
.critical { color: var(--critical); } .unknown { color: var(--unknown); }
.verdict.ok { background: var(--ok-fill); border-color: var(--ok); }
.verdict.warning { background: var(--warning-fill); border-color: var(--warning); }
.verdict.critical { background: var(--critical-fill); border-color: var(--critical); }
.verdict.unknown { background: var(--unknown-fill); border-color: var(--unknown); }
.tag {
  display: inline-block; border-radius: 999px; padding: 0.05rem 0.6rem; font-size: 0.8125rem; font-weight: 600;
  white-space: nowrap;
}
.tag.ok { background: var(--ok-fill); } .tag.warning { background: var(--warning-fill); }
.tag.critical { background: var(--critical-fill); } .tag.unknown { background: var(--unknown-fill); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.75rem; margin: 0 0 1rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 0.8rem 1rem; }
.tile dt { color: var(--soft); font-size: 0.8125rem; }
.tile dd { margin: 0; }
.tile .value { font-size: 1.3rem; font-weight: 650; line-height: 1.3; display: block; }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.9rem 0.5rem 0; border-top: 1px solid var(--line); }
th, td { overflow-wrap: break-word; }
th .soft { overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: 0.8125rem; padding-top: 0; }
tbody th { font-weight: 650; }
td .soft, th .soft { display: block; font-weight: 400; }
td .plain, td code { white-space: nowrap; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875em; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; justify-content: space-between; gap: 1rem; font-size: 0.9375rem; margin: 0 0 0.35rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11.5px; font-family: inherit; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .bad { fill: var(--critical); }
.s0 { fill: var(--c0); } .s1 { fill: var(--c1); } .s2 { fill: var(--c2); }
.s3 { fill: var(--c3); } .s4 { fill: var(--c4); } .s5 { fill: var(--c5); }
.b0 { background: var(--c0); } .b1 { background: var(--c1); } .b2 { background: var(--c2); }
.b3 { background: var(--c3); } .b4 { background: var(--c4); } .b5 { background: var(--c5); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.15rem 0.9rem; margin: 0.35rem 0 0; padding: 0; }
.legend li { font-size: 0.8125rem; color: var(--soft); display: flex; align-items: center; gap: 0.4rem; }
.swatch { width: 0.7rem; height: 0.7rem; border-radius: 3px; display: inline-block; }
.mark { color: var(--critical); }
details { margin-top: 1rem; }
summary { cursor: pointer; font-size: 0.9375rem; color: var(--soft); padding: 0.35rem 0; }
summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; border-radius: 6px; }
.scroll { overflow-x: auto; margin-top: 0.5rem; }
.scroll table { min-width: 62rem; }
.scroll th { white-space: nowrap; }
.scroll td:nth-child(4) { min-width: 18rem; }
.facts { margin: 0; }
.facts dt { color: var(--soft); font-size: 0.8125rem; }
.facts dd { margin: 0 0 0.7rem; }
.facts dd:last-child { margin-bottom: 0; }
@media (max-width: 46rem) {
  main, body > header { padding-left: 0.85rem; padding-right: 0.85rem; }
  .card, .verdict { padding: 0.9rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .tile time { white-space: normal; }
  .tile { padding: 0.75rem 0.8rem; }
  .tile .soft { font-size: 0.75rem; }
  .cards, .cards tbody, .cards tr, .cards th, .cards td { display: block; width: 100%; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .cards tr { border-top: 1px solid var(--line); padding: 0.6rem 0; }
  .cards tbody tr:first-child { border-top: 0; padding-top: 0; }
  .cards th, .cards td { border: 0; padding: 0.15rem 0; text-align: left; white-space: normal; }
  .cards td { display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: 0.6rem; }
  .cards td code { white-space: normal; }
  .cards td::before { content: attr(data-label); color: var(--soft); font-size: 0.8125rem; padding-top: 0.1rem; }
}
@media print {
  body { background: none; font-size: 12px; }
  .card, .tile, figure, tr { break-inside: avoid; }
}
"""
