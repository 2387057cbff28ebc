//go:build e2e

package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// hostile are texts that run, break out or deceive where a page takes them for its own.
var hostile = []string{
	`</script><script>canary()</script>`, `<script>canary()</script>`, `<img src=x onerror=canary()>`, `"><svg onload=canary()>`, `' onmouseover='canary()`,
	`javascript:canary()`, `<a href="javascript:canary()">x</a>`, `<!--`, `--><b>`, `<!--<script>`, `]]>`, `</title><meta http-equiv=refresh content="0;url=http://canary.example/">`,
	`<iframe src=http://canary.example></iframe>`, `<link rel=stylesheet href=http://canary.example/>`, `</style>`, `${canary()}`, `{{canary()}}`, `&lt;script&gt;canary()`,
	"\u2028canary()\u2029", "\u202egnp.exe\u202c", "\u200b\ufeff\u00ad", "a\u0000b\u001b[31m", "\ufffd", "__proto__", "constructor", "\U000e0041\U000e007f", "&#60;script>", `\u003cscript\u003ecanary()\u003c/script\u003e`,
	strings.Repeat("<script>canary()</script>", 1000), "e\u0301" + strings.Repeat("\u0301", 300), "שלום عليكم",
}

// everywhere is an event with a text in each of its fields.
func everywhere(at time.Time, text string) object {
	e := event(at, text, text, text, text, text, text, text, 403)
	for _, field := range []string{"level", "auditID", "stage", "requestURI"} {
		e[field] = text
	}
	e["user"] = object{"username": text, "uid": text, "groups": []string{text}, "extra": object{text: []string{text}}}
	e["impersonatedUser"] = object{"username": text, "groups": []string{text}}
	e["objectRef"] = object{"resource": text, "namespace": text, "name": text, "apiGroup": text, "subresource": text, "uid": text}
	e["responseStatus"] = object{"code": 403, "status": text, "reason": text, "message": text}
	e["annotations"] = object{"authorization.k8s.io/reason": text, text: text}
	e["requestObject"], e["responseObject"] = object{text: text}, []any{text, object{"x": text}}
	e[text] = text
	return e
}

// TestHostile opens events with such texts in every field, looks at each, filters by each,
// and prints them: nothing runs, nothing is asked of any network, and each text can be read.
func TestHostile(t *testing.T) {
	b := startBrowser(t)
	var events []any
	for i, text := range hostile {
		events = append(events, everywhere(start.Add(time.Duration(i)*time.Second), text))
	}
	// What Go writes in no log: raw text, and halves of characters.
	raw := `{"auditID":"raw","verb":"</script><script>canary()</script>","user":{"username":"\ud800 <img src=x onerror=canary()>"},"userAgent":"` + "\u2028<b>\x7f\xff\u202e" + `","stageTimestamp":"2026-11-22T09:00:00Z"}`
	file := report(t, events, raw, "</script><script>canary()</script> is no event")
	p := b.open(t, file, "")
	if broken := p.text("document.documentElement.dataset.broken"); broken != "undefined" {
		t.Fatal(broken)
	}
	elements := "JSON.stringify([...new Set([...document.querySelectorAll('*')].map(e => e.localName))].sort())"
	for i := range len(events) + 1 {
		p.eval(fmt.Sprintf("location.hash = 'event=%d&sort=when'", i+1))
		p.until(fmt.Sprintf("document.getElementById('event').dataset.row === '%d'", i))
		p.eval("(() => { for (const b of document.querySelectorAll('#fields button, #tops .pick')) b.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})); })()")
		if i == len(events) {
			break
		}
		if got := p.text("document.getElementById('json').textContent"); !strings.Contains(got, `"auditID": `) && len(hostile[i]) < 10_000 {
			t.Errorf("event %d is shown as %.300s", i, got)
		}
		p.eval("document.querySelector('#fields button').click()")
		p.eval("document.querySelector('#json button')?.click()")
	}
	p.eval("location.hash = 'search=' + encodeURIComponent('<img src=x onerror=canary()>') + '&user=' + encodeURIComponent('<script>canary()</script>') + '&whole='")
	p.eval("new Promise(r => setTimeout(r, 500))")
	p.look("hostile-link.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	p.eval("location.hash = 'event=20'")
	p.eval("new Promise(r => setTimeout(r, 300))")
	p.look("hostile.png", "Page.captureScreenshot", map[string]any{"format": "png"})
	p.look("hostile.pdf", "Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true})

	var names []string
	must(t, json.Unmarshal([]byte(p.text(elements)), &names))
	for _, name := range names {
		if strings.Contains(" img iframe object embed link a b base form script ", " "+name+" ") && name != "script" {
			t.Errorf("there is an element %s in the page", name)
		}
	}
	if n := p.number("document.querySelectorAll('script:not([type])').length"); n != 1 {
		t.Errorf("%v scripts", n)
	}
	body := p.text("document.body.innerText")
	for _, want := range []string{`\u202egnp.exe\u202c`, `a\u0000b\u001b[31m`, `<!--<script>`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s cannot be seen", want)
		}
	}
	if strings.ContainsAny(body, "\u202e\u2028\u200b\x00\x1b") {
		t.Error("a character that cannot be seen is in the page as it is")
	}
	if unread := p.text("document.getElementById('unread').textContent"); !strings.Contains(unread, "1 piece of the logs could not be read") {
		t.Errorf("what could not be read: %s", unread)
	}
	b.quiet(t)

	// The page's policy holds by itself: what is put into it by force does not run either.
	p.eval("(() => { const s = document.createElement('div'); s.innerHTML = '<img src=x onerror=canary()>'; const j = document.createElement('script'); j.textContent = 'window.ran = 1'; document.body.append(s, j); })()")
	p.eval("new Promise(r => setTimeout(r, 300))")
	if p.text("window.ran") != "undefined" {
		t.Error("a script that was put into the page runs")
	}
}
