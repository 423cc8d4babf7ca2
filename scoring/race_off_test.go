//go:build !race

package scoring_test

const underRace = 1
