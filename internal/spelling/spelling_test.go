package spelling

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		word  string
		known []string
		want  string
	}{
		{"enalbe", []string{"disable", "enable"}, "enable"},
		{"lsit", []string{"show", "list"}, "list"},
		{"dif", []string{"diff"}, "diff"},
		{"ls", []string{"list"}, "list"},
		{"o", []string{"to"}, ""},
		{"zip", []string{"get"}, ""},
		{"", []string{"get"}, ""},
		{"Audit_Log_MaxAgee", []string{"audit-log-path", "audit-log-maxage"}, "audit-log-maxage"},
		{"resource names", []string{"resources", "resourceNames"}, "resourceNames"},
		{"verbz", []string{"verba", "verbs"}, "verba"},
		{"something", []string{"else"}, ""},
		{"get", nil, ""},
	} {
		if got := Nearest(tc.word, tc.known); got != tc.want {
			t.Errorf("%q among %v: got %q, want %q", tc.word, tc.known, got, tc.want)
		}
	}
}
