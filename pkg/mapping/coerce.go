package mapping

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"tidemark/streams/codec"
)

// unit is what a number stands for as a time; 0: times are RFC 3339.
type unit int

var unitNames = [...]string{"rfc3339", "s", "ms", "us"}

// toText is a value as text. Whole numbers are written in full, as ids often are
// numbers.
func toText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		if math.Abs(v) >= 1<<63 || math.IsNaN(v) {
			return "", errors.New("a number with more digits than can be told apart; send it as text")
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", errors.New(kindOf(v) + ", must be a text or a number")
}

// kindOf names what a value is.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a text"
	case int, float64:
		return "a number"
	case time.Time:
		return "an instant"
	case map[string]any:
		return "an object"
	}
	return "a list"
}

// toTime reads an instant, as Unix milliseconds. What a number stands for is
// declared, never guessed.
func (u unit) toTime(v any) (int64, error) {
	switch v := v.(type) {
	case time.Time:
		return v.UnixMilli(), nil
	case string:
		if u != 0 {
			return u.digits(v)
		}
		ms, ok := codec.ParseTime(v)
		if !ok {
			return 0, errors.New(codec.Show(v) + " is not RFC 3339, such as 2026-11-02T09:30:00Z (day() reads a date alone, date() other layouts, time_unit says what numbers are)")
		}
		return ms, nil
	case int:
		return u.number(float64(v))
	case float64:
		return u.number(v)
	}
	return 0, errors.New(kindOf(v) + ", must be an instant")
}

// digits reads a number that is written as text.
func (u unit) digits(s string) (int64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, errors.New(codec.Show(s) + " is not a number, which time_unit " + unitNames[u] + " says it is")
	}
	return u.number(f)
}

// mostTime is beyond any instant that RFC 3339 can write.
const mostTime = 1e15

func (u unit) number(f float64) (int64, error) {
	switch unitNames[u] {
	case "rfc3339":
		return 0, errors.New("a number; set time_unit to s, ms or us to say what it counts")
	case "s":
		f *= 1000
	case "us":
		f /= 1000
	}
	if !(math.Abs(f) < mostTime) {
		return 0, errors.New("a number beyond any date; time_unit is " + unitNames[u])
	}
	return int64(math.Floor(f)), nil
}

// toNumber reads a number.
func toNumber(v any) (float64, error) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	}
	return 0, errors.New(kindOf(v) + ", must be a number")
}

// toTexts reads a list of texts, or one text.
func toTexts(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, errors.New(kindOf(item) + " within, must be a list of texts")
			}
			out = append(out, text)
		}
		return out, nil
	}
	return nil, errors.New(kindOf(v) + ", must be a list of texts")
}

// toJSON makes of a value what models know: numbers are float64, lists []any, and
// instants text.
func toJSON(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return v.Seconds()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = toJSON(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = toJSON(value)
		}
		return out
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil // as of a division by zero
		}
		return v
	case string, bool, nil:
		return v
	}
	return otherJSON(v)
}
