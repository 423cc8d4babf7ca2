//go:build race

package codec

// spoils says that memory is spoiled once it is freed, for tests: those with the race
// detector are.
const spoils = true
