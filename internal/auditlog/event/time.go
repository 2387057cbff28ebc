package event

import "time"

// parseTime reads a time as RFC 3339 has it, with any fraction and zone; 0 for what is
// none. Fractions below a microsecond are cut off.
func parseTime(s []byte) Time {
	if t, ok := usualTime(s); ok || len(s) == 0 {
		return t
	}
	// Package time takes a little more than the RFC allows, and so does encoding/json.
	var t time.Time
	if t.UnmarshalText(s) != nil || t.IsZero() {
		return 0
	}
	return Time(t.UnixMicro())
}

// usualTime reads what the RFC allows, but for the year 1, which has Go's zero time.
func usualTime(s []byte) (Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	century, year, month, day := two(s, 0), two(s, 2), two(s, 5), two(s, 8)
	hour, minute, second := two(s, 11), two(s, 14), two(s, 17)
	if hour|minute|second|century|year < 0 || hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	if year += century * 100; day > daysIn(year, month) || year < 2 {
		return 0, false
	}
	micros, rest := fraction(s[19:])
	offset, ok := zone(rest)
	seconds := days(year, month, day)*86400 + int64(hour*3600+minute*60+second-offset)
	return Time(seconds*1e6 + int64(micros)), ok
}

// two is the number of two digits at i, or a negative one.
func two(s []byte, i int) int {
	tens, units := s[i]-'0', s[i+1]-'0'
	if tens > 9 || units > 9 {
		return -1000
	}
	return int(tens)*10 + int(units)
}

// fraction reads .123, as microseconds. Without a digit it leaves everything.
func fraction(s []byte) (micros int, rest []byte) {
	if s[0] != '.' {
		return 0, s
	}
	i, unit := 1, 100000
	for i < len(s) && s[i]-'0' <= 9 {
		micros += int(s[i]-'0') * unit
		unit /= 10
		i++
	}
	if i == 1 {
		return 0, s
	}
	return micros, s[i:]
}

// zone reads Z or +01:00, as seconds.
func zone(s []byte) (offset int, ok bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return 0, true
	}
	if len(s) != len("+01:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, minute := two(s, 1), two(s, 4)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	offset = hour*3600 + minute*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// daysIn is how many days a month has.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// days is the number of days from 1970-01-01 to a date. Years begin in March here, so
// that the leap day is the last one.
func days(year, month, day int) int64 {
	y, m := year, month-3
	if m < 0 {
		y, m = y-1, m+12
	}
	era := y / 400
	ofEra := y - era*400
	ofYear := (153*m+2)/5 + day - 1
	return int64(era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468)
}
