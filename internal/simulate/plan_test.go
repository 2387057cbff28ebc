package simulate

import (
	"testing"
	"time"
)

const gb = 1 << 30

// TestKeeps reckons history by hand: 100 MB an hour.
func TestKeeps(t *testing.T) {
	for _, c := range []struct {
		name     string
		rotation Rotation
		times    float64
		want     History
	}{
		{"by number", Rotation{MaxSize: 100, MaxBackup: 10, MaxAge: 30}, 0, History{10 * time.Hour, 11 * time.Hour, false, 1100 * mb}},
		{"packed", Rotation{MaxSize: 100, MaxBackup: 10, MaxAge: 30, Compress: true}, 10, History{10 * time.Hour, 11 * time.Hour, false, 300 * mb}},
		// A day has 24 files; one more is full before the oldest is too old, and one is written.
		{"by age", Rotation{MaxSize: 100, MaxBackup: 100, MaxAge: 1}, 0, History{24 * time.Hour, 26 * time.Hour, true, 2600 * mb}},
		{"by age alone", Rotation{MaxSize: 100, MaxAge: 1}, 0, History{24 * time.Hour, 26 * time.Hour, true, 2600 * mb}},
		{"never", Rotation{MaxSize: 100}, 0, History{Endless, Endless, false, 0}},
		{"not rotated", Rotation{MaxBackup: 10, MaxAge: 1}, 0, History{Endless, Endless, false, 0}},
	} {
		if got := c.rotation.Keeps(100*mb, c.times); got != c.want {
			t.Errorf("%s: %+v, not %+v", c.name, got, c.want)
		}
	}
	if got := (Rotation{MaxSize: 100, MaxBackup: 10}).Keeps(0, 0); got.Least != Endless {
		t.Errorf("nothing is written: %+v", got)
	}
}

// TestPlan makes settings of a steady rate of 10 MB an hour, which is 240 MB a day.
func TestPlan(t *testing.T) {
	steady := Rate{Mean: 10 * mb, Peak: 20 * mb, Day: 10 * mb, Hours: 100}
	packed := true
	for _, c := range []struct {
		name   string
		wish   Wish
		want   Rotation
		least  time.Duration
		enough bool
		needs  Needs
	}{
		// 30 days are 7200 MB: 72 files.
		{"30 days", Wish{Rate: steady}, Rotation{100, 72, 30, false}, 720 * time.Hour, true, Needs{}},
		{"10 days", Wish{Days: 10, Rate: steady}, Rotation{100, 24, 30, false}, 240 * time.Hour, true, Needs{}},
		// 10 GB are 10240 MB: the live file and 101 others, which are 42 days.
		{"10 GB", Wish{Disk: 10 * gb, Rate: steady}, Rotation{100, 101, 43, false}, 1010 * time.Hour, true, Needs{}},
		// 2 GB have room for 19 others, 7.9 days; packed 10 times smaller, (2048 - 200) * 10 / 100 are 184.
		{"2 GB", Wish{Disk: 2 * gb, Rate: steady}, Rotation{100, 19, 30, false}, 190 * time.Hour, false, Needs{30, 7300 * mb, 0, 190. / 720}},
		{"2 GB that may be packed", Wish{Disk: 2 * gb, Rate: steady, Times: 10}, Rotation{100, 184, 77, true}, 1840 * time.Hour, true, Needs{}},
		{"2 GB for 20 days", Wish{Disk: 2 * gb, Days: 20, Rate: steady, Times: 10}, Rotation{100, 48, 30, true}, 480 * time.Hour, true, Needs{}},
		// 500 MB packed: 300 MB, where 30 files of 100 MB fit: 12.5 days. 72 files take 720 MB and 200.
		{"out of reach", Wish{Disk: 500 * mb, Rate: steady, Times: 10, Compress: &packed}, Rotation{100, 30, 30, true}, 300 * time.Hour, false,
			Needs{30, 7300 * mb, 920 * mb, 300. / 720}},
		// A disk for less than three files gets smaller ones: 20 MB, and 9 of them in 200 MB.
		{"200 MB", Wish{Disk: 200 * mb, Rate: steady}, Rotation{10, 19, 30, false}, 19 * time.Hour, false, Needs{30, 7300 * mb, 0, 19. / 720}},
		// A log of three hours is planned with its busiest hour.
		{"short", Wish{Days: 10, Rate: Rate{Mean: 10 * mb, Peak: 20 * mb, Hours: 3}}, Rotation{100, 48, 30, false}, 240 * time.Hour, true, Needs{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Plan(c.wish)
			if s.Rotation != c.want || s.Least != c.least || s.Enough != c.enough || s.Needs != c.needs {
				t.Errorf("%+v, %s, enough %t, %+v; not %+v, %s, %t, %+v", s.Rotation, s.Least, s.Enough, s.Needs, c.want, c.least, c.enough, c.needs)
			}
			if c.wish.Disk > 0 && s.Disk > c.wish.Disk {
				t.Errorf("takes %d of %d", s.Disk, c.wish.Disk)
			}
		})
	}
}

// FuzzPlan wants settings that keep to the disk, and that kube-apiserver takes.
func FuzzPlan(f *testing.F) {
	f.Add(int64(10*gb), int64(0), 1e7, 2e7, 12.0)
	f.Add(int64(MinDisk), int64(400), 1e12, 1e13, 0.0)
	f.Add(int64(0), int64(30), 0.001, 0.001, 1e9)
	f.Fuzz(func(t *testing.T, disk, days int64, mean, peak, times float64) {
		if disk != 0 && disk < MinDisk || disk > 1<<60 || days < 0 || days > 36500 || !(mean > 0 && mean < 1e15 && peak >= mean && peak < 1e15 && times >= 0 && times < 1e6) {
			return
		}
		s := Plan(Wish{Disk: disk, Days: days, Rate: Rate{Mean: mean, Peak: peak, Hours: 5}, Times: times})
		if s.MaxSize < 1 || s.MaxBackup < 1 || s.MaxAge < 30 || s.MaxAge > 106751 {
			t.Fatalf("%+v", s)
		}
		if disk > 0 && s.History.Disk > disk {
			t.Fatalf("%d bytes of %d: %+v", s.History.Disk, disk, s)
		}
		if s.Enough && days > 0 && s.Least < time.Duration(days)*day {
			t.Fatalf("%s is not %d days", s.Least, days)
		}
	})
}
