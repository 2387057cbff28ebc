'use strict';
// The report's own program. It reads the blocks of events that stand in the page, and
// shows, filters and counts them. Nothing of an event ever becomes HTML: every text goes
// through show(), which makes text nodes.
//
// Needs DecompressionStream and light-dark(): Chromium 123, Firefox 120, Safari 17.5.
(async () => {

const ROW = 24;          // px, as page.css has it
const AROUND = 12;       // rows that are drawn beyond what is seen
const PRINTED = 200;     // rows on paper
const SHORT = 8, LONG = 200; // lines of a top list
const MOST = 300_000;    // characters of an event's JSON that are coloured and shown at first
const OUTCOMES = ['failed', 'denied', 'ok', 'open']; // from the bottom of the timeline up
const TITLES = {
  user: 'User', verb: 'Verb', resource: 'Resource', namespace: 'Namespace', code: 'Code', ip: 'Source IP', agent: 'User agent',
  as: 'Acting as', name: 'Name', outcome: 'Result', stage: 'Stage', level: 'Level',
};
const COLUMNS = Object.keys(TITLES);
const TOPS = COLUMNS.slice(0, 7);
const OUTCOME_WORDS = {ok: 'ok', denied: 'denied', failed: 'failed', open: 'no answer'};

const $ = id => document.getElementById(id);

// el makes an element with properties, and data- attributes under "data".
function el(name, props = {}, ...inside) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(props)) {
    if (k === 'data') Object.assign(e.dataset, v);
    else if (k.includes('-') || k === 'role') e.setAttribute(k, v);
    else e[k] = v;
  }
  e.append(...inside);
  return e;
}

// ODD are characters that cannot be seen or that move others: controls, bidi, spaces other than
// the plain one, what Unicode has not given out or lets a screen leave out; blanks at an end or
// behind another one; marks that no letter in front of them can have. Package glyph has the same
// rule for terminals.
const ODD = new RegExp([
  /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u, /[\p{DI}\u2800\u{13441}\u{13442}\u{16fe4}\u{1d159}]/u, /^ | $|(?<= ) /u, /(?<!\p{sc=Hang})[\u1160-\u11ff\ud7b0-\ud7ff]/u,
  /(?<![\p{L}\p{N}](?:(?!\p{DI})\p{M}){0,3})\p{M}/u, /(?<=[\0-\u02ff]\p{M}{0,3})(?!\p{sc=Zinh})\p{M}/u,
].map(r => r.source).join('|'), 'gu');

const escaped = c => '\\u' + (c.codePointAt(0) > 0xffff ? '{' + c.codePointAt(0).toString(16) + '}' : c.codePointAt(0).toString(16).padStart(4, '0'));

// visible is a text with odd characters written out, for attributes and titles.
const visible = text => text.replace(ODD, escaped);

// show appends a text to an element, odd characters written out and marked.
function show(e, text, keep = '') {
  let from = 0;
  for (const m of text.matchAll(ODD)) {
    if (keep.includes(m[0])) continue;
    e.append(text.slice(from, m.index), el('span', {className: 'odd', textContent: escaped(m[0])}));
    from = m.index + m[0].length;
  }
  e.append(text.slice(from));
  return e;
}

// named shows a user so that, where there is no room, what system:serviceaccount:ns:name
// or a node begins with is left out first.
function named(e, text) {
  const [lead] = text.match(/^system:(serviceaccount|node):/) ?? [''];
  if (!lead) return show(e, text);
  e.append(el('span', {className: 'lead', textContent: lead}), show(el('span', {className: 'tail'}), text.slice(lead.length)));
  e.classList.add('named');
  return e;
}

