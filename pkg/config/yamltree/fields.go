package yamltree

import (
	"strconv"
	"strings"
)

func (fs Fields) find(key string) Field {
	for _, f := range fs {
		if f.Key == key {
			return f.Use
		}
	}
	return nil
}

// hint says which key may have been meant, else which there are.
func (fs Fields) hint(key string) string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.Key
	}
	if s := Suggest(key, names); s != "" {
		return s
	}
	return ": " + strings.Join(names, ", ") + " are allowed here"
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
