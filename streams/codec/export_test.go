package codec

// Elements is how many elements a text has that is a JSON list, -1 where it is none.
func Elements(text []byte) int {
	var d document
	if !d.parse(text) || d.kind(0) != kindList {
		return -1
	}
	n := 0
	d.elements(0, func(int) bool { n++; return true })
	return n
}
