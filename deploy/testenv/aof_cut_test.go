package testenv

import (
	"strings"
	"testing"
)

func TestOnlyWholeStepsAreLeftOfAFile(t *testing.T) {
	t.Parallel()
	const (
		set   = "*3\r\n$3\r\nset\r\n$1\r\nx\r\n$4\r\na\r\nb\r\n"
		multi = "*1\r\n$5\r\nMULTI\r\n"
		exec  = "*1\r\n$4\r\nEXEC\r\n"
		note  = "#TS:1\r\n"
	)
	file := note + set + multi + set + set + exec + set
	ends := []int{0, len(note), len(note + set), len(note + set + multi + set + set + exec), len(file)}
	for cut := range len(file) + 1 {
		want := 0
		for _, end := range ends {
			if end <= cut {
				want = end
			}
		}
		if got := wholeSteps([]byte(file[:cut])); got != want {
			t.Errorf("of %q: got %d bytes, want %d", strings.ReplaceAll(file[:cut], "\r\n", " "), got, want)
		}
	}
}
