package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tidemark/pkg/config/yamltree"
)

// Print writes the configuration as a file that Load would read, with
// <redacted> in place of secrets.
func (c Config) Print(w io.Writer) error {
	out := bufio.NewWriter(w)
	printSection(out, reflect.ValueOf(&c).Elem(), "")
	return out.Flush()
}

func printSection(w io.Writer, v reflect.Value, indent string) {
	for i := range v.NumField() {
		key, field := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		if section(field) {
			fmt.Fprintf(w, "%s%s:\n", indent, key)
			printSection(w, field, indent+"  ")
			continue
		}
		fmt.Fprintf(w, "%s%s: %s\n", indent, key, scalarText(field.Interface()))
	}
}

func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case Secret:
		return strconv.Quote(v.String())
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case Inputs:
		return v.text()
	case time.Duration:
		return yamltree.FormatDuration(v.Milliseconds())
	}
	return fmt.Sprint(v)
}

// plain texts need no quotes and look like nothing else.
var plain = regexp.MustCompile(`^[a-z][a-z0-9_./-]*[a-z0-9]$`)

func quote(s string) string {
	if plain.MatchString(s) && s != "true" && s != "false" && s != "null" {
		return s
	}
	return strconv.Quote(s)
}
