package nodefile

import "testing"

func TestChecksum(t *testing.T) {
	t.Parallel()
	// What sha256sum prints.
	if got, want := Checksum([]byte("hello\n")), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
