package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tidemark/pkg/config/yamltree"
)

// leaf is one key that has a value, and the field it sets.
type leaf struct {
	path  string
	value reflect.Value
}

// leaves lists every key of a configuration, in the file's order.
func leaves(c *Config) []leaf {
	var out []leaf
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		if !section(v) {
			out = append(out, leaf{path, v})
			return
		}
		for i := range v.NumField() {
			walk(v.Field(i), yamltree.Join(path, v.Type().Field(i).Tag.Get("yaml")))
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
	return out
}

// section reports whether v holds keys instead of a value.
func section(v reflect.Value) bool {
	return v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[Secret]()
}

// set takes a value as text: of the environment, a flag, or a scalar of the file.
func (l leaf) set(text string) error {
	switch field := l.value.Addr().Interface().(type) {
	case *string:
		*field = text
	case *Secret:
		*field = NewSecret(text)
	case *[]string:
		*field = split(text)
	case *Inputs:
		list, err := parseInputs(text)
		if err != nil {
			return err
		}
		*field = list
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*field = n
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*field = n
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*field = text == "true"
	case *time.Duration:
		d, err := parseDuration(text)
		if err != nil {
			return fmt.Errorf("%q %w", text, err)
		}
		*field = d
	case *Lifetime:
		kept, err := ParseLifetime(text)
		if err != nil {
			return err
		}
		*field = kept
	case *Size:
		size, err := parseSize(text)
		if err != nil {
			return fmt.Errorf("%q %w", text, err)
		}
		*field = size
	default:
		panic(fmt.Sprintf("config: %s has a type without a reader, %s", l.path, l.value.Type()))
	}
	return nil
}

// split cuts at commas; spaces around the parts do not count.
func split(text string) []string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

var errYears = errors.New("is longer than 100000d")

func parseDuration(text string) (time.Duration, error) {
	ms, err := yamltree.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return 0, errYears
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// variable is the environment variable of a key.
func variable(path string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
