// Size prints what each package takes of a binary, the largest first: size
// BINARY. The binary must still have its symbols.
//
// Only bytes of the file count, not memory that is zero at the start. Sections
// that belong to no package, such as the table of all functions, follow with
// what of them no symbol covers. A generic function counts for the package that
// declares it, a description of a type for none.
package main

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: size BINARY")
	}
	f, err := elf.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	sizes, err := measure(f)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return list(out, sizes)
}

// measure adds up the symbols by package, and for each section what is left.
func measure(f *elf.File) (map[string]uint64, error) {
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	sizes, covered := map[string]uint64{}, map[elf.SectionIndex]uint64{}
	for _, s := range symbols {
		if int(s.Section) >= len(f.Sections) || !inProgram(f.Sections[s.Section]) {
			continue
		}
		sizes[packageOf(s.Name)] += s.Size
		covered[s.Section] += s.Size
	}
	for i, section := range f.Sections {
		if rest := int64(section.Size) - int64(covered[elf.SectionIndex(i)]); inProgram(section) && rest > 0 {
			sizes["section "+section.Name] = uint64(rest)
		}
	}
	return sizes, nil
}

// inProgram reports whether a section is in the file and stays there when the
// binary is stripped.
func inProgram(s *elf.Section) bool {
	return s.Type != elf.SHT_NOBITS && s.Flags&elf.SHF_ALLOC != 0
}

// packageOf is the import path in a symbol's name. Only the part of the path
// behind the last slash has its dots escaped.
func packageOf(symbol string) string {
	if kind, _, found := strings.Cut(symbol, ":"); found && (kind == "type" || kind == "go") {
		return "symbols " + kind + ":"
	}
	path := symbol
	// A receiver and type parameters may hold paths of their own.
	if i := strings.IndexAny(path, "[("); i >= 0 {
		path = path[:i]
	}
	from := strings.LastIndexByte(path, '/') + 1
	name, _, found := strings.Cut(path[from:], ".")
	if !found {
		return "symbols without a package"
	}
	return path[:from] + strings.ReplaceAll(name, "%2e", ".")
}

func list(out io.Writer, sizes map[string]uint64) error {
	var sum uint64
	for _, size := range sizes {
		sum += size
	}
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b))
	})
	for _, name := range names {
		if _, err := fmt.Fprintf(out, "%9d  %4.1f %%  %s\n", sizes[name], 100*float64(sizes[name])/float64(sum), name); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%9d         in all\n", sum)
	return err
}
