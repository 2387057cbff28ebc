package simulate

import (
	"fmt"
	"math"
	"time"
)

// Wish is what a log is to keep.
type Wish struct {
	Disk int64 // bytes that it may take, 0 for as many as it needs
	Days int64 // that it is to reach back, 0 for as many as fit
	// Compress says whether to pack rotated files; nil leaves that to the plan.
	Compress *bool
	Rate     Rate
	Times    float64 // how many times smaller packed files are; 0 when it is unknown
}

// Settings are what the plan comes to.
type Settings struct {
	Rotation
	Rate  float64 // bytes an hour that they are made for
	Basis string  // which rate that is, in words
	History
	Enough bool // the wished days are kept on the wished disk
	// Needs is what would give the wished days, or the 30 of CIS: the disk with and without
	// packing, and the share of the volume that would fit. Zero where nothing lacks.
	Needs Needs
}

// Needs are ways to get as many days, each alone.
type Needs struct {
	Days        int64   `json:"days"`
	DiskPlain   int64   `json:"diskPlain"`  // bytes without packing
	DiskPacked  int64   `json:"diskPacked"` // bytes with it; 0 when the ratio is unknown
	VolumeShare float64 `json:"volumeShare"`
}

// MinDisk is the least that a log takes: the live file and a rotated one.
const MinDisk = 10 * mb

// cisDays, cisFiles and cisSize are the least that the CIS benchmark takes (1.2.16 to
// 1.2.20, by version).
const (
	cisDays  = 30
	mostDays = 366 // the default of kube-apiserver from 1.36 on
	cisFiles = 10
	cisSize  = 100
)

// basis is the rate to plan with. Days even out what hours do not, so that a log of a day
// or more gives its busiest day, and a shorter one its busiest hour.
func (r Rate) basis() (rate float64, words string) {
	switch {
	case r.Day > 0:
		return r.Day, "the busiest 24 hours in a row"
	case r.Hours > 1:
		return r.Peak, "the busiest hour, since the log covers less than a day"
	}
	return r.Mean, "the mean, since the log covers no more than an hour"
}

// Plan makes settings for a wish.
func Plan(w Wish) Settings {
	s := Settings{}
	s.Rate, s.Basis = w.Rate.basis()
	s.Compress = w.Compress != nil && *w.Compress
	s.fit(w)
	if w.Compress == nil && w.Times > 1 && !s.Enough {
		packed := s
		packed.Compress = true
		packed.fit(w)
		if fits := w.Disk == 0 || packed.Disk <= w.Disk; fits && packed.Least > s.Least {
			s = packed
		}
	}
	days := w.Days
	if days == 0 {
		days = cisDays
	}
	if s.Least < time.Duration(days)*day {
		s.Needs = needs(w, s, days)
	}
	return s
}

// fit sets size and number of files.
func (s *Settings) fit(w Wish) {
	times := 1.0
	if s.Compress && w.Times > 1 {
		times = w.Times
	}
	days := w.Days
	if days == 0 && w.Disk == 0 {
		days = cisDays
	}
	s.MaxSize, s.MaxBackup = cisSize, cisFiles
	for _, s.MaxSize = range []int64{100, 200, 500, 1000} {
		if s.MaxBackup = s.backups(w.Disk, days, times); s.MaxBackup <= 500 {
			break
		}
	}
	if w.Disk > 0 && s.MaxBackup < 3 {
		s.small(w.Disk, times)
	}
	// Age and number both remove: the number is to be what decides, as long as the age is
	// what a checker wants to see.
	s.MaxAge = max(days, cisDays)
	s.History = Rotation{s.MaxSize, s.MaxBackup, 0, s.Compress}.Keeps(s.Rate, times)
	if kept := s.Least / day; w.Disk > 0 && w.Days == 0 && int64(kept) >= s.MaxAge {
		s.MaxAge = min(int64(kept)+1, mostDays)
	}
	s.History = s.Keeps(s.Rate, times)
	if days == 0 {
		days = cisDays
	}
	s.Enough = s.Least >= time.Duration(days)*day && (w.Disk == 0 || s.Disk <= w.Disk)
}

// backups is how many rotated files are kept: as the days need, and as the disk has room
// for. Without packing the files themselves are the limit; with it there is one more while
// the last is being packed.
func (s *Settings) backups(disk, days int64, times float64) int64 {
	size := float64(s.MaxSize * mb)
	room := int64(math.MaxInt32)
	if disk > 0 {
		room = int64(float64(disk)/size) - 1
		if times > 1 {
			room = int64((float64(disk) - 2*size) * times / size)
		}
	}
	wanted := room
	if days > 0 {
		wanted = max(int64(math.Ceil(float64(days)*24*s.Rate/size)), cisFiles)
	}
	return max(min(room, wanted, 100_000), 0)
}

// small are settings for a disk that does not hold three files of 100 MB: many small files
// lose less at once than few large ones. An event that is larger than a file is lost, so
// that none is smaller than 5 MB.
func (s *Settings) small(disk int64, times float64) {
	for _, s.MaxSize = range []int64{50, 20, 10, 5} {
		if s.MaxBackup = s.backups(disk, 0, times); s.MaxBackup >= 10 {
			return
		}
	}
	s.MaxBackup = max(s.MaxBackup, 1)
}

// needs are the ways to get the days.
func needs(w Wish, s Settings, days int64) Needs {
	bytes := float64(days) * 24 * s.Rate
	n := Needs{Days: days}
	files := int64(math.Ceil(bytes / (cisSize * mb)))
	n.DiskPlain = Rotation{MaxSize: cisSize}.disk(files, 1)
	if w.Times > 1 {
		n.DiskPacked = Rotation{MaxSize: cisSize, Compress: true}.disk(files, w.Times)
	}
	if bytes > 0 {
		n.VolumeShare = float64(s.Least) / float64(time.Duration(days)*day)
	}
	return n
}

// Flags are the flags of auditpatch enable.
func (r Rotation) Flags() []string {
	return []string{
		fmt.Sprintf("--audit-log-maxage=%d", r.MaxAge), fmt.Sprintf("--audit-log-maxbackup=%d", r.MaxBackup),
		fmt.Sprintf("--audit-log-maxsize=%d", r.MaxSize), fmt.Sprintf("--audit-log-compress=%t", r.Compress),
	}
}
