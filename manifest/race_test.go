//go:build race

package manifest

// raceEnabled says that tests run some ten times slower.
const raceEnabled = true