const word = (text, name = 'span') => show(el(name, {className: 'word'}), text);
const grouped = new Intl.NumberFormat('en-US'), number = n => grouped.format(n);
const shown = (column, text) => column === 'outcome' ? OUTCOME_WORDS[text] ?? text : text === '' ? '(none)' : /^[("]/.test(text) ? JSON.stringify(text) : text;

// ---- the events ----

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// unpacked is the content of an inert script element: gzip in base64.
async function unpacked(script) {
  const stream = new Blob([bytesOf(script.textContent)]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const parsed = async script => JSON.parse(new TextDecoder().decode(await unpacked(script)));

const about = await parsed($('about'));
const blockScripts = [...document.querySelectorAll('script.rows')];
const rawScripts = [...document.querySelectorAll('script.raw')];
const total = about.shown;

const time = new Float64Array(total);  // µs since 1970, 0 where an event has none
const size = new Uint32Array(total);   // bytes of its JSON
const firstOf = [];                    // first row of each block
const columns = {};
for (const c of COLUMNS) columns[c] = {words: [], index: new Map(), ids: new Uint32Array(total)};

// read adds one block: each column of a block has its own words.
function read(block, at) {
  firstOf.push(at);
  for (let i = 0; i < block.time.length; i++) {
    time[at + i] = block.base + block.time[i];
    size[at + i] = block.size[i];
  }
  for (const c of COLUMNS) {
    const {words, index, ids} = columns[c], from = block.columns[c];
    const id = from.words.map(w => {
      let n = index.get(w);
      if (n === undefined) index.set(w, n = words.push(w) - 1);
      return n;
    });
    for (let i = 0; i < from.ids.length; i++) ids[at + i] = id[from.ids[i]];
  }
  return at + block.time.length;
}

{
  let at = 0;
  const blocks = blockScripts.map(parsed); // all at once: unpacking runs beside parsing
  for (const [i, block] of blocks.entries()) {
    at = read(await block, at);
    blockScripts[i].remove();
  }
}

let lastBlock = {at: -1, bytes: null};
async function rawBlock(b) {
  if (lastBlock.at !== b) lastBlock = {at: b, bytes: await unpacked(rawScripts[b])};
  return lastBlock.bytes;
}

// rawOf is the JSON of an event as the log has it.
async function rawOf(row) {
  let b = firstOf.findLastIndex(first => first <= row), from = 0;
  const bytes = await rawBlock(b);
  for (let i = firstOf[b]; i < row; i++) from += size[i];
  return new TextDecoder().decode(bytes.subarray(from, from + size[row]));
}

// ---- orders of the rows ----

const byWord = (a, b) => a < b ? -1 : a > b ? 1 : 0;

const orders = {}; // by column: all rows in its order, made when first asked for

// orderBy sorts the rows by a column, equal ones by time. Words are sorted once, and
// rows put in place by the rank of their word, which takes 10 ms for 100,000.
function orderBy(column) {
  if (orders[column]) return orders[column];
  if (column === 'when') {
    const order = Uint32Array.from({length: total}, (_, i) => i);
    if (time.some((t, i) => i > 0 && t < time[i - 1])) order.sort((a, b) => time[a] - time[b] || a - b);
    return orders.when = order;
  }
  const {words, ids} = columns[column];
  const sorted = words.map((_, i) => i).sort((a, b) => byWord(words[a], words[b]));
  const place = new Uint32Array(words.length + 1), rank = new Uint32Array(words.length);
  sorted.forEach((id, r) => rank[id] = r);
  for (const id of ids) place[rank[id] + 1]++;
  for (let r = 1; r < place.length; r++) place[r] += place[r - 1];
  const order = new Uint32Array(total);
  for (const row of orderBy('when')) order[place[rank[ids[row]]]++] = row;
  return orders[column] = order;
}

// ---- what is asked for: the state, which is also the fragment of the address ----

const state = {only: {}, not: {}, text: '', deep: false, span: null, zoom: null, sort: 'when', down: true, event: -1};

const span = text => {
  const [a, b] = text.split('..').map(t => Date.parse(t) * 1000);
  return a < b ? [a, b] : null;
};
const spanText = s => iso(s[0]) + '..' + iso(s[1]);

function readFragment(hash) {
  const p = new URLSearchParams(hash.slice(1));
  for (const c of COLUMNS) {
    state.only[c] = new Set(p.getAll(c));
    state.not[c] = new Set(p.getAll('not-' + c));
  }
  state.text = p.get('search') ?? '';
  state.deep = p.has('whole');
  state.span = span(p.get('time') ?? '');
  state.zoom = span(p.get('zoom') ?? '');
  const sort = p.get('sort') ?? '-when';
  state.down = sort.startsWith('-');
  state.sort = sort.slice(state.down ? 1 : 0);
  if (!columns[state.sort]) state.sort = 'when';
  const event = Number(p.get('event') ?? 0);
  state.event = Number.isInteger(event) && event > 0 && event <= total ? event - 1 : -1;
}

function fragment() {
  const p = new URLSearchParams();
  for (const c of COLUMNS) {
    for (const w of state.only[c]) p.append(c, w);
    for (const w of state.not[c]) p.append('not-' + c, w);
  }
  if (state.text) p.set('search', state.text);
  if (state.deep) p.set('whole', '');
  if (state.span) p.set('time', spanText(state.span));
  if (state.zoom) p.set('zoom', spanText(state.zoom));
  const sort = (state.down ? '-' : '') + state.sort;
  if (sort !== '-when') p.set('sort', sort);
  if (state.event >= 0) p.set('event', state.event + 1);
  return p.toString();
}

let later = 0;
function keepFragment() {
  clearTimeout(later); // browsers refuse to have the address changed many times a second
  later = setTimeout(() => history.replaceState(null, '', '#' + fragment()), 250);
}

// ---- filtering ----

// fail has a bit for each condition that a row does not meet. A row counts in the top
// list of a column when it fails at that column's own filter at most, so that a list
// shows what else could be chosen.
const fail = new Uint16Array(total);
const bit = Object.fromEntries(COLUMNS.map((c, i) => [c, 1 << i]));
const TIME = 1 << COLUMNS.length, TEXT = 2 << COLUMNS.length;

function failColumn(c) {
  const {words, index, ids} = columns[c], only = state.only[c], not = state.not[c];
  if (!only.size && !not.size) return;
  const good = new Uint8Array(words.length).fill(only.size ? 0 : 1);
  for (const w of only) if (index.has(w)) good[index.get(w)] = 1;
  for (const w of not) if (index.has(w)) good[index.get(w)] = 0;
  for (let i = 0; i < total; i++) if (!good[ids[i]]) fail[i] |= bit[c];
}

function failTime() {
  const s = state.span ?? state.zoom;
  if (!s) return;
  for (let i = 0; i < total; i++) if (!(time[i] >= s[0] && time[i] < s[1])) fail[i] |= TIME;
}

// failText wants each word of the search in some column, whatever its case.
function failText() {
  const found = new Uint8Array(total);
  for (const part of state.text.toLowerCase().split(/\s+/).filter(Boolean)) {
    found.fill(0);
    for (const c of COLUMNS) {
      const col = columns[c];
      col.lower ??= col.words.map(w => shown(c, w).toLowerCase());
      const has = Uint8Array.from(col.lower, w => w.includes(part));
      if (has.includes(1)) for (let i = 0; i < total; i++) found[i] |= has[col.ids[i]];
    }
    for (let i = 0; i < total; i++) if (!found[i]) fail[i] |= TEXT;
  }
}

// deepFound are the rows in whose JSON the text stands, for the text it was sought for.
let deep = {text: null, found: null, run: 0};

// seekDeep looks into each event as the log has it: 100 MB take about a second, and the
// page stays usable meanwhile.
async function seekDeep() {
  const run = ++deep.run, text = state.text;
  // Each word as it was typed, and as the JSON of kube-apiserver has it.
  const parts = text.toLowerCase().split(/\s+/).filter(Boolean).map(p =>
    [p, p.replace(/["\\]/g, '\\$&').replace(/[<>&]/g, c => '\\u00' + c.charCodeAt(0).toString(16))]);
  const found = new Uint8Array(total), decoder = new TextDecoder();
  for (let b = 0; b < rawScripts.length; b++) {
    const bytes = await unpacked(rawScripts[b]);
    if (run !== deep.run) return;
    const end = firstOf[b + 1] ?? total;
    for (let i = firstOf[b], from = 0; i < end; from += size[i++]) {
      const json = decoder.decode(bytes.subarray(from, from + size[i])).toLowerCase();
      found[i] = parts.every(([p, q]) => json.includes(p) || json.includes(q)) ? 1 : 0;
    }
    $('count').textContent = `searching, ${Math.round(100 * (b + 1) / rawScripts.length)} %`;
    await new Promise(resolve => setTimeout(resolve));
  }
  deep = {text, found, run};
  update();
}

function failDeep() {
  if (deep.text !== state.text) { seekDeep(); return; }
  for (let i = 0; i < total; i++) if (!deep.found[i]) fail[i] |= TEXT;
}

let rows = new Uint32Array(0); // the selection, in order

function select() {
  fail.fill(0);
  COLUMNS.forEach(failColumn);
  failTime();
  if (state.text.trim()) state.deep ? failDeep() : failText();
  const order = orderBy(state.sort), out = new Uint32Array(total);
  let n = 0;
  if (state.down) for (let i = total - 1; i >= 0; i--) { if (!fail[order[i]]) out[n++] = order[i]; }
  else for (let i = 0; i < total; i++) { if (!fail[order[i]]) out[n++] = order[i]; }
  rows = out.subarray(0, n);
}

// counts are how often each word of a column occurs, its own filter aside.
function counts(c) {
  const {words, ids} = columns[c], out = new Uint32Array(words.length), others = ~bit[c];
  for (let i = 0; i < total; i++) if (!(fail[i] & others)) out[ids[i]]++;
  return out;
}

function toggle(c, w, not = false) {
  const [set, other] = not ? [state.not[c], state.only[c]] : [state.only[c], state.not[c]];
  other.delete(w);
  if (!set.delete(w)) set.add(w);
  update();
}

// keepFocus draws parts of the page anew, with the focus on what stands where it was.
function keepFocus(draw) {
  const key = document.activeElement?.dataset.key;
  draw();
  if (key) [...document.querySelectorAll('[data-key]')].find(e => e.dataset.key === key)?.focus({preventScroll: true});
}

// update shows the state: all of the page follows from it.
function update() {
  const from = performance.now();
  select();
  keepFocus(() => {
    drawTops();
    drawLegend();
    drawTime();
    drawChips();
    drawTable();
  });
  $('search').value === state.text || ($('search').value = state.text);
  $('deep').checked = state.deep;
  if (!(state.deep && state.text.trim() && deep.text !== state.text)) deep.run++, document.documentElement.dataset.selected = rows.length;
  keepFragment();
  afterwards(() => document.documentElement.dataset.filtered = (performance.now() - from).toFixed(1));
}

// afterwards calls a function once what was drawn can be seen.
const afterwards = f => requestAnimationFrame(() => setTimeout(f));

// ---- time ----

const stamp = us => {
  const ms = Math.floor(us / 1000);
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(us);
};
const iso = us => stamp(us).replace('.000Z', 'Z');
const clock = us => us === 0 ? '(no time)' : stamp(us).replace('T', ' ').replace('Z', '');
const micros = us => us === 0 ? '(no time)' : stamp(us).replace('Z', String(((us % 1000) + 1000) % 1000).padStart(3, '0') + 'Z');

const SECOND = 1e6, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, ...[1, 2, 5, 10, 15, 30].map(n => n * SECOND), ...[1, 2, 5, 10, 15, 30].map(n => n * MINUTE),
  ...[1, 2, 3, 6, 12].map(n => n * HOUR), ...[1, 2, 7, 14, 28, 91, 182, 364, 3640, 36400, 364000].map(n => n * DAY)];

function length(us) {
  if (us < SECOND) return +(us / 1000).toFixed(0) + ' ms';
  const parts = [[DAY, 'd'], [HOUR, 'h'], [MINUTE, 'min'], [SECOND, 's']].map(([unit, name], i, all) =>
    [Math.floor((i ? us % all[i - 1][0] : us) / unit), name]).filter(([n]) => n > 0);
  return parts.slice(0, 2).map(([n, name]) => `${n} ${name}`).join(' ');
}

// The whole span, with events that have no time aside.
let first = Infinity, last = -Infinity, timeless = 0;
for (const t of time) {
  if (t === 0) { timeless++; continue; }
  if (t < first) first = t;
  if (t > last) last = t;
}
if (first > last) first = last = 0;

// plot is what the timeline shows: bins of equal length from a to b, drawn over w px.
const plot = {a: 0, b: 1, step: 1, bins: 1, w: 800, h: 112, top: 14, foot: 16, counts: null};

function measure() {
  const [from, to] = state.zoom ?? [first, last + 1];
  plot.w = Math.max(320, $('plot').clientWidth || 800);
  plot.h = $('plot').clientHeight || 112;
  const wanted = Math.max(20, Math.min(240, plot.w / 5));
  plot.step = STEPS.find(s => (to - from) / s <= wanted) ?? STEPS.at(-1);
  plot.a = Math.floor(from / plot.step) * plot.step;
  plot.bins = Math.max(1, Math.ceil((to - plot.a) / plot.step));
  plot.b = plot.a + plot.bins * plot.step;
}

function countTime() {
  const ids = columns.outcome.ids, kind = columns.outcome.words.map(w => OUTCOMES.indexOf(w)), out = OUTCOMES.map(() => new Uint32Array(plot.bins));
  const s = state.zoom;
  for (let i = 0; i < total; i++) {
    const t = time[i];
    if (fail[i] & ~TIME || t === 0 || t < plot.a || t >= plot.b || s && (t < s[0] || t >= s[1])) continue;
    out[kind[ids[i]]][Math.floor((t - plot.a) / plot.step)]++;
  }
  plot.counts = out;
}

const svg = (name, attributes = {}, ...inside) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...inside);
  return e;
};

const x = t => (t - plot.a) / (plot.b - plot.a) * plot.w;

// bars are the paths of the results, one upon the other. What was denied or failed is
// seen even beside a thousand others: its bar has 2 px at least.
function bars() {
  const peak = Math.max(1, ...Array.from({length: plot.bins}, (_, i) => plot.counts.reduce((n, c) => n + c[i], 0)));
  const room = plot.h - plot.top - plot.foot, width = Math.max(1, plot.w / plot.bins - 1);
  const base = new Float64Array(plot.bins).fill(plot.h - plot.foot);
  const paths = OUTCOMES.map((name, k) => {
    let d = '';
    for (let i = 0; i < plot.bins; i++) {
      if (!plot.counts[k][i]) continue;
      const high = Math.max(k < 2 ? 2 : 1, plot.counts[k][i] / peak * room);
      base[i] -= high;
      d += `M${(i * plot.w / plot.bins).toFixed(1)} ${base[i].toFixed(1)}h${width.toFixed(1)}v${high.toFixed(1)}h${(-width).toFixed(1)}z`;
    }
    return svg('path', {class: name, d});
  });
  return [peak, paths];
}

function axis() {
  const apart = STEPS.find(s => x(plot.a + s) > 110) ?? STEPS.at(-1), out = [];
  for (let t = Math.ceil(plot.a / apart) * apart; t < plot.b; t += apart) {
    const text = stamp(t), day = t % DAY === 0;
    const label = apart >= DAY ? text.slice(0, 10) : day ? text.slice(5, 10) : apart < SECOND ? text.slice(11, 23) : text.slice(11, apart < MINUTE ? 19 : 16);
    out.push(svg('path', {class: 'tick', d: `M${x(t).toFixed(1)} ${plot.top}V${plot.h - plot.foot + 4}`}));
    if (x(t) < plot.w - 60) out.push(svg('text', {x: (x(t) + 3).toFixed(1), y: plot.h - 3}, label));
  }
  return out;
}

// handle is one end of the span: a slider for the keyboard.
function handle(name, t, label) {
  const at = x(t).toFixed(1);
  return svg('g', {
    class: 'handle', role: 'slider', tabindex: 0, 'data-key': 'handle-' + name, 'data-end': name, 'aria-label': label, 'aria-orientation': 'horizontal',
    'aria-valuemin': 0, 'aria-valuemax': plot.bins, 'aria-valuenow': Math.round((t - plot.a) / plot.step), 'aria-valuetext': iso(t),
  }, svg('rect', {class: 'edge', x: name === 'from' ? at : at - 2, y: plot.top, width: 2, height: plot.h - plot.top - plot.foot}),
    svg('rect', {class: 'edge', x: at - 3, y: plot.top - 4, width: 6, height: 10, rx: 2}),
    svg('rect', {class: 'grip', x: at - 8, y: 0, width: 16, height: plot.h}));
}

function drawTime() {
  measure();
  countTime();
  const [peak, paths] = bars();
  const s = state.span, high = plot.h - plot.top - plot.foot;
  const veil = (from, to) => svg('rect', {class: 'veil', x: from, y: plot.top, width: Math.max(0, to - from), height: high});
  const clamp = t => Math.min(plot.b, Math.max(plot.a, t));
  const [from, to] = s ? s.map(clamp) : [plot.a, plot.b];
  $('plot').setAttribute('viewBox', `0 0 ${plot.w} ${plot.h}`);
  $('plot').replaceChildren(...axis(), ...paths, svg('text', {x: 2, y: 10}, `most: ${number(peak)} in ${length(plot.step)}`),
    ...(s ? [veil(0, x(from)), veil(x(to), plot.w)] : []), handle('from', from, 'Start of the span'), handle('to', to, 'End of the span'));
  $('zoom').disabled = !s;
  $('whole').disabled = !s && !state.zoom;
  readout();
}

// readout says in words what the pointer is on, else what is selected.
function readout(bin = -1) {
  const s = state.span ?? state.zoom;
  if (bin >= 0 && bin < plot.bins) {
    const t = plot.a + bin * plot.step;
    $('readout').textContent = `${iso(t)}, ${length(plot.step)}: ` + (OUTCOMES.map((o, k) => [plot.counts[k][bin], OUTCOME_WORDS[o]]).filter(([n]) => n).map(([n, o]) => `${number(n)} ${o}`).join(', ') || 'nothing');
  } else {
    $('readout').textContent = (s ? `${iso(s[0])} to ${iso(s[1])} (${length(s[1] - s[0])})` : '') + (timeless ? ` ${number(timeless)} without a time` : '');
  }
}

const edge = px => plot.a + Math.round(Math.min(1, Math.max(0, px / plot.w)) * plot.bins) * plot.step;
const px = event => { const r = $('plot').getBoundingClientRect(); return (event.clientX - r.left) / r.width * plot.w; };

// brush follows the pointer from where it went down; drag.still is the end that stays.
let drag = null;
function brush(event) {
  if (!drag) return;
  const bin = plot.w / plot.bins, at = px(event);
  if (!drag.moved && Math.abs(at - drag.from) < 3) return;
  drag.moved = true;
  // The bins that are touched are selected, so that one can be hit.
  const [a, b] = drag.still === undefined
    ? [edge(Math.floor(Math.min(drag.from, at) / bin) * bin), edge(Math.ceil(Math.max(drag.from, at) / bin) * bin)]
    : [drag.still, edge(at)].sort((a, b) => a - b);
  if (b > a) state.span = [a, b];
  cancelAnimationFrame(drag.frame);
  drag.frame = requestAnimationFrame(update);
}

$('plot').addEventListener('pointerdown', event => {
  if (event.button !== 0) return;
  const end = event.target.closest('.handle')?.dataset.end, [a, b] = state.span ?? [plot.a, plot.b];
  drag = {from: px(event), still: end === 'from' ? b : end === 'to' ? a : undefined, moved: false, frame: 0};
  $('plot').setPointerCapture(event.pointerId);
});
$('plot').addEventListener('pointermove', event => { brush(event); if (!drag) readout(Math.floor(px(event) / plot.w * plot.bins)); });
$('plot').addEventListener('pointerleave', () => readout());
$('plot').addEventListener('pointercancel', () => drag = null);
$('plot').addEventListener('pointerup', () => {
  const clicked = drag && !drag.moved && drag.still === undefined;
  drag = null;
  if (clicked && state.span) { state.span = null; update(); }
});
$('plot').addEventListener('keydown', event => {
  const end = event.target.dataset.end;
  const by = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity}[event.key];
  if (event.key === 'Escape' && state.span) state.span = null;
  else if (!end || !by) return;
  else {
    let [a, b] = state.span ?? [plot.a, plot.b];
    const move = (t, low, high) => Math.min(high, Math.max(low, t + by * (event.shiftKey ? 10 : 1) * plot.step));
    if (end === 'from') a = move(a, plot.a, b - plot.step);
    else b = move(b, a + plot.step, plot.b);
    state.span = a <= plot.a && b >= plot.b ? null : [a, b];
  }
  event.preventDefault();
  event.stopPropagation();
  update();
});
$('zoom').addEventListener('click', () => { [state.zoom, state.span] = [state.span, null]; update(); });
$('whole').addEventListener('click', () => { state.zoom = state.span = null; update(); });

// ---- top lists, results, filters in force ----

const long = new Set(); // columns whose list is shown long

function drawTop(c) {
  const n = counts(c), {words} = columns[c], only = state.only[c], not = state.not[c];
  const ids = [];
  let sum = 0;
  n.forEach((k, id) => { if (k) { ids.push(id); sum += k; } });
  ids.sort((a, b) => n[b] - n[a] || byWord(words[a], words[b]));
  const lines = ids.slice(0, long.has(c) ? LONG : SHORT).map(id => words[id]);
  for (const w of [...only, ...not]) if (!lines.includes(w)) lines.push(w); // what is chosen stays in sight
  const most = n[ids[0]] || 1, list = el('ol');
  for (const w of lines) list.append(topLine(c, w, n[columns[c].index.get(w)] ?? 0, most, sum));
  const title = el('div', {className: 'bar'}, el('h3', {textContent: TITLES[c]}), el('span', {className: 'dim push', textContent: number(ids.length)}));
  if (ids.length > SHORT) title.append(el('button', {type: 'button', className: 'more', data: {key: 'more ' + c}, 'aria-expanded': String(long.has(c)),
    'aria-label': `${long.has(c) ? 'Fewer' : 'More'} of ${TITLES[c]}`, textContent: long.has(c) ? 'fewer' : 'more',
    onclick: () => { long.delete(c) || long.add(c); update(); }}));
  return el('div', {role: 'group', 'aria-label': TITLES[c]}, title, list);
}

function topLine(c, w, count, most, sum) {
  const on = state.only[c].has(w), off = state.not[c].has(w), text = shown(c, w);
  const pick = el('button', {type: 'button', className: 'pick', title: `${visible(text)}\n${number(count)}, ${(100 * count / Math.max(1, sum)).toFixed(1)} %`,
    data: {key: `pick ${c} ${w}`}, 'aria-pressed': String(on), onclick: () => toggle(c, w)}, named(el('span', {className: 'word'}), text), el('span', {className: 'number', textContent: number(count)}));
  const not = el('button', {type: 'button', className: 'not', data: {key: `not ${c} ${w}`}, 'aria-pressed': String(off), 'aria-label': `Leave out ${visible(text)}`,
    title: 'Leave these out', textContent: 'not', onclick: () => toggle(c, w, true)});
  const share = el('span', {className: 'share'});
  share.style.width = 100 * count / most + '%';
  return el('li', {className: on ? 'on' : off ? 'off' : ''}, pick, not, share);
}

const drawTops = () => $('tops').replaceChildren(...TOPS.map(drawTop));

function drawLegend() {
  const n = counts('outcome'), {index} = columns.outcome;
  $('legend').replaceChildren(...['ok', 'denied', 'failed', 'open'].map(o => {
    const b = el('button', {type: 'button', data: {key: 'legend ' + o, not: state.not.outcome.has(o)}, 'aria-pressed': String(state.only.outcome.has(o)), onclick: () => toggle('outcome', o)},
      el('span', {className: 'swatch ' + o}), el('span', {className: 'name', textContent: OUTCOME_WORDS[o]}), el('span', {className: 'number', textContent: number(n[index.get(o)] ?? 0)}));
    return b;
  }));
}

// filters are those in force, in words, each with what takes it away.
function filters() {
  const out = [];
  for (const c of COLUMNS) {
    for (const w of state.only[c]) out.push([`${TITLES[c]}: ${shown(c, w)}`, () => toggle(c, w)]);
    for (const w of state.not[c]) out.push([`${TITLES[c]}: not ${shown(c, w)}`, () => toggle(c, w, true)]);
  }
  if (state.text.trim()) out.push([`Search${state.deep ? ' in whole events' : ''}: ${state.text.trim()}`, () => { state.text = ''; update(); }]);
  const s = state.span ?? state.zoom;
  if (s) out.push([`Time: ${iso(s[0])} to ${iso(s[1])}`, () => { state.span ? state.span = null : state.zoom = null; update(); }]);
  return out;
}

function clearFilters() {
  for (const c of COLUMNS) state.only[c].clear(), state.not[c].clear();
  Object.assign(state, {text: '', span: null, zoom: null});
  update();
}

function drawChips() {
  const all = filters();
  $('chips').replaceChildren(...all.map(([text, remove]) => show(el('button', {type: 'button', title: 'Remove this filter', 'aria-label': 'Remove the filter ' + visible(text), onclick: remove}), text)));
  for (const b of $('chips').children) b.append(' ', el('span', {className: 'screen', 'aria-hidden': 'true', textContent: '×'}));
  if (all.length > 1) $('chips').append(el('button', {type: 'button', className: 'screen', textContent: 'Remove all', onclick: clearFilters}));
}

// ---- the table ----

const get = (c, row) => columns[c].words[columns[c].ids[row]];
let current = -1; // place of the current row in rows

function cell(kind, ...parts) {
  const td = el('td', {className: kind});
  let title = '';
  for (const [text, dim] of parts) {
    if (text === '') continue;
    if (title) { td.append(' '); title += ' '; }
    const span = el('span', {className: dim ? 'dim' : ''});
    td.append(kind === 'who' && parts[1][0] === '' ? named(span, text) : show(span, text));
    title += text;
  }
  if (title.length > 12) td.title = visible(title);
  return td;
}

function rowOf(i) {
  const r = rows[i], o = get('outcome', r), as = get('as', r), code = get('code', r);
  return el('tr', {id: 'row' + i, 'aria-rowindex': i + 2, 'aria-selected': String(i === current), data: {at: i}},
    cell('when', [clock(time[r])]),
    cell('who', [get('user', r)], [as && 'as ' + as, true]),
    cell('verb', [get('verb', r)]),
    cell('what', [get('resource', r)], [get('name', r), true]),
    cell('where', [get('namespace', r)]),
    cell('from', [get('ip', r)], [get('agent', r), true]),
    cell(`result ${o}`, [code], [o === 'ok' ? '' : OUTCOME_WORDS[o]]));
}

const gap = high => { const tr = el('tr', {className: 'gap', 'aria-hidden': 'true'}, el('td', {colSpan: 7})); tr.style.height = tr.firstChild.style.height = high + 'px'; return tr; };

// drawRows draws the rows that can be seen. Those above and below are two gaps as high
// as they would be; 500,000 rows of 24 px stay below what browsers allow.
function drawRows(all = 0) {
  const box = $('scroll');
  const from = all ? 0 : Math.max(0, Math.floor(box.scrollTop / ROW) - AROUND);
  const to = Math.min(rows.length, all || Math.ceil((box.scrollTop + box.clientHeight) / ROW) + AROUND);
  const drawn = [];
  for (let i = from; i < to; i++) drawn.push(rowOf(i));
  $('rows').replaceChildren(...all ? drawn : [gap(from * ROW), ...drawn, gap((rows.length - to) * ROW)]);
  if (current >= from && current < to) $('table').setAttribute('aria-activedescendant', 'row' + current);
  else $('table').removeAttribute('aria-activedescendant');
}

function drawTable() {
  current = state.event < 0 ? -1 : rows.indexOf(state.event);
  $('table').setAttribute('aria-rowcount', rows.length + 1);
  for (const th of document.querySelectorAll('th')) {
    if (th.dataset.sort === state.sort) th.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
    else th.removeAttribute('aria-sort');
  }
  $('count').textContent = rows.length === total ? `${number(total)} events` : `${number(rows.length)} of ${number(total)} events`;
  $('empty').hidden = rows.length > 0;
  $('reset').hidden = total === 0;
  drawRows();
}

let frame = 0;
$('scroll').addEventListener('scroll', () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => drawRows()); });

document.querySelector('thead').addEventListener('click', event => {
  const c = event.target.closest('th')?.dataset.sort;
  if (!c) return;
  state.down = state.sort === c ? !state.down : c === 'when';
  state.sort = c;
  $('scroll').scrollTop = 0;
  update();
});
$('rows').addEventListener('click', event => {
  const at = event.target.closest('tr')?.dataset.at;
  if (at !== undefined && !String(getSelection())) open(Number(at)); // not when text is being selected
});
$('table').addEventListener('keydown', event => {
  if (event.target !== $('table')) return;
  const page = Math.max(1, Math.floor($('scroll').clientHeight / ROW) - 2);
  const by = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity}[event.key];
  if (event.key === 'Enter' && current >= 0) open(current, true);
  else if (by && rows.length) move(by);
  else return;
  event.preventDefault();
});

// move makes another row the current one; an open event follows.
function move(by) {
  current = Math.min(rows.length - 1, Math.max(0, current < 0 ? 0 : current + by));
  const box = $('scroll'), top = current * ROW;
  if (top < box.scrollTop) box.scrollTop = top;
  if (top + 2 * ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + 2 * ROW - box.clientHeight;
  if (!$('event').hidden) open(current);
  else drawRows();
}

// ---- one event ----

// pretty writes JSON in lines, every word of it as it stands: JSON.parse would round
// large numbers and lose fields that occur twice.
function pretty(json) {
  const out = [];
  let depth = 0, line = '\n';
  const turn = by => { depth = Math.max(0, depth + by); line = '\n' + '  '.repeat(Math.min(depth, 60)); };
  const words = json.match(/"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? [];
  for (let i = 0; i < words.length; i++) {
    const w = words[i];
    if (w === '{' || w === '[') {
      if (words[i + 1] === '}' || words[i + 1] === ']') out.push(['mark', w + words[++i]]);
      else { turn(1); out.push(['mark', w + line]); }
    } else if (w === '}' || w === ']') { turn(-1); out.push(['mark', line + w]); }
    else if (w === ',') out.push(['mark', ',' + line]);
    else if (w === ':') out.push(['mark', ': ']);
    else out.push([w[0] !== '"' ? 'rest' : words[i + 1] === ':' ? 'key' : 'text', w]);
  }
  return out;
}

function drawJSON(json) {
  $('json').replaceChildren();
  if (json.length > MOST) {
    const more = el('button', {type: 'button', textContent: `Show all ${number(json.length)} characters`, onclick: () => { $('json').replaceChildren(); show($('json'), json, '\n\t '); }});
    show($('json'), json.slice(0, MOST), '\n\t ').append('\n', more);
    return;
  }
  for (const [kind, text] of pretty(json)) $('json').append(kind === 'mark' ? text : show(el('span', {className: kind}), text));
}

let opened = '';

async function open(at, focus = false) {
  const r = rows[at] ?? state.event;
  current = rows[at] === undefined ? -1 : at;
  state.event = r;
  $('fields').replaceChildren(el('dt', {textContent: 'When'}), el('dd', {textContent: micros(time[r])}));
  for (const c of ['outcome', 'code', 'user', 'as', 'verb', 'resource', 'name', 'namespace', 'ip', 'agent', 'stage', 'level']) {
    const w = get(c, r);
    if (w === '') continue;
    const b = show(el('button', {type: 'button', title: 'Filter by this', data: {key: 'field ' + c}, 'aria-pressed': String(state.only[c].has(w))}), shown(c, w));
    b.onclick = () => { toggle(c, w); b.setAttribute('aria-pressed', String(state.only[c].has(w))); };
    $('fields').append(el('dt', {textContent: TITLES[c]}), el('dd', {}, b));
  }
  const was = $('event').hidden;
  $('event').hidden = false;
  $('body').classList.add('open');
  if (was) drawTime();
  drawRows();
  keepFragment();
  $('copy').textContent = 'Copy JSON';
  if (focus) $('event').focus();
  const json = await rawOf(r);
  if (state.event !== r) return;
  opened = json;
  drawJSON(json);
  $('event').dataset.row = r;
}

function close() {
  state.event = -1;
  $('event').hidden = true;
  $('body').classList.remove('open');
  drawRows();
  keepFragment();
  $('table').focus({preventScroll: true});
}

$('close').addEventListener('click', close);
$('copy').addEventListener('click', async () => {
  let copied = false;
  try {
    await navigator.clipboard.writeText(opened);
    copied = true;
  } catch { // not every browser lets a file do that
    const put = event => { event.clipboardData.setData('text/plain', opened); event.preventDefault(); copied = true; };
    addEventListener('copy', put);
    document.execCommand('copy');
    removeEventListener('copy', put);
  }
  if (!copied) getSelection().selectAllChildren($('json'));
  $('copy').textContent = copied ? 'Copied' : 'Selected: copy it now';
});

// ---- the rest ----

function drawAbout() {
  show($('command'), about.command);
  const fact = (name, text) => { if (text) $('facts').append(el('div', {}, el('dt', {textContent: name}), show(el('dd'), text))); };
  const size = n => n < 1e6 ? `${Math.ceil(n / 1e3)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
  fact('Made', iso(about.made * 1000) + (about.host ? ` on ${about.host}` : '') + (about.version ? ` by auditpatch ${about.version}` : ''));
  fact(about.logs.length > 1 ? 'Logs' : 'Log', about.logs.join(', '));
  if (last) fact('Span', `${iso(first)} to ${iso(last)} (${length(last - first)})`);
  fact('Events', `${number(total)} here, of ${number(about.events)} read (${size(about.bytes)} in ${number(about.files)} ${about.files === 1 ? 'file' : 'files'})`);
  if (about.received) fact('Left out', `${number(about.received)} of stage RequestReceived, the first of the two or more events of a request`);
  if (about.duplicates) fact('Twice in the logs', `${number(about.duplicates)}, shown once`);
  fact('Could not be read', about.unreadable ? number(about.unreadable) : 'nothing');
  if (about.unfinished) fact('Still being written', `${number(about.unfinished)} last ${about.unfinished === 1 ? 'line' : 'lines'}, not in here`);
  const alarm = [];
  if (about.left) alarm.push(`This is not all: the report is full with the first ${number(total)} events, and ${number(about.left)} more were wanted. Narrow it, for instance with --since, --until or --verb '!watch'.`);
  if (about.cut) alarm.push('This is not all: reading was interrupted.');
  $('alarm').textContent = alarm.join(' ');
  $('alarm').hidden = !alarm.length;
  if (!about.unreadable) return;
  $('unread').hidden = false;
  $('unread').querySelector('summary').textContent = `${number(about.unreadable)} ${about.unreadable === 1 ? 'piece' : 'pieces'} of the logs could not be read`;
  for (const u of about.first) $('unread').querySelector('ul').append(word(`${u.file}:${u.line}: ${u.reason} (${number(u.bytes)} bytes)`, 'li'));
  if (about.unreadable > about.first.length) $('unread').querySelector('ul').append(el('li', {textContent: `and ${number(about.unreadable - about.first.length)} more`}));
}

$('search').addEventListener('input', () => { state.text = $('search').value; update(); });
$('deep').addEventListener('change', () => { state.deep = $('deep').checked; update(); });
$('reset').addEventListener('click', clearFilters);
$('print').addEventListener('click', () => print());
$('theme').addEventListener('click', () => {
  const next = {system: 'light', light: 'dark', dark: 'system'}[document.documentElement.dataset.theme ?? 'system'];
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  $('theme').textContent = 'Theme: ' + next;
});
addEventListener('keydown', event => {
  const writing = event.target.matches?.('input[type=search]');
  if (event.key === '/' && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) { $('search').focus(); event.preventDefault(); }
  else if (event.key === 'Escape' && !writing && !$('event').hidden) close();
});
addEventListener('beforeprint', () => {
  drawRows(PRINTED);
  const n = rows.length;
  $('printed').textContent = n > PRINTED ? `The first ${number(PRINTED)} of ${number(n)} selected events, out of ${number(total)} in this report; ${number(n - PRINTED)} are not printed.` : `All ${number(n)} selected events, out of ${number(total)} in this report.`;
});
addEventListener('afterprint', () => drawRows());
// The event's own address: keepFragment may have changed that of the page meanwhile.
addEventListener('hashchange', event => { readFragment(new URL(event.newURL).hash); update(); state.event >= 0 ? open(rows.indexOf(state.event)) : $('event').hidden || close(); });
new ResizeObserver(() => keepFocus(() => { drawTime(); drawRows(); })).observe($('scroll'));

drawAbout();
readFragment(location.hash);
update();
if (state.event >= 0) open(rows.indexOf(state.event));
afterwards(() => {
  document.documentElement.dataset.opened = performance.now().toFixed(0);
  $('foot').textContent = `Opened in ${document.documentElement.dataset.opened} ms. Times are UTC. All that is shown stands in this file; it asks no network for anything. The address keeps the selection: copy it to share it along with the file.`;
});

})().catch(error => { // what is said here is no event's text
  document.documentElement.dataset.broken = String(error);
  const foot = document.getElementById('foot');
  foot.textContent = `The report cannot be shown: ${error}. It needs Chromium 123, Firefox 120, Safari 17.5, or later.`;
});
