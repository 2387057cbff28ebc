// Bench times two commands as whole processes, in turns, and prints
// their medians: go run ./bench RUNS COMMAND... -- COMMAND...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// warm runs come first and are not counted: they fill the page cache.
const warm = 5

// runs are what was measured of one command.
type runs struct {
	wall, cpu []time.Duration
	peak      int64 // KB, the most of all runs
}

func main() {
	if err := bench(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(args []string) error {
	cut := slices.Index(args, "--")
	if cut < 2 || cut == len(args)-1 {
		return errors.New("usage: bench RUNS COMMAND [ARGUMENT...] -- COMMAND [ARGUMENT...]")
	}
	count, err := strconv.Atoi(args[0])
	if err != nil || count < 1 {
		return fmt.Errorf("%q is not a number of runs", args[0])
	}
	commands := [2][]string{args[1:cut], args[cut+1:]}
	var got [2]runs
	for i := range warm + count {
		for j := range commands {
			r := &got[j]
			if i == warm {
				*r = runs{}
			}
			if err := r.once(commands[j]); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%-12s %10s %10s %10s %12s\n", "", "wall ms", "fastest", "cpu ms", "peak MB")
	for j, r := range got {
		fmt.Printf("%-12s %10.1f %10.1f %10.1f %12.1f\n", filepath.Base(commands[j][0]),
			ms(median(r.wall)), ms(slices.Min(r.wall)), ms(median(r.cpu)), float64(r.peak)/1024)
	}
	fmt.Printf("%-12s %9.2fx %9.2fx %9.2fx %11.2fx\n", "ratio",
		ratio(median(got[0].wall), median(got[1].wall)), ratio(slices.Min(got[0].wall), slices.Min(got[1].wall)),
		ratio(median(got[0].cpu), median(got[1].cpu)), float64(got[0].peak)/float64(got[1].peak))
	return nil
}

// once runs a command. Its output goes nowhere; that it fails is an error.
func (r *runs) once(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	start := time.Now()
	err := cmd.Run()
	r.wall = append(r.wall, time.Since(start))
	if err != nil {
		return fmt.Errorf("%v: %w", command, err)
	}
	r.cpu = append(r.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = max(r.peak, u.Maxrss)
	}
	return nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
