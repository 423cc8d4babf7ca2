package yamltree

// Suggest is `, did you mean "x"?` for the known name nearest to what was
// written, or empty where none is near.
func Suggest(written string, known []string) string {
	if name := Nearest(written, known); name != "" {
		return `, did you mean "` + name + `"?`
	}
	return ""
}

// Nearest is the known name that differs least from what was written, or empty
// where all differ by more than a slip of the keyboard or two.
func Nearest(written string, known []string) string {
	if len(written) > 100 {
		return ""
	}
	best, least := "", 1+max(1, min(3, len(written)/3))
	for _, name := range known {
		if d := distance(written, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes, with a swap of neighbours counted once.
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(row[j]+1, next[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
