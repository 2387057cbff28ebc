//go:build race

package contract

// raceEnabled has the program built under the race detector, as the tests are.
const raceEnabled = true
