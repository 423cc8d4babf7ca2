//go:build race

package codec_test

// raceEnabled: sync.Pool drops at random under the race detector, so allocations
// can't be counted.
const raceEnabled = true
