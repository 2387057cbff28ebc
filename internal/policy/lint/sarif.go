package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// The parts of SARIF 2.1.0 that code scanning shows.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"semanticVersion,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string            `json:"id"`
		Name                 string            `json:"name"`
		ShortDescription     sarifText         `json:"shortDescription"`
		FullDescription      sarifText         `json:"fullDescription"`
		Help                 sarifText         `json:"help"`
		DefaultConfiguration map[string]string `json:"defaultConfiguration"`
		Properties           map[string]any    `json:"properties"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		RuleIndex           int                `json:"ruleIndex"`
		Level               string             `json:"level"`
		Message             sarifText          `json:"message"`
		Locations           []sarifLocation    `json:"locations"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifSuppression struct {
		Kind string `json:"kind"`
	}
	sarifLocation struct {
		PhysicalLocation struct {
			ArtifactLocation struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region struct {
				StartLine   int `json:"startLine"`
				StartColumn int `json:"startColumn"`
			} `json:"region"`
		} `json:"physicalLocation"`
	}
)

// sarifLevels are the words of SARIF for severities.
var sarifLevels = map[Severity]string{Error: "error", Warning: "warning", Info: "note"}

// SARIF writes a report as SARIF 2.1.0, for code scanning. file is the path in the
// repository. Findings that comments switch off are there as suppressed.
func SARIF(file, version string, report *Report) ([]byte, error) {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "auditpatch", Rules: []sarifRule{}}
	if strings.Count(version, ".") == 2 {
		run.Tool.Driver.Version = strings.TrimPrefix(version, "v")
	}
	indices := map[string]int{}
	for i, c := range Codes() {
		indices[c.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(c))
	}
	seen := map[string]int{}
	add := func(findings []Finding, suppressed bool) {
		for _, f := range findings {
			r := f.sarif(file, seen)
			if r.RuleIndex = indices[f.Code.ID]; suppressed {
				r.Suppressions = []sarifSuppression{{"inSource"}}
			}
			run.Results = append(run.Results, r)
		}
	}
	add(report.Findings, false)
	add(report.Ignored, true)
	log := sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
	out, err := json.MarshalIndent(log, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write SARIF: %w", err)
	}
	return append(out, '\n'), nil
}

func sarifRuleOf(c *Code) sarifRule {
	text := c.Why + "\n\nInstead of\n\n" + c.Bad.shown() + "\nwrite\n\n" + c.Good.shown()
	markdown := fmt.Sprintf("%s\n\nInstead of\n\n```yaml\n%s```\n\nwrite\n\n```yaml\n%s```\n", c.Why, c.Bad.shown(), c.Good.shown())
	return sarifRule{
		ID: c.ID, Name: c.Name, ShortDescription: sarifText{Text: c.Title}, FullDescription: sarifText{Text: c.Why},
		Help:                 sarifText{Text: text, Markdown: markdown},
		DefaultConfiguration: map[string]string{"level": sarifLevels[c.Severity]},
		Properties:           map[string]any{"tags": []string{"kubernetes", "audit"}, "problem.severity": map[Severity]string{Error: "error", Warning: "warning", Info: "recommendation"}[c.Severity]},
	}
}

// sarif is one finding. Its fingerprint is of what stays when lines move: the code,
// the field without its rule's number, and which one of several it is.
func (f Finding) sarif(file string, seen map[string]int) sarifResult {
	message := f.Message
	if f.Hint != "" {
		message += "\n" + f.Hint
	}
	r := sarifResult{RuleID: f.Code.ID, Level: sarifLevels[f.Code.Severity], Message: sarifText{Text: message}, Locations: make([]sarifLocation, 1)}
	at := &r.Locations[0].PhysicalLocation
	at.ArtifactLocation.URI = uri(file)
	at.Region.StartLine, at.Region.StartColumn = f.Line, f.Col
	field := f.Field
	if _, rest, ok := strings.Cut(field, "]"); ok && strings.HasPrefix(field, "rules[") {
		field = "rules" + rest
	}
	sum := sha256.Sum256([]byte(f.Code.ID + "\x00" + field))
	print := hex.EncodeToString(sum[:8])
	seen[print]++
	r.PartialFingerprints = map[string]string{"primaryLocationLineHash": fmt.Sprintf("%s:%d", print, seen[print])}
	return r
}

// uri is a relative path as it is, and any other as that of a file.
func uri(file string) string {
	u := url.URL{Path: filepath.ToSlash(filepath.Clean(file))}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}
