package simulate

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strings"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/read"
)

// Ratio is how many times smaller a rotated file gets by --audit-log-compress.
type Ratio struct {
	Times float64 `json:"times"` // 0 when it could not be measured
	From  string  `json:"from"`  // of what it was measured, in words
}

// packedRatio measures the packed files of some logs: gzip notes at the end of a file how
// long it was (RFC 1952, ISIZE), and a log's files are shorter than the 4 GB of that.
func packedRatio(logs []read.Log) (Ratio, bool) {
	var files int
	var packed, plain int64
	for _, l := range logs {
		for _, name := range l.Files {
			if p, n, ok := packedSize(name); ok {
				files++
				packed += p
				plain += n
			}
		}
	}
	if packed == 0 || plain < minSample {
		return Ratio{}, false
	}
	return Ratio{float64(plain) / float64(packed), fmt.Sprintf("%s of the log", counted(files, "packed file"))}, true
}

// minSample is the least text whose ratio says something of a file's.
const minSample = 32 << 10

func packedSize(name string) (packed, plain int64, ok bool) {
	if !strings.HasSuffix(name, ".gz") {
		return 0, 0, false
	}
	f, err := auditlog.OpenRegular(name) // a pipe that was named has been read, and would wait again
	if err != nil {
		return 0, 0, false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() < 20 {
		return 0, 0, false
	}
	var end [4]byte
	if _, err := f.ReadAt(end[:], info.Size()-4); err != nil {
		return 0, 0, false
	}
	plain = int64(binary.LittleEndian.Uint32(end[:]))
	return info.Size(), plain, plain > info.Size()
}

// sampler keeps some of a log's text: its beginning, and then a piece now and then, each
// longer than the 32 KB in which gzip looks for what it has seen.
type sampler struct {
	text bytes.Buffer
	read int64
}

const (
	firstSample = 256 << 10
	everySample = 32 << 20
	pieceSample = 64 << 10
	mostSample  = 768 << 10
)

func (s *sampler) add(event []byte) {
	if s.text.Cap() == 0 {
		s.text.Grow(mostSample + pieceSample)
	}
	if s.text.Len() < mostSample && (s.read < firstSample || s.read%everySample < pieceSample) {
		s.text.Write(event)
		s.text.WriteByte('\n')
	}
	s.read += int64(len(event)) + 1
}

// ratio packs the sample as lumberjack packs a rotated file.
func (s *sampler) ratio() Ratio {
	if s.text.Len() < minSample {
		return Ratio{From: "the log is too short to tell"}
	}
	var size packed
	w := gzip.NewWriter(&size)
	if _, err := w.Write(s.text.Bytes()); err != nil || w.Close() != nil {
		return Ratio{From: "the log could not be packed"}
	}
	return Ratio{float64(s.text.Len()) / float64(size), fmt.Sprintf("a sample of %.1f MB of the log", float64(s.text.Len())/(1<<20))}
}

// packed counts what is written.
type packed int64

func (c *packed) Write(b []byte) (int, error) {
	*c += packed(len(b))
	return len(b), nil
}

// counted is a number with its noun.
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
