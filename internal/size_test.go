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
	mostFields   = 12   // of a struct with methods, unless its comment has a reason
	mostLines    = 3500 // of code in a package, without comments and empty lines
)

// TestSizes wants packages, functions and structs that can be read in one go. A struct
// with methods that has more fields says why in its own comment, in a sentence with
// the word "fields". Tests and their support are left out.
func TestSizes(t *testing.T) {
	t.Parallel()
	functions, short := 0, 0
	for dir, files := range sources(t) {
		lines := 0
		methods, structs := map[string]bool{}, map[string]structure{}
		for _, f := range files {
			lines += f.code()
			f.types(methods, structs)
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
		for name, s := range structs {
			if s.fields > mostFields && methods[name] && !strings.Contains(s.comment, "fields") {
				t.Errorf("%s.%s has %d fields, more than %d: its comment must say why it has so many fields", dir, name, s.fields, mostFields)
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
			f.File, err = parser.ParseFile(f.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
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

// structure is a struct type of the program.
type structure struct {
	fields  int
	comment string
}

// types notes the types that have methods, and the structs.
func (f source) types(methods map[string]bool, structs map[string]structure) {
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
	comment := ""
	ast.Inspect(f.File, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok {
			comment = d.Doc.Text()
		}
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			is := structure{comment: comment + spec.Doc.Text()}
			for _, field := range s.Fields.List {
				is.fields += max(1, len(field.Names))
			}
			structs[spec.Name.Name] = is
		}
		return true
	})
}
