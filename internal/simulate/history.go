package simulate

import (
	"math"
	"time"
)

// Rotation is how kube-apiserver rotates its log, by lumberjack v2.2.1.
type Rotation struct {
	MaxSize   int64 // of a file, in MB of 1024*1024 bytes; 0: it is never rotated
	MaxBackup int64 // rotated files that are kept, the live one not counted; 0: all
	MaxAge    int64 // in days of 24 hours, by the time of rotation; 0: any
	Compress  bool
}

const (
	mb  = 1 << 20
	day = 24 * time.Hour
)

// Rate is how much is written.
type Rate struct {
	Mean float64 // bytes an hour, over the whole log
	// Peak is that of the hour with the most; the same as Mean when the log covers no more
	// than an hour.
	Peak float64
	// Day is that of the 24 hours in a row with the most, 0 when the log covers less.
	Day   float64
	Hours float64 // that the log covers
}

// Rate is what one API server writes of a tally.
func (r *Report) Rate(t *Tally) Rate {
	hours := r.Span().Hours()
	if hours <= 0 || t == nil {
		return Rate{}
	}
	logs := float64(max(r.Logs, 1))
	rate := Rate{Mean: float64(t.All.Bytes) / hours / logs, Hours: hours}
	rate.Peak = rate.Mean
	buckets := t.ByHour()
	for i, b := range buckets {
		if hours > 1 {
			rate.Peak = max(rate.Peak, float64(b.Bytes)/logs)
		}
		var sum int64
		for _, next := range buckets[i:] {
			if next.Start.Sub(b.Start) >= day {
				break
			}
			sum += next.Bytes
		}
		if hours >= 24 {
			rate.Day = max(rate.Day, float64(sum)/24/logs)
		}
	}
	if rate.Day > 0 {
		rate.Day = max(rate.Day, rate.Mean)
	}
	return rate
}

// History is how far back a log then reaches.
type History struct {
	// Least is just after a rotation, Most just before one. They are Endless when nothing is
	// ever removed, or nothing is written.
	Least, Most time.Duration
	ByAge       bool  // it is maxage that removes, not maxbackup
	Disk        int64 // what the files take at most, in bytes; 0 for no limit
}

// Endless is a history without an end.
const Endless = time.Duration(math.MaxInt64)

// Keeps is the history of a log that is written at a rate of bytes an hour; times is how
// many times smaller packed files are.
func (r Rotation) Keeps(rate, times float64) History {
	h := History{Least: Endless, Most: Endless}
	if r.MaxSize <= 0 {
		return h // one file, which grows
	}
	size := float64(r.MaxSize * mb)
	if r.MaxBackup > 0 {
		h.Least, h.Most = lasts(size*float64(r.MaxBackup), rate), lasts(size*float64(r.MaxBackup+1), rate)
		h.Disk = r.disk(r.MaxBackup, times)
	}
	if r.MaxAge == 0 {
		return h
	}
	// A file goes when its last event is too old. That is looked at when another is rotated,
	// which takes the time of a file's size.
	age := time.Duration(min(r.MaxAge, int64(Endless/day))) * day
	fill := lasts(size, rate)
	if age < h.Least {
		h.Least, h.Most, h.ByAge = age, after2(age, fill, h.Most), true
		if rate > 0 {
			files := int64(math.Ceil(age.Hours()*rate/size)) + 1
			if d := r.disk(files, times); h.Disk == 0 || d < h.Disk {
				h.Disk = d
			}
		}
	}
	return h
}

// after2 is the age and twice the time in which a file fills, but no more than most.
func after2(age, fill, most time.Duration) time.Duration {
	if fill >= (Endless-age)/2 {
		return most
	}
	return min(age+2*fill, most)
}

// disk is what so many rotated files and the live one take. While a file is being packed it
// is there twice: that is one file more.
func (r Rotation) disk(backups int64, times float64) int64 {
	size := float64(r.MaxSize * mb)
	if r.Compress && times > 1 {
		return toInt(size*float64(backups)/times + 2*size)
	}
	return toInt(size * float64(backups+1))
}

func toInt(f float64) int64 {
	if f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(f)
}

// lasts is the time in which so many bytes are written.
func lasts(bytes, rate float64) time.Duration {
	if rate <= 0 {
		return Endless
	}
	if hours := bytes / rate; hours < Endless.Hours() {
		return time.Duration(hours * float64(time.Hour))
	}
	return Endless
}
