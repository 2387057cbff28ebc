//go:build e2e

// Package page has the tests of events --html in a real browser.
package page

import (
	"fmt"
	"os"
	"testing"
)

func TestLook(t *testing.T) {
	file := os.Getenv("PAGE")
	b := startBrowser(t)
	p := b.open(t, file, "")
	t.Log("opened", p.number("document.documentElement.dataset.opened"), p.text("document.documentElement.dataset.broken"))
	shot := func(name string) { p.look(name, "Page.captureScreenshot", map[string]any{"format": "png"}) }
	size := func(w, h int) {
		p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": w, "height": h, "deviceScaleFactor": 1, "mobile": false}, nil)
	}
	size(1440, 900)
	shot("light.png")
	for _, f := range []string{"verb=get", "not-verb=watch&not-verb=get", "search=secrets", "outcome=denied", "sort=name", "sort=agent&search=alice"} {
		p.eval("location.hash = " + fmt.Sprintf("%q", f))
		p.until("location.hash")
		p.eval("new Promise(r => setTimeout(r, 300))")
		t.Log(f, "filtered", p.text("document.documentElement.dataset.filtered"), "selected", p.text("document.documentElement.dataset.selected"))
	}
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	p.eval("location.hash = 'not-verb=watch&outcome=denied&outcome=failed&event=500'")
	p.eval("new Promise(r => setTimeout(r, 500))")
	shot("dark.png")
	p.look("print.pdf", "Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true})
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": "light"}}}, nil)
	p.eval("document.getElementById('close').click()")
	size(420, 900)
	p.eval("new Promise(r => setTimeout(r, 300))")
	shot("narrow.png")
	b.quiet(t)
}
