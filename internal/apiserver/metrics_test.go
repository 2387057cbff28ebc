package apiserver

import (
	"fmt"
	"testing"
)

func TestSample(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`a_total{code="200",host="h:1",method="POST"} 1`:        "map[code:200 host:h:1 method:POST] 1",
		`a_total{method="POST",host="h:1",code="200",} 12`:      "map[code:200 host:h:1 method:POST] 12",
		`a_total{method="POST", code="<error>"} 1.5e+06 139506`: "map[code:<error> method:POST] 1.5e+06",
		`a_total{host="a\\b\"c\nd}",x=""} 3`:                    "map[host:a\\b\"c\nd} x:] 3",
		`a_total{host="h, code=\"200\""} 4`:                     `map[host:h, code="200"] 4`,
		`a_total{} 5`:                                           "map[] 5",
		`a_total{host="h"} +Inf`:                                "map[host:h] +Inf",
		`a_total{host="h"}`:                                     "malformed",
		`a_total{host="h} 1`:                                    "malformed",
		`a_total{host=h} 1`:                                     "malformed",
		`a_total{host="h" 1`:                                    "malformed",
		`a_total{host="h"} many`:                                "malformed",
		`a_total 7`:                                             "malformed",
	} {
		got := "malformed"
		if labels, value, ok := sample(line); ok {
			got = fmt.Sprint(labels, value)
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, got, want)
		}
	}
}
