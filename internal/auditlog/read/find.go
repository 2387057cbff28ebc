package read

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Find returns the logs that names stand for: a file with its rotated siblings, each
// log in a folder, or - for standard input.
func Find(names []string, stdin io.Reader) ([]Log, error) {
	var logs []Log
	for _, name := range names {
		if name == "-" {
			logs = append(logs, Log{Name: "standard input", Stdin: stdin})
			continue
		}
		ext := filepath.Ext(name)
		rotated, err := filepath.Glob(strings.TrimSuffix(name, ext) + "-[0-9]*" + ext + "*")
		if err != nil {
			return nil, err
		}
		slices.Sort(rotated)
		logs = append(logs, Log{Name: name, Files: append(rotated, name)})
	}
	return logs, nil
}
