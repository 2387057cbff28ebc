//go:build e2e

package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// incident is a quiet day, with a person who reads secrets at one o'clock.
func incident() []any {
	var events []any
	for i := range 600 {
		at := start.Add(time.Duration(i) * 50 * time.Second)
		e := event(at, []string{"get", "list", "watch", "update"}[i%4], []string{"system:kube-scheduler", "system:serviceaccount:monitoring:prometheus", "system:node:n1"}[i%3], []string{"pods", "leases", "endpoints"}[i%3], []string{"prod", "kube-system"}[i%2], fmt.Sprintf("web-%d", i), "10.0.0.7", "kubelet/v1.37.2", 200)
		events = append(events, e)
		if i >= 360 && i < 380 {
			events = append(events, event(at.Add(time.Second), "get", "mallory@example.com", "secrets", "prod", fmt.Sprintf("password-%d", i), "203.0.113.9", "curl/8.5.0", []int{403, 200}[i%2]))
		}
	}
	big := event(start.Add(9*time.Hour), "create", "alice@example.com", "configmaps", "prod", "big", "10.0.0.8", "kubectl/v1.36.0", 201)
	big["requestObject"] = json.RawMessage(`{"big":12345678901234567890,"twice":1,"twice":2,"float":1.0,"text":"a <script>\" & b"}`)
	return append(events, big)
}

