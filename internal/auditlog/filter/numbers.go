package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
)

// span is a range of numbers, both ends included.
type span struct{ from, to int }

func (s span) has(n int) bool { return s.from <= n && n <= s.to }

func readCodes(r reading) (condition, error) {
	c, err := r.condition(event.WantResponse, func(value string) (test, error) {
		s, ok := readSpan(value)
		if !ok {
			return test{}, hint.Errorf(hint.Flag(r.Name, "403").Then(", ", hint.Flag(r.Name, "4xx")).Then(" or ", hint.Flag(r.Name, "400-499")),
				"--%s %q: it is no HTTP status", r.Name, value)
		}
		return test{
			match: func(e *event.Event) bool { return s.has(e.Response.Code) },
			key:   fmt.Sprintf("%d-%d", s.from, s.to),
			covers: func(key string) bool {
				other, _ := readSpan(key)
				return s.has(other.from) && s.has(other.to)
			},
		}, nil
	})
	if err == nil && !c.match(&event.Event{}) {
		c.code = func(n int) bool { return c.match(&event.Event{Response: event.Response{Code: n}}) }
	}
	return c, err
}

// readSpan reads 403, 4xx and 400-499.
func readSpan(value string) (span, bool) {
	if len(value) == 3 && strings.EqualFold(value[1:], "xx") && value[0] >= '1' && value[0] <= '5' {
		n := int(value[0]-'0') * 100
		return span{n, n + 99}, true
	}
	low, high, isRange := strings.Cut(value, "-")
	if !isRange {
		high = low
	}
	from, bad := strconv.Atoi(low)
	to, worse := strconv.Atoi(high)
	ok := bad == nil && worse == nil && from <= to && from >= 100 && to <= 999
	return span{from, to}, ok
}

func readFailed(reading) (condition, error) {
	failed := func(code int) bool { return code >= 400 }
	match := func(e *event.Event) bool { return failed(e.Response.Code) || string(e.Stage) == "Panic" }
	return condition{fields: event.WantResponse | event.WantStage, match: match, words: []string{"Panic"}, code: failed}, nil
}

func readAddresses(r reading) (condition, error) {
	return r.condition(event.WantSourceIPs, func(value string) (test, error) {
		if strings.Contains(value, "*") {
			return oneOf(func(e *event.Event) []byte { return e.SourceIPs })(newPattern(value)), nil
		}
		block, err := readBlock(value)
		if err != nil {
			return test{}, hint.Errorf(hint.Flag(r.Name, "10.0.0.7").Then(", ", hint.Flag(r.Name, "10.0.0.0/8")).Then(" or ", hint.Flag(r.Name, "fd00::/8")),
				"--%s %q: it is no address and no CIDR", r.Name, value)
		}
		match := func(e *event.Event) (found bool) {
			event.Strings(e.SourceIPs, func(s []byte) bool {
				a, err := netip.ParseAddr(string(s))
				found = err == nil && block.Contains(a.Unmap().WithZone(""))
				return !found
			})
			return found
		}
		covers := func(key string) bool {
			other, err := netip.ParsePrefix(key)
			return err == nil && block.Bits() <= other.Bits() && block.Contains(other.Addr())
		}
		return test{match: match, key: block.String(), covers: covers}, nil
	})
}

// readBlock reads an address or a CIDR. One of IPv4 in IPv6 is one of IPv4.
func readBlock(value string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(value); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	block, err := netip.ParsePrefix(value)
	if err == nil && block.Addr().Is4In6() && block.Bits() >= 96 {
		block = netip.PrefixFrom(block.Addr().Unmap(), block.Bits()-96)
	}
	return block.Masked(), err
}

// single refuses what can be given once only, and negated values.
func (r reading) single(example string) (string, error) {
	if len(r.values) > 1 {
		return "", hint.Errorf(hint.Flag(r.Name, example), "--%s: it can be given once", r.Name)
	}
	if text, not := cutNot(r.values[0]); not {
		return "", hint.Errorf(hint.Flag(r.Name, text), "--%s %q: there is no ! for it", r.Name, r.values[0])
	}
	return strings.TrimSpace(r.values[0]), nil
}

func readSlow(r reading) (condition, error) {
	value, err := r.single("1s")
	if err != nil {
		return condition{}, err
	}
	least, err := readDuration(value)
	if err != nil || least <= 0 {
		return condition{}, hint.Errorf(hint.Flag(r.Name, "1s"), "--%s %q: it is no time such as 1s or 500ms", r.Name, value)
	}
	match := func(e *event.Event) bool {
		return e.Received != 0 && e.Stamp != 0 && time.Duration(e.Stamp-e.Received)*time.Microsecond >= least
	}
	return condition{fields: event.WantReceived | event.WantStamp, match: match}, nil
}

// readDuration reads what time.ParseDuration reads, with d for days and w for weeks in front.
func readDuration(value string) (time.Duration, error) {
	var sum time.Duration
	rest := value
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is no duration", value)
		}
		sum, rest = sum+time.Duration(n*float64(unit.length)), after
	}
	if rest == "" && sum > 0 {
		return sum, nil
	}
	d, err := time.ParseDuration(rest)
	return sum + d, err
}
