package yamltree

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// Milliseconds.
const (
	second = int64(1000)
	day    = 86400 * second
	// LongestDuration keeps instants far from overflow.
	LongestDuration = 1_000_000 * day
)

// units, the two-letter one first: "ms" also begins with "m".
var units = []struct {
	name   string
	millis int64
}{
	{"ms", 1},
	{"s", second},
	{"m", 60 * second},
	{"h", 3600 * second},
	{"d", day},
	{"w", 7 * day},
}

// What ParseDuration returns; each completes a sentence that begins with the text.
var (
	ErrDuration = errors.New("is not a duration: a number and a unit (ms s m h d w), or a sum such as 1d12h")
	ErrFraction = errors.New("is not a whole number of milliseconds")
	ErrLong     = errors.New("is longer than 1000000d")
)

// ParseDuration reads a duration as milliseconds: a number
// and a unit (ms s m h d w), a sum of such, or a plain 0.
func ParseDuration(text string) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	if text == "" {
		return 0, ErrDuration
	}
	total := new(big.Rat)
	for text != "" {
		term, rest, ok := cutTerm(text)
		if !ok {
			return 0, ErrDuration
		}
		text = rest
		total.Add(total, term)
	}
	switch {
	case total.Cmp(new(big.Rat).SetInt64(LongestDuration)) > 0:
		return 0, ErrLong
	case !total.IsInt():
		return 0, ErrFraction
	}
	return total.Num().Int64(), nil
}

// cutTerm takes a number and its unit from the front of text.
func cutTerm(text string) (term *big.Rat, rest string, ok bool) {
	const mostDigits = 40
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.') {
		end++
	}
	digits, rest := text[:end], text[end:]
	whole, fraction, dotted := strings.Cut(digits, ".")
	if len(digits) > mostDigits || whole == "" || dotted && fraction == "" || strings.Contains(fraction, ".") {
		return nil, "", false
	}
	value, ok := new(big.Rat).SetString(digits)
	if !ok {
		return nil, "", false
	}
	for _, u := range units {
		if after, ok := strings.CutPrefix(rest, u.name); ok {
			return value.Mul(value, new(big.Rat).SetInt64(u.millis)), after, true
		}
	}
	return nil, "", false
}

// FormatDuration writes milliseconds as ParseDuration reads them, in few letters.
func FormatDuration(ms int64) string {
	if ms <= 0 {
		return "0s"
	}
	var out strings.Builder
	for _, name := range []string{"d", "h", "m", "s", "ms"} {
		for _, u := range units {
			if u.name == name && ms >= u.millis {
				out.WriteString(strconv.FormatInt(ms/u.millis, 10) + name)
				ms %= u.millis
			}
		}
	}
	return out.String()
}
