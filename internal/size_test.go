package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	longFunction = 30 // lines that 95 % of the functions keep to
	mostFunction = 60
	mostFields   = 12   // of a struct with methods
	mostLines    = 3500 // of code in a package, without comments and empty lines
)

// wide are structs that may have more fields, and why.
var wide = map[string]string{
	"patch.Settings":          "what a manifest says of auditing, in one value that is compared as a whole",
	"internal/change.Result":  "one documented JSON object, and what text has beside it",
	"internal/inspect.Report": "one documented JSON object",
	"internal/ansible.answer": "one documented JSON object",
}

// TestSizes wants packages, functions and structs that can be read in one go. Tests and
// their support are left out.
func TestSizes(t *testing.T) {
	t.Parallel()
	functions, short := 0, 0
	for dir, files := range sources(t) {
		lines := 0
		methods, fields := map[string]bool{}, map[string]int{}
		for _, f := range files {
			lines += f.code()
			f.structs(methods, fields)
			for _, fn := range f.functions() {
				functions++
				if n := f.lines(fn); n > mostFunction {
					t.Errorf("%s: %s has %d lines, more than %d", f.name, fn.Name.Name, n, mostFunction)
				} else if n <= longFunction {
					short++
				}
			}
		}
		if lines > mostLines {
			t.Errorf("%s has %d lines of code, more than %d", dir, lines, mostLines)
		}
		for name, n := range fields {
			if n > mostFields && methods[name] && wide[dir+"."+name] == "" {
				t.Errorf("%s.%s has %d fields, more than %d", dir, name, n, mostFields)
			}
		}
	}
	t.Logf("%d of %d functions have at most %d lines", short, functions, longFunction)
	if functions == 0 || short*100 < functions*95 {
		t.Errorf("%d of %d functions have at most %d lines: less than 95 %%", short, functions, longFunction)
	}
}

// source is one file of the program.
type source struct {
	name string
	text string
	fset *token.FileSet
	*ast.File
}

// sources are the files of the program by folder.
func sources(t *testing.T) map[string][]source {
	t.Helper()
	out := map[string][]source{}
	for _, root := range []string{"../main.go", "../manifest", "../patch", "../presets", "."} {
		err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() && (e.Name() == "simnode" || e.Name() == "standin") {
				return filepath.SkipDir
			}
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			f := source{name: name, text: string(text), fset: token.NewFileSet()}
			f.File, err = parser.ParseFile(f.fset, name, text, parser.SkipObjectResolution)
			dir, _ := filepath.Rel("..", filepath.Join("../internal", filepath.Dir(name)))
			out[dir] = append(out[dir], f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d folders", len(out))
	}
	return out
}

// code counts lines that are neither empty nor a comment.
func (f source) code() (n int) {
	for line := range strings.Lines(f.text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

func (f source) functions() (out []*ast.FuncDecl) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			out = append(out, fn)
		}
	}
	return out
}

func (f source) lines(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

// structs notes the types that have methods, and how many fields structs have.
func (f source) structs(methods map[string]bool, fields map[string]int) {
	for _, fn := range f.functions() {
		if fn.Recv != nil {
			of := fn.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			if name, ok := of.(*ast.Ident); ok {
				methods[name.Name] = true
			}
		}
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				fields[spec.Name.Name] += max(1, len(field.Names))
			}
		}
		return true
	})
}
