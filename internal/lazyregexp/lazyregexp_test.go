package lazyregexp_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"auditpatch/internal/lazyregexp"
)

// TestCompile compiles each regular expression of the program, since a run that does not need one
// would not see that it is none.
func TestCompile(t *testing.T) {
	n := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		texts := constants(file)
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || !isNew(call.Fun) {
				return true
			}
			n++
			text, err := text(call.Args[0], texts)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			} else if _, err := regexp.Compile(text); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return true
		})
		return nil
	})
	if err != nil || n < 30 {
		t.Errorf("%d regular expressions, %v", n, err)
	}
}

func isNew(f ast.Expr) bool {
	s, ok := f.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "New" {
		return false
	}
	p, ok := s.X.(*ast.Ident)
	return ok && p.Name == "lazyregexp"
}

// constants are the expressions of a file's constants, by name.
func constants(file *ast.File) map[string]ast.Expr {
	out := map[string]ast.Expr{}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			for i, name := range v.Names {
				if i < len(v.Values) {
					out[name.Name] = v.Values[i]
				}
			}
		}
	}
	return out
}

// text is what a constant expression stands for.
func text(e ast.Expr, constants map[string]ast.Expr) (string, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return strconv.Unquote(e.Value)
	case *ast.BinaryExpr:
		x, err := text(e.X, constants)
		if err != nil {
			return "", err
		}
		y, err := text(e.Y, constants)
		return x + y, err
	case *ast.Ident:
		if of, ok := constants[e.Name]; ok {
			return text(of, constants)
		}
	}
	return "", fmt.Errorf("%T is no constant of the file", e)
}

func TestNew(t *testing.T) {
	bad := lazyregexp.New(`(`) // not compiled
	good := lazyregexp.New(`^a+$`)
	if first, second := good(), good(); !first.MatchString("aa") || first != second {
		t.Error("a+ is not compiled once")
	}
	defer func() {
		if recover() == nil {
			t.Error("( is compiled")
		}
	}()
	bad()
}
