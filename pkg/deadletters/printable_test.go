package deadletters

import "testing"

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":"ü 東"}`:           `{"a":"ü 東"}`,
		"\x1b[31mred\x1b]0;t\a": `\x1b[31mred\x1b]0;t\a`,
		"a\nb\tc\r\x00":         `a\nb\tc\r\x00`,
		"\xff\xc3":              `\xff\xc3`,
		"\u202egnp.exe\u200b":   `\u202egnp.exe\u200b`,
		"\u0085\u009b31m":       `\u0085\u009b31m`,
		"don't":                 "don't",
		"":                      "",
	} {
		if got := Printable([]byte(in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
