package manifest

import (
	"math/rand"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"":                          `""`,
		"x":                         "x",
		"--a=b":                     "--a=b",
		"--a=/b/c.d_e-f+g@h%i":      "--a=/b/c.d_e-f+g@h%i",
		"--a=https://192.0.2.1:443": "--a=https://192.0.2.1:443",
		"--a=b,c":                   `"--a=b,c"`,
		"--a=b c":                   `"--a=b c"`,
		"--a=b:":                    `"--a=b:"`,
		"-x":                        `"-x"`,
		"no":                        `"no"`,
		"y":                         `"y"`,
		"null":                      `"null"`,
		"010":                       `"010"`,
		"1e3":                       `"1e3"`,
		"12:30":                     `"12:30"`,
		"2026-11-22":                `"2026-11-22"`,
		"0123456789abcdef":          "0123456789abcdef",
		"1_000":                     `"1_000"`,
		"<<":                        `"<<"`,
		"<a>&b":                     `"<a>&b"`,
		`"\`:                        `"\"\\"`,
		"a\tb\nc":                   `"a\tb\nc"`,
		"é 🦊":                       `"é 🦊"`,
		"\u0085\u2028\ufeff\x7f":    `"\u0085\u2028\ufeff\u007f"`,
	} {
		if got := quote(s); got != want {
			t.Errorf("quote(%q) = %s, want %s", s, got, want)
		}
	}
}

// TestQuoteReadsBack writes every kind of text in every kind of quotes.
func TestQuoteReadsBack(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	alphabet := []rune("ab01-:,#'\"\\[]{}?&*!|>%@`~=._ \t\n\r\x01\x7f\u0085\u00a0\u2028\u2029\ufeffé🦊")
	styles := []yaml.Style{0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle}
	for range 5000 {
		var b strings.Builder
		for range r.Intn(8) {
			b.WriteRune(alphabet[r.Intn(len(alphabet))])
		}
		s := b.String()
		style := styles[r.Intn(len(styles))]
		for _, text := range []string{"k: " + quoteAs(style, s) + "\n", "{k: " + quoteAs(style, s) + ", l: x}", `{"k":` + doubleQuote(s) + "}"} {
			got := map[string]string{}
			if err := sigsyaml.Unmarshal([]byte(text), &got); err != nil || got["k"] != s {
				t.Fatalf("%q as %q reads as %q, %v", s, text, got["k"], err)
			}
		}
	}
}