// TestUse uses the report as a person does: mouse, keyboard, links, paper.
func TestUse(t *testing.T) {
	b := startBrowser(t)
	file := report(t, incident())
	p := b.open(t, file, "")
	selected := func() float64 { t.Helper(); return p.number("document.documentElement.dataset.selected") }
	want := func(what string, n float64) {
		t.Helper()
		if got := selected(); got != n {
			t.Errorf("%s: %v events, want %v", what, got, n)
		}
	}
	want("at first", 621)

	// A name in a top list, another one left out, and back.
	line := func(list, name, button string) string {
		return fmt.Sprintf("[...document.querySelectorAll('#tops [aria-label=%q] li')].find(l => l.textContent.startsWith(%q)).querySelector(%q)", list, name, button)
	}
	p.eval(line("User", "mallory@example.com", ".pick") + ".click()")
	want("mallory", 20)
	if got := p.text(line("User", "mallory@example.com", ".pick") + ".getAttribute('aria-pressed')"); got != "true" {
		t.Errorf("the line is pressed: %s", got)
	}
	p.eval("document.querySelector('#legend [data-key=\"legend denied\"]').click()")
	want("mallory denied", 10)
	p.until("location.hash === '#user=mallory%40example.com&outcome=denied'")
	p.look("filtered.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	link := p.text("location.hash")
	if got := b.open(t, file, link).number("document.documentElement.dataset.selected"); got != 10 {
		t.Errorf("the link %s shows %v events", link, got)
	}
	p.call("Page.bringToFront", nil, nil) // what lies behind draws nothing
	p.eval("[...document.querySelectorAll('#chips button')].at(-1).click()")
	want("all again", 621)
	p.eval(line("Verb", "watch", ".not") + ".click()")
	want("no watch", 471)
	p.until("location.hash === '#not-verb=watch'")
	p.eval("location.hash = ''")
	p.until("document.documentElement.dataset.selected === '621'")

	// The timeline, by mouse and by keys.
	box := map[string]float64{}
	must(t, json.Unmarshal([]byte(p.text("JSON.stringify(document.getElementById('plot').getBoundingClientRect())")), &box))
	p.drag(box["left"]+box["width"]*0.5, box["left"]+box["width"]*0.75, box["top"]+box["height"]/2)
	p.until("Number(document.documentElement.dataset.selected) < 300")
	p.eval("new Promise(r => setTimeout(r, 400))")
	dragged, hash := selected(), p.text("location.hash")
	if dragged < 100 || !strings.HasPrefix(hash, "#time=2026-11-22T12%3A") {
		t.Errorf("the span that was drawn has %v events, %s", dragged, hash)
	}
	p.look("span.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	p.eval("document.getElementById('zoom').click()")
	want("zoomed in", dragged)
	p.eval("document.getElementById('whole').click()")
	want("the whole span", 621)
	p.eval("document.querySelector('[data-end=to]').focus()")
	for range 3 {
		p.key("ArrowLeft")
	}
	by := selected()
	if by >= 621 || p.text("document.activeElement.dataset.end") != "to" {
		t.Errorf("the end of the span was moved by keys: %v events", by)
	}
	p.key("Escape")
	want("after Escape", 621)

	// The table by keys: the third newest event, its JSON as the log has it.
	p.eval("document.getElementById('table').focus()")
	for range 2 {
		p.key("ArrowDown")
	}
	p.key("Home")
	p.key("Enter")
	p.until("document.getElementById('event').dataset.row === '620'")
	text := p.text("document.getElementById('json').textContent")
	for _, part := range []string{`"big": 12345678901234567890,`, "\"twice\": 1,\n    \"twice\": 2,", `"float": 1.0`} {
		if !strings.Contains(text, part) {
			t.Errorf("the JSON lacks %s: %s", part, text)
		}
	}
	var compact bytes.Buffer
	must(t, json.Compact(&compact, []byte(text)))
	var logged bytes.Buffer
	must(t, json.NewEncoder(&logged).Encode(incident()[620]))
	if compact.String()+"\n" != logged.String() {
		t.Errorf("the log has %s\nthe page %s", &logged, &compact)
	}
	p.call("Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite"}}, nil)
	p.eval("document.getElementById('copy').click()")
	p.until("document.getElementById('copy').textContent === 'Copied'")
	p.look("event.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	p.key("Escape")
	p.until("document.getElementById('event').hidden")

	// Sorting, search, and search in what no column has.
	p.eval("document.querySelector('[data-sort=user] button').click()")
	if got := p.text("document.querySelector('td.who').textContent + document.querySelector('[data-sort=user]').ariaSort"); got != "alice@example.comascending" {
		t.Errorf("sorted by user: %s", got)
	}
	search := func(text string) {
		p.eval(fmt.Sprintf("(() => { const s = document.getElementById('search'); s.value = %q; s.dispatchEvent(new Event('input')); })()", text))
	}
	p.key("/")
	if p.text("document.activeElement.id") != "search" {
		t.Error("/ does not search")
	}
	search("CURL secrets")
	want("search", 20)
	search("12345678901234567890")
	want("search in columns", 0)
	p.eval("document.getElementById('deep').click()")
	p.until("document.documentElement.dataset.selected === '1'")
	search("<script>\"")
	p.until("document.documentElement.dataset.selected === '1'")
	search("no such thing")
	p.until("document.documentElement.dataset.selected === '0' && !document.getElementById('empty').hidden")
	p.eval("document.getElementById('reset').click()")
	want("after all", 621)

	// Paper says what is on it.
	p.eval("addEventListener('beforeprint', () => setTimeout(() => 0)), addEventListener('afterprint', () => window.was = document.getElementById('printed').textContent)")
	pdf := p.look("use.pdf", "Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true})
	if !bytes.HasPrefix(pdf, []byte("%PDF")) || p.text("document.getElementById('printed').textContent") != "The first 200 of 621 selected events, out of 621 in this report; 421 are not printed." {
		t.Errorf("printed: %s", p.text("document.getElementById('printed').textContent"))
	}

	// The switch, and colours in both.
	colour := "getComputedStyle(document.documentElement).backgroundColor"
	p.eval("document.getElementById('theme').click()")
	light := p.text(colour)
	p.eval("document.getElementById('theme').click()")
	if dark := p.text(colour); dark == light || p.text("document.getElementById('theme').textContent") != "Theme: dark" {
		t.Errorf("light is %s, dark %s", light, dark)
	}
	p.look("dark.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 400, "height": 860, "deviceScaleFactor": 1, "mobile": false}, nil)
	p.eval("new Promise(r => setTimeout(r, 300))")
	if wide := p.number("document.documentElement.scrollWidth"); wide > 400 {
		t.Errorf("the page is %v px wide on a narrow screen", wide)
	}
	p.look("narrow.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	b.quiet(t)
}

// TestNamed wants a name for whatever a screen reader comes by.
func TestNamed(t *testing.T) {
	b := startBrowser(t)
	p := b.open(t, report(t, incident()), "#event=3&verb=get")
	p.until("document.getElementById('event').dataset.row === '2'")
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	p.call("Accessibility.enable", nil, nil)
	p.call("Accessibility.getFullAXTree", nil, &tree)
	roles := map[string]int{}
	for _, n := range tree.Nodes {
		role := fmt.Sprint(n.Role.Value)
		if n.Ignored {
			continue
		}
		roles[role]++
		if name, _ := n.Name.Value.(string); name == "" && strings.Contains(" button slider searchbox checkbox grid columnheader region complementary link image ", " "+role+" ") {
			t.Errorf("a %s has no name", role)
		}
	}
	for _, role := range []string{"button", "slider", "searchbox", "checkbox", "grid", "row", "columnheader", "heading", "status", "main", "complementary"} {
		if roles[role] == 0 {
			t.Errorf("nothing is a %s: %v", role, roles)
		}
	}
	b.quiet(t)
}

// TestEmpty is a report without events, of a log of which nothing could be read.
func TestEmpty(t *testing.T) {
	b := startBrowser(t)
	p := b.open(t, report(t, nil, "no event", "nor this"), "")
	for id, want := range map[string]string{"count": "0 events", "empty": "No event is like this."} {
		if got := p.text(fmt.Sprintf("document.getElementById(%q).innerText.trim()", id)); got != want {
			t.Errorf("%s: %s", id, got)
		}
	}
	if got := p.text("document.getElementById('unread').innerText"); !strings.Contains(got, "2 pieces of the logs could not be read") {
		t.Error(got)
	}
	p.look("empty.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	b.quiet(t)
}
