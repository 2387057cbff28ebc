//go:build e2e

package page

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium, driven through a pipe by the DevTools protocol: one JSON
// object after the other, with a NUL behind each.
type browser struct {
	t     *testing.T
	to    io.Writer
	mu    sync.Mutex
	next  int
	waits map[int]chan reply
	said  []string // what went wrong in pages: exceptions, dialogs, console, requests that are not the page itself
}

type reply struct {
	ID        int             `json:"id"`
	SessionID string          `json:"sessionId"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	Result    json.RawMessage `json:"result"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// chromium is the program; the test is skipped where there is none, but for CI, which has installed it.
func chromium(t *testing.T) string {
	for _, name := range []string{os.Getenv("E2E_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	none := "there is no Chromium here: apt-get install chromium, or E2E_CHROMIUM=PATH"
	if os.Getenv("CI") != "" {
		t.Fatal(none)
	}
	t.Skip(none)
	return ""
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	out, in, err := os.Pipe() // what Chromium reads
	if err != nil {
		t.Fatal(err)
	}
	answers, said, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(chromium(t), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "--window-size=1440,900", "about:blank")
	cmd.ExtraFiles = []*os.File{out, said} // 3 and 4, as Chromium has them
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = out.Close(), said.Close()
	b := &browser{t: t, to: in, waits: map[int]chan reply{}}
	ended := make(chan struct{})
	go func() { b.listen(answers); close(ended) }()
	t.Cleanup(func() {
		_ = b.send("", "Browser.close", nil, nil)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
	})
	return b
}

func (b *browser) listen(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var r reply
		if json.Unmarshal(text[:len(text)-1], &r) != nil {
			continue
		}
		b.mu.Lock()
		if wait := b.waits[r.ID]; wait != nil {
			wait <- r
			delete(b.waits, r.ID)
		}
		b.note(r)
		b.mu.Unlock()
	}
}

// note remembers what a page should not do.
func (b *browser) note(r reply) {
	switch r.Method {
	case "Runtime.exceptionThrown", "Page.javascriptDialogOpening", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.windowOpen":
		b.said = append(b.said, r.Method+": "+string(r.Params))
	case "Network.requestWillBeSent":
		var p struct {
			Request struct{ URL string }
			Type    string
		}
		_ = json.Unmarshal(r.Params, &p)
		if p.Type != "Document" || !strings.HasPrefix(p.Request.URL, "file:") {
			b.said = append(b.said, "request: "+p.Request.URL)
		}
	}
}

// send calls a method of a session, "" for the browser itself.
func (b *browser) send(session, method string, params, result any) error {
	b.mu.Lock()
	b.next++
	id, wait := b.next, make(chan reply, 1)
	b.waits[id] = wait
	call := map[string]any{"id": id, "method": method}
	if params != nil {
		call["params"] = params
	}
	if session != "" {
		call["sessionId"] = session
	}
	text, err := json.Marshal(call)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case r := <-wait:
		if r.Error != nil {
			return errors.New(method + ": " + r.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-time.After(60 * time.Second):
		return errors.New(method + ": no answer within a minute")
	}
}

// tab is one page in the browser.
type tab struct {
	*browser
	t       *testing.T
	session string
}

// open opens a file with a fragment, and waits until its events are shown.
func (b *browser) open(t *testing.T, file, fragment string) *tab {
	t.Helper()
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	must(t, b.send("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	must(t, b.send("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p := &tab{b, t, attached.SessionID}
	t.Cleanup(func() { _ = b.send("", "Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil) })
	for _, domain := range []string{"Page", "Runtime", "Network", "Log", "Performance"} {
		p.call(domain+".enable", nil, nil)
	}
	at := url.URL{Scheme: "file", Path: file, Fragment: ""}
	p.call("Page.navigate", map[string]any{"url": at.String() + fragment}, nil)
	p.until("document.documentElement?.dataset.opened || document.documentElement?.dataset.broken")
	return p
}

func (p *tab) call(method string, params, result any) {
	p.t.Helper()
	must(p.t, p.send(p.session, method, params, result))
}

// eval is the value of an expression in the page, a promise awaited.
func (p *tab) eval(expression string) any {
	p.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	p.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true}, &r)
	if r.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	return r.Result.Value
}

// until waits for an expression to be true.
func (p *tab) until(expression string) {
	p.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if v := p.eval("Boolean(" + expression + ")"); v == true {
			return
		}
	}
	p.t.Fatalf("never true: %s", expression)
}

func (p *tab) number(expression string) float64 {
	p.t.Helper()
	v, ok := p.eval("Number(" + expression + ")").(float64)
	if !ok {
		p.t.Fatalf("%s is no number", expression)
	}
	return v
}

func (p *tab) text(expression string) string {
	p.t.Helper()
	return fmt.Sprint(p.eval("String(" + expression + ")"))
}

// cpu is how long the page's process has had the processor, in ms.
func (p *tab) cpu() float64 {
	p.t.Helper()
	var r struct {
		Metrics []struct {
			Name  string
			Value float64
		}
	}
	p.call("Performance.getMetrics", nil, &r)
	for _, m := range r.Metrics {
		if m.Name == "ProcessTime" {
			return 1000 * m.Value
		}
	}
	p.t.Fatal("there is no ProcessTime")
	return 0
}

// key presses and releases a key.
func (p *tab) key(name string) {
	p.t.Helper()
	code := map[string]int{"ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38, "Enter": 13, "Escape": 27, "/": 191, "End": 35, "Home": 36, "Tab": 9}[name]
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		p.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": name, "windowsVirtualKeyCode": code}, nil)
	}
}

// mouse presses at one place, moves to another and lets go.
func (p *tab) drag(x1, x2, y float64) {
	p.t.Helper()
	at := func(kind string, x float64, buttons int) {
		p.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1}, nil)
	}
	at("mouseMoved", x1, 0)
	at("mousePressed", x1, 1)
	at("mouseMoved", (x1+x2)/2, 1)
	at("mouseMoved", x2, 1)
	at("mouseReleased", x2, 0)
}

// look keeps a picture or a PDF where E2E_PICTURES says, for people to look at.
func (p *tab) look(name, method string, params any) []byte {
	p.t.Helper()
	var r struct{ Data string }
	p.call(method, params, &r)
	data, err := base64.StdEncoding.DecodeString(r.Data)
	must(p.t, err)
	if dir := os.Getenv("E2E_PICTURES"); dir != "" {
		must(p.t, os.MkdirAll(dir, 0o755))
		must(p.t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return data
}

// quiet fails the test if a page did what it should not.
func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.said {
		t.Error(s)
	}
	b.said = nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
