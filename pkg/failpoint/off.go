//go:build !failpoints

package failpoint

// Hit passes a place. In this build it does nothing.
func Hit(string) {}
