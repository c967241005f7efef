/** The whole look of the reference; no font, image or script comes with it. */
export const style = `
:root { color-scheme: light dark; --text: #1c2024; --soft: #60646c; --line: #e0e1e6; --back: #ffffff; --panel: #f7f7f9; --link: #0b5cad; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --text: #edeef0; --soft: #b0b4ba; --line: #363a3f; --back: #15171a; --panel: #1d2023; --link: #70b8ff; --accent: #70b8ff; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); background: var(--back); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1.25rem; border-right: 1px solid var(--line); background: var(--panel); font-size: 0.9rem; }
nav ul { list-style: none; margin: 0 0 1.25rem; padding: 0; }
nav li a { display: block; padding: 0.2rem 0; color: var(--text); }
nav h2 { font-size: 0.75rem; text-transform: uppercase; letter-spacing: 0.06em; color: var(--soft); margin: 0 0 0.35rem; }
nav .brand { font-weight: 700; font-size: 1.1rem; margin: 0 0 1.25rem; }
main { padding: 2rem 3rem 6rem; max-width: 60rem; }
h1 { margin: 0 0 0.5rem; font-size: 2rem; line-height: 1.2; }
h2 { margin: 3rem 0 0.5rem; font-size: 1.4rem; }
h3 { margin: 0 0 0.25rem; font-size: 1.15rem; }
h3 a { color: var(--text); }
h4 { margin: 1.25rem 0 0.35rem; font-size: 0.95rem; }
p { margin: 0.35rem 0; }
code, pre { font: 0.875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0.35rem 0; padding: 0.85rem 1rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; font-size: 0.85rem; }
pre code { font-size: inherit; }
.operation, .schema { padding: 1.5rem 0; border-top: 1px solid var(--line); }
.address code { font-size: 0.95rem; overflow-wrap: anywhere; }
.method { display: inline-block; padding: 0 0.5rem; border-radius: 4px; font: 700 0.75rem/1.6 ui-monospace, monospace; color: #ffffff; background: #5b6370; }
.method.get { background: #0b5cad; }
.method.post { background: #18794e; }
.method.put, .method.patch { background: #8a5000; }
.method.delete { background: #b3261e; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem 0.5rem 0; border-bottom: 1px solid var(--line); }
.fields th { width: 13rem; font-weight: 400; }
.required { color: #b3261e; font-size: 0.75rem; }
@media (prefers-color-scheme: dark) { .required { color: #ff9592; } }
p > code, td > code { white-space: nowrap; }
.bounds, .soft { color: var(--soft); font-weight: 400; font-size: 0.85em; overflow-wrap: anywhere; }
td p { margin: 0.15rem 0 0; }
details { margin-top: 1.25rem; }
summary { cursor: pointer; color: var(--accent); font-size: 0.95rem; }
@media (max-width: 50rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  main { padding: 1.25rem 1.25rem 4rem; }
  .fields, .fields tbody, .fields tr, .fields th, .fields td { display: block; width: auto; }
  .fields th { border-bottom: 0; padding-bottom: 0; }
}
`;
